"""What happens outside of calls, as entries of the audit ledger: calls that are not taken, trunks, bans,
campaigns, worker processes. Returns at once: nothing here waits for the disk or raises.

Whoever writes has a chain of its own (``Ledger.open(…, chain="supervisor")``) and makes one of these on it.
"""

from collections.abc import Mapping

import structlog

from sipagent.call.audit import Book, parties_of
from sipagent.call.ports import Offer, Rejection
from sipagent.errors import LedgerError
from sipagent.ledger import Kind
from sipagent.units import monotonic_ms

Body = Mapping[str, object]
_MOST_PER_S = 20
"""More of what strangers can cause is counted: a flood of calls must not fill the disk."""


class ServerAudit:
    """Without a ledger it does nothing. One thread for each method: strangers' and trunks' come on the SIP
    thread."""

    def __init__(self, book: Book | None, log: structlog.stdlib.BoundLogger) -> None:
        self._book = book
        self._log = log
        self._second = 0
        self._written = 0
        self._left_out = 0
        self._trunks: dict[str, tuple[bool, int]] = {}
        """Trunk → registered or not, and the status that said so."""

    def __repr__(self) -> str:
        return f"ServerAudit(left_out={self._left_out}, trunks={self._trunks})"

    # --- what strangers cause: never more than a few in a second. SIP thread ---

    def refused(self, call_id: str, offer: Offer, rejection: Rejection) -> None:
        """A call was turned away.

        :param offer: of a stranger: its ``trunk`` is empty; only the address is entered.
        """
        if self._book is None or not self._has_room():
            return
        body: dict[str, object] = {
            "direction": "in",
            "sip_status": rejection.status,
            "rule": rejection.rule,
            "trunk": offer.trunk,
            **self._take_left_out(),
        }
        if not offer.trunk:
            self._enter(Kind.CALL_REFUSED, body, {"source": offer.source})
            return
        try:
            self._book.call(call_id, [offer.caller]).refuse(body, sealed=parties_of(offer))
        except LedgerError as error:
            self._missed(Kind.CALL_REFUSED, error)

    def banned(self, address: str, *, rule: str, for_s: int) -> None:
        """Nothing from this address is answered for a while."""
        if self._has_room():
            body = {"rule": rule, "for_s": for_s, **self._take_left_out()}
            self._enter(Kind.PEER_BANNED, body, {"address": address})

    def unbanned(self, address: str) -> None:
        """The ban is over."""
        if self._has_room():
            self._enter(Kind.PEER_UNBANNED, self._take_left_out(), {"address": address})

    # --- trunks. SIP thread ---

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        """A registrar has answered, or will not; what it said before is not entered again.

        :param expires_s: 0: not registered any more.
        """
        is_registered = status // 100 == 2 and expires_s > 0
        if self._trunks.get(trunk) == (is_registered, status):
            return
        self._trunks[trunk] = is_registered, status
        if is_registered:
            self._enter(Kind.TRUNK_REGISTERED, {"trunk": trunk, "expires_s": expires_s})
        elif status // 100 == 2:
            self._enter(Kind.TRUNK_UNREGISTERED, {"trunk": trunk})
        else:
            self._enter(Kind.TRUNK_FAILED, {"trunk": trunk, "sip_status": status, "reason": reason})

    # --- campaigns ---

    def campaign_decided(self, campaign: str, decision: str, *, rule: str, contact: str) -> None:
        """A campaign calls a contact, or does not, and why.

        :param decision: such as ``call``, ``skip``, ``retry``, ``stop``. :param contact: the number; sealed.
        """
        body = {"campaign": campaign, "decision": decision, "rule": rule}
        self._enter(Kind.CAMPAIGN_DECIDED, body, {"contact": contact})

    # --- worker processes: for the one that supervises them, on its own chain ---

    def worker_started(self, worker: str, pid: int, *, restarts: int = 0) -> None:
        """:param worker: the name of its chain. :param restarts: how often it crashed before."""
        self._enter(Kind.WORKER_STARTED, {"worker": worker, "pid": pid, "restarts": restarts})

    def worker_stopped(self, worker: str, pid: int, *, uptime_s: int) -> None:
        """It ended because it was told to."""
        self._enter(Kind.WORKER_STOPPED, {"worker": worker, "pid": pid, "uptime_s": uptime_s})

    def worker_crashed(
        self, worker: str, pid: int, *, cause: str, uptime_s: int, restart_in_ms: int | None
    ) -> None:
        """:param cause: such as ``SIGSEGV``, ``exit status 1``, ``no heartbeat``.
        :param restart_in_ms: None: it is given up."""
        body = {"worker": worker, "pid": pid, "cause": cause, "uptime_s": uptime_s}
        self._enter(Kind.WORKER_CRASHED, {**body, "restart_in_ms": restart_in_ms})

    def _enter(self, kind: Kind, body: Body, sealed: Body | None = None) -> None:
        if self._book is None:
            return
        try:
            self._book.append(kind, body, sealed=sealed)
        except LedgerError as error:
            self._missed(kind, error)

    def _missed(self, kind: Kind, error: LedgerError) -> None:
        self._log.warning("ledger.missed", kind=kind.value, reason=str(error))

    def _has_room(self) -> bool:
        second = monotonic_ms() // 1000
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= _MOST_PER_S:
            self._left_out += 1
            return False
        self._written += 1
        return True

    def _take_left_out(self) -> dict[str, object]:
        left_out, self._left_out = self._left_out, 0
        return {"left_out": left_out} if left_out else {}
