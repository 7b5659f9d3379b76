"""SIP messages as they are on the wire: parse, build, read addresses. Pure, no sockets."""

import re
from dataclasses import dataclass

from sipagent.errors import PacketError

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "c": "content-type",
           "l": "content-length", "k": "supported", "s": "subject", "e": "content-encoding", "o": "event",
           "u": "allow-events", "r": "refer-to", "b": "referred-by", "x": "session-expires"}  # fmt: skip
"""One letter for the common headers (IANA's list; the first nine from RFC 3261 s7.3.3)."""

_STATUS_LINE = re.compile(r"SIP/2\.0 (\d{3})(?: (.*))?")
_REQUEST_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~-]+) (\S+) SIP/2\.0")
_SIP_URI = re.compile(
    r"sip:(?:(?P<user>[^@;?>\s]+)@)?(?P<host>[^:;?>\s]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE
)
_TAG = re.compile(r";\s*tag\s*=\s*([^;>\s]+)", re.IGNORECASE)
_BRANCH = re.compile(r";\s*branch=([^;,\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SipUri:
    """``sip:user@host:port`` without its parameters."""

    user: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "SipUri":
        """The first SIP URI in ``text``: bare, in angle brackets, or within a name-addr.

        :raises PacketError: there is none.
        """
        match = _SIP_URI.search(text)
        if match is None:
            raise PacketError(f"sip: no sip: address in {text[:80]!r}")
        return cls(match["user"] or "", match["host"], int(match["port"] or 5060))

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"sip:{user}{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A request or a response. Header names are lower case and long."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"SipMessage({self.start_line!r}, {len(self.headers)} headers, {len(self.body)} bytes)"

    @property
    def status(self) -> int:
        """The status code; 0 for a request."""
        match = _STATUS_LINE.fullmatch(self.start_line)
        return int(match[1]) if match else 0

    @property
    def reason(self) -> str:
        """The reason phrase of a response."""
        match = _STATUS_LINE.fullmatch(self.start_line)
        return (match[2] or "").strip() if match else ""

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers (from CSeq)."""
        return self.cseq[1] if self.status else self.start_line.split(" ", 1)[0]

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method.

        :raises PacketError: the header is missing or malformed.
        """
        number, _, method = self.get("cseq").strip().partition(" ")
        if not number.isdigit() or not method.strip():
            raise PacketError(f"sip: CSeq is {self.get('cseq')!r}, expected a number and a method")
        return int(number), method.strip().upper()

    @property
    def branch(self) -> str:
        """The transaction's id: the branch of the topmost Via, "" where it has none."""
        match = _BRANCH.search(self.get("via"))
        return match[1] if match else ""

    def get(self, name: str) -> str:
        """The first header of that name, "" where there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def get_all(self, name: str) -> list[str]:
        """Every header of that name, in order, comma lists as they stand."""
        return [value for key, value in self.headers if key == name]

    def tag(self, name: str) -> str:
        """The tag of ``from`` or ``to``, "" where there is none."""
        match = _TAG.search(self.get(name))
        return match[1] if match else ""


def parse_message(datagram: bytes) -> SipMessage:
    """One UDP datagram as a message.

    :raises PacketError: it is not a SIP message with Via, CSeq and Call-ID.
    """
    head, separator, body = datagram.partition(b"\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
    if not separator or not (_STATUS_LINE.fullmatch(lines[0]) or _REQUEST_LINE.fullmatch(lines[0])):
        raise PacketError(f"sip: not a message: {lines[0][:60]!r}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise PacketError(f"sip: header without colon: {line[:60]!r}")
        name = name.strip().lower()
        headers.append((COMPACT.get(name, name), value.strip()))
    message = SipMessage(lines[0], tuple(headers), body)
    length = message.get("content-length")
    if length and not length.isdigit():
        raise PacketError(f"sip: Content-Length is {length[:20]!r}, expected a number")
    if length and int(length) > len(body):
        raise PacketError(f"sip: Content-Length is {length}, but {len(body)} bytes of body came")
    if missing := [name for name in ("via", "cseq", "call-id") if not message.get(name)]:
        raise PacketError(f"sip: {lines[0][:40]!r} has no {', '.join(missing)}")
    _ = message.cseq
    return SipMessage(message.start_line, message.headers, body[: int(length)] if length else body)


def build_message(start_line: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """The datagram of a message; Content-Length is added."""
    lines = [start_line, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def build_response(
    request: SipMessage, status_line: str, *, to_tag: str, extra: list[tuple[str, str]] | None = None,
    body: bytes = b"",
) -> bytes:  # fmt: skip
    """A response to ``request``, as ``200 OK``: its Via, From, To, Call-ID and CSeq are echoed
    (RFC 3261 s8.2.6.2)."""
    to = request.get("to")
    if not request.tag("to"):
        to = f"{to};tag={to_tag}"
    headers = [("Via", via) for via in request.get_all("via")]
    headers += [("Record-Route", route) for route in request.get_all("record-route")]
    headers += [("From", request.get("from")), ("To", to)]
    headers += [("Call-ID", request.get("call-id")), ("CSeq", request.get("cseq"))]
    return build_message(f"SIP/2.0 {status_line}", headers + (extra or []), body)


def uri_of(value: str) -> str:
    """The SIP URI of a Contact with its parameters: where requests of the dialog go (RFC 3261 s12.1.2).

    :raises PacketError: there is none.
    """
    bracketed = re.search(r"<([^>]*)>", value)
    uri = bracketed[1] if bracketed else value.split(";", 1)[0].strip()
    _ = SipUri.parse(uri)
    return uri


def split_routes(values: list[str]) -> list[str]:
    """Record-Route headers as single routes, in order; commas inside brackets stay."""
    routes: list[str] = []
    for value in values:
        routes += [part.strip() for part in re.findall(r"[^,<]*<[^>]*>[^,]*|[^,]+", value) if part.strip()]
    return routes
