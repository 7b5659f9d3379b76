"""Codecs go by the trunk, in its order: in answers, in offers, within a call; words for what does not fit."""

from collections.abc import Iterator
from typing import Any

import pytest

from sipagent.sip.wire_message import SipMessage
from tests.peer.carrier import DialAgent, Ports, certified_folder, dial_agent, free_ports
from tests.peer.raw_caller import RawCaller
from tests.peer.raw_peer import RawPeer

pytestmark = pytest.mark.peer

WIDE, NARROW = "127.0.0.2", "127.0.0.3"
NAMES = {"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729"}


@pytest.fixture(scope="module")
def ports() -> Ports:
    return free_ports()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[DialAgent]:
    folder = certified_folder(tmp_path_factory.mktemp("codecs"))
    plain: dict[str, Any] = {"options_s": 0, "reply_ms": 2000}
    trunks = [
        {**plain, "name": "wide", "domain": WIDE, "codecs": ["G722", "PCMA"]},
        {**plain, "name": "narrow", "domain": NARROW, "codecs": ["PCMU", "PCMA"]},
        {**plain, "name": "bench", "domain": f"127.0.0.1:{ports.bench}", "codecs": ["PCMA", "G722"]},
    ]
    with dial_agent(folder, ports, trunks) as started:
        yield started


def description(caller: RawCaller, payloads: str) -> bytes:
    """Our offer with these payload types."""
    text = caller.sdp().decode().replace("RTP/AVP 0 101", f"RTP/AVP {payloads} 101")
    maps = "".join(f"a=rtpmap:{one} {NAMES[one]}/8000\r\n" for one in payloads.split())
    return text.replace("a=rtpmap:0 PCMU/8000\r\n", maps).encode()


def codecs_of(message: SipMessage) -> list[str]:
    """What a description names but keys, in order."""
    line = next(line for line in message.body.decode().splitlines() if line.startswith("m=audio "))
    return [NAMES[one] for one in line.split()[3:] if one in NAMES]


@pytest.mark.parametrize(
    ("host", "offer", "chosen"),
    [
        (WIDE, "0 8 9", "G722"),
        (WIDE, "0 8", "PCMA"),
        (NARROW, "9 8 0", "PCMU"),
        (NARROW, "9 8", "PCMA"),
    ],
)
def test_a_call_is_answered_with_its_trunks_first_codec(
    agent: DialAgent, host: str, offer: str, chosen: str
) -> None:
    with RawCaller(agent.port, host=host) as caller:
        answer = caller.invite(description(caller, offer))
        assert (answer.status, codecs_of(answer)) == (200, [chosen])
        assert "telephone-event" in answer.body.decode()
        assert caller.bye().status == 200


def test_a_late_offer_has_the_trunks_codecs_in_its_order(agent: DialAgent) -> None:
    with RawCaller(agent.port, host=WIDE) as caller:
        caller.request("INVITE")
        offer = caller.answer("INVITE")
        assert codecs_of(offer) == ["G722", "PCMA"]
        caller.ack(offer, description(caller, "8"))
        assert caller.bye().status == 200


def test_our_own_offer_has_the_trunks_codecs_in_its_order(agent: DialAgent, ports: Ports) -> None:
    with RawPeer(ports.bench) as peer:
        start = agent.order(call={"to": "100", "persona": "receptionist", "trunk": "bench"})
        invite = peer.request("INVITE")
        assert codecs_of(invite) == ["PCMA", "G722"]
        peer.answer(invite, "486 Busy Here")
        assert agent.wait_for("test.result", after=start).facts["outcome"] == "busy"


def test_codecs_change_in_mid_call_and_back(agent: DialAgent) -> None:
    with RawCaller(agent.port, host=WIDE) as caller:
        for offer, chosen in (("8", "PCMA"), ("9", "G722"), ("8 9", "G722"), ("8", "PCMA")):
            answer = caller.invite(description(caller, offer))
            assert (answer.status, codecs_of(answer)) == (200, [chosen])
        assert caller.bye().status == 200


def test_what_does_not_fit_gets_488_and_words(agent: DialAgent) -> None:
    start = len(agent.drain())
    with RawCaller(agent.port, host=NARROW) as caller:
        assert caller.invite(description(caller, "9 18")).status == 488
        words = "the peer offers G722, G729 and this trunk has PCMU, PCMA; allow one of them there"
        assert words in agent.wait_for("call.refused", after=start).facts["rule"]


def test_what_does_not_fit_in_mid_call_gets_488_and_words_and_the_call_goes_on(agent: DialAgent) -> None:
    start = len(agent.drain())
    with RawCaller(agent.port, host=NARROW) as caller:
        assert caller.invite().status == 200
        for offer in ("18", "9"):
            assert caller.invite(description(caller, offer)).status == 488
        caller.request("UPDATE", description(caller, "18"))
        assert caller.answer("UPDATE").status == 488
        told = [e.facts["rule"] for e in agent.drain()[start:] if e.event == "call.change_refused"]
        words = "the peer offers {} and this trunk has PCMU, PCMA; allow one of them there"
        assert told == [words.format(codec) for codec in ("G729", "G722", "G729")]
        assert caller.bye().status == 200
    assert agent.wait_for("test.down", after=start).facts["cause"] == "caller hung up"
