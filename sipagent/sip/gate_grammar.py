"""What a SIP message must look like before the library acts on it.

PJSIP as published for Python is built with assertions on: some messages that its parser takes abort the
process later, when a dialog or a media session is made of them. Stricter than RFC 3261 on purpose; what real
peers send passes (the valid messages of RFC 4475 that a user agent can take, every peer of the tests).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from sipagent.sip.gate_sdp import sdp_fault
from sipagent.sip.wire_message import SipMessage

MOST_BYTES = 3900
"""The library's buffer has 4000."""
OUTSIDE_DIALOGS = ("INVITE", "OPTIONS", "ACK", "CANCEL", "BYE")
INSIDE_DIALOGS = (*OUTSIDE_DIALOGS, "UPDATE", "PRACK", "INFO", "NOTIFY", "REFER", "MESSAGE", "SUBSCRIBE")
KNOWN = (*INSIDE_DIALOGS, "REGISTER", "PUBLISH")

_SILENCE, _BAD_REQUEST, _FORBIDDEN, _METHOD, _TOO_LARGE = 0, 400, 403, 405, 513
_UNSUPPORTED, _SCHEME, _EXTENSION, _NOT_ACCEPTABLE, _NOT_IMPLEMENTED = 415, 416, 420, 488, 501
_ONCE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires")
_FORBIDDEN_HEADERS = ("replaces", "join", "target-dialog")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,126}[A-Za-z0-9])?")
_URI = re.compile(
    r"sips?:(?:[^@\s<>\"]{1,128}@)?(?P<host>[^:;?\s<>\"@\[\]]*)(?::(?P<port>\d{1,5}))?"
    r"(?P<params>(?:;[^\s<>\"?;]*)*)(?P<headers>\?.*)?",
    re.IGNORECASE,
)
_TEL = re.compile(r"tel:[0-9A-Za-z+*#().;=%_-]{1,128}", re.IGNORECASE)
_ADDRESS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"<>,;]*)\s*<([^<>]*)>\s*((?:;.*)?)')
_LIST_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,"<])+')
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*[A-Z0-9-]{1,20}\s+[A-Z0-9.-]{1,128}(\s*:\s*\d{1,5})?\s*((;.*)?)", re.IGNORECASE
)
_CSEQ = re.compile(r"(\d{1,10})\s+([A-Za-z0-9.!%*_+`'~-]{1,30})")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a message is not let in."""

    rule: str
    """For the log, never for the peer."""
    status: int = _BAD_REQUEST
    """What to answer a request with; 0: nothing, for the answer would repeat what is wrong."""


def fault_of(message: SipMessage, size_bytes: int) -> Fault | None:
    """The first thing that is wrong with a message, None where it may pass."""
    return next(_faults(message, size_bytes), None)


def _faults(message: SipMessage, size_bytes: int) -> Iterator[Fault]:
    for rule in (*_shape(message), *_transaction(message), *_echoed_addresses(message)):
        yield Fault(rule, _SILENCE)
    if size_bytes > MOST_BYTES:
        yield Fault("size of the message", _TOO_LARGE)
    if not message.status:
        yield from _method(message)
        yield from _request_uri(message.start_line.split(" ")[1])
    yield from _addresses(message)
    yield from _body(message)


def _shape(message: SipMessage) -> Iterator[str]:
    if len(message.headers) > 64:
        yield "number of header fields"
    for name, value in message.headers:
        if not _TOKEN.fullmatch(name):
            yield "name of a header field"
        if len(value) > 2000:
            yield f"length of {name}"
        if any((ord(char) < 32 and char != "\t") or char == "\x7f" for char in value):
            yield f"control characters in {name}"
    counts = Counter(name for name, _ in message.headers)
    for name in _ONCE:
        if counts[name] > 1:
            yield f"{name} given twice"
    for name, most in (("via", 40), ("route", 12), ("record-route", 12)):
        if counts[name] > most:
            yield f"number of {name} fields"
    for name in ("via", "from", "to", "call-id", "cseq"):
        if not message.get(name):
            yield f"{name} missing"


def _transaction(message: SipMessage) -> Iterator[str]:
    if message.status and not 100 <= message.status <= 699:
        yield "status"
    cseq = _CSEQ.fullmatch(message.get("cseq"))
    if cseq is None or int(cseq[1]) >= 2**31:
        yield "CSeq"
    elif not message.status and cseq[2] != message.method:
        yield "CSeq of another method"
    if not re.fullmatch(r"\S{1,200}", message.get("call-id")):
        yield "Call-ID"
    hops = message.get("max-forwards")
    if hops and not re.fullmatch(r"\d{1,5}", hops):
        yield "Max-Forwards"
    for value in message.get_all("via"):
        for via in value.split(","):
            if not _VIA.fullmatch(via.strip()) or "maddr" in via.lower():
                yield "Via"


def _echoed_addresses(message: SipMessage) -> Iterator[str]:
    for name in ("from", "to"):
        if len(message.get(name)) > 400 or _is_bad_list(message.get(name), most=1):
            yield f"address in {name}"
    for name in ("route", "record-route"):
        for value in message.get_all(name):
            if _is_bad_list(value, most=12, is_sip=True, is_route=name == "record-route"):
                yield f"address in {name}"


def _method(message: SipMessage) -> Iterator[Fault]:
    if message.method not in KNOWN:
        yield Fault("unknown method", _NOT_IMPLEMENTED)
    elif message.method not in (INSIDE_DIALOGS if message.tag("to") else OUTSIDE_DIALOGS):
        yield Fault(f"{message.method} is not taken here", _METHOD)
    for name in _FORBIDDEN_HEADERS:
        if message.get(name):
            yield Fault(name, _FORBIDDEN)
    if message.get("require") and not message.tag("to"):
        known = {"100rel", "timer", "norefersub", "replaces", "outbound", "path", "gruu"}
        if not {word.strip().lower() for word in message.get("require").split(",")} <= known:
            yield Fault("Require", _EXTENSION)


def _request_uri(uri: str) -> Iterator[Fault]:
    if not re.match(r"(sips?|tel):", uri, re.IGNORECASE):
        yield Fault("scheme of the request's address", _SCHEME)
    elif len(uri) > 250 or not _is_uri(uri):
        yield Fault("address of the request")


def _addresses(message: SipMessage) -> Iterator[Fault]:
    contacts = message.get_all("contact")
    if not message.status and message.method == "INVITE" and not contacts:
        yield Fault("INVITE without Contact")
    if message.status < 300 and len(contacts) > 1:
        yield Fault("Contact given twice")
    for value in contacts:
        if _is_bad_list(value, most=10 if message.status >= 300 else 1, is_sip=True):
            yield Fault("address in Contact")
    if message.get("refer-to") and _is_bad_list(message.get("refer-to"), most=1):
        yield Fault("address in Refer-To")


def _body(message: SipMessage) -> Iterator[Fault]:
    if not message.body:
        return
    kind = message.get("content-type").lower().split(";")[0].strip()
    if kind == "application/sdp":
        if problem := sdp_fault(message.body):
            yield Fault(f"SDP: {problem}", _NOT_ACCEPTABLE)
    elif message.method in ("INVITE", "UPDATE", "ACK", "PRACK"):
        yield Fault("kind of body", _UNSUPPORTED)
    elif message.get("content-encoding"):
        yield Fault("encoded body", _UNSUPPORTED)


def _is_bad_list(value: str, *, most: int, is_sip: bool = False, is_route: bool = False) -> bool:
    """True where a list of name-addr and addr-spec is not as it must be.

    :param is_sip: no ``tel:``. :param is_route: each in brackets and with ``lr`` (RFC 3261 s16.12).
    """
    parts = _LIST_PART.findall(value)
    if not 1 <= len(parts) <= most or _LIST_PART.sub("", value).strip(", "):
        return True
    for part in parts:
        text = part.strip()
        match = _ADDRESS.fullmatch(text)
        uri = match[1] if match else text.split(";")[0].strip()
        if is_route and (match is None or not re.search(r";\s*lr\s*(;|=|$)", uri, re.IGNORECASE)):
            return True
        if len(uri) > 250 or not _is_uri(uri) or (is_sip and _TEL.fullmatch(uri)):
            return True
    return False


def _is_uri(uri: str) -> bool:
    if _TEL.fullmatch(uri):
        return True
    match = _URI.fullmatch(uri)
    if match is None or not _HOST.fullmatch(match["host"]):
        return False
    if re.fullmatch(r"[\d.]+", match["host"]) and not is_ipv4(match["host"]):
        return False
    if match["port"] and not 0 < int(match["port"]) < 65536:
        return False
    for param in match["params"].split(";")[1:]:
        name, _, value = param.partition("=")
        if not _TOKEN.fullmatch(name.strip()) or name.strip().lower() == "maddr":
            return False
        if name.strip().lower() == "transport" and value.lower() not in ("udp", "tcp", "tls"):
            return False
    return not match["headers"]


def is_ipv4(text: str) -> bool:
    """True for a dotted IPv4 address."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
