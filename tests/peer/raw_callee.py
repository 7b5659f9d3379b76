"""Somebody that the agent calls: answers, refuses or rings on, with a line for the sound."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sipagent.codecs.rtp import parse_rtp
from sipagent.errors import PacketError
from sipagent.lab.sdp import describe
from sipagent.sip.wire_message import SipMessage, build_message, build_response, parse_message

HOST = "127.0.0.1"


class RawCallee:
    """One call on its own thread. What it hears it sends back."""

    def __init__(self, port: int, status_line: str) -> None:
        self._status_line = status_line
        self._sip, self._rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._sip.bind((HOST, port))
        self._rtp.bind((HOST, 0))
        self._sip.settimeout(0.01)
        self._rtp.setblocking(False)
        self._tag = f"{random.getrandbits(40):010x}"
        self._is_stopping = threading.Event()
        self._invite: SipMessage | None = None
        self._peer = ("", 0)
        self.received: list[SipMessage] = []
        self.heard = bytearray()
        """PCMU of the agent's."""
        self._thread = threading.Thread(target=self._run, name="callee")

    @property
    def uri(self) -> str:
        return f"sip:desk@{HOST}:{self._sip.getsockname()[1]}"

    @property
    def methods(self) -> list[str]:
        return [message.method for message in self.received if not message.status]

    def hang_up(self) -> None:
        """Send BYE in the call that the agent has made."""
        assert self._invite is not None
        headers = [
            ("Via", f"SIP/2.0/UDP {HOST}:{self._sip.getsockname()[1]};branch=z9hG4bK{self._tag}bye"),
            ("From", f"{self._invite.get('to')};tag={self._tag}"),
            ("To", self._invite.get("from")),
            ("Call-ID", self._invite.get("call-id")),
            ("CSeq", "1 BYE"),
            ("Max-Forwards", "70"),
        ]
        host, port = self._peer
        self._sip.sendto(build_message(f"BYE sip:{host}:{port} SIP/2.0", headers), self._peer)

    def wait_for(self, method: str, timeout_s: float = 10) -> None:
        """Return when such a request has come."""
        deadline_s = time.monotonic() + timeout_s
        while method not in self.methods:
            assert time.monotonic() < deadline_s, f"no {method}; came: {self.methods}"
            time.sleep(0.02)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping.set()
        self._thread.join()
        self._sip.close()
        self._rtp.close()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._serve_sip()
            self._serve_rtp()

    def _serve_sip(self) -> None:
        try:
            datagram, peer = self._sip.recvfrom(65535)
            message = parse_message(datagram)
        except (TimeoutError, PacketError):
            return
        self.received.append(message)
        if message.status or message.method == "ACK":
            return
        extra = [("Contact", f"<{self.uri}>")]
        if message.method != "INVITE":
            self._sip.sendto(build_response(message, "200 OK", to_tag=self._tag, extra=extra), peer)
            return
        self._invite, self._peer = message, peer
        if not self._status_line.startswith("5"):  # a server that has no room does not ring
            self._sip.sendto(build_response(message, "180 Ringing", to_tag=self._tag, extra=extra), peer)
        sdp = b""
        if self._status_line.startswith("200"):
            sdp = describe(HOST, self._rtp.getsockname()[1], ("PCMU",))
            extra.append(("Content-Type", "application/sdp"))
        response = build_response(message, self._status_line, to_tag=self._tag, extra=extra, body=sdp)
        self._sip.sendto(response, peer)

    def _serve_rtp(self) -> None:
        """Everything that waits, back to where it came from."""
        while True:
            try:
                datagram, peer = self._rtp.recvfrom(2048)
                packet = parse_rtp(datagram)
            except (BlockingIOError, PacketError):
                return
            if packet.payload_type == 0:
                self.heard += packet.payload
                self._rtp.sendto(datagram, peer)


@contextmanager
def raw_callee(port: int, status_line: str = "200 OK") -> Iterator[RawCallee]:
    """:param status_line: how it answers, behind a 180 but for 5xx."""
    callee = RawCallee(port, status_line)
    callee.start()
    try:
        yield callee
    finally:
        callee.stop()
