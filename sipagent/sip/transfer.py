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
        self._leg: Leg | None = None
        self._port: BridgePort | None = None
        self._is_done = True
        """The conversation will not touch the port again."""

    def __repr__(self) -> str:
        return f"Consultation({self._leg!r})"

    def refer(self, caller: Leg, target: str) -> None:
        """Ask the caller's peer to call ``target``."""
        try:
            caller.xfer(f"<{target}>", pj.CallOpParam(True))
        except pj.Error as error:
            self._refer_failed(caller, error)

    def dial(self, caller: Leg, target: str) -> None:
        """Call ``target`` beside the caller's leg."""
        assert caller.mailbox is not None
        leg = Leg(caller.account, self._thread)
        port = self._thread.new_leg(leg)
        if port is None:
            caller.mailbox.post(ConsultDown(_BUSY, monotonic_ms()))
            return
        leg.mailbox = _Beside(self, caller.mailbox, port)
        self._leg, self._port, self._is_done = leg, port, False
        try:
            leg.makeCall(target, pj.CallOpParam(True))
        except pj.Error as error:  # no slot left in the library, or an address that cannot be called
            self._thread.count_callback_error("consult", error)
            self._thread.leg_ended(leg)
            leg.mailbox.post(LineDown(str(error.reason), _BUSY, monotonic_ms()))

    def refer_to_it(self, caller: Leg) -> None:
        """Ask the caller's peer to take our place in the call beside."""
        try:
            if self._leg is None:
                raise pj.Error
            caller.xferReplaces(self._leg, pj.CallOpParam(True))
        except pj.Error as error:
            self._refer_failed(caller, error)

    def bridge(self, caller: Leg) -> None:
        """Connect both."""
        if self._leg is not None:
            caller.join(self._leg)

    def end(self) -> None:
        """Hang up the call beside. Its port goes back when both sides are done with it."""
        self._is_done = True
        if self._leg is not None:
            self._leg.has_hung_up = True
            try:
                self._leg.hangup(pj.CallOpParam(True))
            except pj.Error as error:
                self._thread.count_callback_error("end_consult", error)
        self._give_back()

    def ended(self) -> None:
        """The library has ended the call beside."""
        self._leg = None
        self._give_back()

    def _give_back(self) -> None:
        if self._port is not None and self._leg is None and self._is_done:
            self._thread.port_released(self._port)
            self._port = None

    def _refer_failed(self, caller: Leg, error: pj.Error) -> None:
        self._thread.count_callback_error("refer", error)
        if caller.mailbox is not None:
            caller.mailbox.post(ReferAnswered(_FAILED, True, monotonic_ms()))


class _Beside:
    """What happens to the call beside, as the caller's conversation sees it."""

    def __init__(self, consultation: Consultation, mailbox: Mailbox, port: BridgePort) -> None:
        self._consultation, self._mailbox, self._port = consultation, mailbox, port

    def post(self, event: object) -> None:
        match event:
            case LineUp(at_ms):
                self._mailbox.post(ConsultUp(self._port.rings, at_ms))
            case LineDown(_, sip_status, at_ms):
                self._consultation.ended()
                self._mailbox.post(ConsultDown(sip_status, at_ms))


def resume(leg: Leg) -> None:
    """Take the caller back from our own hold."""
    operation = pj.CallOpParam(True)
    operation.opt.flag = pj.PJSUA_CALL_UNHOLD
    leg.reinvite(operation)
