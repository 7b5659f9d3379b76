"""Calls that go out: what becomes of them, and which trunk carries them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peer.carrier import (
    CARRIER_PASSWORD,
    DialAgent,
    Ports,
    carrier,
    certified_folder,
    dial_agent,
    free_ports,
    phone,
    sipp_server,
)

pytestmark = pytest.mark.peer

REPLY_MS = 700


def trunks(ports: Ports) -> list[dict[str, Any]]:
    """The carrier with credentials, one with a wrong password, its sick port, SIPp, and nobody at all."""
    auth = {"username": "maple", "password_env": "TEST_CARRIER_PASSWORD"}
    wrong = {"username": "maple", "password_env": "TEST_WRONG_PASSWORD"}
    plain = {"caller_id": "+15550100999", "options_s": 0, "reply_ms": REPLY_MS}
    address = f"127.0.0.1:{ports.carrier}"
    return [
        {**plain, "name": "main", "domain": address, "auth": auth, "prefixes": ["+1555*"]},
        {**plain, "name": "locked", "domain": address, "auth": wrong, "prefixes": ["+19*"]},
        {**plain, "name": "sick", "domain": f"127.0.0.1:{ports.sick}", "prefixes": ["+15550101*"]},
        {**plain, "name": "dead", "domain": f"127.0.0.1:{ports.dead}", "prefixes": ["+15550102*"]},
        {
            **plain, "name": "bench", "domain": f"127.0.0.1:{ports.bench}",
            "prefixes": ["+1666*", "+15550103*"], "p_asserted_identity": True, "cps": 1,
        },
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ports() -> Ports:
    return free_ports()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[DialAgent]:
    folder = certified_folder(tmp_path_factory.mktemp("carrier"))
    with (
        pytest.MonkeyPatch.context() as environment,
        carrier(folder, ports, algorithm="MD5"),
        phone(folder / "phone", ports.phone),
    ):
        environment.setenv("TEST_CARRIER_PASSWORD", CARRIER_PASSWORD)
        environment.setenv("TEST_WRONG_PASSWORD", "guessed")
        changes = {
            "personas.receptionist.greeting": "Hello {name}.",
            "personas.receptionist.variables": {"name": "you"},
            "limits.outbound": {"allow": ["+1*"], "ring_s": 5},
        }
        with dial_agent(folder, ports, trunks(ports), changes) as started:
            yield started


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (486, "busy"),
        (600, "busy"),
        (480, "no_answer"),
        (404, "rejected"),
        (403, "rejected"),
        (603, "rejected"),
        (302, "rejected"),
        (500, "failed"),
    ],
)
def test_outcome_follows_the_carriers_answer(agent: DialAgent, status: int, outcome: str) -> None:
    result = agent.call(f"+1555777{status}")
    assert (result["outcome"], result["status"], result["trunk"]) == (outcome, status, "main")
    assert result["talk_ms"] == 0
    assert result["attempts"] == [["main", status, f"{status} As Dialled"]]


def test_words_of_a_488_name_the_remedy(agent: DialAgent) -> None:
    reason = agent.call("+1555777488")["reason"]
    assert "cannot use our offer of G722, PCMU, PCMA with srtp: off; try srtp: mandatory" in reason


def test_answered_call_is_talked_and_ended(agent: DialAgent) -> None:
    start = agent.order(
        call={"to": "+1 (555) 010-0123", "persona": "receptionist", "variables": {"name": "Ann"}}
    )
    assert agent.wait_for("test.up", after=start).facts["greeting"] == "Hello Ann."
    agent.wait_for("test.heard", after=start, where=lambda e: e.facts["rms_dbov"] > -30)
    agent.order(hang_up=True)
    result = agent.wait_for("test.result", after=start).facts
    assert (result["outcome"], result["attempts"], result["reason"]) == ("answered", [], "agent hung up")
    assert result["talk_ms"] > 0
    assert [what for what, _ in agent.progress(start)] == ["dialled", "ringing", "answered"]


def test_wrong_password_is_told_and_not_tried_again(agent: DialAgent) -> None:
    result = agent.call("+19990100123")
    assert (result["outcome"], result["status"]) == ("failed", 407)
    assert "password" in result["reason"]


def test_503_goes_to_the_next_trunk(agent: DialAgent) -> None:
    start = agent.order(call={"to": "+15550101123", "persona": "receptionist"})
    agent.wait_for("test.up", after=start)
    agent.order(hang_up=True)
    result = agent.wait_for("test.result", after=start).facts
    assert (result["outcome"], result["trunk"]) == ("answered", "main")
    assert result["attempts"] == [["sick", 503, "503 Out Of Order"]]
    assert agent.progress(start)[:3] == [("dialled", "sick"), ("attempt_failed", "sick"), ("dialled", "main")]


def test_dead_peer_is_left_after_our_own_time(agent: DialAgent) -> None:
    """The library alone would wait for eight seconds, and RFC 3261 for 32."""
    start = agent.order(call={"to": "+15550102123", "persona": "receptionist"})
    agent.wait_for("test.up", after=start, timeout_s=5)
    agent.order(hang_up=True)
    result = agent.wait_for("test.result", after=start).facts
    assert (result["outcome"], result["trunk"]) == ("answered", "main")
    assert result["attempts"] == [["dead", 408, f"no reply within {REPLY_MS} ms"]]


def test_trunk_that_answers_too_late_is_let_go(agent: DialAgent, ports: Ports) -> None:
    with sipp_server("answers_late", ports.bench):
        start = agent.order(call={"to": "+15550103123", "persona": "receptionist"})
        agent.wait_for("test.up", after=start)
        result_start = agent.order(hang_up=True)
        assert agent.wait_for("test.result", after=result_start).facts["trunk"] == "main"


def test_early_media_and_caller_identity(agent: DialAgent, ports: Ports) -> None:
    with sipp_server("rings_early", ports.bench):
        start = len(agent.drain())
        result = agent.call("+16660100123")
    assert (result["outcome"], result["early_media"]) == ("answered", True)
    assert result["ring_ms"] >= 400
    assert result["reason"] == "caller hung up"
    assert ("early_media", "bench") in agent.progress(start)


def test_unanswered_call_is_cancelled_in_time(agent: DialAgent, ports: Ports) -> None:
    with sipp_server("rings_until_cancel", ports.bench):
        result = agent.call("+16660100124", ring_s=1)
    assert (result["outcome"], result["reason"]) == ("no_answer", "no answer within 1 s")


def test_call_is_cancelled_by_us(agent: DialAgent, ports: Ports) -> None:
    with sipp_server("rings_until_cancel", ports.bench):
        start = agent.order(call={"to": "+16660100124", "persona": "receptionist"})
        agent.wait_for("test.progress", after=start, where=lambda e: e.facts["what"] == "ringing")
        agent.order(hang_up=True)
        assert agent.wait_for("test.result", after=start).facts["outcome"] == "cancelled"


@pytest.mark.parametrize(
    ("order", "kind", "words"),
    [
        (
            {"to": "+442079460000"},
            "OutboundRefused",
            "limits.outbound.allow: +442079460000 is not among them",
        ),
        ({"to": "+1555@evil.example"}, "OutboundRefused", "expected a number"),
        ({"to": "+15550100123", "trunk": "other"}, "OutboundRefused", "no trunk 'other'"),
        ({"to": "+15550100123", "variables": {"nam": "Ann"}}, "VariableError", "no text names {nam}"),
        ({"to": "+15550100123", "caller_id": "x\r\nEvil: 1"}, "OutboundRefused", "caller id"),
        ({"to": "+17770100123"}, "OutboundRefused", "no trunk takes +17770100123"),
    ],
)
def test_nothing_is_dialled_that_may_not(
    agent: DialAgent, order: dict[str, Any], kind: str, words: str
) -> None:
    start = agent.order(call={"persona": "receptionist", **order})
    refused = agent.wait_for("test.refused", after=start).facts
    assert refused["kind"] == kind
    assert words in refused["reason"]
    assert agent.progress(start) == []


def test_calls_per_second_are_kept(agent: DialAgent, ports: Ports) -> None:
    """``bench`` takes one call in a second; nobody is there, so that each fails in its own time."""
    start = len(agent.drain())
    for _ in range(2):
        agent.order(call={"to": "+16660100125", "persona": "receptionist"})
    agent.wait_for("test.result", after=start, where=lambda _: _count(agent, start) == 2)
    stamps = [e.facts["at_ms"] for e in agent.drain()[start:] if e.event == "call.dialled"]
    assert len(stamps) == 2
    assert stamps[1] - stamps[0] >= 950  # the stamp is the log line's, a moment after the decision


def _count(agent: DialAgent, start: int) -> int:
    return sum(e.event == "test.result" for e in agent.drain()[start:])


def test_address_that_the_carrier_does_not_know(tmp_path: Path) -> None:
    """IP authentication: the carrier lets in 127.0.0.1 alone, the agent calls from 127.0.0.2."""
    folder, ports = certified_folder(tmp_path), free_ports()
    trunk = {"name": "main", "domain": f"127.0.0.1:{ports.carrier}"}
    with carrier(folder, ports):
        with dial_agent(folder, ports, [trunk], host="127.0.0.2") as stranger:
            result = stranger.call("+1555777486")
            assert (result["outcome"], result["reason"]) == ("rejected", "403 Unknown Address")
        with dial_agent(folder, ports, [trunk]) as known:
            assert known.call("+1555777486")["outcome"] == "busy"
