"""The softphone's SIP: messages, SDP, and one call's dialogue, all without sockets."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.errors import PacketError
from sipagent.lab.sdp import describe, mirrored, parse_audio
from sipagent.lab.sip_leg import EndedBy, LegState, SipLeg
from sipagent.lab.sip_retransmit import GIVE_UP_MS, T1_MS, T2_MS, Retransmitter
from sipagent.sip.wire_message import (
    SipMessage,
    SipUri,
    build_message,
    build_response,
    parse_message,
    split_routes,
)

pytestmark = pytest.mark.unit

CODECS = ("PCMU", "PCMA")
ANSWER = describe("10.0.0.9", 4000, ("PCMA",))


def new_leg(answer_timeout_ms: int = 30_000) -> SipLeg:
    return SipLeg(
        SipUri("desk", "127.0.0.1", 5060),
        ("127.0.0.1", 6000),
        7000,
        answer_timeout_ms=answer_timeout_ms,
        rng=random.Random(1),
    )


def sent(leg: SipLeg) -> list[SipMessage]:
    """What the leg wants to send, taken out of it."""
    messages, leg.outbox = [parse_message(d) for d in leg.outbox], []
    return messages


def answered(
    leg: SipLeg, *, status: str = "200 OK", sdp: bytes = ANSWER, record_route: str = ""
) -> SipMessage:
    """Let the leg invite and take the response; returns the INVITE."""
    leg.invite(0)
    (invite,) = sent(leg)
    leg.receive(response_to(invite, status, sdp, record_route), 20)
    return invite


def response_to(request: SipMessage, status: str, sdp: bytes = b"", record_route: str = "") -> bytes:
    extra = [("Contact", "<sip:agent@10.0.0.9:5070>")]
    if record_route:
        extra.append(("Record-Route", record_route))
    return build_response(request, status, to_tag="them", extra=extra, body=sdp)


def request_from_peer(
    leg: SipLeg, method: str, *, cseq: int = 1, branch: str = "a", body: bytes = b""
) -> bytes:
    headers = [
        ("Via", f"SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{branch}"),
        ("From", "<sip:desk@127.0.0.1>;tag=them"),
        ("To", "<sip:caller@127.0.0.1>;tag=us"),
        ("Call-ID", leg.call_id),
        ("CSeq", f"{cseq} {method}"),
    ]
    return build_message(f"{method} sip:lab@127.0.0.1:6000 SIP/2.0", headers, body)


def test_compact_and_folded_headers_are_read() -> None:
    message = parse_message(
        b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\ni: abc\r\nt: <sip:a@b>;\r\n  tag=T1\r\n"
        b"CSeq: 7 INVITE\r\nl: 2\r\n\r\nhi trailing"
    )
    assert (message.status, message.reason, message.method) == (200, "OK", "INVITE")
    assert (message.branch, message.get("call-id"), message.tag("to")) == ("z9hG4bKx", "abc", "T1")
    assert message.body == b"hi"


@pytest.mark.parametrize(
    ("datagram", "problem"),
    [
        (b"", "not a message"),
        (b"GET / HTTP/1.1\r\n\r\n", "not a message"),
        (b"SIP/2.0 200 OK\r\n\r\n", "no via, cseq, call-id"),
        (b"SIP/2.0 200 OK\r\nnonsense\r\n\r\n", "without colon"),
        (b"SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: y\r\nCSeq: INVITE\r\n\r\n", "CSeq"),
        (b"SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: y\r\nCSeq: 1 BYE\r\nContent-Length: 9\r\n\r\n", "9, but 0"),
        (b"SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: y\r\nCSeq: 1 BYE\r\nContent-Length: -1\r\n\r\n", "-1"),
    ],
)
def test_a_broken_message_says_what_is_wrong(datagram: bytes, problem: str) -> None:
    with pytest.raises(PacketError, match=problem):
        parse_message(datagram)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_message_or_a_packet_error(datagram: bytes) -> None:
    try:
        parse_message(b"INVITE sip:a@b SIP/2.0\r\n" + datagram)
    except PacketError:
        return


def test_an_address_is_found_inside_a_name_addr() -> None:
    assert SipUri.parse('"Desk" <sip:desk@example.org:5080;lr>;tag=1') == SipUri("desk", "example.org", 5080)
    assert SipUri.parse("sip:example.org") == SipUri("", "example.org", 5060)
    with pytest.raises(PacketError, match="no sip: address"):
        SipUri.parse("tel:+15550100123")


def test_routes_in_one_header_or_in_several_are_the_same() -> None:
    assert split_routes(["<sip:a;lr>, <sip:b,c;lr>", "<sip:d;lr>"]) == [
        "<sip:a;lr>",
        "<sip:b,c;lr>",
        "<sip:d;lr>",
    ]


def test_our_own_offer_reads_back() -> None:
    audio = parse_audio(describe("192.0.2.1", 4000, CODECS), CODECS)
    assert (audio.address, audio.port, audio.codec) == ("192.0.2.1", 4000, "PCMU")
    assert (audio.event_payload, audio.payload_type, audio.direction) == (101, 0, "sendrecv")


def test_the_first_codec_in_common_is_taken_and_the_streams_address_wins() -> None:
    body = (
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 9 RTP/AVP 96\r\nc=IN IP4 192.0.2.9\r\n"
        b"m=audio 4000 RTP/AVP 9 8 0\r\n"
        b"c=IN IP4 192.0.2.2\r\na=sendonly\r\n"
    )
    audio = parse_audio(body, CODECS)
    assert (audio.address, audio.codec, audio.event_payload) == ("192.0.2.2", "PCMA", None)
    assert mirrored(audio.direction) == "recvonly"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no usable m=audio"),
        (b"c=IN IP4 1.2.3.4\r\nm=audio x RTP/AVP 0\r\n", "no usable m=audio"),
        (b"m=audio 4000 RTP/AVP 0\r\n", "no c=IN IP4"),
        (b"c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 9\r\n", "no codec in common"),
    ],
)
def test_sdp_without_usable_audio_says_why(body: bytes, problem: str) -> None:
    with pytest.raises(PacketError, match=problem):
        parse_audio(body, CODECS)


def test_an_answered_call_is_acknowledged_along_the_recorded_route() -> None:
    leg = new_leg()
    invite = answered(leg, record_route="<sip:p1;lr>, <sip:p2;lr>")
    (ack,) = sent(leg)
    assert leg.state is LegState.UP
    assert ack.start_line == "ACK sip:agent@10.0.0.9:5070 SIP/2.0"
    assert ack.get_all("route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert ack.cseq == (1, "ACK")
    assert ack.branch != invite.branch
    assert ack.tag("to") == "them"
    assert leg.remote is not None
    assert (leg.remote.codec, leg.remote.port) == ("PCMA", 4000)


def test_a_repeated_200_is_acknowledged_again() -> None:
    leg = new_leg()
    invite = answered(leg)
    (first,) = sent(leg)
    leg.receive(response_to(invite, "200 OK", ANSWER), 600)
    assert sent(leg) == [first]


@pytest.mark.parametrize(
    "status", ["404 Not Found", "486 Busy Here", "503 Service Unavailable", "603 Decline"]
)
def test_a_refusal_is_acknowledged_in_its_transaction_and_reported(status: str) -> None:
    leg = new_leg()
    invite = answered(leg, status=status, sdp=b"")
    (ack,) = sent(leg)
    assert (ack.method, ack.branch, ack.tag("to")) == ("ACK", invite.branch, "them")
    assert leg.state is LegState.ENDED
    assert leg.result is not None
    assert str(leg.result) == f"refused: {status}"


def test_an_invite_is_repeated_until_somebody_answers() -> None:
    leg = new_leg()
    leg.invite(0)
    first = leg.outbox.pop()
    leg.tick(T1_MS)
    assert leg.outbox == [first]
    leg.tick(2 * T1_MS)
    assert leg.outbox == [first]
    leg.receive(response_to(parse_message(first), "100 Trying"), 1100)
    leg.outbox.clear()
    leg.tick(10 * T1_MS)
    assert leg.outbox == []


def test_a_silent_peer_ends_as_a_time_out() -> None:
    leg = new_leg(answer_timeout_ms=GIVE_UP_MS * 2)
    leg.invite(0)
    leg.tick(GIVE_UP_MS)
    assert leg.result is not None
    assert (leg.result.by, leg.result.status) == (EndedBy.TIMEOUT, 408)


def test_cancel_waits_for_the_first_provisional_response() -> None:
    leg = new_leg()
    leg.invite(0)
    (invite,) = sent(leg)
    leg.cancel(10)
    assert sent(leg) == []
    leg.receive(response_to(invite, "180 Ringing"), 20)
    (cancel,) = sent(leg)
    assert (cancel.method, cancel.branch) == ("CANCEL", invite.branch)
    leg.receive(response_to(cancel, "200 OK"), 30)
    leg.receive(response_to(invite, "487 Request Terminated"), 40)
    assert [m.method for m in sent(leg)] == ["ACK"]
    assert leg.result is not None
    assert leg.result.by is EndedBy.CANCELLED


def test_an_answer_that_crosses_the_cancel_is_hung_up() -> None:
    leg = new_leg()
    leg.invite(0)
    (invite,) = sent(leg)
    leg.cancel(10)
    leg.receive(response_to(invite, "200 OK", ANSWER), 20)
    assert [m.method for m in sent(leg)] == ["ACK", "BYE"]
    assert leg.state is LegState.ENDING


def test_hanging_up_ends_with_the_answer_to_bye() -> None:
    leg = new_leg()
    answered(leg)
    sent(leg)
    leg.bye(100)
    (bye,) = sent(leg)
    assert bye.cseq == (2, "BYE")
    assert bye.start_line.startswith("BYE sip:agent@10.0.0.9:5070")
    leg.receive(response_to(bye, "200 OK"), 120)
    assert leg.result is not None
    assert leg.result.by is EndedBy.CALLER


def test_the_peers_bye_is_answered_once_and_its_repetition_again() -> None:
    leg = new_leg()
    answered(leg)
    sent(leg)
    bye = request_from_peer(leg, "BYE")
    leg.receive(bye, 100)
    leg.receive(bye, 600)
    assert [m.status for m in sent(leg)] == [200, 200]
    assert leg.result is not None
    assert leg.result.by is EndedBy.AGENT


def test_a_reinvite_is_followed_and_its_200_repeated_until_the_ack() -> None:
    leg = new_leg()
    answered(leg)
    sent(leg)
    offer = describe("10.0.0.9", 4444, ("PCMU",), direction="sendonly")
    leg.receive(request_from_peer(leg, "INVITE", cseq=5, body=offer), 100)
    (response,) = sent(leg)
    audio = parse_audio(response.body, CODECS)
    assert (response.status, audio.codec, audio.direction) == (200, "PCMU", "recvonly")
    assert leg.remote is not None
    assert (leg.remote.port, leg.remote.direction) == (4444, "sendonly")
    leg.tick(100 + T1_MS)
    assert [m.status for m in sent(leg)] == [200]
    leg.receive(request_from_peer(leg, "ACK", cseq=5, branch="b"), 700)
    leg.tick(5000)
    assert sent(leg) == []
    assert leg.state is LegState.UP


def test_a_reinvite_without_common_codec_leaves_the_call_as_it_is() -> None:
    leg = new_leg()
    answered(leg)
    sent(leg)
    leg.receive(request_from_peer(leg, "INVITE", body=b"c=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 9\r\n"), 100)
    assert [m.status for m in sent(leg)] == [488]
    assert leg.remote is not None
    assert leg.remote.port == 4000


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("INFO", 200), ("UPDATE", 200), ("REFER", 405)]
)
def test_other_requests_get_an_answer(method: str, status: int) -> None:
    leg = new_leg()
    answered(leg)
    sent(leg)
    leg.receive(request_from_peer(leg, method), 100)
    assert [m.status for m in sent(leg)] == [status]


def test_strangers_and_garbage_are_counted_and_change_nothing() -> None:
    leg = new_leg()
    answered(leg)
    sent(leg)
    leg.receive(b"\x00\x01", 50)
    stranger = request_from_peer(leg, "BYE").replace(leg.call_id.encode(), b"another")
    leg.receive(stranger, 60)
    assert [m.status for m in sent(leg)] == [481]
    assert leg.peer_faults == 2
    assert leg.state is LegState.UP


def test_an_answer_without_usable_sdp_is_acknowledged_and_hung_up() -> None:
    leg = new_leg()
    answered(leg, sdp=b"")
    assert [m.method for m in sent(leg)] == ["ACK", "BYE"]
    assert leg.result is not None
    assert leg.result.by is EndedBy.FAULT


def test_rfc3261_intervals_double_up_to_t2() -> None:
    table = Retransmitter()
    table.expect("a", b"x", 0, give_up_after_ms=GIVE_UP_MS)
    sent_at = [now for now in range(0, GIVE_UP_MS, 10) if table.due(now)[0]]
    assert sent_at[:4] == [500, 1500, 3500, 7500]
    assert {b - a for a, b in itertools.pairwise(sent_at[3:])} == {T2_MS}
    assert table.due(GIVE_UP_MS) == ([], ["a"])
