"""Rules for every test: a marker on each module, no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

MARKERS = {"unit", "golden", "engine", "peer"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module without a kind is a mistake."""
    bare = {i.path.name for i in items if not MARKERS & {m.name for m in i.iter_markers()}}
    if bare:
        raise pytest.UsageError(f"modules without a marker of {sorted(MARKERS)}: {sorted(bare)}")


@pytest.fixture(autouse=True)
def no_thread_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever starts a thread ends it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while True:
        left = [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.daemon]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert not left, f"{request.node.nodeid} left threads: {[t.name for t in left]}"
