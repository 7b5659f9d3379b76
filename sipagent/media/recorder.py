"""Recording a call without ever making it wait: sound → held seconds → queue → writer thread → file.

::

    take(caller, agent) ──▶ held: the last seconds ──▶ queue ──▶ encode, hash ──▶ <name>.part ──▶ <name>
       call thread            pause(back_ms) makes                writer thread
                              silence of them

The newest sound stays in memory for a while, so that words of which it is known only afterwards that
nobody may keep them (a card number) never reach the disk. Paused stretches are silence: the length of
the recording is that of the call.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import structlog

from sipagent.config.recording import RecordingFormat
from sipagent.media.recorder_formats import Encoder, Sink, Stereo16, open_encoder
from sipagent.units import Pcm16, ms_to_samples, samples_to_ms

HELD_MS = 20_000
"""How far back ``pause`` reaches."""
PART = ".part"
"""Behind the name of a recording that is not complete."""
_BLOCK = ms_to_samples(500)
_QUEUED_BLOCKS = 60 + HELD_MS // 500
"""Half a minute that the disk may be behind, and room for what is held when the call ends."""
_CHECK_ROOM_SAMPLES = ms_to_samples(10_000)
_HASH_BYTES = 1 << 20


class RecordingSink(Sink, Protocol):
    """A recording's file."""

    @property
    def bytes_(self) -> int:
        """Written so far."""

    def close(self) -> str:
        """Make it durable. :returns: SHA-256 of the file as it is on the disk. :raises OSError: it is not."""

    def abandon(self) -> None:
        """Close without a word; what was written is worth nothing."""


class PlainFile:
    """A recording in clear, for its owner's eyes only."""

    def __init__(self, path: Path) -> None:
        """:raises OSError: it cannot be made, or is there already."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(fd, "r+b")
        self._bytes = 0
        self._hash = sha256()
        self._is_patched = False

    @property
    def bytes_(self) -> int:
        return self._bytes

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)

    def patch(self, at_byte: int, data: bytes) -> None:
        self._is_patched = True
        self._file.seek(at_byte)
        self._file.write(data)
        self._file.seek(0, os.SEEK_END)

    def close(self) -> str:
        self._file.flush()
        os.fsync(self._file.fileno())
        digest = self._rehashed() if self._is_patched else self._hash.hexdigest()
        self._file.close()
        return digest

    def abandon(self) -> None:
        try:
            self._file.close()
        except OSError:
            return  # the buffer does not fit on the disk either

    def _rehashed(self) -> str:
        self._file.seek(0)
        digest = sha256()
        while content := self._file.read(_HASH_BYTES):
            digest.update(content)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class DiskLimit:
    """How much may lie in the folder of the recordings, and how much must stay free on its disk."""

    folder: Path
    max_bytes: int
    min_free_bytes: int = 64 << 20

    def problem(self) -> str | None:
        """Why nothing more may be written, or None. :raises OSError: the folder cannot be read."""
        disk = os.statvfs(self.folder)
        if disk.f_bavail * disk.f_frsize < self.min_free_bytes:
            return f"less than {self.min_free_bytes >> 20} MiB are free in {self.folder}"
        used_bytes = sum(path.stat().st_size for path in self.folder.glob("**/*") if path.is_file())
        if used_bytes >= self.max_bytes:
            return f"{self.folder} holds {used_bytes >> 20} MiB; recording.max_mib allows no more"
        return None


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """What a recording has become."""

    path: Path
    sha256: str
    """Of the file as it is on the disk; empty where there is none."""
    bytes_: int
    duration_ms: int
    problem: str | None = None
    """Why it ends before the call does, or why there is none."""

    @property
    def is_kept(self) -> bool:
        """There is a file under ``path``."""
        return bool(self.sha256)


class Recorder:
    """One call's recording. All methods are for the call thread, and only ``close`` waits."""

    def __init__(
        self,
        path: Path,
        format_: RecordingFormat,
        limit: DiskLimit,
        log: structlog.stdlib.BoundLogger,
        *,
        open_sink: Callable[[Path], RecordingSink] = PlainFile,
    ) -> None:
        """:param path: of the complete recording; it is written beside it."""
        self.path = path
        self._format: RecordingFormat = format_
        self._limit = limit
        self._log = log
        self._open_sink = open_sink
        self._held: deque[Stereo16] = deque()
        self._held_samples = 0
        self._is_paused = False
        self._is_stopping = threading.Event()
        self._blocks: queue.Queue[Stereo16] = queue.Queue(_QUEUED_BLOCKS)
        self._problem: str | None = None
        self._discarded: str | None = None
        """Why nothing may stay of it."""
        self._written_samples = 0
        self._result: RecordedFile | None = None
        self._thread = threading.Thread(target=self._run, name=f"record-{path.name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Recorder({self.path.name}, {samples_to_ms(self._written_samples)} ms, {self._problem})"

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def take(self, caller: Pcm16, agent: Pcm16) -> None:
        """The next stretch of the call, both sides of one length (a shorter agent is filled with silence)."""
        if self._is_stopping.is_set():
            return
        sound = np.zeros((len(caller), 2), dtype=np.int16)
        if not self._is_paused:
            sound[:, 0] = caller
            sound[: len(agent), 1] = agent[: len(caller)]
        self._held.append(sound)
        self._held_samples += len(sound)
        if self._held_samples >= ms_to_samples(HELD_MS) + _BLOCK:
            self._release(ms_to_samples(HELD_MS))

    def pause(self, back_ms: int = 0) -> None:
        """Record silence from now on, and instead of the last ``back_ms``, ``HELD_MS`` at most."""
        self._is_paused = True
        left = ms_to_samples(back_ms)
        for sound in reversed(self._held):
            if left <= 0:
                break
            sound[max(0, len(sound) - left) :] = 0
            left -= len(sound)

    def resume(self) -> None:
        """Record what is said again."""
        self._is_paused = False

    def end(self, back_ms: int) -> None:
        """Record no more; of what was recorded the last ``back_ms`` go, ``HELD_MS`` at most."""
        left = ms_to_samples(back_ms)
        while self._held and left > 0:
            sound = self._held.pop()
            self._held_samples -= len(sound)
            if len(sound) > left:
                self._held.append(sound[:-left])
                self._held_samples += len(sound) - left
            left -= len(sound)
        self._release(0)
        self._is_stopping.set()

    def discard(self, reason: str) -> None:
        """Record no more, and delete what was recorded, also where it has ended before."""
        self._held.clear()
        self._held_samples = 0
        self._discarded = reason
        self._is_stopping.set()
        if self._result is not None:
            self._delete(self.path)

    def close(self, timeout_s: float = 10.0) -> RecordedFile:
        """End the recording and wait until the file is complete under its name."""
        if not self._is_stopping.is_set():
            self._release(0)
            self._is_stopping.set()
        self._thread.join(timeout_s)
        if self._result is None:
            problem = f"not written within {timeout_s:g} s"
            self.discard(problem)  # the ledger says that there is none: let there be none
            self._log.warning("recording.stuck", file=self.path.name, waited_s=timeout_s)
            return self._nothing(problem)
        return self._result

    def _release(self, keep_samples: int) -> None:
        """Hand what is older than ``keep_samples`` to the writer, in blocks."""
        out: list[Stereo16] = []
        while self._held and self._held_samples - len(self._held[0]) >= keep_samples:
            sound = self._held.popleft()
            self._held_samples -= len(sound)
            out.append(sound)
        if not out:
            return
        sound = np.concatenate(out)
        for start in range(0, len(sound), _BLOCK):
            try:
                self._blocks.put_nowait(sound[start : start + _BLOCK])
            except queue.Full:
                self._stop("the disk does not keep up")
                return

    def _stop(self, problem: str) -> None:
        """Either thread: no more sound is taken; the call goes on."""
        if self._problem is None:
            self._problem = problem
            self._log.warning("recording.stopped", file=self.path.name, reason=problem)
        self._is_stopping.set()

    # --- the writer thread ---

    def _run(self) -> None:
        part = self.path.with_name(self.path.name + PART)
        sink: RecordingSink | None = None
        try:
            self._problem_if_full()
            if self._problem is None:
                sink = self._open_sink(part)
                self._write_all(open_encoder(self._format, sink))
                digest = sink.close()
                if self._discarded is None:
                    self._finish(part, digest, sink.bytes_)
                if self._discarded is not None:  # before, or at this moment
                    self._delete(part, self.path)
                return
        except OSError as error:
            self._stop(f"{part}: cannot be written: {error.strerror or error}")
        except Exception:  # a recording's fault costs the recording, never the call
            self._log.exception("recording.failed", file=self.path.name)
            self._stop("an internal error; see the log")
        if sink is not None:
            sink.abandon()
            part.unlink(missing_ok=True)
        self._result = self._nothing(self._problem)

    def _delete(self, *paths: Path) -> None:
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            self._log.error("recording.not_deleted", file=self.path.name, reason=str(error))
            self._discarded = f"{self._discarded}; it could not be deleted: {error.strerror}"
        self._result = self._nothing(self._discarded)

    def _nothing(self, problem: str | None) -> RecordedFile:
        return RecordedFile(self.path, "", 0, samples_to_ms(self._written_samples), problem)

    def _write_all(self, encoder: Encoder) -> None:
        unchecked = 0
        while self._discarded is None:
            try:
                sound = self._blocks.get(timeout=0.1)
            except queue.Empty:
                if self._is_stopping.is_set() and self._blocks.empty():
                    break
                continue
            encoder.push(sound)
            self._written_samples += len(sound)
            unchecked += len(sound)
            if unchecked >= _CHECK_ROOM_SAMPLES:
                unchecked = 0
                self._problem_if_full()
                if self._problem is not None:
                    break
        encoder.finish()

    def _problem_if_full(self) -> None:
        problem = self._limit.problem()
        if problem is not None:
            self._stop(problem)

    def _finish(self, part: Path, digest: str, size_bytes: int) -> None:
        part.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._result = RecordedFile(
            self.path, digest, size_bytes, samples_to_ms(self._written_samples), self._problem
        )
