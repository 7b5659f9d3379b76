"""What a peer offers, refuses or shows, said in words; and what a STUN server says in bytes."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.config.fields import Secret
from sipagent.config.trunk import AuthConfig, TrunkConfig
from sipagent.sip.message import is_over_tls, next_hop
from sipagent.sip.mismatch import explain_refusal, explain_refused_offer
from sipagent.sip.stun import mapped_address
from sipagent.sip.transport import verification_words

pytestmark = pytest.mark.unit

OFF = TrunkConfig(name="a", domain="192.0.2.1", codecs=("PCMU", "PCMA"))
MANDATORY = TrunkConfig(name="a", domain="192.0.2.1", srtp="mandatory")
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n"


def invite(audio: str, *lines: str) -> str:
    head = "INVITE sip:a@192.0.2.1 SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n"
    return head + "v=0\r\nc=IN IP4 192.0.2.2\r\n" + (f"m=audio {audio}\r\n" if audio else "") + "".join(lines)


EVENTS, OPUS = "a=rtpmap:101 telephone-event/8000\r\n", "a=rtpmap:96 opus/48000/2\r\n"
OTHER_SUITE = CRYPTO.replace("CM_128_HMAC_SHA1_80", "256_GCM")


@pytest.mark.parametrize(
    ("trunk", "message", "words"),
    [
        (
            OFF,
            invite("4000 RTP/SAVP 0", CRYPTO),
            "RTP/SAVP and this trunk has srtp: off; set srtp: mandatory",
        ),
        (
            MANDATORY,
            invite("4000 RTP/AVP 0"),
            "RTP/AVP and this trunk has srtp: mandatory; switch SRTP on there",
        ),
        (MANDATORY, invite("4000 UDP/TLS/RTP/SAVPF 0"), "(DTLS); only SDES is spoken here"),
        (MANDATORY, invite("4000 RTP/SAVP 0", OTHER_SUITE), "offers AES_256_GCM; here are AES_CM_128"),
        (OFF, invite("4000 RTP/AVP 18 101", EVENTS), "offers G729 and this trunk has"),
        (OFF, invite("4000 RTP/AVP 96", OPUS), "offers opus and this trunk has PCMU, PCMA"),
        (OFF, invite("4000 RTP/AVP 77"), "offers payload type 77"),
        (OFF, invite("0 RTP/AVP 0"), "switched off"),
        (OFF, invite(""), "no sound at all"),
        (OFF, "INVITE sip:a@b SIP/2.0\r\n\r\n", "no sound at all"),
    ],
)
def test_refused_offer(trunk: TrunkConfig, message: str, words: str) -> None:
    assert words in explain_refused_offer(message, trunk)


@settings(max_examples=100)
@given(st.text(max_size=300))
def test_any_offer_has_words(text: str) -> None:
    assert explain_refused_offer(f"x\r\n\r\nm=audio {text}", OFF).startswith("the peer offers")


def test_refusal_of_our_call() -> None:
    assert explain_refusal(486, "Busy Here", OFF) == "486 Busy Here"
    assert "try srtp: mandatory, or other codecs" in explain_refusal(488, "No", OFF)
    assert "try srtp: off, or other codecs" in explain_refusal(488, "No", MANDATORY)
    assert "wants a password (auth:)" in explain_refusal(407, "Auth", OFF)
    auth = AuthConfig(username="maple", password_env="X", password=Secret("hunter2"))
    known = TrunkConfig(name="a", domain="192.0.2.1", auth=auth)
    told = explain_refusal(407, "Auth", known)
    assert "does not accept our user name or password" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (2, "listen.tls.ca_file"),
        (1, "listen.tls.ca_file"),
        (4, "clock"),
        (1 << 30, "for another host"),
        (1 << 7, "x"),
    ],
)
def test_certificate(status: int, words: str) -> None:
    assert words in verification_words(status, ["x"])


def test_next_hop_is_the_first_route_else_the_contact() -> None:
    contact = "Contact: <sip:a@192.0.2.2:5060>\r\n"
    route = "Record-Route: <sip:192.0.2.3:5061;transport=tls;lr>, <sip:192.0.2.4;lr>\r\n"
    assert (
        next_hop(f"INVITE sip:x@y SIP/2.0\r\n{route}{contact}\r\n") == "<sip:192.0.2.3:5061;transport=tls;lr>"
    )
    assert next_hop(f"INVITE sip:x@y SIP/2.0\r\n{contact}\r\n") == "<sip:a@192.0.2.2:5060>"
    assert next_hop("INVITE sip:x@y SIP/2.0\r\n\r\n") == ""


@pytest.mark.parametrize(
    ("address", "is_tls"),
    [
        ("<sip:192.0.2.3:5061;transport=tls;lr>", True),
        ("<sip:192.0.2.3;lr;transport=TLS>", True),
        ("<sips:a@b>", True),
        ("<sip:a@b>;transport=tls", False),
        ("<sip:a@b;transport=tlsx>", False),
        ("<sip:a@b;transport=udp>", False),
        ("", False),
    ],
)
def test_is_over_tls(address: str, is_tls: bool) -> None:
    assert is_over_tls(address) is is_tls


TRANSACTION = b"0123456789ab"
XOR_EXAMPLE = bytes.fromhex("002000080001a147e112a643")
"""RFC 5769 §2.2: 192.0.2.1:32853 under XOR-MAPPED-ADDRESS."""


def stun_answer(attributes: bytes, *, kind: int = 0x0101, transaction: bytes = TRANSACTION) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), 0x2112A442) + transaction + attributes


def test_stun_address_of_rfc5769() -> None:
    software = bytes.fromhex("8022000b") + b"test vector "
    assert mapped_address(stun_answer(software + XOR_EXAMPLE), TRANSACTION) == "192.0.2.1"


def test_stun_answers_that_are_not_ours() -> None:
    assert mapped_address(stun_answer(XOR_EXAMPLE, kind=0x0111), TRANSACTION) == ""
    assert mapped_address(stun_answer(XOR_EXAMPLE, transaction=b"another one."), TRANSACTION) == ""
    assert mapped_address(stun_answer(XOR_EXAMPLE)[:-1], TRANSACTION) == ""
    assert mapped_address(b"", TRANSACTION) == ""


@settings(max_examples=200)
@given(st.binary(max_size=64))
def test_stun_takes_any_bytes(tail: bytes) -> None:
    assert isinstance(mapped_address(stun_answer(tail), TRANSACTION), str)
