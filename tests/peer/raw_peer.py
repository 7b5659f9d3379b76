"""A SIP peer over UDP whose every answer a test decides."""

import socket
from types import TracebackType

from sipagent.sip.wire_message import SipMessage, build_response, parse_message


class RawPeer:
    """One UDP socket that requests come to. Nothing is answered by itself."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.address: tuple[str, int] = self._socket.getsockname()
        self.source: tuple[str, int] = ("", 0)
        """Where the last datagram came from."""

    def __enter__(self) -> "RawPeer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def receive(self, timeout_s: float = 10) -> bytes:
        """The next datagram, whatever it is."""
        self._socket.settimeout(timeout_s)
        data, self.source = self._socket.recvfrom(65536)
        return data

    def request(self, method: str, timeout_s: float = 10) -> SipMessage:
        """The next request of that method; others are passed over."""
        while True:
            data = self.receive(timeout_s)
            if data.strip():
                message = parse_message(data)
                if message.method == method and not message.status:
                    return message

    def answer(
        self, request: SipMessage, status: str = "200 OK", *extra: tuple[str, str], body: bytes = b""
    ) -> None:
        """Answer a request."""
        response = build_response(request, status, to_tag="raw", extra=list(extra), body=body)
        self._socket.sendto(response, self.source)
