"""Forgetting by age and by size, on a schedule of its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sipagent.errors import LedgerError
from sipagent.ledger.clock import Clock, SystemClock, utc_text
from sipagent.ledger.erase import Erased, Eraser
from sipagent.ledger.ledger import Ledger

PAUSE_S = 600.0
_DAY_MS = 24 * 3600 * 1000
_FULL_SHARE = 0.9
"""What is left of the most that the recordings may take: room for those until the next look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What is kept; None: without limit."""

    call_days: int | None = None
    """Words, numbers and recordings of calls."""
    recording_days: int | None = None
    """Recordings, in whole days (UTC)."""
    recordings_max_bytes: int | None = None
    """All recordings together; the oldest go when nine tenths of it are taken."""
    forgets_callers: bool = False
    """Notes on callers go when the days are over for which each is kept, or ``call_days``."""


def retain(ledger: Ledger, keep: Keep, now_utc_ms: int, *, full_share: float = _FULL_SHARE) -> Erased:
    """Forget what is due; an erasure of this chain that a crash interrupted is finished first.

    :param full_share: of ``recordings_max_bytes``, that recordings may take.
    :raises LedgerError: something could not be destroyed. :raises OSError: a folder cannot be read.
    """
    eraser = Eraser(ledger)
    done = eraser.finish_interrupted()
    before = None if keep.call_days is None else utc_text(now_utc_ms - keep.call_days * _DAY_MS)
    if before is not None:
        done += eraser.forget(ledger.keys.names_before(before), reason="retention")
    if keep.forgets_callers:
        done += eraser.forget_callers_due(now_utc_ms, before)
    if keep.recording_days is not None:
        done += eraser.expire_recordings(utc_text(now_utc_ms - keep.recording_days * _DAY_MS)[:10])
    if keep.recordings_max_bytes is not None:
        done += eraser.trim_recordings(round(keep.recordings_max_bytes * full_share))
    return done


class Retention:
    """Looks when it starts and every ten minutes, on a thread of its own. ``start``, then ``close``."""

    def __init__(
        self,
        ledger: Ledger,
        keep: Keep,
        *,
        on_done: Callable[[Erased], None],
        on_error: Callable[[Exception], None],
        before: Callable[[], None] | None = None,
        clock: Clock | None = None,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """:param on_done: told what is gone, where something is. :param on_error: what could not go.
        :param before: done once, first, on the same thread.
        :param wait: waits that many seconds; True: closing. Tests bring their own."""
        self._ledger = ledger
        self._keep = keep
        self._on_done = on_done
        self._on_error = on_error
        self._before = before
        self._clock = clock or SystemClock()
        self._closing = threading.Event()
        self._wait = wait or self._closing.wait
        self._thread = threading.Thread(target=self.run, name="ledger-retention", daemon=True)

    def __repr__(self) -> str:
        return f"Retention({self._keep})"

    @property
    def is_closing(self) -> bool:
        """Whoever works on the thread shall come to an end."""
        return self._closing.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> None:
        """End after the erasure that is under way. Idempotent."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def run(self) -> None:
        """What the thread does, until ``wait`` says that it is over."""
        if self._before is not None:
            self._guarded(self._before)
        while not self._closing.is_set():
            self._guarded(self._look)
            if self._wait(PAUSE_S):
                return

    def _look(self) -> None:
        done = retain(self._ledger, self._keep, self._clock.utc_ms())
        if done != Erased():
            self._on_done(done)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (LedgerError, OSError) as error:
            self._on_error(error)
