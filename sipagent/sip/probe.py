"""A small SIP client of plain sockets: one request, its answer, over UDP, TCP or TLS. No pjsua2, any thread.

For health checks and ``sipagent check --trunks``: what it sends is an OPTIONS or REGISTER of its own, never a
call.
"""

import secrets
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from sipagent.errors import PacketError, SipError
from sipagent.sip.digest import authorization
from sipagent.sip.wire_message import SipMessage, build_message, parse_message

Transport = Literal["udp", "tcp", "tls"]
_FIRST_REPEAT_S = 0.5
"""RFC 3261 T1: a UDP request is repeated after this, then after twice as long."""
_MOST_BYTES = 65_535


class ProbeError(SipError):
    """The peer did not answer; ``kind`` says why."""

    retryable = True

    def __init__(self, kind: str, text: str) -> None:
        """:param kind: ``timeout``, ``refused``, ``unreachable``, ``certificate``, ``tls``, ``protocol``."""
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask: the address that was resolved, and the name that stands in headers and certificates."""

    address: str
    port: int
    name: str
    transport: Transport = "udp"

    def __str__(self) -> str:
        return f"{self.transport} {self.name} ({self.address}:{self.port})"


@dataclass(frozen=True, slots=True)
class Answer:
    """A final response, and how long it took."""

    message: SipMessage
    rtt_ms: int

    @property
    def status(self) -> int:
        return self.message.status

    @property
    def seen_as(self) -> tuple[str, int]:
        """Address and port that the peer saw the request come from (RFC 3581); "" and 0 where not told."""
        via = self.message.get("via").split(",")[0]
        given = dict(part.strip().partition("=")[::2] for part in via.split(";")[1:])
        port = given.get("rport", "")
        return given.get("received", ""), int(port) if port.isdigit() else 0


class Probe:
    """A connection to one peer. ``with Probe(target) as probe: probe.ask("OPTIONS")``."""

    def __init__(
        self,
        target: Target,
        *,
        timeout_s: float = 4.0,
        bind: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """:param bind: local IPv4 address, "" for the one that routes to the peer.

        :param tls: how the certificate is judged; by default as the system does.
        """
        self.target = target
        self._timeout_s, self._bind, self._tls = timeout_s, bind, tls
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._cseq = 0
        self._call_id = f"{secrets.token_hex(8)}@probe"
        self._tag = secrets.token_hex(6)

    def __repr__(self) -> str:
        return f"Probe({self.target}, open={self._socket is not None})"

    def __enter__(self) -> "Probe":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect.

        :raises ProbeError: nobody listens there, or the certificate is not good.
        """
        is_udp = self.target.transport == "udp"
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        try:
            sock.settimeout(self._timeout_s)
            sock.bind((self._bind, 0))
            sock.connect((self.target.address, self.target.port))
            self._socket = self._secured(sock) if self.target.transport == "tls" else sock
        except OSError as error:
            sock.close()
            raise _why(error, self.target) from error

    def close(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def local(self) -> tuple[str, int]:
        """Our address and port."""
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def certificate(self) -> dict[str, object]:
        """The peer's verified certificate as ``ssl`` describes it; empty without TLS."""
        if not isinstance(self._socket, ssl.SSLSocket):
            return {}
        return dict(self._socket.getpeercert() or {})

    def ask(
        self,
        method: str = "OPTIONS",
        *,
        user: str = "",
        uri: str = "",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """Send one request out of any dialog and wait for its final response.

        :param user: user part of From. :param uri: Request-URI, by default the peer's.
        :raises ProbeError: none came.
        """
        self._cseq += 1
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        request = self._request(method, branch, user or "probe", uri or f"sip:{self.target.name}", extra)
        began = time.monotonic()
        deadline_s = began + self._timeout_s
        repeat_s, pause_s = began, _FIRST_REPEAT_S
        is_udp = self.target.transport == "udp"
        try:
            while (now_s := time.monotonic()) < deadline_s:
                if now_s >= repeat_s:
                    self._send(request)
                    repeat_s, pause_s = (now_s + pause_s if is_udp else deadline_s), pause_s * 2
                message = self._receive(min(repeat_s, deadline_s))
                if message and message.branch == branch and message.status >= 200:
                    return Answer(message, round((time.monotonic() - began) * 1000))
        except OSError as error:
            raise _why(error, self.target) from error
        waited = f"no answer from {self.target} within {self._timeout_s:g} s"
        raise ProbeError("timeout", waited)

    def ask_with_password(
        self, method: str, *, username: str, password: str, uri: str = "",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> tuple[Answer, bool]:  # fmt: skip
        """As ``ask``; a challenge is answered once.

        :returns: the last answer, and whether the peer asked for a password.
        :raises ProbeError: no answer, or a challenge that we do not know.
        """
        answer = self.ask(method, user=username, uri=uri, extra=extra)
        if answer.status not in (401, 407):
            return answer, False
        asks, answers = {
            401: ("www-authenticate", "Authorization"),
            407: ("proxy-authenticate", "Proxy-Authorization"),
        }[answer.status]
        problem = ""
        for challenge in answer.message.get_all(asks):
            try:
                value = authorization(
                    challenge, method=method, uri=uri or f"sip:{self.target.name}", username=username,
                    password=password, cnonce=secrets.token_hex(8),
                )  # fmt: skip
            except ValueError as error:
                problem = str(error)
                continue
            return self.ask(method, user=username, uri=uri, extra=(*extra, (answers, value))), True
        raise ProbeError("protocol", problem or f"{self.target} answers {answer.status} without a challenge")

    def _secured(self, sock: socket.socket) -> ssl.SSLSocket:
        context = self._tls or ssl.create_default_context()
        try:
            return context.wrap_socket(sock, server_hostname=self.target.name)
        except TimeoutError:
            sock.close()
            raise ProbeError("tls", f"{self.target} takes connections, but does not speak TLS") from None

    def _request(
        self, method: str, branch: str, user: str, uri: str, extra: tuple[tuple[str, str], ...]
    ) -> bytes:
        host, port = self.local
        transport = self.target.transport
        parameter = "" if transport == "udp" else f";transport={transport}"
        me = f"<sip:{user}@{self.target.name}>"
        headers = [
            ("Via", f"SIP/2.0/{transport.upper()} {host}:{port};rport;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", f"{me};tag={self._tag}"),
            ("To", me if method == "REGISTER" else f"<{uri}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} {method}"),
            *([] if method == "REGISTER" else [("Contact", f"<sip:{user}@{host}:{port}{parameter}>")]),
            *extra,
        ]
        return build_message(f"{method} {uri} SIP/2.0", headers)

    def _send(self, request: bytes) -> None:
        assert self._socket is not None
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(request)

    def _receive(self, until_s: float) -> SipMessage | None:
        """The next message, None at ``until_s`` or where what came is none."""
        assert self._socket is not None
        self._socket.settimeout(max(0.001, until_s - time.monotonic()))
        try:
            data = self._socket.recv(_MOST_BYTES)
        except TimeoutError:
            return None
        if self.target.transport == "udp":
            with suppress(PacketError):
                return parse_message(data)
            return None
        if not data:
            raise ConnectionResetError("the peer closed the connection")
        self._buffer += data
        return self._next_in_stream()

    def _next_in_stream(self) -> SipMessage | None:
        """One whole message out of what has come (RFC 3261 s18.3): its end is said by Content-Length."""
        self._buffer = self._buffer.lstrip(b"\r\n")
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        lengths = [
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.partition(b":")[0].strip().lower() in (b"content-length", b"l")
        ]
        length = int(lengths[0]) if lengths and lengths[0].isdigit() else 0
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        with suppress(PacketError):
            return parse_message(head + separator + rest[:length])
        return None


def _why(error: OSError, target: Target) -> ProbeError:
    match error:
        case ssl.SSLCertVerificationError():
            return ProbeError("certificate", str(error.verify_message).rstrip("."))
        case ssl.SSLError():
            return ProbeError("tls", f"no TLS with {target}: {error.reason}")
        case ConnectionRefusedError():
            return ProbeError("refused", f"nobody listens at {target}")
        case ConnectionResetError():
            return ProbeError("refused", f"{target} closes the connection")
        case TimeoutError():
            return ProbeError("timeout", f"no answer from {target}")
    return ProbeError("unreachable", f"{target}: {error.strerror or error}")
