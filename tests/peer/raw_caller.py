"""A caller whose SIP is written message by message, so that a test can leave out, repeat or break any."""

import random
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from sipagent.errors import PacketError
from sipagent.lab.sdp import describe
from sipagent.sip.wire_message import (
    SipMessage,
    build_message,
    build_response,
    parse_message,
    split_routes,
    uri_of,
)
from tests.peer.running_agent import RunningAgent

ANSWER_TIMEOUT_S = 10.0


class RawCaller:
    """One UDP socket and at most one dialog. Nothing is retransmitted and nothing acknowledged by itself."""

    def __init__(self, port: int, *, user: str = "+15550100123", host: str = "127.0.0.1") -> None:
        """:param port: of the agent on 127.0.0.1. :param host: loopback address to call from."""
        self._agent = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._local: tuple[str, int] = self._socket.getsockname()
        self._token = f"{random.getrandbits(48):012x}"
        self._target = f"sip:{user}@127.0.0.1:{port}"
        self._remote_target = self._target
        self._to = f"<{self._target}>"
        self._routes: list[str] = []
        self._branch = ""
        self.cseq = 0
        self.is_up = False
        """True makes the end of the ``with`` hang up."""
        self.received: list[SipMessage] = []

    def __enter__(self) -> "RawCaller":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_up:
            self.request("BYE")
        self._socket.close()

    def __repr__(self) -> str:
        return f"RawCaller({self._local}, {self._target}, cseq={self.cseq})"

    @property
    def call_id(self) -> str:
        return f"{self._token}@{self._local[0]}"

    def sdp(self, *, codecs: tuple[str, ...] = ("PCMU",), direction: str = "sendrecv") -> bytes:
        """Our description; nobody listens on its port."""
        return describe(
            self._local[0], self._local[1] + 1, codecs, version=self.cseq + 1, direction=direction
        )

    def enter_unknown_dialog(self) -> None:
        """Pretend to be in a dialog that the agent has never heard of."""
        self._to += f";tag={self._token}"

    def send(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self._agent)

    def request(self, method: str, body: bytes = b"", *, extra: tuple[tuple[str, str], ...] = ()) -> None:
        """Send a request of a transaction of its own, in the dialog if there is one."""
        self.cseq += 1
        self._branch = f"z9hG4bK{random.getrandbits(48):012x}"
        self.send(self._message(method, self._branch, body, extra))

    def cancel(self) -> None:
        """Give up the INVITE that was sent last."""
        self.send(self._message("CANCEL", self._branch))

    def ack(self, response: SipMessage, body: bytes = b"") -> None:
        """Acknowledge a final response to the INVITE that was sent last."""
        branch = self._branch if response.status >= 300 else f"z9hG4bK{random.getrandbits(48):012x}"
        self.send(self._message("ACK", branch, body, to=response.get("to")))

    def answer(self, method: str, timeout_s: float = ANSWER_TIMEOUT_S) -> SipMessage:
        """The next final response to a request of that method; one that makes a dialog makes ours."""
        response = self._next(
            lambda m: m.status >= 200 and m.method == method, f"answer to {method}", timeout_s
        )
        if method == "INVITE" and response.status < 300:
            self._to = response.get("to")
            self._remote_target = uri_of(response.get("contact"))
            self._routes = split_routes(response.get_all("record-route"))[::-1]
            self.is_up = True
        return response

    def invite(self, sdp: bytes | None = None) -> SipMessage:
        """Call, wait for the final response, acknowledge it."""
        self.request("INVITE", self.sdp() if sdp is None else sdp)
        response = self.answer("INVITE")
        self.ack(response)
        return response

    def bye(self) -> SipMessage:
        """Hang up and wait for the response."""
        self.is_up = False
        self.request("BYE")
        return self.answer("BYE")

    def options(self) -> SipMessage:
        """Ask whether anybody is there."""
        self.request("OPTIONS")
        return self.answer("OPTIONS")

    def wait_for_request(self, method: str, timeout_s: float) -> SipMessage:
        """The agent's next request of that method; it is not answered."""
        return self._next(lambda m: not m.status and m.method == method, method, timeout_s)

    def accept(self, request: SipMessage) -> None:
        """Answer a request of the agent with 200; its BYE ends the dialog."""
        self.is_up = self.is_up and request.method != "BYE"
        self.send(build_response(request, "200 OK", to_tag=self._token))

    def _next(self, is_wanted: Callable[[SipMessage], bool], what: str, timeout_s: float) -> SipMessage:
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                message = parse_message(self._socket.recv(65535))
            except (TimeoutError, PacketError, ConnectionRefusedError):
                continue
            self.received.append(message)
            if is_wanted(message):
                return message
        raise AssertionError(f"no {what} within {timeout_s} s; came: {self.received}")

    def _message(
        self,
        method: str,
        branch: str,
        body: bytes = b"",
        extra: tuple[tuple[str, str], ...] = (),
        *,
        to: str = "",
    ) -> bytes:
        host, port = self._local
        uri = self._remote_target if "tag=" in self._to else self._target
        headers = [
            ("Via", f"SIP/2.0/UDP {host}:{port};rport;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:raw@{host}:{port}>;tag={self._token}"),
            ("To", to or self._to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {method}"),
            ("Contact", f"<sip:raw@{host}:{port}>"),
            *(("Route", route) for route in self._routes),
            *extra,
        ]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return build_message(f"{method} {uri} SIP/2.0", headers, body)


def call_ended(agent: RunningAgent, caller: RawCaller) -> dict[str, Any]:
    """What the agent logged at the end of this caller's call."""
    started = agent.wait_for("call.started", where=lambda e: e.facts["pii_sip_call_id"] == caller.call_id)
    call_id = started.facts["call_id"]
    ended = agent.wait_for("call.ended", where=lambda e: e.facts["call_id"] == call_id)
    return ended.facts
