"""One call's SIP leg: the library's Call object.

The Call lives and dies on the SIP thread. Its last reference is dropped inside
``onCallState(DISCONNECTED)``: a Call object that outlives its call would hang up whoever gets its slot.
"""

from collections.abc import Callable
from typing import Any, Protocol

import pjsua2 as pj

from sipagent.call.ports import (
    DigitPressed,
    DigitWay,
    Held,
    LineDown,
    LineUp,
    Mailbox,
    MediaFault,
    ReferAnswered,
    Rejection,
    Resumed,
)
from sipagent.config.schema import TrunkConfig
from sipagent.sip import answers
from sipagent.sip.account_settings import target_uri
from sipagent.sip.answers import answer_within_call
from sipagent.sip.bridge_port import BridgePort
from sipagent.sip.c_api import pin_dialog
from sipagent.sip.dtmf import LIBRARY_INFO_TYPES, Presses, digit_of_info
from sipagent.sip.leg_media import LegMedia
from sipagent.sip.message import body_of, headers_of
from sipagent.sip.own_hold import CROSSED, OwnHold
from sipagent.sip.sdp_choice import has_none_of, with_codecs
from sipagent.units import monotonic_ms

_OK, _DECLINED = 200, 603


class SipThread(Protocol):
    """What a leg needs of the user agent."""

    def post(self, command: Callable[[], None]) -> None:
        """Run a command on the SIP thread, later."""

    def refuse(self, leg: "Leg", rejection: Rejection) -> None:
        """Answer an offered call with a final status. SIP thread."""

    def leg_ended(self, leg: "Leg") -> None:
        """The library has ended this leg. SIP thread."""

    def port_released(self, port: BridgePort) -> None:
        """The call's thread will not touch the port's rings again. SIP thread."""

    def change_refused(self, message: str, trunk: TrunkConfig) -> None:
        """An offer within a call has no codec that its trunk wants: 488; the call goes on. SIP thread."""

    def count_callback_error(self, where: str, error: Exception) -> None:
        """A callback failed; the caller must not notice. SIP thread."""


class Leg(pj.Call):  # type: ignore[misc]  # pjsua2 has no type information
    """The library's side of a call. SIP thread only."""

    def __init__(
        self,
        account: pj.Account,
        thread: SipThread,
        library_id: int = pj.PJSUA_INVALID_ID,
        *,
        trunk: TrunkConfig | None = None,
    ) -> None:
        """Without a library id it is a call to be made.

        :param trunk: says how keys are sent and which codecs are wanted; None: a stranger's call.
        """
        super().__init__(account, library_id)
        self._thread = thread
        self._trunk = trunk
        self._dtmf = trunk.dtmf if trunk is not None else "auto"
        self._first_way: DigitWay | None = None
        self._presses = Presses()
        self.account = account
        self.media = LegMedia()
        self._own_hold = OwnHold()
        self._is_ours = library_id == pj.PJSUA_INVALID_ID
        self.port: BridgePort | None = None
        self.mailbox: Mailbox | None = None
        self.connection: int | None = None
        """The library's transport that our side of the call must go over; None: as the route says."""
        self.partner: Leg | None = None
        """The leg that this one's caller hears and talks to."""
        self.has_hung_up = False
        self._is_up = False

    def __repr__(self) -> str:
        return f"Leg(port={self.port!r}, up={self._is_up}, hung_up={self.has_hung_up})"

    def tick(self, now_ms: int) -> None:
        """See that the sound goes both ways, and that a hold of ours comes to pass."""
        self._own_hold.tick(self, now_ms)
        problem = self.media.poll(self, now_ms) if self._is_up else None
        if problem is not None:
            host, port = self.media.remote
            self._tell(MediaFault(problem, f"{host}:{port}", now_ms))

    def join(self, other: "Leg") -> None:
        """Let both sides hear each other, now and after every change of their media."""
        self._part()
        other._part()
        self.partner, other.partner = other, self
        self._connect_partner()

    def hold(self, *, is_held: bool) -> None:
        """Put the peer on hold, or take it back from there."""
        self._own_hold.want(self, is_held=is_held, now_ms=monotonic_ms())

    def uri_of(self, target: str) -> str:
        """Where this leg's peer finds a number, or a SIP address."""
        return target if self._trunk is None else target_uri(self._trunk, target)

    def count_error(self, where: str, error: Exception) -> None:
        """The library would not do something."""
        self._thread.count_callback_error(where, error)

    def send_digits(self, digits: str) -> None:
        """Press keys of our own."""
        if self._dtmf == "info":
            command = pj.CallSendDtmfParam()
            command.digits, command.method = digits, pj.PJSUA_DTMF_METHOD_SIP_INFO
            self.sendDtmf(command)
        else:
            self.dialDtmf(digits)

    # --- what the library calls ---

    def onCallState(self, prm: Any) -> None:
        try:
            info = self.getInfo()
            if info.state == pj.PJSIP_INV_STATE_CONFIRMED and not self._is_up:
                self._is_up = True
                self._tell(self._line_up())
            elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                self._part()
                self.media.count(self)
                cause, report = self._cause(info), self.media.report()
                self._tell(LineDown(cause, info.lastStatusCode, monotonic_ms(), report))
                self._thread.leg_ended(self)
        except Exception as error:  # the library would print and forget it
            self._thread.count_callback_error("onCallState", error)

    def onCallMediaState(self, prm: Any) -> None:
        try:
            if self.port is None:
                return
            was_held = self.media.is_held
            index = self.media.follow(self, self.getInfo())
            if index is not None:
                self.port.connect(self.getAudioMedia(index))
                self._connect_partner()
            if self.media.is_held != was_held:
                self._tell((Held if self.media.is_held else Resumed)(monotonic_ms()))
        except Exception as error:
            self._thread.count_callback_error("onCallMediaState", error)

    def onCallSdpCreated(self, prm: Any) -> None:
        try:  # the name of the library tells scanners what to try
            ours = prm.sdp.wholeSdp.replace("s=pjmedia\r\n", "s=-\r\n", 1)
            if self._trunk is not None:
                ours = with_codecs(ours, prm.remSdp.wholeSdp, self._trunk.codecs)
            prm.sdp.wholeSdp = ours
        except Exception as error:
            self._thread.count_callback_error("onCallSdpCreated", error)

    def onStreamDestroyed(self, prm: Any) -> None:
        try:
            self.media.stream_ends(self)
        except Exception as error:
            self._thread.count_callback_error("onStreamDestroyed", error)

    def onDtmfEvent(self, prm: Any) -> None:
        try:
            if prm.method == pj.PJSUA_DTMF_METHOD_RFC2833 and self._presses.is_new(
                prm.digit, prm.timestamp, prm.duration
            ):
                self._pressed(prm.digit, "rfc4733")
        except Exception as error:
            self._thread.count_callback_error("onDtmfEvent", error)

    def onCallTsxState(self, prm: Any) -> None:
        try:
            state = prm.e.body.tsxState
            if self.connection is not None:
                pin_dialog(int(state.tsx.pjTransaction), self.connection)
                self.connection = None
            if state.tsx.role == pj.PJSIP_ROLE_UAC and state.tsx.statusCode == CROSSED:
                self._own_hold.crossed(monotonic_ms(), is_callers=self._is_ours)
            is_request = state.type == pj.PJSIP_EVENT_RX_MSG and state.tsx.role == pj.PJSIP_ROLE_UAS
            if is_request and state.tsx.state == pj.PJSIP_TSX_STATE_TRYING:
                status = self._answer_to(state.tsx.method, state.src.rdata.wholeMsg)
                if status is not None:
                    answer_within_call(state.tsx.pjTransaction, state.src.rdata.pjRxData, status)
        except Exception as error:
            self._thread.count_callback_error("onCallTsxState", error)

    def onCallTransferStatus(self, prm: Any) -> None:
        try:
            self._tell(ReferAnswered(prm.statusCode, bool(prm.finalNotify), monotonic_ms()))
        except Exception as error:
            self._thread.count_callback_error("onCallTransferStatus", error)

    def onCallTransferRequest(self, prm: Any) -> None:
        prm.statusCode = _DECLINED  # else the library dials the target by itself

    def onCallReplaceRequest(self, prm: Any) -> None:
        prm.statusCode = _DECLINED

    def _answer_to(self, method: str, message: str) -> int | None:
        """The answer to a request within the call; None: the library has one."""
        if method in ("INVITE", "UPDATE"):
            return self._answer_to_offer(message)
        if method == "OPTIONS":
            return answers.OK
        if method == "SUBSCRIBE":
            return answers.BAD_EVENT
        if method != "INFO":
            return None
        content_type = headers_of(message).get("content-type", "")
        digit = digit_of_info(content_type, body_of(message))
        if digit is not None:
            self._pressed(digit, "info")
        if content_type.partition(";")[0].strip().lower() in LIBRARY_INFO_TYPES:
            return None
        return answers.OK if digit is not None or not content_type else answers.UNSUPPORTED_MEDIA

    def _answer_to_offer(self, message: str) -> int | None:
        """The library would say 500 to a change that leaves no codec."""
        trunk = self._trunk
        if not self._is_up or trunk is None or not has_none_of(body_of(message), trunk.codecs):
            return None
        self._thread.change_refused(message, trunk)
        return answers.NOT_ACCEPTABLE

    def _pressed(self, digit: str, way: DigitWay) -> None:
        """A key, by the way that this line's keys come: some peers send each of them in two ways."""
        if self._dtmf == "auto":
            self._first_way = self._first_way or way
        if way == (self._first_way or self._dtmf):
            self._tell(DigitPressed(digit, monotonic_ms(), way))

    def _line_up(self) -> LineUp:
        is_open = self._dtmf == "auto" and not self.media.takes_events
        has_tones = self._dtmf == "inband" or is_open
        return LineUp(monotonic_ms(), hears_tones=has_tones, sends_tones=has_tones)

    def _connect_partner(self) -> None:
        ours, theirs = self.media.index, self.partner.media.index if self.partner else None
        if self.partner is None or ours is None or theirs is None:
            return
        mine, others = self.getAudioMedia(ours), self.partner.getAudioMedia(theirs)
        mine.startTransmit(others)
        others.startTransmit(mine)

    def _part(self) -> None:
        """A reference to another leg must not outlive its call."""
        if self.partner is not None:
            self.partner.partner = None
        self.partner = None

    def _tell(self, event: object) -> None:
        if self.mailbox is not None:
            self.mailbox.post(event)

    def _cause(self, info: Any) -> str:
        if self.has_hung_up:
            return "agent hung up"
        if self._is_up:
            return "caller hung up" if info.lastStatusCode in (0, _OK) else str(info.lastReason)
        return f"not connected: {info.lastStatusCode} {info.lastReason}"
