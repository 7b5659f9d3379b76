"""The SIP user agent: one thread that owns every pjsua2 object and every call into the library.

Others post commands to it; library callbacks become events in the calls' mailboxes. The audio itself is
moved by PJMEDIA's own clock thread (``bridge_port.py``).
"""

import contextlib
import gc
import queue
import threading
from collections import Counter
from collections.abc import Callable

import pjsua2 as pj
import structlog

from sipagent.call.ports import CallDesk, Mailbox, Offer, Rejection
from sipagent.call.trunks import TrunkState
from sipagent.config.schema import Config, TrunkConfig
from sipagent.errors import CapacityError, SipError
from sipagent.sip import endpoint
from sipagent.sip.answers import StrayAnswers
from sipagent.sip.bridge_port import BridgePort, NativePort, make_port
from sipagent.sip.guard import Guard
from sipagent.sip.identity import identity_in
from sipagent.sip.leg import Leg
from sipagent.sip.line import SipLine
from sipagent.sip.message import headers_of
from sipagent.sip.mismatch import explain_refused_offer
from sipagent.sip.outbound import Dialler
from sipagent.sip.quarantine import PortQuarantine
from sipagent.sip.resolver import Resolver
from sipagent.sip.transport import public_address_of
from sipagent.sip.trunks import Trunks
from sipagent.units import monotonic_ms

_EVENT_WAIT_MS = 10
_FAREWELL_MS = 2000
_FORBIDDEN, _SERVER_ERROR, _UNAVAILABLE = 403, 500, 503

_LEFT_BEHIND: list[object] = []
"""What must not be destroyed while the library waits for an answer; the process ends with ``os._exit``."""


class SipUserAgent:
    """Listens, registers, takes and ends calls. ``start`` and ``close`` may be called from any thread."""

    def __init__(self, config: Config, desk: CallDesk, log: structlog.stdlib.BoundLogger) -> None:
        self._config = config
        self._desk = desk
        self._log = log
        self._guard = Guard(config, desk, log)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sip")
        self._ready = threading.Event()
        self._start_error: Exception | None = None
        self._is_stopping = False
        self._endpoint: endpoint.Library | None = None
        self._trunks = Trunks(config, self, self._guard, log)
        self.dialler = Dialler(config, self._trunks, self)
        self._free_ports: list[BridgePort] = []
        self._ports: list[BridgePort] = []
        self._pulse: BridgePort | None = None
        """A port that no call gets: the media clock ticks on it also where there are no calls."""
        self._legs: dict[Leg, SipLine | None] = {}
        self._stray_answers: StrayAnswers | None = None
        self._resolver = Resolver(self._trunks.names, self.count_callback_error)
        bind, rtp = next(iter(config.listen.binds.values())), config.rtp
        self._quarantine = PortQuarantine(bind.host, rtp.quarantine_s * 1000, len(rtp.port_range) // 4)
        self.max_calls = self._most_calls = 0
        """What is taken on at once, and what the library holds."""
        self.callback_errors: Counter[str] = Counter()
        self.heartbeat_ms = 0

    def __repr__(self) -> str:
        return f"SipUserAgent(calls={len(self._legs)}, ports_free={len(self._free_ports)})"

    @property
    def has_native_audio(self) -> bool:
        """False where frames pass through the interpreter (an unknown build of pjsua2)."""
        return all(isinstance(port, NativePort) for port in self._ports)

    @property
    def clock_ms(self) -> int:
        """When the media clock last ticked; 0 before its first time. Any thread."""
        return 0 if self._pulse is None else self._pulse.rings.from_line.last_tick_ns // 1_000_000

    def leave_trunks(self) -> None:
        """De-register; calls in progress go on. Any thread."""
        self.post(self._trunks.leave)

    def start(self) -> None:
        """Open the listeners and begin to take calls.

        :raises SipError: a listener cannot be opened, or the library does not start.
        """
        self._thread.start()
        self._ready.wait()
        if self._start_error is not None:
            self._thread.join()
            raise self._start_error

    def trunk_states(self) -> tuple[TrunkState, ...]:
        """Every trunk: alive or not, since when and why. Any thread."""
        return self._trunks.states()

    def post(self, command: Callable[[], None]) -> None:
        """Run a command on the SIP thread, soon."""
        self._commands.put(command)

    def close(self, timeout_s: float = 5.0) -> None:
        """End what is left of the calls, de-register, close the listeners. Idempotent."""
        self._is_stopping = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                self._log.error("sip.stop_timed_out", waited_s=timeout_s)

    # --- what legs call, on the SIP thread ---

    def take_port(self, *, is_beside: bool) -> BridgePort:
        most = self._most_calls if is_beside else self.max_calls
        if self._is_stopping or not self._free_ports or len(self._legs) >= most:
            raise CapacityError(f"no room for another call: there are {len(self._legs)}")
        port = self._free_ports.pop()
        port.rings.clear()  # the clock begins with the answer
        return port

    def adopt(self, leg: Leg) -> None:
        self._legs[leg] = None

    def leg_ended(self, leg: Leg) -> None:
        line = self._legs.pop(leg, None)  # the last reference goes when the callback returns
        if line is not None:
            line.detach()
        if leg.media.local[1]:
            self._quarantine.take(leg.media.local[1], monotonic_ms())

    def refuse(self, leg: Leg, rejection: Rejection) -> None:
        self._refuse(leg, rejection, "")

    def port_released(self, port: BridgePort) -> None:
        port.rings.close()
        self._free_ports.append(port)

    def count_callback_error(self, where: str, error: Exception) -> None:
        reason = error.reason if isinstance(error, pj.Error) else repr(error)
        self.callback_errors[where] += 1
        self._log.debug("sip.callback_failed", where=where, reason=reason)

    def library_refused(self, status: int, reason: str, source: str, message: str) -> None:
        """The library has answered an INVITE by itself. SIP thread."""
        why = self._trunks.explain(status, reason, source, message)
        rule = f"the library: {why}" if why else "the library"
        self._log.info("call.refused", status=status, rule=rule, pii_source=source)
        stranger = Offer(call_id="", trunk="", dialled="", caller="", source=source)
        self._desk.turned_away(stranger, Rejection(status, rule))

    def change_refused(self, message: str, trunk: TrunkConfig) -> None:
        why, call_id = explain_refused_offer(message, trunk), headers_of(message).get("call-id", "")
        self._log.info("call.change_refused", status=488, rule=why, trunk=trunk.name, pii_sip_call_id=call_id)

    def account_for(self, source: str, message: str) -> int | None:
        return self._trunks.account_for(source, message)

    def _answered_stray(self, method: str, status: int) -> None:
        self._log.debug("sip.stray_answered", method=method, status=status)

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        self._desk.registration_changed(trunk, status, reason, expires_s)

    def tls_failed(self, peer: str, reason: str) -> None:
        self._log.warning("tls.failed", peer=peer, reason=reason)

    # --- the thread ---

    def _run(self) -> None:
        try:
            self._open()
        except Exception as error:
            self._start_error = error if isinstance(error, SipError) else SipError(f"sip: {error!r}")
            self._ready.set()
            self._shut()
            return
        self._ready.set()
        library = self._endpoint
        assert library is not None
        while not self._is_stopping:
            self._run_commands()
            library.libHandleEvents(_EVENT_WAIT_MS)
            self.heartbeat_ms = monotonic_ms()
            self._guard.tick(self.heartbeat_ms)
            self._resolver.tick(self.heartbeat_ms)
            self._trunks.tick(self.heartbeat_ms)
            self.dialler.tick(self.heartbeat_ms)
            self._tick_legs(self.heartbeat_ms)
            self._quarantine.tick(self.heartbeat_ms)
        self._shut()

    def _tick_legs(self, now_ms: int) -> None:
        """A method of its own: a loop variable that stays behind would outlive its call."""
        for leg in list(self._legs):
            leg.tick(now_ms)

    def _run_commands(self) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                command()
            except Exception as error:  # one call's command must not stop the others
                self.count_callback_error("command", error)

    def _open(self) -> None:
        public_address = public_address_of(self._config)
        self._endpoint, self.max_calls = endpoint.open_endpoint(
            self._config, self, public_address, self._guard
        )
        with contextlib.suppress(SipError, AttributeError):  # another build: as the library answers
            self._stray_answers = StrayAnswers(self._answered_stray)
        with contextlib.suppress(SipError, AttributeError):  # another build: it looks names up by itself
            self._resolver.install()
        self._most_calls = self.max_calls
        wanted = self._config.limits.max_calls
        if isinstance(wanted, int):
            self.max_calls = min(self.max_calls, wanted)
        self._ports = [make_port() for _ in range(2 * self.max_calls)]
        self._free_ports = list(self._ports)
        self._pulse = make_port()
        self._pulse.rings.open()
        endpoint.raise_media_priority()
        self._trunks.open(self._endpoint, public_address)
        gc.collect()
        gc.freeze()  # the collector must never run a pjsua2 destructor on another thread

    def _shut(self) -> None:
        """Hang up, de-register, wait for both, drop objects, destroy, in that order (pjsua2 needs it)."""
        if self._endpoint is None:
            return
        self._trunks.leave()
        with contextlib.suppress(pj.Error):
            self._endpoint.hangupAllCalls()
            deadline_ms = monotonic_ms() + _FAREWELL_MS
            while self._has_farewells and monotonic_ms() < deadline_ms:
                self._endpoint.libHandleEvents(_EVENT_WAIT_MS)
                self._resolver.tick(monotonic_ms())
        self._quarantine.close()
        if self._trunks.is_asking:  # the library aborts on a request that outlives its account
            _LEFT_BEHIND.append((self._endpoint, self._trunks, self._ports, self._pulse))
            self._endpoint = None
            return
        self._trunks.close()
        for port in [*self._ports, *([self._pulse] if self._pulse else [])]:
            port.close()
        gc.collect()
        with contextlib.suppress(pj.Error):
            self._endpoint.libDestroy()
        self._endpoint = None

    @property
    def _has_farewells(self) -> bool:
        """True while a call has not ended or a registrar has not let us go."""
        return bool(self._legs) or self._trunks.has_farewells

    # --- incoming calls ---

    def take_call(self, account: pj.Account, library_id: int, message: str, source: str) -> None:
        """Offer an INVITE to the desk. SIP thread, inside the library's callback."""
        trunk = self._trunks.trunk_of(source, message)
        leg = Leg(account, self, library_id, trunk=trunk)
        leg.connection = self._trunks.connection_of(source, message)
        self._legs[leg] = None
        outcome = self._offer(leg, message, source)
        if isinstance(outcome, Rejection):
            self._refuse(leg, outcome, source)
        else:
            leg.mailbox = outcome

    def _offer(self, leg: Leg, message: str, source: str) -> Mailbox | Rejection:
        """Give the leg a port and offer it; without a port, a trunk or a taker it is refused."""
        headers, identity = headers_of(message), identity_in(message)
        trunk = self._trunks.trunk_of(source, message)
        offer = Offer(
            call_id=headers.get("call-id", ""),
            trunk=trunk.name if trunk else "",
            dialled=identity.dialled,
            caller=identity.caller,
            source=source,
            headers=headers,
            identity=identity,
            takes_refer=trunk.refer if trunk else False,
        )
        if trunk is None:
            return self._turned_away(offer, Rejection(_FORBIDDEN, "no trunk allows this address"))
        if self._is_stopping or not self._free_ports or len(self._legs) > self.max_calls:
            busy = Rejection(_UNAVAILABLE, "limits.max_calls", self._config.limits.retry_after_s)
            return self._turned_away(offer, busy)
        port = self._free_ports.pop()
        port.rings.open()
        line = SipLine(leg, port, self)
        try:
            outcome = self._desk.offer(offer, line)
        except Exception as error:  # ours, not the caller's: it must not leave the INVITE unanswered
            self.count_callback_error("offer", error)
            outcome = self._turned_away(offer, Rejection(_SERVER_ERROR, type(error).__name__))
        if isinstance(outcome, Rejection):
            port.rings.close()
            self._free_ports.append(port)
        else:
            leg.port = port
            self._legs[leg] = line
        return outcome

    def _turned_away(self, offer: Offer, rejection: Rejection) -> Rejection:
        self._desk.turned_away(offer, rejection)
        return rejection

    def _refuse(self, leg: Leg, rejection: Rejection, source: str) -> None:
        operation = pj.CallOpParam(True)
        operation.statusCode = rejection.status
        if rejection.retry_after_s is not None:
            header = pj.SipHeader()
            header.hName, header.hValue = "Retry-After", str(rejection.retry_after_s)
            operation.txOption.headers.append(header)
        self._log.info("call.refused", status=rejection.status, rule=rejection.rule, pii_source=source)
        leg.has_hung_up = True
        leg.answer(operation)  # hangup() would leave the headers out
