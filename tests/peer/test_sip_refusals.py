"""Who is refused and with what, what malformed messages do, and callers that leave without a word."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.peer.raw_caller import RawCaller, call_ended
from tests.peer.running_agent import ROOT, RunningAgent, running_agent

pytestmark = pytest.mark.peer

TORTURE = ROOT / "tests" / "golden" / "sip"
NUMBER = "+15550100123"
MAX_CALLS, CALLS_PER_SECOND, RETRY_AFTER_S = 2, 5, 17
STRANGER = "127.0.0.2"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    """An agent that lets one address in, answers one number, and is soon tired of silence."""
    (trunk,) = yaml.safe_load((ROOT / "sip.yaml").read_text())["trunks"]
    changes: dict[str, Any] = {
        "trunks": [{**trunk, "allow_from": ["127.0.0.1/32"]}],
        "numbers": [{"match": NUMBER, "persona": "receptionist"}],
        "limits.max_calls": MAX_CALLS,
        "limits.calls_per_second": CALLS_PER_SECOND,
        "limits.retry_after_s": RETRY_AFTER_S,
        "personas.receptionist.no_input": {"after_ms": 2000, "prompts": ["Goodbye."]},
    }
    with running_agent(tmp_path_factory.mktemp("strict"), changes) as agent:
        yield agent


def test_options_are_answered(strict: RunningAgent) -> None:
    with RawCaller(strict.port) as caller:
        answer = caller.options()
    assert answer.status == 200
    assert "INVITE" in answer.get("allow")


def test_invite_without_common_codec_gets_488(strict: RunningAgent) -> None:
    start = len(strict.drain())
    with RawCaller(strict.port) as caller:
        g729 = caller.sdp().replace(b"AVP 0 ", b"AVP 18 ").replace(b"rtpmap:0 PCMU", b"rtpmap:18 G729")
        assert caller.invite(g729).status == 488
    refused = strict.wait_for("call.refused", after=start).facts
    assert (refused["status"], refused["rule"]) == (
        488,
        "the library: the peer offers G729 and this trunk has G722, PCMU, PCMA; allow one of them there",
    )


def test_stranger_gets_403(strict: RunningAgent) -> None:
    start = len(strict.drain())
    with RawCaller(strict.port, user=NUMBER, host=STRANGER) as caller:
        answer = caller.invite()
    assert (answer.status, answer.get("warning"), answer.body) == (403, "", b"")
    refused = strict.wait_for("call.refused", after=start).facts
    assert (refused["status"], refused["rule"]) == (403, "no trunk allows this address")
    assert refused["pii_source"].startswith(f"{STRANGER}:")


def test_number_that_nobody_answers_gets_404(strict: RunningAgent) -> None:
    start = len(strict.drain())
    with RawCaller(strict.port, user="+15550100124") as caller:
        assert caller.invite().status == 404
    assert strict.wait_for("number.unknown", after=start).facts["pii_to"] == "+15550100124"
    assert "no entry of numbers" in strict.wait_for("call.refused", after=start).facts["rule"]


def test_call_beyond_the_limit_gets_503_with_retry_after(strict: RunningAgent) -> None:
    start = len(strict.drain())
    with RawCaller(strict.port) as first, RawCaller(strict.port) as second, RawCaller(strict.port) as third:
        assert [first.invite().status, second.invite().status] == [200, 200]
        refusal = third.invite()
        assert (refusal.status, refusal.get("retry-after")) == (503, str(RETRY_AFTER_S))
        assert first.bye().status == 200
        call_ended(strict, first)  # its place in the language model is free a moment after the BYE
        assert third.invite().status == 200, "there is room again"
    assert strict.wait_for("call.refused", after=start).facts["rule"] == "limits.max_calls"


def test_calls_that_come_too_fast_get_503_with_retry_after(strict: RunningAgent) -> None:
    time.sleep(1.0)  # the calls of the test before do not count
    start = len(strict.drain())
    for _ in range(10 * CALLS_PER_SECOND):
        with RawCaller(strict.port) as caller:
            answer = caller.invite()
            if answer.status != 200:
                break
            assert caller.bye().status == 200
    assert (answer.status, answer.get("retry-after")) == (503, str(RETRY_AFTER_S))
    assert strict.wait_for("call.refused", after=start).facts["rule"] == "limits.calls_per_second"
    assert sum(e.event == "call.started" for e in strict.drain()[start:]) >= CALLS_PER_SECOND
    time.sleep(1.0)
    with RawCaller(strict.port) as caller:
        assert caller.invite().status == 200, "another second, other calls"


@pytest.mark.parametrize("message", sorted(TORTURE.glob("*.dat")), ids=lambda path: path.stem)
def test_server_goes_on_after_rfc4475(strict: RunningAgent, message: Path) -> None:
    with RawCaller(strict.port) as caller:
        caller.send(message.read_bytes())
        assert caller.options().status == 200


def test_call_is_taken_after_all_of_them(strict: RunningAgent) -> None:
    with RawCaller(strict.port) as caller:
        for message in sorted(TORTURE.glob("*.dat")):
            caller.send(message.read_bytes())
        caller.send(b"\r\n\r\n")
        caller.send(bytes(range(256)))
        assert caller.invite().status == 200
        assert caller.bye().status == 200


def test_caller_who_sends_no_sound_is_let_go(strict: RunningAgent) -> None:
    with RawCaller(strict.port) as caller:
        assert caller.invite().status == 200
        caller.accept(caller.wait_for_request("BYE", 30))
    assert call_ended(strict, caller)["cause"] == "agent hung up"


def test_callers_who_vanish_or_never_acknowledge_free_their_places(strict: RunningAgent) -> None:
    """One is gone after the ACK, one never sends it: nobody answers the agent's BYE."""
    with RawCaller(strict.port) as vanishes, RawCaller(strict.port) as never_acknowledges:
        assert vanishes.invite().status == 200
        vanishes.is_up = False
        never_acknowledges.request("INVITE", never_acknowledges.sdp())
        assert never_acknowledges.answer("INVITE").status == 200
        never_acknowledges.is_up = False
        never_acknowledges.wait_for_request("BYE", 30)
        answers = [m for m in never_acknowledges.received if m.method == "INVITE" and m.status == 200]
        assert len(answers) > 2, "the 200 is repeated until it is acknowledged"
    assert call_ended(strict, vanishes)["cause"] == "agent hung up"
    assert call_ended(strict, never_acknowledges)["cause"] == "not connected: 408 Request Timeout"
    with RawCaller(strict.port) as first, RawCaller(strict.port) as second:
        assert [first.invite().status, second.invite().status] == [200, 200]
