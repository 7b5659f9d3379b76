"""One fetch at a time into one folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sipagent.modelstore.progress import FetchProgress

LOCK = ".fetch.lock"


@contextmanager
def fetch_lock(root: Path, progress: FetchProgress) -> Iterator[None]:
    """Hold the folder's lock; wait for whoever has it. It ends with the process that holds it.

    :raises OSError: the folder cannot be written to.
    """
    with (root / LOCK).open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"{root}: another fetch is under way; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
