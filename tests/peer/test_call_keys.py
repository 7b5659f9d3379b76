"""Keys of the caller: each press once, however it comes; a key silences the agent; numbers are answered."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipagent.codecs.tones import dtmf
from sipagent.lab.agent_process import wait_ready
from sipagent.lab.child import Child, Events
from sipagent.lab.rtp_line import EventPacket, prepare_line
from sipagent.lab.softphone import Softphone
from tests.peer.conftest import INFO_HOST, TONES_HOST
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import RunningAgent, write_config
from tests.peer.talking_caller import TalkingCaller, talking_caller

pytestmark = pytest.mark.peer

LONG_MS = 30_000
GAP = (None,) * 3
Press = tuple[EventPacket | None, ...]


def press(digit: str, steps: range = range(1, 6), *, ends: int = 3, copies: int = 1) -> Press:
    """A press without marker bits; ``ends``: how many of the end packets arrive."""
    going_on = [EventPacket(digit, step, copies=copies) for step in steps]
    end = EventPacket(digit, 5, is_end=True, copies=copies)
    return (*going_on, *[end] * ends, *GAP)


def digits_heard(agent: RunningAgent, after: int) -> str:
    return "".join(e.facts["pii_digit"] for e in agent.drain()[after:] if e.event == "dtmf.received")


def greeted(talking: TalkingCaller) -> None:
    """Call, and hear the greeting to its end."""
    talking.follow(talking.caller.invite(talking.sdp()))
    spans = talking.line.spans
    assert talking.run_until(lambda: bool(spans.finished) and spans.speaking_since_ms is None)
    talking.run(1.0)


def test_each_press_is_heard_once_whatever_the_network_does(agent: RunningAgent) -> None:
    presses = (
        press("1"),
        press("2", ends=0),
        press("2", ends=0),
        press("3", copies=3),
        press("4", range(3, 6)),
        press("4", range(1, 2), ends=0),
        press("5", range(0), ends=1),
        press("6", range(1, 6), ends=1),
        press("6", range(1, 6), ends=1),
        press("*"),
        press("8", range(2, 3), ends=2, copies=2),
    )
    start = len(agent.drain())
    with Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.is_up, timeout_ms=LONG_MS), phone.result
        phone.run(until=lambda: bool(phone.line.sent), timeout_ms=1000)
        for packets in presses:
            phone.line.send_events(*packets)
        phone.run(until=lambda: len(digits_heard(agent, start)) >= 11, timeout_ms=5000)
        phone.run(until=lambda: False, timeout_ms=300)
    assert digits_heard(agent, start) == "122344566*8"
    assert {e.facts["how"] for e in agent.drain()[start:] if e.event == "dtmf.received"} == {"rfc4733"}


def test_a_key_silences_the_agent_and_is_no_speech(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.line.spans.speaking_since_ms is not None, timeout_ms=LONG_MS)
        phone.dtmf("5")
        assert phone.run(until=lambda: bool(phone.line.spans.finished), timeout_ms=LONG_MS)
        spoken = agent.wait_for("turn.spoken", after=start).facts
        assert spoken["interrupted"] is True
        assert len(spoken["pii_text"]) < len("Maple Street Dental, how can I help?")
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    assert not [e for e in agent.drain()[start:] if e.event == "turn.heard"]


def test_a_dictated_number_is_answered(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.line.spans.speaking_since_ms is not None, timeout_ms=LONG_MS)
        phone.dtmf("5551#")
        answered = phone.run(
            until=lambda: any(e.event == "turn.answered" for e in agent.drain()[start:]), timeout_ms=LONG_MS
        )
        assert answered
    assert agent.wait_for("dtmf.dictated", after=start).facts["pii_digits"] == "5551"
    assert agent.wait_for("turn.heard", after=start).facts["pii_text"] == "I keyed in 5 5 5 1."


def test_keys_by_info(trunks_agent: RunningAgent) -> None:
    start = len(trunks_agent.drain())
    with RawCaller(trunks_agent.port, host=INFO_HOST) as caller:
        assert caller.invite().status == 200
        for digit, content_type in (
            ("1", "application/dtmf-relay"),
            ("2", "application/dtmf"),
            ("2", "application/dtmf"),
            ("*", "application/dtmf-relay"),
            ("10", "application/dtmf"),
        ):
            assert caller.press(digit, content_type).status == 200
        assert caller.press("x", "application/dtmf").status == 415
        assert caller.press("1", "text/plain").status == 415
        assert caller.bye().status == 200
    trunks_agent.wait_for("call.ended", after=start)
    assert digits_heard(trunks_agent, start) == "122**"


def test_what_brings_the_first_key_counts_for_the_call(agent: RunningAgent) -> None:
    """Some gateways send each key both ways."""
    start = len(agent.drain())
    with talking_caller(agent.port) as talking:
        talking.follow(talking.caller.invite(talking.sdp()))
        for digit in "12":
            talking.line.dtmf(digit)
            assert talking.run_until(lambda d=digit: digits_heard(agent, start)[-1:] == d)  # type: ignore[misc]
            assert talking.caller.press(digit).status == 200
        talking.run(0.3)
    assert digits_heard(agent, start) == "12"


def test_keys_as_tones(trunks_agent: RunningAgent) -> None:
    start = len(trunks_agent.drain())
    with talking_caller(trunks_agent.port, host=TONES_HOST) as talking:
        greeted(talking)
        talking.line.say(prepare_line(dtmf("1228", on_ms=80, off_ms=80)))
        assert talking.run_until(lambda: len(digits_heard(trunks_agent, start)) >= 4)
        talking.run(0.5)
    assert digits_heard(trunks_agent, start) == "1228"


@contextmanager
def pressing_agent(folder: Path, digits: str, dtmf_way: str) -> Iterator[tuple[int, Events]]:
    """The SIP side alone, which presses keys in every call: its port, its events."""
    trunks = [{"name": "t", "domain": "127.0.0.1", "dtmf": dtmf_way}]
    config = write_config(folder, {"trunks": trunks})
    events: Events = Events()
    with Child(
        "agent",
        [sys.executable, "-m", "tests.fakes.pressing_agent", str(config), digits],
        events,
        reads="stderr",
    ) as child:
        yield int(str(wait_ready(child, events, 30)["udp"]).rpartition(":")[2]), events


def line_up(events: Events) -> dict[str, Any]:
    """What the agent told of its first call."""
    while (event := events.get(timeout=5)).event != "line.up":
        pass
    return event.facts


def test_our_own_keys_go_out_as_events(tmp_path: Path) -> None:
    with pressing_agent(tmp_path, "1993#", "auto") as (port, events), Softphone() as phone:
        phone.call(f"sip:x@127.0.0.1:{port}")
        assert phone.run(until=lambda: len(phone.line.received_digits) >= 5, timeout_ms=10_000)
        assert "".join(phone.line.received_digits.values()) == "1993#"
        assert line_up(events)["sends_tones"] is False


def test_our_own_keys_go_out_by_info(tmp_path: Path) -> None:
    with pressing_agent(tmp_path, "1*", "info") as (port, _), RawCaller(port) as caller:
        assert caller.invite().status == 200
        for digit in "1*":
            info = caller.wait_for_request("INFO", 10)
            assert info.get("content-type") == "application/dtmf-relay"
            assert f"Signal={digit}".encode() in info.body
            caller.accept(info)
        assert caller.bye().status == 200


def test_a_peer_without_telephone_events_gets_tones(tmp_path: Path) -> None:
    with pressing_agent(tmp_path, "", "auto") as (port, events), RawCaller(port) as caller:
        bare = caller.sdp().replace(b" 101\r\n", b"\r\n", 1)
        lines = [line for line in bare.split(b"\r\n") if b":101" not in line]
        assert caller.invite(b"\r\n".join(lines)).status == 200
        assert line_up(events)["sends_tones"] is True
        assert caller.bye().status == 200
