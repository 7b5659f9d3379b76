"""Sends damaged messages as fast as they are answered, and completes the calls that come of them."""

import random
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from sipagent.errors import PacketError
from sipagent.sip.wire_message import SipMessage, build_message, parse_message
from tests.fakes.sip_mutations import Home, plain_invite
from tests.peer.running_agent import LOOPBACK

ANSWER_S = 0.01
"""Enough for an answer on an idle machine; a late one is taken with the next message."""


class Attacker:
    """One socket. Calls that are answered are acknowledged and hung up, so that the next ones find room."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.connect((LOOPBACK, port))
        self.home = Home(LOOPBACK, int(self._socket.getsockname()[1]), f"sip:100@{LOOPBACK}:{port}")
        self.answers: Counter[int] = Counter()

    def close(self) -> None:
        self._socket.close()

    def send_all(self, messages: Iterable[bytes]) -> int:
        """:returns: how many could be sent: the kernel takes no datagram above 64 KiB."""
        count = 0
        for message in messages:
            count += self.send(message)
        return count

    def send(self, message: bytes) -> bool:
        with suppress(ConnectionRefusedError):  # ICMP for an earlier one: nobody listens just now
            self._socket.send(b"")
        try:
            self._socket.send(message)
        except OSError:
            return False
        self.drain(ANSWER_S)
        return True

    def drain(self, for_s: float) -> None:
        """Take answers for a while."""
        deadline_s = time.monotonic() + for_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left_s)[0]:
                return
            with suppress(OSError, PacketError):
                self._take(parse_message(self._socket.recv(65535)))

    def send_call(self, number: int) -> None:
        """An INVITE whose answer nobody acknowledges."""
        self._socket.send(plain_invite(self.home, f"storm-{number}"))
        while select.select([self._socket], [], [], 0)[0]:
            message = parse_message(self._socket.recv(65535))
            self.answers[message.status] += message.status >= 200

    def is_answered(self, within_s: float) -> bool:
        """True where an OPTIONS gets a final answer."""
        deadline_s = time.monotonic() + within_s
        before = self.answers.total()
        while time.monotonic() < deadline_s and self.answers.total() == before:
            with suppress(OSError):
                self._socket.send(self._request("OPTIONS", self.home.target, f"<{self.home.target}>"))
            self.drain(0.1)
        return self.answers.total() > before

    def _take(self, message: SipMessage) -> None:
        if message.status >= 200:
            self.answers[message.status] += 1
        elif not message.status and message.method != "ACK":  # the other side hangs up
            reply = [(name.title(), value) for name, value in message.headers if name in _ECHOED]
            self._socket.send(build_message("SIP/2.0 200 OK", reply))
        if message.status // 100 == 2 and message.method == "INVITE":
            target = message.get("contact").strip("<>") or self.home.target
            routes = tuple(("Route", value) for value in reversed(message.get_all("record-route")))
            for method, number in (("ACK", message.cseq[0]), ("BYE", message.cseq[0] + 1)):
                again = (message.get("from"), message.get("call-id"), number)
                self._socket.send(self._request(method, target, message.get("to"), again, routes))

    def _request(
        self, method: str, uri: str, to: str, again: tuple[str, str, int] | None = None,
        routes: tuple[tuple[str, str], ...] = (),
    ) -> bytes:  # fmt: skip
        here, token = f"{self.home.host}:{self.home.port}", f"{random.getrandbits(64):x}"
        sender, call_id, number = again or (f"<sip:raw@{here}>;tag={token}", f"{token}@attack", 1)
        return build_message(
            f"{method} {uri} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {here};rport;branch=z9hG4bK{token}"), ("Max-Forwards", "70"),
                ("From", sender), ("To", to), ("Call-ID", call_id), ("CSeq", f"{number} {method}"), *routes,
            ],
        )  # fmt: skip


_ECHOED = ("via", "from", "to", "call-id", "cseq")
