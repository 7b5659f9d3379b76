"""The supervisor's entries in the audit ledger, on a chain of its own. Nothing here waits or raises."""

import structlog

from sipagent.errors import LedgerError
from sipagent.ledger import Kind, Ledger

CHAIN = "supervisor"


class Diary:
    """Without a ledger it does nothing."""

    def __init__(self, ledger: Ledger | None, log: structlog.stdlib.BoundLogger) -> None:
        self._ledger = ledger
        self._log = log

    def __repr__(self) -> str:
        return f"Diary({self._ledger!r})"

    def state(self) -> str:
        """Of the ledger, in a word or a sentence."""
        if self._ledger is None:
            return "off"
        return self._ledger.state.problem or "writable"

    def started(self, worker: str, pid: int, restarts: int) -> None:
        """A worker process exists."""
        self._enter(Kind.WORKER_STARTED, {"worker": worker, "pid": pid, "restarts": restarts})

    def stopped(self, worker: str, pid: int, uptime_s: int) -> None:
        """It ended as it should."""
        self._enter(Kind.WORKER_STOPPED, {"worker": worker, "pid": pid, "uptime_s": uptime_s})

    def crashed(self, worker: str, pid: int, cause: str, uptime_s: int, restart_in_ms: int | None) -> None:
        """It ended otherwise. :param restart_in_ms: None: it is given up."""
        body = {"worker": worker, "pid": pid, "cause": cause, "uptime_s": uptime_s}
        self._enter(Kind.WORKER_CRASHED, {**body, "restart_in_ms": restart_in_ms})

    def _enter(self, kind: Kind, body: dict[str, object]) -> None:
        if self._ledger is None:
            return
        try:
            self._ledger.append(kind, body)
        except LedgerError as error:
            self._log.warning("ledger.missed", kind=kind.value, reason=str(error))
