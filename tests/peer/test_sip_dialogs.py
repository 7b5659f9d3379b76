"""What happens within a call: holding, late offers, TCP, callers that cancel, break off or overfill it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sipagent.bench.wer import word_error_rate
from sipagent.lab.rtp_line import prepare_line
from sipagent.lab.sdp import parse_audio
from sipagent.media.wav import read_wav
from tests.peer.raw_caller import RawCaller, call_ended
from tests.peer.running_agent import CLIPS, RunningAgent, clip_text
from tests.peer.sip_programs import sipp
from tests.peer.talking_caller import CODECS, TalkingCaller, talking_caller

pytestmark = pytest.mark.peer

LIBRARY_MAX_CALLS = 4


@pytest.fixture
def talking(agent: RunningAgent) -> Iterator[TalkingCaller]:
    with talking_caller(agent.port) as caller:
        yield caller


def test_hold_and_unhold_keep_the_call(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
        rtp.bind(("127.0.0.1", 0))
        with sipp("hold", agent.port, "-key", "rtp_port", str(rtp.getsockname()[1])) as caller:
            caller.succeed()
    ended = agent.wait_for("call.ended", after=start).facts
    assert (ended["cause"], ended["sip_status"]) == ("caller hung up", 200)
    assert ended["duration_ms"] >= 2000
    assert sum(e.event == "call.started" for e in agent.drain()[start:]) == 1


def test_agent_is_silent_on_hold_and_listens_afterwards(agent: RunningAgent, talking: TalkingCaller) -> None:
    start = len(agent.drain())
    talking.follow(talking.caller.invite(talking.sdp()))
    assert talking.run(0.5) > 10
    assert talking.follow(talking.caller.invite(talking.sdp("inactive"))) == "inactive"
    talking.run(0.3)
    assert talking.run(1.0) == 0
    assert talking.follow(talking.caller.invite(talking.sdp())) == "sendrecv"
    assert talking.run(2.0) > 50
    talking.line.say(prepare_line(read_wav(CLIPS / "hours-hibari-1.0.wav")))
    for _ in range(40):
        talking.run(0.5)
        if any(e.event == "turn.answered" for e in agent.drain()[start:]):
            break
    assert talking.caller.bye().status == 200
    heard = agent.wait_for("turn.heard", after=start).facts["pii_text"]
    assert word_error_rate(clip_text("hours-hibari-1.0.wav"), heard) <= 0.35
    agent.wait_for("turn.answered", after=start)


def test_late_offer_is_answered_with_an_offer(talking: TalkingCaller) -> None:
    talking.caller.request("INVITE")
    offer = talking.caller.answer("INVITE")
    assert offer.status == 200
    assert parse_audio(offer.body, CODECS).direction == "sendrecv"
    for codec in (b" G722/8000", b" PCMU/8000", b" PCMA/8000", b" telephone-event/8000"):
        assert codec in offer.body
    talking.caller.ack(offer, talking.sdp())
    talking.follow(offer)
    assert talking.run(1.0) > 25, "no sound after the ACK that carried our answer"
    assert talking.caller.bye().status == 200


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_calls_and_hangs_up(agent: RunningAgent, transport: str) -> None:
    start = len(agent.drain())
    with sipp("call", agent.port, "-d", "1000", transport=transport) as caller:
        caller.succeed()
    agent.wait_for("call.connected", after=start)
    assert agent.wait_for("call.ended", after=start).facts["cause"] == "caller hung up"


def test_cancel_before_the_answer_gets_487(agent: RunningAgent) -> None:
    for _ in range(20):
        with RawCaller(agent.port) as caller:
            caller.request("INVITE", caller.sdp())
            caller.cancel()
            assert caller.answer("CANCEL").status == 200
            answer = next((m for m in caller.received if m.method == "INVITE" and m.status >= 200), None)
            answer = answer or caller.answer("INVITE")
            caller.ack(answer)
            if answer.status == 200:  # the agent was quicker: not the case that is meant
                caller.answer("INVITE")
                assert caller.bye().status == 200
                continue
        assert answer.status == 487
        ended = call_ended(agent, caller)
        assert (ended["sip_status"], ended["duration_ms"]) == (487, 0)
        return
    pytest.fail("the agent answered twenty times before a CANCEL that came at once")


def test_fifth_call_is_refused_by_the_library_and_logged(agent: RunningAgent) -> None:
    """pjsua2's build holds four calls and answers the fifth by itself: 486, without Retry-After."""
    with ExitStack() as stack:
        callers = [stack.enter_context(RawCaller(agent.port)) for _ in range(LIBRARY_MAX_CALLS + 1)]
        start = len(agent.drain())
        answers = [caller.invite() for caller in callers]
        assert [answer.status for answer in answers] == [200] * LIBRARY_MAX_CALLS + [486]
        refused = agent.wait_for("call.refused", after=start).facts
        assert (refused["status"], refused["rule"]) == (486, "the library: Busy Here")
        assert [caller.bye().status for caller in callers[:-1]] == [200] * LIBRARY_MAX_CALLS


def test_request_of_an_unknown_dialog_gets_481(agent: RunningAgent) -> None:
    with RawCaller(agent.port) as caller:
        caller.enter_unknown_dialog()
        assert caller.bye().status == 481


def test_requests_within_a_call_do_not_end_it(agent: RunningAgent) -> None:
    """A transfer is declined, else the library would dial whatever the caller names."""
    expected = {"REFER": 603, "UPDATE": 200, "OPTIONS": 200, "INFO": 200, "SUBSCRIBE": 489, "PUBLISH": 405}
    answers: dict[str, int] = {}
    with RawCaller(agent.port) as caller:
        assert caller.invite().status == 200
        for method in expected:
            caller.request(method, extra=(("Refer-To", "<sip:stranger@127.0.0.1:9>"), ("Event", "refer")))
            answers[method] = caller.answer(method).status
        assert answers == expected
        assert caller.bye().status == 200
    assert call_ended(agent, caller)["cause"] == "caller hung up"
