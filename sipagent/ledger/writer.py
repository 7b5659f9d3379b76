"""The one thread that touches the chain's files, and the inbox in front of it."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sipagent.errors import LedgerError, LedgerUnavailable
from sipagent.ledger.chain import Chain, Line, Pending, Receipt
from sipagent.ledger.identity import Head
from sipagent.ledger.journal import Journal
from sipagent.ledger.kinds import Kind

_IDLE_S = 1.0
_TICK_S = 0.025
"""The writer looks this often while there is something to write: to wake it for every entry would cost a call
more than the entry does."""
_POLITE_BATCH, _POLITE_S = 64, 0.00005
"""Between the entries of a small batch the writer steps aside: a call that needs the interpreter gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLimits:
    """What bounds a ledger."""

    segment_max_bytes: int = 16 << 20
    """A segment is sealed when it has grown to this, or when its UTC day is over."""
    checkpoint_entries: int = 256
    """Entries after which the chain is signed, besides every call's end."""
    sync_interval_ms: int = 500
    """No entry waits longer for its fsync."""
    retry_interval_ms: int = 1000
    """Pause between tries while the disk fails."""
    durable_timeout_ms: int = 5000
    """Longest wait for a durable entry."""
    buffer_entries: int = 20_000
    """Entries kept in memory while the disk fails."""
    min_free_bytes: int = 64 << 20
    """Less free space stops new calls while there is still room to write down how the running ones end."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """Can new calls be taken, and what is wrong."""

    is_writable: bool
    problem: str | None = None
    """One line for the operator. May be set while writable (a key that cannot be read)."""


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """For metrics."""

    seq: int
    segment: int
    waiting: int
    """Entries in memory that are not on the disk."""
    lost: int
    syncs: int
    sync_max_ms: int


class Writer:
    """Inbox, thread, retries. ``submit`` and ``wait`` from any thread."""

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        limits: LedgerLimits,
        *,
        on_state: Callable[[LedgerState], None],
        on_head: Callable[[Head], None],
    ) -> None:
        self._chain = chain
        self._journal = journal
        self._limits = limits
        self._on_state = on_state
        self._on_head = on_head
        self._changed = threading.Condition()
        self._inbox: list[Pending] = []
        self._is_dozing = False
        self._checkpoint: tuple[str, Receipt] | None = None
        self._waiting = 0
        self._lost = self._lost_untold = 0
        self._syncs = self._sync_max_ms = 0
        self._is_closing = False
        self._failure: str | None = None
        self._state = LedgerState(True)
        self._unsynced_since_s = 0.0
        self._retry_at_s = 0.0
        self._space_at_s = 0.0
        self._is_low = False
        self._thread = threading.Thread(target=self._run, name=f"ledger-{chain.state.name}", daemon=True)

    def __repr__(self) -> str:
        return f"Writer({self._chain!r}, waiting={self._waiting}, {self._state})"

    @property
    def state(self) -> LedgerState:
        """As it was last told to ``on_state``."""
        return self._state

    @property
    def is_alive(self) -> bool:
        """Does the thread run?"""
        return self._thread.is_alive()

    def stats(self) -> LedgerStats:
        """Counters so far."""
        chain = self._chain.state
        return LedgerStats(
            chain.seq, chain.segment, self._waiting, self._lost, self._syncs, self._sync_max_ms
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, pending: Pending) -> None:
        """Queue an entry. Waits only where the disk works and 20 000 entries are before it.

        :raises LedgerError: the ledger is closed.
        """
        with self._changed:
            if self._is_closing:
                raise LedgerError(f"ledger {self._chain.state.name}: closed; {pending.kind} is not written")
            if self._waiting >= self._limits.buffer_entries and self._failure is None:
                self._changed.wait_for(self._has_room, timeout=1.0)
            if self._waiting >= self._limits.buffer_entries:
                self._lost += 1
                self._lost_untold += 1
                pending.receipt.is_lost = True
                return
            self._waiting += 1
            self._inbox.append(pending)
            if pending.is_urgent or self._is_dozing:
                self._changed.notify_all()

    def wait(self, receipt: Receipt) -> None:
        """Until the entry is on the disk.

        :raises LedgerUnavailable: the disk fails, or is too slow. The entry stays queued unless it is lost.
        """
        timeout_s = self._limits.durable_timeout_ms / 1000
        with self._changed:
            self._changed.wait_for(lambda: receipt.is_durable or self._failure is not None, timeout_s)
            if receipt.is_durable:
                return
            kept = "it is lost" if receipt.is_lost else "it is kept in memory"
            reason = self._failure or f"no answer from the disk for {timeout_s:g} s"
        raise LedgerUnavailable(
            f"ledger {self._chain.state.name}: the entry is not on the disk, {kept}: {reason}"
        )

    def checkpoint(self, reason: str) -> Receipt:
        """Sign the chain as it will stand behind what is queued."""
        with self._changed:
            if self._checkpoint is None:
                self._checkpoint = reason, Receipt()
                self._waiting += 1
            self._changed.notify_all()
            return self._checkpoint[1]

    def close(self, timeout_s: float) -> bool:
        """Write everything, sign, sync and end the thread. Idempotent.

        :returns: False where the disk did not take everything in time.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and self._waiting == 0

    def _has_room(self) -> bool:
        return self._waiting < self._limits.buffer_entries or self._failure is not None

    # --- writer thread ---

    def _run(self) -> None:
        try:
            while True:
                batch, checkpoint, is_last = self._take()
                self._turn(batch, checkpoint)
                if is_last:
                    self._finish()
                    return
        except Exception as exc:  # a fault of ours: say so, and take no more calls
            structlog.get_logger().exception("ledger.failed", chain=self._chain.state.name)
            with self._changed:
                self._failure = f"the writer stopped: {exc!r}"
                self._changed.notify_all()
            self._tell()
        finally:
            self._journal.close()

    def _take(self) -> tuple[list[Pending], tuple[str, Receipt] | None, bool]:
        with self._changed:
            if self._checkpoint is None and not self._is_closing and not self._has_urgent():
                is_idle = not self._inbox and not self._journal.has_unsynced
                self._is_dozing = is_idle and self._failure is None
                self._changed.wait(_IDLE_S if self._is_dozing else _TICK_S)
                self._is_dozing = False
            batch, self._inbox = self._inbox, []
            checkpoint, self._checkpoint = self._checkpoint, None
            return batch, checkpoint, self._is_closing

    def _has_urgent(self) -> bool:
        return any(pending.is_urgent for pending in self._inbox)

    def _turn(self, batch: list[Pending], checkpoint: tuple[str, Receipt] | None) -> None:
        is_urgent = checkpoint is not None or any(pending.is_urgent for pending in batch)
        for step in self._chain.assemble(batch, checkpoint=checkpoint):
            self._journal.put(step)
            if len(batch) <= _POLITE_BATCH and not is_urgent:
                time.sleep(_POLITE_S)
        if self._failure is not None and time.monotonic() < self._retry_at_s and not self._is_closing:
            return
        try:
            self._write(is_urgent=is_urgent or self._failure is not None)
        except OSError as exc:
            self._fail(exc)
        else:
            self._succeed()
        self._look_at_space()
        self._tell()

    def _write(self, *, is_urgent: bool) -> None:
        had_unsynced = self._journal.has_unsynced
        self._journal.flush()
        now_s = time.monotonic()
        if not had_unsynced:
            self._unsynced_since_s = now_s
        is_due = now_s - self._unsynced_since_s >= self._limits.sync_interval_ms / 1000
        if is_urgent or (self._journal.has_unsynced and is_due):
            self._settle(self._journal.sync())
            self._syncs += 1
            self._sync_max_ms = max(self._sync_max_ms, round((time.monotonic() - now_s) * 1000))

    def _settle(self, durable: list[Line]) -> None:
        receipts = [line.receipt for line in durable if line.receipt is not None]
        with self._changed:
            for receipt in receipts:
                receipt.is_durable = True
            self._waiting -= len(receipts)
            self._changed.notify_all()
        heads = [line.head for line in durable if line.head is not None]
        if heads:
            self._on_head(heads[-1])

    def _fail(self, exc: OSError) -> None:
        self._retry_at_s = time.monotonic() + self._limits.retry_interval_ms / 1000
        with self._changed:
            self._failure = (
                f"{self._journal.folder} cannot be written: {exc.strerror or exc}; "
                "free space or mend the disk, calls are taken again by themselves"
            )
            self._changed.notify_all()

    def _succeed(self) -> None:
        with self._changed:
            self._failure = None
            lost, self._lost_untold = self._lost_untold, 0
            if lost:
                self._waiting += 1
                self._inbox.append(self._chain.own(Kind.ENTRIES_LOST, {"count": lost}))

    def _look_at_space(self) -> None:
        now_s = time.monotonic()
        if now_s < self._space_at_s:
            return
        self._space_at_s = now_s + 1.0
        try:
            status = os.statvfs(self._journal.folder)
        except OSError:
            return  # a failing write will tell
        self._is_low = status.f_bavail * status.f_frsize < self._limits.min_free_bytes

    def _tell(self) -> None:
        state = LedgerState(True, self._chain.problem)
        if self._failure is not None:
            state = LedgerState(False, self._failure)
        elif self._is_low:
            free_mib = self._limits.min_free_bytes >> 20
            where = self._journal.folder
            text = f"{where}: less than {free_mib} MiB free; make room, then calls are taken again"
            state = LedgerState(False, text)
        if state != self._state:
            self._state = state
            self._on_state(state)

    def _finish(self) -> None:
        """The last words: what a failing disk left is tried once more."""
        with self._changed:
            batch, self._inbox = self._inbox, []
            self._waiting += 1
        self._turn(batch, ("closed", Receipt()))
