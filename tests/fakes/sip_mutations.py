"""SIP messages that were damaged on purpose: the same for the same seed, on every machine."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CRLF = b"\r\n"
CRASHERS: dict[str, tuple[bytes, bytes]] = {
    "Record-Route with tel:": (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nRecord-Route: <tel:+15550100>"),
    "Contact with an empty IPv6 address": (b"Contact: <sip:raw@HOST>", b"Contact: <sip:x@[]>"),
    "c= of 254 characters": (b"c=IN IP4 127.0.0.1", b"c=IN IP4 " + b"a" * 254),
    "port 0 without c=": (b"c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio PORT", b"t=0 0\r\nm=audio 0"),
}
"""What aborts the bare library: name → (what is replaced in a plain INVITE, with what)."""

_NUMBERS = (b"0", b"-1", b"4294967296", b"99999999999999999999", b"65536", b"2147483648", b"1e9", b"")
_HOSTS = (b"[]", b"[::1]", b"[::", b"999.1.1.1", b"a" * 300, b"127.0.0.1:0", b"%00", b"", b"..", b"127.1")
_FIELDS = (
    b"Record-Route: <tel:+1>", b"Record-Route: <sip:127.0.0.1>", b"Record-Route: <sip:127.0.0.1;lr>,",
    b"Route: <tel:1>", b"Route: <sip:[];lr>", b"Contact: *", b"Contact: <sip:x@[]>", b"Contact: sip:",
    b"Require: none", b"Proxy-Require: x", b"Replaces: a;to-tag=b;from-tag=c", b"Session-Expires: -1",
    b"Session-Expires: 1;refresher=x", b"Min-SE: 99999999999", b"Supported: 100rel, timer, replaces",
    b"Require: 100rel", b"RAck: 1 1 INVITE", b"Refer-To: <tel:1>", b"Event: refer", b"Expires: -5",
    b"Authorization: Digest", b"Content-Encoding: gzip", b"Content-Type: multipart/mixed",
    b"Content-Type: multipart/mixed;boundary=x", b"Content-Type: application/", b"Via: x", b"Date: Thu",
    b"Accept: ,,,", b"Allow: " + b"A" * 600, b"Warning: 1 a \"", b"Timestamp: .",
    b"Via: SIP/2.0/UDP [];branch=z",
)  # fmt: skip
_SDP = (
    b"c=IN IP4 " + b"a" * 254, b"c=IN IP6 ::1", b"c=IN IP4", b"c=", b"m=audio 0 RTP/AVP 0", b"m=",
    b"m=audio 1 RTP/AVP", b"m=audio 99999 RTP/AVP 0", b"m=audio 4000 RTP/SAVP 0", b"m=video 0 RTP/AVP 0",
    b"a=rtpmap:0 PCMU/0", b"a=rtpmap:999 X/1", b"a=rtpmap:", b"a=fmtp:101 " + b"9" * 280, b"a=rtcp-mux",
    b"a=crypto:1 AES inline:x", b"a=rtcp:1 IN IP4", b"a=ptime:0", b"a=sendrecv\r\na=inactive", b"b=AS:-1",
    b"a=candidate:1 1 UDP 1 [] 1 typ host", b"a=ice-ufrag:", b"o=- 1 1 IN IP4 \0", b"t=", b"v=1",
    b"a=setup:active", b"a=fingerprint:sha-1 00",
)  # fmt: skip
_METHODS = (b"INVITE",) * 6 + (
    b"OPTIONS",
    b"BYE",
    b"CANCEL",
    b"UPDATE",
    b"PRACK",
    b"INFO",
    b"NOTIFY",
    b"REFER",
)


@dataclass(frozen=True, slots=True)
class Home:
    """Where the sender listens and whom it sends to."""

    host: str
    port: int
    target: str


def plain_invite(home: Home, token: str, method: bytes = b"INVITE") -> bytes:
    """A call as any phone makes it; ``token`` makes it a new one."""
    here = f"{home.host}:{home.port}".encode()
    body = CRLF.join((
        b"v=0", b"o=- 1 1 IN IP4 127.0.0.1", b"s=-", b"c=IN IP4 127.0.0.1", b"t=0 0",
        b"m=audio PORT RTP/AVP 0 8 101".replace(b"PORT", str(home.port + 1 & ~1).encode()),
        b"a=rtpmap:0 PCMU/8000",         b"a=rtpmap:101 telephone-event/8000", b"a=fmtp:101 0-15", b"",
    ))  # fmt: skip
    uri, tag = home.target.encode(), token.encode()
    head = CRLF.join((
        method + b" " + uri + b" SIP/2.0", b"Via: SIP/2.0/UDP " + here + b";rport;branch=z9hG4bK" + tag,
        b"Max-Forwards: 70", b"From: <sip:raw@" + here + b">;tag=" + tag, b"To: <" + uri + b">",
        b"Call-ID: " + tag + b"@fuzz", b"CSeq: 1 " + method, b"Contact: <sip:raw@" + here + b">",
        b"Content-Type: application/sdp", b"Content-Length: %d" % len(body), b"", b"",
    ))  # fmt: skip
    return head + body


def crasher(name: str, home: Home, token: str) -> bytes:
    """A plain INVITE with the one thing that aborts the bare library."""
    old, new = CRASHERS[name]
    old = old.replace(b"HOST", f"{home.host}:{home.port}".encode())
    old = old.replace(b"PORT", str(home.port + 1 & ~1).encode())
    invite = plain_invite(home, token)
    assert old in invite, name
    return with_length(invite.replace(old, new))


def with_length(message: bytes) -> bytes:
    """The message with the Content-Length that its body has."""
    head, separator, body = message.partition(CRLF * 2)
    return (
        re.sub(rb"(?im)^(Content-Length|l)\s*:.*$", b"Content-Length: %d\r" % len(body), head).replace(
            b"\r\r", b"\r"
        )
        + separator
        + body
    )


def mutations(seed: int, count: int, home: Home, torture: Sequence[bytes]) -> Iterator[bytes]:
    """``count`` damaged messages.

    :param torture: messages to damage besides the plain ones.
    """
    rng = random.Random(seed)
    for number in range(count):
        token = f"{seed:x}-{number:x}-{rng.getrandbits(32):x}"
        message = _base(rng, home, token, torture)
        for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
            message = rng.choice(_DAMAGES)(rng, message)
        yield message if rng.random() < 0.25 else with_length(message)


def _base(rng: random.Random, home: Home, token: str, torture: Sequence[bytes]) -> bytes:
    if torture and rng.random() < 0.25:
        message = rng.choice(torture)
        here = f"SIP/2.0/UDP {home.host}:{home.port};rport;branch=z9hG4bK{token}".encode()
        return re.sub(rb"(?im)^(v|via)\s*:[^\r\n]*", b"Via: " + here, message, count=1)
    method = rng.choice(_METHODS)
    message = plain_invite(home, token, method)
    if method not in (b"INVITE", b"OPTIONS") or rng.random() < 0.1:
        message = re.sub(rb"(To: <[^>]*>)", rb"\1;tag=" + token.encode(), message)
    return message


def _head_and_body(message: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = message.partition(CRLF * 2)
    return head.split(CRLF), body


def _joined(lines: list[bytes], body: bytes) -> bytes:
    return CRLF.join(lines) + CRLF * 2 + body


def _add_field(rng: random.Random, message: bytes) -> bytes:
    lines, body = _head_and_body(message)
    lines.insert(rng.randint(1, len(lines)), rng.choice(_FIELDS))
    return _joined(lines, body)


def _replace_field(rng: random.Random, message: bytes) -> bytes:
    lines, body = _head_and_body(message)
    new = rng.choice(_FIELDS)
    name = new.partition(b":")[0].lower()
    same = [i for i, line in enumerate(lines) if line.partition(b":")[0].lower() == name]
    lines[rng.choice(same or range(len(lines)))] = new
    return _joined(lines, body)


def _move_or_drop_line(rng: random.Random, message: bytes) -> bytes:
    lines, body = _head_and_body(message)
    line = lines.pop(rng.randrange(len(lines)))
    if rng.random() < 0.6:
        for _ in range(rng.choice((1, 2, 2, 30))):
            lines.insert(rng.randint(0, len(lines)), line)
    return _joined(lines or [line], body)


def _change_sdp(rng: random.Random, message: bytes) -> bytes:
    lines, body = _head_and_body(message)
    sdp = body.split(CRLF)
    if rng.random() < 0.4:
        sdp.pop(rng.randrange(len(sdp)))
    if rng.random() < 0.8:
        sdp.insert(rng.randint(0, len(sdp)), rng.choice(_SDP))
    return _joined(lines, CRLF.join(sdp))


def _change_number(rng: random.Random, message: bytes) -> bytes:
    found = list(re.finditer(rb"\d+", message))
    return _put(message, rng.choice(found).span(), rng.choice(_NUMBERS)) if found else message


def _change_host(rng: random.Random, message: bytes) -> bytes:
    found = list(re.finditer(rb"(?:\d{1,3}\.){3}\d{1,3}|[a-z]+\.(?:com|org|net)", message))
    return _put(message, rng.choice(found).span(), rng.choice(_HOSTS)) if found else message


def _change_bytes(rng: random.Random, message: bytes) -> bytes:
    data = bytearray(message)
    for _ in range(rng.choice((1, 1, 3, 10))):
        data[rng.randrange(len(data))] = rng.choice(
            (0, 9, 10, 13, 32, 34, 58, 59, 60, 62, 91, 93, 255, rng.getrandbits(8))
        )
    return bytes(data)


def _cut_or_repeat(rng: random.Random, message: bytes) -> bytes:
    begin = rng.randrange(len(message))
    end = min(len(message), begin + rng.choice((1, 4, 40, 400)))
    piece = message[begin:end]
    return _put(message, (begin, end), b"" if rng.random() < 0.5 else piece * rng.choice((2, 3, 50)))


def _put(message: bytes, span: tuple[int, int], new: bytes) -> bytes:
    return (message[: span[0]] + new + message[span[1] :])[:60_000] or b"\0"


_DAMAGES = (
    _add_field, _replace_field, _move_or_drop_line, _change_sdp, _change_sdp, _change_number, _change_host,
    _change_bytes, _cut_or_repeat,
)  # fmt: skip
