"""One outgoing call as a SIP user agent client sees it. Pure: datagrams and time come in, datagrams go out.

::

    IDLE ─invite─▶ CALLING ─1xx─▶ RINGING ─2xx─▶ UP ─bye─▶ ENDING ─▶ ENDED
                      └───── ≥300, CANCEL, time-out ─────────────────▲
"""

import random
from dataclasses import dataclass
from enum import Enum

from sipagent.errors import PacketError
from sipagent.lab.sdp import SdpAudio, describe, mirrored, parse_audio
from sipagent.lab.sip_retransmit import GIVE_UP_MS, Retransmitter
from sipagent.sip.wire_message import (
    SipMessage,
    SipUri,
    build_message,
    build_response,
    parse_message,
    split_routes,
    uri_of,
)

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
END_TIMEOUT_MS = 4000
"""A BYE or CANCEL that nobody answers is not worth more."""


class LegState(Enum):
    """Where the call stands."""

    IDLE = "idle"
    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    ENDING = "ending"
    ENDED = "ended"


class EndedBy(Enum):
    """Why a call is over."""

    CALLER = "caller"
    AGENT = "agent"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class LegResult:
    """How a call ended. ``status`` and ``reason`` are those of the final response to the INVITE."""

    by: EndedBy
    status: int
    reason: str

    def __str__(self) -> str:
        return f"{self.by.value}: {self.status} {self.reason}".strip()


class SipLeg:
    """One call. ``outbox`` fills with datagrams for the peer; whoever owns the socket sends them."""

    def __init__(
        self,
        target: SipUri,
        local: tuple[str, int],
        rtp_port: int,
        *,
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        from_user: str = "caller",
        extra_headers: tuple[tuple[str, str], ...] = (),
        answer_timeout_ms: int = 30_000,
        rng: random.Random | None = None,
    ) -> None:
        self._rng = rng or random.Random()
        self._target, self._local, self._rtp_port = target, local, rtp_port
        self._codecs, self._extra = codecs, list(extra_headers)
        self._answer_timeout_ms = answer_timeout_ms
        self._from = f'"Lab" <sip:{from_user}@{local[0]}:{local[1]}>;tag={self._token()}'
        self._to = f"<{target}>"
        self.call_id = f"{self._token()}{self._token()}@{local[0]}"
        self._cseq = 1
        self._sdp_version = 1
        self._remote_uri = str(target)
        self._routes: list[str] = []
        self._invite_branch = ""
        self._cancel_wanted = False
        self._ack = b""
        self._answered_requests: dict[str, bytes] = {}
        self._resends = Retransmitter()
        self.outbox: list[bytes] = []
        self.state = LegState.IDLE
        self.remote: SdpAudio | None = None
        self.result: LegResult | None = None
        self.invited_ms = self.answered_ms = self.ended_ms = 0.0
        self.peer_faults = 0
        """Malformed or foreign datagrams."""

    def __repr__(self) -> str:
        return f"SipLeg({self._target}, {self.state.value}, call_id={self.call_id})"

    def invite(self, now_ms: float) -> None:
        """Place the call. Only once."""
        assert self.state is LegState.IDLE
        self.state, self.invited_ms = LegState.CALLING, now_ms
        self._invite_branch = self._new_branch()
        sdp = describe(self._local[0], self._rtp_port, self._codecs, version=self._sdp_version)
        datagram = self._request("INVITE", self._invite_branch, sdp)
        self._send_until_answered(self._invite_branch, datagram, now_ms, GIVE_UP_MS)

    def cancel(self, now_ms: float) -> None:
        """Give up a call that is not answered yet; after the first 1xx, as RFC 3261 s9.1 wants it."""
        self._cancel_wanted = True
        if self.state is LegState.RINGING:
            datagram = self._request("CANCEL", self._invite_branch)
            self._send_until_answered(f"{self._invite_branch}CANCEL", datagram, now_ms, END_TIMEOUT_MS)

    def bye(self, now_ms: float) -> None:
        """Hang up a call that is up; nothing otherwise."""
        if self.state is not LegState.UP:
            return
        self.state = LegState.ENDING
        self._cseq += 1
        branch = self._new_branch()
        self._send_until_answered(branch, self._request("BYE", branch), now_ms, END_TIMEOUT_MS)

    def tick(self, now_ms: float) -> None:
        """Resend what is due; end what takes too long."""
        again, lost = self._resends.due(now_ms)
        self.outbox += again
        waiting = self.state in (LegState.CALLING, LegState.RINGING)
        if waiting and now_ms - self.invited_ms > self._answer_timeout_ms and not self._cancel_wanted:
            self.cancel(now_ms)
        for key in lost:
            if key == self._invite_branch and waiting:
                self._end(EndedBy.TIMEOUT, 408, "no answer to INVITE", now_ms)
            elif self.state in (LegState.ENDING, LegState.RINGING):
                by = EndedBy.CALLER if self.state is LegState.ENDING else EndedBy.TIMEOUT
                self._end(by, 200 if self.answered_ms else 408, "no answer to BYE or CANCEL", now_ms)

    def receive(self, datagram: bytes, now_ms: float) -> None:
        """A datagram of the peer. Malformed and foreign ones are counted and otherwise ignored."""
        try:
            message = parse_message(datagram)
            if message.get("call-id") != self.call_id:
                self._refuse_stranger(message)
            elif message.status:
                self._on_response(message, now_ms)
            else:
                self._on_request(message, now_ms)
        except PacketError:
            self.peer_faults += 1

    def _on_response(self, response: SipMessage, now_ms: float) -> None:
        if response.method == "INVITE" and response.branch == self._invite_branch:
            self._on_invite_response(response, now_ms)
        elif response.status >= 200:
            key = response.branch + ("CANCEL" if response.method == "CANCEL" else "")
            if self._resends.answered(key) and response.method == "BYE":
                self._end(EndedBy.CALLER, 200, "OK", now_ms)

    def _on_invite_response(self, response: SipMessage, now_ms: float) -> None:
        self._resends.answered(self._invite_branch)
        if response.status < 200:
            if self.state is LegState.CALLING:
                self.state = LegState.RINGING
                if self._cancel_wanted:
                    self.cancel(now_ms)
        elif response.status < 300:
            self._on_answer(response, now_ms)
        else:
            ack = self._request("ACK", self._invite_branch, to=response.get("to"))
            self.outbox.append(ack)
            by = EndedBy.CANCELLED if self._cancel_wanted else EndedBy.REFUSED
            self._end(by, response.status, response.reason, now_ms)

    def _on_answer(self, response: SipMessage, now_ms: float) -> None:
        if self.state in (LegState.CALLING, LegState.RINGING):
            self._to = response.get("to")
            self._routes = split_routes(response.get_all("record-route"))[::-1]  # RFC 3261 s12.1.2
            if contact := response.get("contact"):
                self._remote_uri = uri_of(contact)
            self._ack = self._request("ACK", self._new_branch())
            self.state, self.answered_ms = LegState.UP, now_ms
            self._resends.answered(f"{self._invite_branch}CANCEL")
            try:
                self.remote = parse_audio(response.body, self._codecs)
            except PacketError as exc:
                self.outbox.append(self._ack)
                self.bye(now_ms)
                self._end(EndedBy.FAULT, response.status, str(exc), now_ms)
                return
            self.outbox.append(self._ack)
            if self._cancel_wanted:  # the answer crossed our CANCEL
                self.bye(now_ms)
        elif self._ack:
            self.outbox.append(self._ack)  # its ACK was lost

    def _on_request(self, request: SipMessage, now_ms: float) -> None:
        if request.method == "ACK":
            self._resends.answered(f"200 {request.cseq[0]}")
            return
        key = f"{request.branch} {request.method}"
        if key in self._answered_requests:
            self.outbox.append(self._answered_requests[key])
            return
        response = self._response_to(request, now_ms)
        self._answered_requests[key] = response
        if request.method == "INVITE" and response.startswith(b"SIP/2.0 200"):
            self._send_until_answered(f"200 {request.cseq[0]}", response, now_ms, END_TIMEOUT_MS)
        else:
            self.outbox.append(response)

    def _response_to(self, request: SipMessage, now_ms: float) -> bytes:
        is_over = self.state is LegState.ENDED
        match request.method:
            case "BYE" if not is_over:
                by = EndedBy.CALLER if self.state is LegState.ENDING else EndedBy.AGENT
                self._end(by, 200, "OK", now_ms)
                return self._reply(request, "200 OK")
            case "INVITE" | "UPDATE" if self.state is LegState.UP:
                return self._answer_offer(request)
            case "OPTIONS" | "INFO" if not is_over:
                return self._reply(request, "200 OK")
            case "INVITE" | "UPDATE" | "BYE" | "CANCEL" | "OPTIONS" | "INFO":
                return self._reply(request, "481 Call/Transaction Does Not Exist")
            case _:
                return self._reply(request, "405 Method Not Allowed")

    def _answer_offer(self, request: SipMessage) -> bytes:
        """A re-INVITE or UPDATE: follow the peer's address, codec and direction."""
        if not request.body and request.method == "UPDATE":
            return self._reply(request, "200 OK")
        self._sdp_version += 1
        codecs, direction = self._codecs, "sendrecv"
        if request.body:
            try:
                self.remote = parse_audio(request.body, self._codecs)
            except PacketError:
                return self._reply(request, "488 Not Acceptable Here")
            codecs, direction = (self.remote.codec,), mirrored(self.remote.direction)
        sdp = describe(self._local[0], self._rtp_port, codecs, version=self._sdp_version, direction=direction)
        return self._reply(request, "200 OK", sdp)

    def _reply(self, request: SipMessage, status_line: str, sdp: bytes = b"") -> bytes:
        extra = [("Contact", self._contact), ("Allow", ALLOW)]
        if sdp:
            extra.append(("Content-Type", "application/sdp"))
        return build_response(request, status_line, to_tag=self._from_tag, extra=extra, body=sdp)

    def _refuse_stranger(self, message: SipMessage) -> None:
        self.peer_faults += 1
        if not message.status and message.method != "ACK":
            self.outbox.append(self._reply(message, "481 Call/Transaction Does Not Exist"))

    def _end(self, by: EndedBy, status: int, reason: str, now_ms: float) -> None:
        if self.state is LegState.ENDED:
            return
        self.state, self.ended_ms = LegState.ENDED, now_ms
        self._resends.pending.clear()
        self.result = LegResult(by, status, reason)

    def _send_until_answered(self, key: str, datagram: bytes, now_ms: float, give_up_after_ms: float) -> None:
        self.outbox.append(datagram)
        self._resends.expect(key, datagram, now_ms, give_up_after_ms=give_up_after_ms)

    def _request(self, method: str, branch: str, sdp: bytes = b"", *, to: str = "") -> bytes:
        is_first = method in ("INVITE", "CANCEL") or bool(to)  # the request line of the INVITE
        uri = str(self._target) if is_first else self._remote_uri
        headers = [
            ("Via", f"SIP/2.0/UDP {self._local[0]}:{self._local[1]};rport;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", to or self._to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{1 if method in ('INVITE', 'ACK', 'CANCEL') else self._cseq} {method}"),
            *(() if is_first else (("Route", route) for route in self._routes)),
        ]
        if method == "INVITE":
            headers += [("Contact", self._contact), ("Allow", ALLOW), *self._extra]
        if sdp:
            headers.append(("Content-Type", "application/sdp"))
        return build_message(f"{method} {uri} SIP/2.0", headers, sdp)

    @property
    def _contact(self) -> str:
        return f"<sip:lab@{self._local[0]}:{self._local[1]}>"

    @property
    def _from_tag(self) -> str:
        return self._from.rpartition("tag=")[2]

    def _new_branch(self) -> str:
        return f"z9hG4bK{self._token()}"  # RFC 3261 s8.1.1.7: the cookie that says RFC 3261

    def _token(self) -> str:
        return f"{self._rng.getrandbits(40):010x}"
