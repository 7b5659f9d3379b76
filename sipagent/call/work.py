"""Lanes: a few fixed threads that the engines' jobs go through, the most urgent first."""

import itertools
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import structlog

from sipagent.errors import JobCancelled
from sipagent.speech.types import Cancelled, never_cancelled
from sipagent.units import monotonic_ms


class Priority(IntEnum):
    """What waits for whom. Equal ones keep their order."""

    FIRST_CLAUSE = 0
    """A caller is waiting in silence."""
    SPECULATION = 1
    """A caller may be about to wait."""
    TAIL = 2
    """More of what is being said already."""
    BACKGROUND = 3


Job = Callable[[], None]
Waited = Callable[[str, int], None]
"""Told the lane's name and how many ms the job waited in it."""


def _untold(_lane: str, _waited_ms: int) -> None:
    """For jobs whose waiting nobody asks about."""


@dataclass(order=True, frozen=True, slots=True)
class _Queued:
    priority: int
    order: int
    queued_ms: int = field(compare=False)
    cancelled: Cancelled = field(compare=False)
    waited: Waited = field(compare=False)
    job: Job | None = field(compare=False)
    """None ends the thread that takes it."""


class Lane:
    """A priority queue and its threads. ``start`` and ``close`` once each."""

    def __init__(
        self, name: str, threads: int, log: structlog.stdlib.BoundLogger, *, niceness: int = 0
    ) -> None:
        """:param niceness: 0..19, how far its threads stand back where cores are short."""
        self._niceness = niceness
        self._name = name
        self._log = log
        self._jobs: queue.PriorityQueue[_Queued] = queue.PriorityQueue()
        self._order = itertools.count()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(threads)
        ]
        self.longest_wait_ms = 0

    def __repr__(self) -> str:
        return f"Lane({self._name}, waiting={self._jobs.qsize()}, longest_wait_ms={self.longest_wait_ms})"

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job, *, priority: Priority, cancelled: Cancelled, waited: Waited = _untold) -> None:
        """Queue a job; if ``cancelled()`` is true when its turn comes it is not begun."""
        self._jobs.put(_Queued(priority, next(self._order), monotonic_ms(), cancelled, waited, job))

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish the running jobs, forget the waiting ones."""
        for _ in self._threads:
            self._jobs.put(_Queued(-1, next(self._order), 0, never_cancelled, _untold, None))
        for thread in self._threads:
            thread.join(timeout_s)
            if thread.is_alive():
                self._log.error("lane.stop_timed_out", lane=self._name)

    def _work(self) -> None:
        if self._niceness:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)  # of this thread only
        while True:
            queued = self._jobs.get()
            if queued.job is None:
                return
            if queued.cancelled():
                continue
            waited_ms = monotonic_ms() - queued.queued_ms
            self.longest_wait_ms = max(self.longest_wait_ms, waited_ms)
            queued.waited(self._name, waited_ms)
            try:
                queued.job()
            except JobCancelled:
                pass
            except Exception:  # a job tells its call about engine errors itself; this is ours
                self._log.exception("lane.job_failed", lane=self._name)
