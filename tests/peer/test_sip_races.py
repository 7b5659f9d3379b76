"""Messages that cross, come from nowhere or a hundred at once; sessions that have to be refreshed.

``SIPAGENT_SESSION_TIMERS=1`` waits for whole sessions of 90 s, the shortest that RFC 4028 knows: 75 s.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sipagent.lab.sdp import describe
from sipagent.sip.wire_message import SipMessage, build_message
from tests.peer.carrier import DialAgent, Ports, certified_folder, dial_agent, free_ports
from tests.peer.raw_caller import RawCaller
from tests.peer.raw_peer import RawPeer
from tests.peer.sip_only_agent import SLOW_S

pytestmark = pytest.mark.peer

STRANGER = "127.0.0.66"
AT_ONCE = 100
WAITS_FOR_TIMERS = bool(os.environ.get("SIPAGENT_SESSION_TIMERS"))


@pytest.fixture(scope="module")
def ports() -> Ports:
    return free_ports()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[DialAgent]:
    plain: dict[str, Any] = {"options_s": 0, "reply_ms": 2000}
    trunks = [
        {**plain, "name": "bench", "domain": f"127.0.0.1:{ports.bench}", "prefixes": ["+1*"]},
        {
            **plain, "name": "lost", "domain": "no-such-host.invalid", "allow_from": ["192.0.2.1/32"],
            "prefixes": ["+1999*"],
        },
        {
            **plain, "name": "slow", "domain": f"peer.slow.invalid:{ports.bench}",
            "allow_from": ["192.0.2.1/32"], "prefixes": ["+15550100"], "weight": 0, "reply_ms": 8000,
        },
    ]  # fmt: skip
    changes = {"security.requests_per_s": 1000, "security.total_requests_per_s": 1000}
    with dial_agent(certified_folder(tmp_path_factory.mktemp("races")), ports, trunks, changes) as started:
        yield started


@pytest.fixture
def caller(agent: DialAgent) -> Iterator[RawCaller]:
    """In a call."""
    with RawCaller(agent.port) as one:
        assert one.invite().status == 200
        yield one


def hold_asked(caller: RawCaller, direction: str) -> SipMessage:
    """The agent's next re-INVITE, of this direction."""
    request = caller.wait_for_request("INVITE", 8)
    assert f"a={direction}".encode() in request.body
    return request


def test_a_hold_that_crosses_the_peers_own_request_is_asked_again(
    agent: DialAgent, caller: RawCaller
) -> None:
    agent.order(hold=True)
    first = hold_asked(caller, "sendonly")
    crossing = caller.invite()
    assert crossing.status in (491, 500), "ours is under way"
    caller.accept(first, status_line="491 Request Pending")
    caller.accept(hold_asked(caller, "sendonly"), caller.sdp(direction="recvonly"))
    agent.order(hold=False)
    caller.accept(hold_asked(caller, "sendrecv"), status_line="491 Request Pending")
    caller.accept(hold_asked(caller, "sendrecv"), caller.sdp())
    assert caller.bye().status == 200


def test_whoever_is_taken_back_before_the_hold_was_answered_is_taken_back(
    agent: DialAgent, caller: RawCaller
) -> None:
    start = agent.order(hold=True)
    held = hold_asked(caller, "sendonly")
    agent.order(hold=False)
    agent.order(states=True)
    agent.wait_for("test.state", after=start)  # the order has reached the line
    caller.accept(held, caller.sdp(direction="recvonly"))
    caller.accept(hold_asked(caller, "sendrecv"), caller.sdp())
    assert caller.bye().status == 200


def test_an_answer_that_crosses_our_cancel_is_hung_up(agent: DialAgent, ports: Ports) -> None:
    with RawPeer(ports.bench) as peer:
        start = agent.order(call={"to": "+15550101", "persona": "receptionist"})
        invite = peer.request("INVITE")
        peer.answer(invite, "180 Ringing")
        agent.wait_for("test.progress", after=start, where=lambda e: e.facts["what"] == "ringing")
        agent.order(hang_up=True)
        cancel = peer.request("CANCEL")
        host, port = peer.address
        contact = ("Contact", f"<sip:bench@{host}:{port}>")
        typed = ("Content-Type", "application/sdp")
        peer.answer(invite, "200 OK", contact, typed, body=describe(host, 9, ("PCMU",)))
        peer.answer(cancel)
        assert peer.request("ACK").get("call-id") == invite.get("call-id")
        peer.answer(peer.request("BYE"))
        assert agent.wait_for("test.result", after=start).facts["outcome"] == "cancelled"
        assert not [e for e in agent.drain()[start:] if e.event == "test.up"], "nobody talks in it"


def test_answers_of_strangers_change_nothing_and_cost_nothing(agent: DialAgent, ports: Ports) -> None:
    """Neither those to nothing, nor to a call of ours whose branch they do not know."""
    with (
        RawPeer(ports.bench) as peer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        RawCaller(agent.port) as caller,
    ):
        stranger.bind((STRANGER, 0))
        start = agent.order(call={"to": "+15550101", "persona": "receptionist"})
        invite = peer.request("INVITE")
        peer.answer(invite, "180 Ringing")
        agent.wait_for("test.progress", after=start, where=lambda e: e.facts["what"] == "ringing")
        assert caller.invite().status == 200
        for number in range(300):
            status = ("200 OK", "401 Unauthorized", "503 No", "180 Ringing", "699 x")[number % 5]
            ours = [(name, invite.get(name)) for name in ("from", "to", "call-id", "cseq")]
            if number % 2:
                ours[2] = ("Call-ID", f"{number}@nowhere")
                ours[3] = ("CSeq", f"1 {('REGISTER', 'OPTIONS', 'BYE')[number % 3]}")
            via = ("Via", f"SIP/2.0/UDP 127.0.0.1:{agent.port};branch=z9hG4bK{number}")
            contact = ("Contact", f"<sip:x@{STRANGER}:9>")
            message = build_message(f"SIP/2.0 {status}", [via, *ours, contact])
            stranger.sendto(message, ("127.0.0.1", agent.port))
            time.sleep(0.001)  # a socket's buffer is short, and the caller says nothing twice
        assert caller.options().status == 200
        assert caller.bye().status == 200
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(65536)
        news = Counter(event.event for event in agent.drain()[start:])
        assert news["test.result"] == 0, "it still rings"
        assert news["message.refused"] + news["call.refused"] <= 40
        peer.answer(invite, "486 Busy Here")
        assert agent.wait_for("test.result", after=start).facts["outcome"] == "busy"


@pytest.mark.parametrize("host", ["127.0.0.1", STRANGER])
def test_nobody_takes_a_calls_place(agent: DialAgent, caller: RawCaller, host: str) -> None:
    """INVITE with Replaces (RFC 3891), of a trunk and of a stranger who knows the call."""
    to_tag = next(m for m in caller.received if m.status == 200).tag("to")
    start = len(agent.drain())
    with RawCaller(agent.port, host=host) as thief:
        value = f"{caller.call_id};to-tag={to_tag};from-tag={caller._token}"
        thief.request("INVITE", thief.sdp(), extra=(("Replaces", value), ("Require", "replaces")))
        if host == STRANGER:
            agent.wait_for("call.refused", after=start)
            with pytest.raises(AssertionError, match="no answer"):
                thief.answer("INVITE", 0.3)
        else:
            answer = thief.answer("INVITE")
            thief.ack(answer)
            assert answer.status == 403
            assert agent.wait_for("call.refused", after=start).facts["rule"] == "replaces"
    assert caller.options().status == 200
    assert caller.bye().status == 200, "the call goes on"


def test_a_hundred_calls_at_once_are_all_answered(agent: DialAgent, caller: RawCaller) -> None:
    """Far beyond the limit: each gets a final answer, the call that runs goes on, the places come back."""
    callers = [RawCaller(agent.port) for _ in range(AT_ONCE)]
    try:
        for one in callers:
            one.request("INVITE", one.sdp())
        answers = [one.answer("INVITE") for one in callers]
        for one, answer in zip(callers, answers, strict=True):
            one.ack(answer)
        found = Counter(answer.status for answer in answers)
        assert set(found) <= {200, 486, 503}
        assert 1 <= found[200] <= 3, "one place was taken"
        assert all(answer.get("retry-after") for answer in answers if answer.status == 503)
        assert caller.options().status == 200
        for one, answer in zip(callers, answers, strict=True):
            if answer.status == 200:
                assert one.bye().status == 200
    finally:
        for one in callers:
            one.is_up = False
            one.__exit__(None, None, None)
    assert caller.bye().status == 200
    time.sleep(1.0)  # another second, other calls
    with RawCaller(agent.port) as later:
        assert later.invite().status == 200
        assert later.bye().status == 200


def test_a_trunk_whose_name_is_not_found_is_passed_by_at_once(agent: DialAgent, ports: Ports) -> None:
    with RawPeer(ports.bench) as peer:
        start = agent.order(call={"to": "+19990100", "persona": "receptionist"})
        peer.answer(peer.request("INVITE"), "486 Busy Here")
        result = agent.wait_for("test.result", after=start).facts
    assert result["trunk"] == "bench"
    assert result["attempts"][0][:2] == ["lost", 503]
    assert "the name no-such-host.invalid is not found" in result["attempts"][0][2]


def test_a_slow_name_server_holds_up_nobody_else(agent: DialAgent, caller: RawCaller, ports: Ports) -> None:
    """Neither for a trunk's name, which has been found meanwhile, nor for one in a peer's Contact."""
    with RawPeer(ports.bench) as peer:
        start = agent.order(call={"to": "+15550100", "persona": "receptionist", "trunk": "slow"})
        invite = peer.request("INVITE")
        assert invite.start_line == f"INVITE sip:+15550100@peer.slow.invalid:{ports.bench} SIP/2.0"
        contact = ("Contact", f"<sip:bench@contact.slow.invalid:{ports.bench}>")
        typed = ("Content-Type", "application/sdp")
        peer.answer(invite, "200 OK", contact, typed, body=describe("127.0.0.1", 9, ("PCMU",)))
        began_s, longest_s = time.monotonic(), 0.0
        while time.monotonic() - began_s < SLOW_S / 2:
            asked_s = time.monotonic()
            assert caller.options().status == 200
            longest_s = max(longest_s, time.monotonic() - asked_s)
        assert longest_s < SLOW_S / 2, "the SIP thread has waited"
        ack = peer.request("ACK")
        assert "contact.slow.invalid" in ack.start_line
        assert time.monotonic() - began_s > SLOW_S / 2, "the name was looked for"
        agent.wait_for("test.up", after=start)
        agent.order(hang_up=True)
        peer.answer(peer.request("BYE"))
        assert agent.wait_for("test.result", after=start).facts["outcome"] == "answered"


def test_sessions_are_refreshed_by_whoever_has_to(agent: DialAgent) -> None:
    """RFC 4028: we refresh at half of the session; a peer that should and does not is hung up."""
    with RawCaller(agent.port) as waits, RawCaller(agent.port) as forgets:
        for caller, refresher in ((waits, "uas"), (forgets, "uac")):
            timer = (("Supported", "timer"), ("Session-Expires", f"90;refresher={refresher}"))
            caller.request("INVITE", caller.sdp(), extra=timer)
            answer = caller.answer("INVITE")
            caller.ack(answer)
            assert answer.get("session-expires").replace(" ", "") == f"90;refresher={refresher}"
            assert ("timer" in answer.get("require")) == (refresher == "uac"), "RFC 4028 s9"
        if not WAITS_FOR_TIMERS:
            assert [one.bye().status for one in (waits, forgets)] == [200, 200]
            return
        began_s = time.monotonic()
        refresh = waits.wait_for_request("", 60)
        print(f"we refresh by {refresh.method} after {time.monotonic() - began_s:.0f} s")
        assert refresh.method in ("INVITE", "UPDATE")
        assert refresh.get("session-expires").startswith("90")
        body = waits.sdp() if refresh.method == "INVITE" else b""
        waits.accept(refresh, body)
        forgets.accept(forgets.wait_for_request("BYE", 60))
        print(f"who forgets is hung up after {time.monotonic() - began_s:.0f} s")
        assert waits.options().status == 200, "this session goes on"
        assert waits.bye().status == 200
