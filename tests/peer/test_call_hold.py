"""The caller puts the agent on hold: it waits, hears nothing, and goes on where it was."""

import time
from collections.abc import Iterator

import pytest

from sipagent.bench.wer import word_error_rate
from sipagent.lab.rtp_line import prepare_line
from sipagent.media.wav import read_wav
from tests.peer.conftest import HOLD_LIMIT_S
from tests.peer.raw_caller import RawCaller, call_ended
from tests.peer.running_agent import CLIPS, RunningAgent, clip_text
from tests.peer.talking_caller import TalkingCaller, talking_caller

pytestmark = pytest.mark.peer

CLIP = "hours-hibari-1.0.wav"
MUSIC = "bye-hibari-1.0.wav"
GREETING = "Maple Street Dental, how can I help?"


@pytest.fixture
def talking(agent: RunningAgent) -> Iterator[TalkingCaller]:
    with talking_caller(agent.port) as caller:
        yield caller


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_speech_waits_and_goes_on_from_a_word(
    agent: RunningAgent, talking: TalkingCaller, direction: str
) -> None:
    start = len(agent.drain())
    talking.follow(talking.caller.invite(talking.sdp()))
    spans = talking.line.spans
    assert talking.run_until(lambda: spans.speaking_since_ms is not None)
    talking.run(0.5)
    talking.follow(talking.caller.invite(talking.sdp(direction)))
    agent.wait_for("call.held", after=start)
    talking.run(2.0)
    assert not [e for e in agent.drain()[start:] if e.event == "turn.spoken"]
    heard_before = len(spans.finished)
    talking.follow(talking.caller.invite(talking.sdp()))
    held_ms = agent.wait_for("call.resumed", after=start).facts["held_ms"]
    assert 1500 < held_ms < 10_000
    assert talking.run_until(lambda: len(spans.finished) > heard_before and spans.speaking_since_ms is None)
    spoken = agent.wait_for("turn.spoken", after=start).facts
    assert (spoken["interrupted"], spoken["pii_text"]) == (False, GREETING)


def test_music_on_hold_is_no_speech_and_the_caller_is_heard_afterwards(trunks_agent: RunningAgent) -> None:
    with talking_caller(trunks_agent.port) as talking:
        hold_with_music(trunks_agent, talking)


def hold_with_music(agent: RunningAgent, talking: TalkingCaller) -> None:
    start = len(agent.drain())
    talking.follow(talking.caller.invite(talking.sdp()))
    spans = talking.line.spans
    assert talking.run_until(lambda: bool(spans.finished) and spans.speaking_since_ms is None)
    talking.follow(talking.caller.invite(talking.sdp("sendonly")))
    agent.wait_for("call.held", after=start)
    talking.line.say(prepare_line(read_wav(CLIPS / MUSIC)))
    talking.run(5.0)  # longer than the time after which a silent caller is asked
    silent = [e for e in agent.drain()[start:] if e.event in ("turn.heard", "turn.answered", "stt.failed")]
    assert not silent
    assert len([e for e in agent.drain()[start:] if e.event == "turn.spoken"]) == 1
    talking.follow(talking.caller.invite(talking.sdp()))
    agent.wait_for("call.resumed", after=start)
    talking.run(0.5)
    talking.line.say(prepare_line(read_wav(CLIPS / CLIP)))
    assert talking.run_until(lambda: any(e.event == "turn.answered" for e in agent.drain()[start:]), 30)
    heard = agent.wait_for("turn.heard", after=start).facts["pii_text"]
    assert word_error_rate(clip_text(CLIP), heard) <= 0.35


def test_the_old_way_of_holding(agent: RunningAgent) -> None:
    """RFC 2543's hold: c=0.0.0.0 (RFC 3264 §8.4)."""
    start = len(agent.drain())
    with RawCaller(agent.port) as caller:
        assert caller.invite().status == 200
        agent.wait_for("call.connected", after=start)
        old = caller.sdp().replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0")
        assert caller.invite(old).status == 200
        agent.wait_for("call.held", after=start)
        assert caller.invite().status == 200
        agent.wait_for("call.resumed", after=start)
        assert caller.bye().status == 200
    assert call_ended(agent, caller)["cause"] == "caller hung up"


def test_nobody_holds_for_ever(trunks_agent: RunningAgent) -> None:
    start, began_s = len(trunks_agent.drain()), time.monotonic()
    with RawCaller(trunks_agent.port) as caller:
        assert caller.invite().status == 200
        assert caller.invite(caller.sdp(direction="inactive")).status == 200
        caller.accept(caller.wait_for_request("BYE", 30))
    assert time.monotonic() - began_s >= HOLD_LIMIT_S
    assert trunks_agent.wait_for("call.held_too_long", after=start).facts["hold_s"] == HOLD_LIMIT_S
    assert call_ended(trunks_agent, caller)["cause"] == "agent hung up"
