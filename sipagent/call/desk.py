"""The front desk: decides about every incoming call and keeps the list of those in progress."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable

import structlog

from sipagent.call.audit import Book, CallAudit
from sipagent.call.audit_server import ServerAudit
from sipagent.call.outbound import OutboundCall
from sipagent.call.parts import SessionParts, for_order
from sipagent.call.ports import EndCall, Line, Mailbox, Offer, Rejection
from sipagent.call.record import CallRecord
from sipagent.call.session import Session
from sipagent.call.tape import CallTape
from sipagent.config.schema import Config, PersonaConfig, persona_for
from sipagent.config.variables import fill
from sipagent.errors import CapacityError
from sipagent.units import monotonic_ms

_NOT_FOUND, _UNAVAILABLE = 404, 503
_DRAIN_POLL_S = 0.05
_CLOSED = "shutting down, or not ready yet"

PartsFor = Callable[[PersonaConfig, Offer], SessionParts]


class Desk:
    """Takes calls while it is open. ``offer`` runs on the SIP thread, the rest anywhere."""

    def __init__(
        self,
        config: Config,
        parts_for: PartsFor,
        log: structlog.stdlib.BoundLogger,
        book: Book | None = None,
    ) -> None:
        """:param book: the audit ledger; None where it is off."""
        self._serving = (config, parts_for)
        """Together, so that no call is served by half of a new configuration."""
        self._log = log
        self._book = book
        self._audit = ServerAudit(book, log)
        self._sessions: set[Session] = set()
        self._lock = threading.Lock()
        self._is_open = False
        self._recent_ms: deque[int] = deque()

    def __repr__(self) -> str:
        return f"Desk(open={self._is_open}, calls={len(self._sessions)})"

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return len(self._sessions)

    def open(self) -> None:
        """Begin to take calls."""
        self._is_open = True

    def use(self, config: Config, parts_for: PartsFor) -> None:
        """Decide about new calls by another configuration. Any thread."""
        self._serving = (config, parts_for)

    def ages_ms(self, now_ms: int) -> dict[str, int]:
        """Call in progress → milliseconds since its thread last went round. Any thread."""
        with self._lock:
            return {session.call_id: now_ms - session.seen_ms for session in self._sessions}

    def why_closed(self) -> str:
        """Why no call is taken now, whoever calls; empty: one is."""
        if not self._is_open:
            return _CLOSED
        if self._book is not None and not self._book.state.is_writable:
            return f"ledger: {self._book.state.problem}"
        return ""

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        """Take the call or refuse it; a taken call answers by itself."""
        call_id = uuid.uuid4().hex[:12]
        outcome = self._take(call_id, offer, line)
        if isinstance(outcome, Rejection):
            self._audit.refused(call_id, offer, outcome)
        return outcome

    def place(self, offer: Offer, line: Line, persona: PersonaConfig, order: OutboundCall) -> Session:
        """Begin the conversation of an outgoing call; the line dials once its start is in the ledger.

        :raises CapacityError: the desk is closed, or there is no room.
        """
        if not self._is_open:
            raise CapacityError("shutting down, or not ready yet")
        if self._book is not None and not self._book.state.is_writable:
            raise CapacityError(f"ledger: {self._book.state.problem}")
        _, parts_for = self._serving
        parts = for_order(parts_for(persona, offer), order)
        return self._begin(uuid.uuid4().hex[:12], offer, line, parts)

    def turned_away(self, offer: Offer, rejection: Rejection) -> None:
        """Note a call that the SIP side has refused by itself."""
        self._audit.refused(uuid.uuid4().hex[:12], offer, rejection)

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        """Note what a registrar has answered."""
        self._audit.registration_changed(trunk, status, reason, expires_s)

    def peer_banned(self, address: str, *, rule: str, for_s: int) -> None:
        """Note that an address is not answered for a while."""
        self._audit.banned(address, rule=rule, for_s=for_s)

    def peer_unbanned(self, address: str) -> None:
        """Note that it is answered again."""
        self._audit.unbanned(address)

    def _take(self, call_id: str, offer: Offer, line: Line) -> Session | Rejection:
        config, parts_for = self._serving
        persona = persona_for(config, offer.dialled)
        if persona is None:
            self._log.info("number.unknown", pii_to=offer.dialled)
            return Rejection(_NOT_FOUND, "no entry of numbers matches the dialled number")
        if closed := self.why_closed():
            return self._busy(closed)
        if self._is_too_fast(config.limits.calls_per_second):
            return self._busy("limits.calls_per_second")
        try:
            parts = parts_for(fill(persona, {}), offer)
        except CapacityError as error:
            return self._busy(str(error))
        return self._begin(call_id, offer, line, parts)

    def _begin(self, call_id: str, offer: Offer, line: Line, parts: SessionParts) -> Session:
        log = self._log.bind(call_id=call_id)
        log.info(
            "call.started",
            direction=offer.direction,
            trunk=offer.trunk,
            persona=parts.persona.name,
            verstat=offer.identity.verstat or None,
            pii_from=offer.caller,
            pii_name=offer.identity.caller_name,
            pii_to=offer.dialled,
            pii_diverted_from=offer.identity.diverted_from,
            pii_sip_call_id=offer.call_id,
        )
        trail = None if self._book is None else self._book.call(call_id, [offer.person])
        audit = CallAudit(trail, log)
        record, tape = CallRecord(log, audit), CallTape(parts.tape, trail, audit.note, log)
        session = Session(call_id, offer, line, parts, record, tape, log, self._ended)
        with self._lock:
            self._sessions.add(session)
        session.start()
        return session

    def drain(self, timeout_s: float) -> None:
        """Refuse new calls and wait until those in progress have ended, or the time is up."""
        self._is_open = False
        deadline_ms = monotonic_ms() + round(timeout_s * 1000)
        while self._sessions and monotonic_ms() < deadline_ms:
            time.sleep(_DRAIN_POLL_S)

    def close(self, timeout_s: float) -> None:
        """Refuse new calls, say goodbye to those in progress, wait for them."""
        self._is_open = False
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.post(EndCall("the server stops"))
        deadline_ms = monotonic_ms() + round(timeout_s * 1000)
        for session in sessions:
            if not session.join(max(0, deadline_ms - monotonic_ms()) / 1000):
                self._log.warning("call.cut", call_id=session.call_id, waited_s=timeout_s)
                session.cut()

    def wait_until_idle(self) -> None:
        """Return when no call is in progress."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            while not session.join(0.5):
                pass

    def _ended(self, session: Session) -> None:
        with self._lock:
            self._sessions.discard(session)

    def _busy(self, rule: str) -> Rejection:
        return Rejection(_UNAVAILABLE, rule, self._serving[0].limits.retry_after_s)

    def _is_too_fast(self, most_in_a_second: int) -> bool:
        """True where this second has had its calls; else count this one."""
        now_ms = monotonic_ms()
        while self._recent_ms and now_ms - self._recent_ms[0] >= 1000:
            self._recent_ms.popleft()
        if len(self._recent_ms) >= most_in_a_second:
            return True
        self._recent_ms.append(now_ms)
        return False
