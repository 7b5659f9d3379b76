"""The files of one chain: steps in, durable lines out. What fails is rolled back and tried again."""

import contextlib
import errno
import os
from collections import deque
from pathlib import Path

from sipagent.ledger.chain import Line, NewSegment, SaveKey, Step
from sipagent.ledger.files import sync_folder, write_all
from sipagent.ledger.identity import Head
from sipagent.ledger.keystore import KeyStore

_CHUNK_BYTES = 1 << 20


def segment_path(folder: Path, number: int) -> Path:
    """File of a segment."""
    return folder / f"{number:08d}.jsonl"


def heads_path(folder: Path, number: int) -> Path:
    """File of the signed heads of a segment."""
    return folder / f"{number:08d}.heads"


class Journal:
    """Appends to the newest segment. Writer thread only.

    ``flush`` hands lines to the kernel, ``sync`` to the disk. After an ``OSError`` the file ends behind its
    last good line and everything that is not on the disk waits in order for the next try.
    """

    def __init__(self, folder: Path, keys: KeyStore) -> None:
        self.folder = folder
        self._keys = keys
        self._fd = -1
        self._heads_fd = -1
        self._queue: deque[Step] = deque()
        self._written: list[Line] = []
        self._durable: list[Line] = []
        self._heads_due: deque[Head] = deque()
        self._heads_bytes = 0
        self._written_bytes = 0
        self._synced_bytes = 0
        self._is_dirty = False

    def __repr__(self) -> str:
        return f"Journal({self.folder}, queued={len(self._queue)}, unsynced={len(self._written)})"

    @property
    def has_unsynced(self) -> bool:
        """Are there lines that only the kernel has?"""
        return bool(self._written)

    @property
    def has_queued(self) -> bool:
        """Are there steps that a failure left?"""
        return bool(self._queue)

    def resume(self, number: int) -> None:
        """Go on in an existing segment.

        :raises OSError: it cannot be opened.
        """
        self._open(number, is_new=False)

    def put(self, *steps: Step) -> None:
        """Queue steps."""
        self._queue.extend(steps)

    def flush(self) -> None:
        """Write what is queued.

        :raises OSError: the rest stays queued.
        """
        try:
            self._clean()
            while self._queue:
                match self._queue[0]:
                    case SaveKey(key):
                        self._keys.save(key)
                        self._queue.popleft()
                    case NewSegment(number):
                        self._sync()
                        self._write_heads()
                        self._open(number, is_new=True)
                        self._queue.popleft()
                    case Line():
                        self._write_lines()
        except OSError:
            self._is_dirty = True
            with contextlib.suppress(OSError):
                self._clean()
            raise

    def sync(self) -> list[Line]:
        """Make what was written durable.

        :returns: the lines that became so. :raises OSError: they are queued again.
        """
        self._sync()
        self._write_heads()
        durable, self._durable = self._durable, []
        return durable

    def close(self) -> None:
        """Close the files. Idempotent."""
        for fd in (self._fd, self._heads_fd):
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.fsync(fd)
                os.close(fd)
        self._fd = self._heads_fd = -1

    def _write_lines(self) -> None:
        chunk: list[Line] = []
        size_bytes = 0
        for step in self._queue:
            if not isinstance(step, Line) or size_bytes >= _CHUNK_BYTES:
                break
            chunk.append(step)
            size_bytes += len(step.data)
        write_all(self._fd, b"".join(line.data for line in chunk))
        self._written_bytes += size_bytes
        self._written += chunk
        for _ in chunk:
            self._queue.popleft()

    def _sync(self) -> None:
        if not self._written:
            return
        try:
            os.fdatasync(self._fd)
        except OSError:
            # the kernel may have dropped the pages it could not write: they must be written again
            self._queue.extendleft(reversed(self._written))
            self._written.clear()
            self._written_bytes = self._synced_bytes
            self._is_dirty = True
            raise
        self._synced_bytes = self._written_bytes
        self._durable += self._written
        self._heads_due.extend(line.head for line in self._written if line.head is not None)
        self._written.clear()

    def _clean(self) -> None:
        """Cut off what a failed write left behind the last good line."""
        if self._is_dirty and self._fd >= 0:
            os.ftruncate(self._fd, self._written_bytes)
        self._is_dirty = False

    def _write_heads(self) -> None:
        if not self._heads_due:
            return
        data = "".join(f"{head}\n" for head in self._heads_due).encode()
        try:
            write_all(self._heads_fd, data)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._heads_fd, self._heads_bytes)
            raise
        self._heads_bytes += len(data)
        self._heads_due.clear()

    def _open(self, number: int, *, is_new: bool) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        fd = os.open(segment_path(self.folder, number), flags, 0o600)
        try:
            size_bytes = os.fstat(fd).st_size
            if is_new and size_bytes:
                raise OSError(errno.EEXIST, f"segment {number} is there already")
            heads_fd = os.open(heads_path(self.folder, number), flags, 0o600)
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            raise
        self.close()
        self._fd, self._heads_fd = fd, heads_fd
        self._written_bytes = self._synced_bytes = size_bytes
        self._heads_bytes = os.fstat(heads_fd).st_size
