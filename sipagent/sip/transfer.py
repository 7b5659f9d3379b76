"""The library's side of handing a call over: REFER, and the call beside. SIP thread only."""

import pjsua2 as pj

from sipagent.call.ports import ConsultDown, ConsultUp, LineDown, LineUp, Mailbox, ReferAnswered
from sipagent.sip.bridge_port import BridgePort
from sipagent.sip.leg import Leg, SipThread
from sipagent.units import monotonic_ms

_FAILED, _BUSY = 500, 503


class Consultation:
    """At most one call beside a caller's leg, to whoever may take the caller."""

    def __init__(self, thread: SipThread) -> None:
        self._thread = thread
        self._beside: _Beside | None = None

    def __repr__(self) -> str:
        return f"Consultation({self._beside!r})"

    def refer(self, caller: Leg, target: str) -> None:
        """Ask the caller's peer to call ``target``."""
        try:
            caller.xfer(f"<{target}>", pj.CallOpParam(True))
        except pj.Error as error:
            self._refer_failed(caller, error)

    def dial(self, caller: Leg, target: str) -> None:
        """Call ``target`` beside the caller's leg."""
        assert caller.mailbox is not None
        self.end()
        leg = Leg(caller.account, self._thread)
        port = self._thread.new_leg(leg)
        if port is None:
            caller.mailbox.post(ConsultDown(_BUSY, monotonic_ms()))
            return
        self._beside = leg.mailbox = _Beside(self._thread, caller.mailbox, leg, port)
        try:
            leg.makeCall(target, pj.CallOpParam(True))
        except pj.Error as error:  # no slot left in the library, or an address that cannot be called
            self._thread.count_callback_error("consult", error)
            self._thread.leg_ended(leg)
            leg.mailbox.post(LineDown(str(error.reason), _BUSY, monotonic_ms()))

    def refer_to_it(self, caller: Leg) -> None:
        """Ask the caller's peer to take our place in the call beside."""
        beside = self._beside.leg if self._beside is not None else None
        if beside is None:
            self._refer_failed(caller, None)
            return
        try:
            caller.xferReplaces(beside, pj.CallOpParam(True))
        except pj.Error as error:
            self._refer_failed(caller, error)

    def bridge(self, caller: Leg) -> None:
        """Connect both."""
        if self._beside is not None and self._beside.leg is not None:
            caller.join(self._beside.leg)

    def end(self) -> None:
        """Hang up the call beside; its sound is not touched any more."""
        beside, self._beside = self._beside, None
        if beside is not None:
            beside.end()

    def _refer_failed(self, caller: Leg, error: pj.Error | None) -> None:
        if error is not None:
            self._thread.count_callback_error("refer", error)
        if caller.mailbox is not None:
            caller.mailbox.post(ReferAnswered(_FAILED, is_final=True, at_ms=monotonic_ms()))


class _Beside:
    """One call beside, and what happens to it as the caller's conversation sees it. Its port goes back when
    both the library and the conversation are done with it."""

    def __init__(self, thread: SipThread, mailbox: Mailbox, leg: Leg, port: BridgePort) -> None:
        self._thread, self._mailbox, self._port = thread, mailbox, port
        self.leg: Leg | None = leg
        """None: the library has ended it. A reference would outlive it."""
        self._is_done = False

    def __repr__(self) -> str:
        return f"_Beside({self.leg!r}, done={self._is_done})"

    def post(self, event: object) -> None:
        match event:
            case LineUp(at_ms) if not self._is_done:
                self._mailbox.post(ConsultUp(self._port.rings, at_ms))
            case LineDown(_, sip_status, at_ms) if self.leg is not None:
                self.leg = None
                if self._is_done:
                    self._thread.port_released(self._port)
                else:
                    self._mailbox.post(ConsultDown(sip_status, at_ms))

    def end(self) -> None:
        """The conversation is done with it."""
        self._is_done = True
        if self.leg is None:
            self._thread.port_released(self._port)
            return
        self.leg.has_hung_up = True
        try:
            self.leg.hangup(pj.CallOpParam(True))
        except pj.Error as error:  # it has just ended by itself
            self._thread.count_callback_error("end_consult", error)


def resume(leg: Leg) -> None:
    """Take the caller back from our own hold."""
    operation = pj.CallOpParam(True)
    operation.opt.flag = pj.PJSUA_CALL_UNHOLD
    leg.reinvite(operation)
