"""Outgoing calls on the SIP side: one line, and one INVITE after another until a trunk carries the call."""

import queue
import threading
from dataclasses import replace
from typing import Any, Protocol

import pjsua2 as pj
import structlog

from sipagent.call import dialling as dm
from sipagent.call.outbound import CallProgress, CallResult, DialOrder
from sipagent.call.ports import LineDown, LineProgress, LineUp, Mailbox, Rejection
from sipagent.call.trunks import CallPace
from sipagent.config.schema import Config, TrunkConfig
from sipagent.errors import CapacityError
from sipagent.sip.account_settings import own_name, peer_uri
from sipagent.sip.bridge_port import BridgePort
from sipagent.sip.leg import Leg, SipThread
from sipagent.sip.line import SipLine
from sipagent.sip.mismatch import explain_refusal
from sipagent.sip.trunks import Trunks
from sipagent.units import monotonic_ms

_ANSWER_S = 5.0
_NO_CALL = -1
"""``PJSUA_INVALID_ID``: the library gives the call its number when it is made."""
_TRYING, _UNREACHABLE = 100, 503


class DialThread(SipThread, Protocol):
    """What outgoing calls need of the user agent."""

    def take_port(self, *, is_beside: bool) -> BridgePort:
        """A place for a call. SIP thread. :raises CapacityError: there is none.

        :param is_beside: may go beyond ``limits.max_calls``.
        """

    def adopt(self, leg: Leg) -> None:
        """Keep a leg until it ends. SIP thread."""


class Dialler:
    """Opens lines for outgoing calls. ``open_line`` and ``is_down`` on any other thread, the rest on the SIP
    thread.
    """

    def __init__(self, config: Config, trunks: Trunks, thread: DialThread) -> None:
        self.trunks = trunks
        self.thread = thread
        self._paces = {trunk.name: CallPace(trunk.cps) for trunk in config.trunks}
        self._lines: set[DialledLine] = set()

    def __repr__(self) -> str:
        return f"Dialler(lines={len(self._lines)})"

    def open_line(self, order: DialOrder) -> "DialledLine":
        """Reserve a place for a call.

        :raises CapacityError: there is none, or the SIP thread does not answer.
        """
        answer: queue.SimpleQueue[BridgePort | CapacityError] = queue.SimpleQueue()
        has_given_up = threading.Event()

        def reserve() -> None:
            if has_given_up.is_set():
                return
            try:
                answer.put(self.thread.take_port(is_beside=order.is_beside))
            except CapacityError as error:
                answer.put(error)

        self.thread.post(reserve)
        try:
            outcome = answer.get(timeout=_ANSWER_S)
        except queue.Empty:
            has_given_up.set()
            raise CapacityError("the SIP thread does not answer") from None
        if isinstance(outcome, CapacityError):
            raise outcome
        return DialledLine(order, outcome, self)

    def is_down(self, trunk: str) -> bool:
        return self.trunks.is_down(trunk)

    def tick(self, now_ms: int) -> None:
        """Let every call that is being dialled see the clock."""
        for line in tuple(self._lines):
            line.tick(now_ms)

    def watch(self, line: "DialledLine") -> None:
        """The line begins to dial."""
        self._lines.add(line)

    def forget(self, line: "DialledLine") -> None:
        """The line is answered or given up."""
        self._lines.discard(line)

    def next_ms(self, trunk: str, now_ms: int) -> int:
        """When a call may go out over a trunk."""
        return self._paces[trunk].next_ms(now_ms)


class OutgoingLeg(Leg):
    """One INVITE of ours. SIP thread only."""

    def __init__(
        self, account: pj.Account, thread: SipThread, trunk: TrunkConfig, attempt: "_Attempt"
    ) -> None:
        super().__init__(account, thread, _NO_CALL, trunk=trunk)
        self.mailbox = attempt
        self._attempt = attempt
        self._is_confirmed = False

    def onCallState(self, prm: Any) -> None:
        try:
            info = self.getInfo()
            if info.state == pj.PJSIP_INV_STATE_EARLY:
                self._attempt.provisional(info.lastStatusCode)
            elif info.state == pj.PJSIP_INV_STATE_CONFIRMED and not self._is_confirmed:
                self._is_confirmed = True
                if self.port is not None:
                    self.port.rings.start()
                super().onCallMediaState(prm)  # what came before was not for the conversation
            elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                self._attempt.reason = str(info.lastReason)
        except Exception as error:  # the library would print and forget it
            self._thread.count_callback_error("onCallState", error)
        super().onCallState(prm)

    def onCallMediaState(self, prm: Any) -> None:
        try:
            if self._is_confirmed:
                super().onCallMediaState(prm)
            elif self.getInfo().state == pj.PJSIP_INV_STATE_EARLY:
                if self._attempt.hears_early_media and self.port is not None:
                    self.port.rings.listen()
                    super().onCallMediaState(prm)
                self._attempt.early_media()
        except Exception as error:
            self._thread.count_callback_error("onCallMediaState", error)

    def onCallTsxState(self, prm: Any) -> None:
        try:
            transaction = prm.e.body.tsxState.tsx
            if transaction.method == "INVITE" and transaction.statusCode == _TRYING:
                self._attempt.provisional(_TRYING)
        except Exception as error:
            self._thread.count_callback_error("onCallTsxState", error)
        super().onCallTsxState(prm)


class _Attempt:
    """The mailbox of one INVITE's leg; what comes when the line has gone on to another is dropped."""

    def __init__(self, line: "DialledLine", route: int) -> None:
        self._line = line
        self._route = route
        self.reason = ""

    def post(self, event: object) -> None:
        self._line.leg_event(self._route, event, self.reason)

    def provisional(self, status: int) -> None:
        self._line.dial_event(self._route, dm.Provisional(status, monotonic_ms()))

    @property
    def hears_early_media(self) -> bool:
        return self._line.hears_early_media

    def early_media(self) -> None:
        self._line.dial_event(self._route, dm.EarlyMedia(monotonic_ms()))


class DialledLine(SipLine):
    """The Line of an outgoing call. ``answer`` dials; once the called has answered it is like any other."""

    def __init__(self, order: DialOrder, port: BridgePort, dialler: Dialler) -> None:
        super().__init__(None, port, dialler.thread)
        self._order = order
        self._dialler = dialler
        self._rules = dm.DialRules(
            tuple((trunk.name, trunk.reply_ms) for trunk in order.routes), order.ring_ms
        )
        self._dial = dm.Dialling()
        self._mailbox: Mailbox | None = None
        self._log: structlog.stdlib.BoundLogger | None = None
        self._is_wanted = False
        self._send_at_ms: int | None = None
        self._answered_ms: int | None = None
        self._is_abandoned = self._is_down = False

    def __repr__(self) -> str:
        return f"DialledLine({self._trunk.name}, {self._dial.phase.value})"

    @property
    def hears_early_media(self) -> bool:
        """What sounds before the answer is for the conversation's ear."""
        return self._order.hears_early_media

    @property
    def _trunk(self) -> TrunkConfig:
        return self._order.routes[self._dial.route]

    def connect(self, mailbox: Mailbox, log: structlog.stdlib.BoundLogger) -> None:
        """Where the line's events go. Any thread."""

        def take() -> None:
            self._mailbox, self._log = mailbox, log
            if self._is_wanted:
                self._start()

        self._thread.post(take)

    def abandon(self) -> None:
        self._thread.post(self._abandon)

    # --- what is posted to the SIP thread ---

    def _answer(self) -> None:
        self._is_wanted = True
        if self._mailbox is not None:
            self._start()

    def _abandon(self) -> None:
        if not self._is_abandoned:
            self._is_abandoned = True
            if self._is_down:
                self._thread.port_released(self._port)
            else:
                self._hang_up()

    def _refuse(self, rejection: Rejection) -> None:
        self._apply(dm.GiveUp(monotonic_ms()))

    def _hang_up(self) -> None:
        if self._dial.phase is dm.Phase.UP:
            super()._hang_up()
        else:
            self._apply(dm.GiveUp(monotonic_ms()))

    # --- SIP thread ---

    def _start(self) -> None:
        if self._dial.phase is not dm.Phase.OVER:
            self._dialler.watch(self)
            self._wait_for_turn()

    def tick(self, now_ms: int) -> None:
        """Send what has waited for its second; notice what takes too long."""
        if self._send_at_ms is not None and now_ms >= self._send_at_ms:
            self._send()
        self._apply(dm.Tick(now_ms))

    def dial_event(self, route: int, event: dm.Event) -> None:
        """Something about the INVITE to the trunk of index ``route``."""
        if route == self._dial.route:
            self._apply(event)

    def leg_event(self, route: int, event: object, reason: str) -> None:
        """Something that a leg tells its call."""
        if route != self._dial.route or self._dial.phase is dm.Phase.OVER:
            return
        if isinstance(event, LineDown):
            self.detach()  # the library drops the leg when this callback returns
            if self._dial.phase is not dm.Phase.UP:
                told = self._dialler.trunks.in_words(reason)
                if told == reason:
                    told = explain_refusal(event.sip_status, reason, self._trunk)
                self._apply(dm.Ended(event.sip_status, told, event.at_ms))
                return
            self._dial = replace(self._dial, phase=dm.Phase.OVER)
            self._tell_result(dm.Outcome.ANSWERED, event.sip_status, event.cause, event.at_ms)
        elif isinstance(event, LineUp):
            self._dialler.forget(self)
            self._answered_ms = event.at_ms
            self._apply(dm.Accepted(event.at_ms))
            self._progress("answered", 200, "")
        self._post(event)

    def _apply(self, event: dm.Event) -> None:
        self._dial, actions = dm.step(self._dial, event, self._rules)
        for action in actions:
            self._act(action)

    def _act(self, action: dm.Action) -> None:
        match action:
            case dm.DropAttempt():
                self._drop_leg()
            case dm.TryNext():
                self._wait_for_turn()
            case dm.Tell(what, status, reason):
                self._progress(what, status, reason)
            case dm.Finish(outcome, status, reason):
                self._finish(outcome, status, reason)

    def _wait_for_turn(self) -> None:
        self._send_at_ms = self._dialler.next_ms(self._trunk.name, monotonic_ms())
        self.tick(monotonic_ms())

    def _send(self) -> None:
        self._send_at_ms = None
        route, trunk = self._dial.route, self._trunk
        account = self._dialler.trunks.account(trunk.name)
        self._apply(dm.Sent(monotonic_ms()))
        self._progress("dialled", 0, "")
        if problem := self._dialler.trunks.name_problem(trunk.name):
            self._apply(dm.Ended(_UNREACHABLE, problem, monotonic_ms()))
            return  # the library would look for it, too, and all calls would wait
        leg = OutgoingLeg(account, self._thread, trunk, _Attempt(self, route))
        leg.port = self._port
        self._leg = leg
        self._dialler.thread.adopt(leg)
        try:
            leg.makeCall(*self._invitation(trunk))
        except pj.Error as error:
            if self._leg is leg:  # else it has told its end itself
                self._thread.leg_ended(leg)
                self._leg = None
                self._apply(dm.Ended(_UNREACHABLE, str(error.reason), monotonic_ms()))

    def _invitation(self, trunk: TrunkConfig) -> tuple[str, pj.CallOpParam]:
        """Whom to invite, and as whom."""
        caller = self._order.caller_id or trunk.caller_id or own_name(trunk)
        number = self._order.number
        if not trunk.leading_plus:
            caller, number = caller.removeprefix("+"), number.removeprefix("+")
        operation = pj.CallOpParam(True)
        operation.txOption.localUri = f"sip:{caller}@{trunk.domain}"
        if trunk.p_asserted_identity:
            header = pj.SipHeader()
            header.hName, header.hValue = "P-Asserted-Identity", f"<sip:{caller}@{trunk.domain}>"
            operation.txOption.headers.append(header)
        return self._order.address or peer_uri(trunk, number), operation

    def _drop_leg(self) -> None:
        """Cancel the INVITE and let the leg end by itself; its end is no event of ours any more."""
        self._send_at_ms = None
        if self._leg is None:
            return
        leg, self._leg = self._leg, None
        leg.port = None
        leg.has_hung_up = True
        try:
            leg.hangup(pj.CallOpParam(True))
        except pj.Error as error:
            self._thread.count_callback_error("hangup", error)

    def _finish(self, outcome: dm.Outcome, status: int, reason: str) -> None:
        self._dialler.forget(self)
        now_ms = monotonic_ms()
        self._tell_result(outcome, status, reason, now_ms)
        self._post(LineDown(f"not connected: {outcome.value}: {reason}", status, now_ms))

    def _progress(self, what: str, status: int, reason: str) -> None:
        trunk = self._dial.failures[-1].trunk if what == "attempt_failed" else self._trunk.name
        now_ms = monotonic_ms()
        if self._log is not None:
            self._log.info(f"call.{what}", trunk=trunk, status=status or None, reason=reason or None)
        if what != "answered":
            self._post(LineProgress(what, trunk, status, now_ms))
        self._order.on_progress(CallProgress(what, trunk, status, reason, now_ms))

    def _tell_result(self, outcome: dm.Outcome, status: int, reason: str, now_ms: int) -> None:
        dial, answered_ms = self._dial, self._answered_ms
        self._order.on_result(
            CallResult(
                outcome=outcome,
                trunk=self._trunk.name,
                status=status,
                reason=reason,
                ring_ms=None if answered_ms is None else answered_ms - (dial.began_ms or answered_ms),
                talk_ms=0 if answered_ms is None else now_ms - answered_ms,
                has_early_media=dial.has_early_media,
                attempts=dial.failures,
            )
        )

    def _post(self, event: object) -> None:
        self._is_down = self._is_down or isinstance(event, LineDown)
        if self._is_abandoned:
            if isinstance(event, LineDown):
                self._thread.port_released(self._port)
        elif self._mailbox is not None:
            self._mailbox.post(event)
