"""Lanes: the most urgent job first, equal ones in order, cancelled ones not at all."""

import threading

import pytest
import structlog

from sipagent.call.work import Lane, Priority
from sipagent.errors import JobCancelled
from sipagent.speech.types import never_cancelled

pytestmark = pytest.mark.unit


class Bench:
    """A lane of one thread that is held until everything is queued."""

    def __init__(self) -> None:
        self.lane = Lane("tts", 1, structlog.get_logger())
        self.done: list[str] = []
        self.waits: list[tuple[str, int]] = []
        self._gate = threading.Event()
        self.lane.submit(self._hold, priority=Priority.FIRST_CLAUSE, cancelled=never_cancelled)
        self.lane.start()

    def _hold(self) -> None:
        self._gate.wait(5)

    def submit(self, name: str, priority: Priority, *, is_cancelled: bool = False) -> None:
        self.lane.submit(
            lambda: self.done.append(name),
            priority=priority,
            cancelled=lambda: is_cancelled,
            waited=lambda lane, ms: self.waits.append((lane, ms)),
        )

    def finish(self) -> list[str]:
        last = threading.Event()
        self.lane.submit(last.set, priority=Priority.BACKGROUND, cancelled=never_cancelled)
        self._gate.set()
        assert last.wait(5)
        self.lane.close()
        return self.done


def test_first_clause_goes_before_tails_and_equals_keep_their_order() -> None:
    bench = Bench()
    for name, priority in (
        ("tail 1", Priority.TAIL),
        ("guess", Priority.SPECULATION),
        ("tail 2", Priority.TAIL),
        ("first", Priority.FIRST_CLAUSE),
    ):
        bench.submit(name, priority)
    assert bench.finish() == ["first", "guess", "tail 1", "tail 2"]
    assert [lane for lane, _ in bench.waits] == ["tts"] * 4
    assert all(waited_ms >= 0 for _, waited_ms in bench.waits)


def test_cancelled_job_is_not_begun() -> None:
    bench = Bench()
    bench.submit("cancelled", Priority.FIRST_CLAUSE, is_cancelled=True)
    bench.submit("kept", Priority.TAIL)
    assert bench.finish() == ["kept"]


@pytest.mark.parametrize("error", [JobCancelled("gone"), ValueError("ours")])
def test_failing_job_does_not_end_the_lane(error: Exception) -> None:
    bench = Bench()

    def fail() -> None:
        raise error

    bench.lane.submit(fail, priority=Priority.FIRST_CLAUSE, cancelled=never_cancelled)
    bench.submit("after", Priority.TAIL)
    assert bench.finish() == ["after"]
