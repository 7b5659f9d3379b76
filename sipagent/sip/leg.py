"""One call's SIP leg: the library's Call object, and the Line that the conversation holds.

The Call lives and dies on the SIP thread. Its last reference is dropped inside
``onCallState(DISCONNECTED)``: a Call object that outlives its call would hang up whoever gets its slot.
"""

from collections.abc import Callable
from typing import Any, Protocol

import pjsua2 as pj

from sipagent.call.ports import DigitPressed, LineDown, LineUp, Mailbox, Rejection
from sipagent.media.ring import AudioRings
from sipagent.sip.bridge_port import BridgePort
from sipagent.sip.rtp_quality import RtpTally
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

    def count_callback_error(self, where: str, error: Exception) -> None:
        """A callback failed; the caller must not notice. SIP thread."""


class Leg(pj.Call):  # type: ignore[misc]  # pjsua2 has no type information
    """The library's side of a call. SIP thread only."""

    def __init__(self, account: pj.Account, thread: SipThread, library_id: int) -> None:
        super().__init__(account, library_id)
        self._thread = thread
        self.port: BridgePort | None = None
        self.mailbox: Mailbox | None = None
        self.has_hung_up = False
        self._is_up = False
        self._rtp = RtpTally()

    def __repr__(self) -> str:
        return f"Leg(port={self.port!r}, up={self._is_up}, hung_up={self.has_hung_up})"

    def onCallState(self, prm: Any) -> None:
        try:
            info = self.getInfo()
            if info.state == pj.PJSIP_INV_STATE_CONFIRMED and not self._is_up:
                self._is_up = True
                self._tell(LineUp(monotonic_ms()))
            elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                cause, rtp = self._cause(info), self._rtp.quality()
                self._tell(LineDown(cause, info.lastStatusCode, monotonic_ms(), rtp))
                self._thread.leg_ended(self)
        except Exception as error:  # the library would print and forget it
            self._thread.count_callback_error("onCallState", error)

    def onCallMediaState(self, prm: Any) -> None:
        try:
            if self.port is None:
                return
            info = self.getInfo()
            for media in info.media:
                if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in (
                    pj.PJSUA_CALL_MEDIA_ACTIVE,
                    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
                ):
                    self.port.connect(self.getAudioMedia(media.index))
        except Exception as error:
            self._thread.count_callback_error("onCallMediaState", error)

    def onStreamDestroyed(self, prm: Any) -> None:
        try:
            self._rtp.add(self, prm.streamIdx)
        except Exception as error:
            self._thread.count_callback_error("onStreamDestroyed", error)

    def onCallSdpCreated(self, prm: Any) -> None:
        try:  # the name of the library tells scanners what to try
            prm.sdp.wholeSdp = prm.sdp.wholeSdp.replace("s=pjmedia\r\n", "s=-\r\n", 1)
        except Exception as error:
            self._thread.count_callback_error("onCallSdpCreated", error)

    def onDtmfDigit(self, prm: Any) -> None:
        try:
            self._tell(DigitPressed(prm.digit, monotonic_ms()))
        except Exception as error:
            self._thread.count_callback_error("onDtmfDigit", error)

    def onCallTransferRequest(self, prm: Any) -> None:
        prm.statusCode = _DECLINED  # else the library dials the target by itself

    def onCallReplaceRequest(self, prm: Any) -> None:
        prm.statusCode = _DECLINED

    def _tell(self, event: object) -> None:
        if self.mailbox is not None:
            self.mailbox.post(event)

    def _cause(self, info: Any) -> str:
        if self.has_hung_up:
            return "agent hung up"
        if self._is_up:
            return "caller hung up" if info.lastStatusCode in (0, _OK) else str(info.lastReason)
        return f"not connected: {info.lastStatusCode} {info.lastReason}"


class SipLine:
    """The Line of a SIP call: commands go to the SIP thread, audio through the port's rings."""

    def __init__(self, leg: Leg, port: BridgePort, thread: SipThread) -> None:
        self.audio: AudioRings = port.rings
        self._port = port
        self._leg: Leg | None = leg
        self._thread = thread

    def detach(self) -> None:
        """The leg is gone: later commands have nothing to do. SIP thread."""
        self._leg = None

    def answer(self) -> None:
        self._thread.post(self._answer)

    def refuse(self, rejection: Rejection) -> None:
        self._thread.post(lambda: self._refuse(rejection))

    def hang_up(self) -> None:
        self._thread.post(self._hang_up)

    def release(self) -> None:
        """The conversation will not touch the audio again."""
        self._thread.post(lambda: self._thread.port_released(self._port))

    def _answer(self) -> None:
        if self._leg is None:
            return
        operation = pj.CallOpParam(True)
        operation.statusCode = _OK
        try:
            self._leg.answer(operation)
        except pj.Error as error:  # cancelled meanwhile, or no common codec: the library has answered
            self._thread.count_callback_error("answer", error)

    def _refuse(self, rejection: Rejection) -> None:
        if self._leg is None:
            return
        try:
            self._thread.refuse(self._leg, rejection)
        except pj.Error as error:  # cancelled meanwhile
            self._thread.count_callback_error("refuse", error)

    def _hang_up(self) -> None:
        if self._leg is None:
            return
        operation = pj.CallOpParam(True)
        self._leg.has_hung_up = True
        try:
            self._leg.hangup(operation)
        except pj.Error as error:
            self._thread.count_callback_error("hang_up", error)
