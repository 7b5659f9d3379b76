"""Forgetting: destroys keys and recordings, and writes down that it did. The chain still verifies.

``ledger.erasing`` is on the disk before anything is destroyed and ``ledger.erased`` comes after it, so that a
crash between the two is seen, and finished the next time.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger.callers import CallerMemory
from sipagent.ledger.files import sync_folder
from sipagent.ledger.keystore import destroy_files, file_name_of
from sipagent.ledger.kinds import Kind
from sipagent.ledger.ledger import Ledger
from sipagent.ledger.read import LedgerReader

_CALLS_AN_ENTRY = 200


@dataclass(frozen=True, slots=True)
class Erased:
    """What is gone."""

    calls: int = 0
    keys: int = 0
    recordings: int = 0
    callers: int = 0
    """Whose notes are forgotten."""

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(
            self.calls + other.calls,
            self.keys + other.keys,
            self.recordings + other.recordings,
            self.callers + other.callers,
        )


class Eraser:
    """Erases in the folder of a ledger that is open for writing (a chain of the caller's own will do)."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._memory = CallerMemory.of(ledger.folder, ledger.keys)

    def __repr__(self) -> str:
        return f"Eraser({self._ledger.folder})"

    def forget(self, names: Iterable[str], *, reason: str) -> Erased:
        """Destroy the keys and recordings of these calls.

        :param reason: for the ledger; never a person's name or number.
        :raises LedgerError: something could not be destroyed, or the ledger cannot be written.
        """
        unique = list(dict.fromkeys(names))
        total = Erased()
        for start in range(0, len(unique), _CALLS_AN_ENTRY):
            calls = unique[start : start + _CALLS_AN_ENTRY]
            files = self._recordings_of(calls)
            total += self._erase(reason, calls, files)
        return total

    def forget_caller(self, number: str) -> Erased:
        """Destroy what is remembered of a caller beyond the calls.

        :raises LedgerError: as ``forget``.
        """
        known = [self._memory.id_of(number)] if self._memory.knows(number) else []
        return self._erase("caller", [], [], known) if known else Erased()

    def forget_callers_due(self, now_utc_ms: int, before_utc: str | None = None) -> Erased:
        """Destroy the notes on callers who have not called for as long as they are kept, or since a day.

        :raises LedgerError: as ``forget``. :raises OSError: the folder cannot be read.
        """
        due = self._memory.due(now_utc_ms, before_utc)
        batches = (due[start : start + _CALLS_AN_ENTRY] for start in range(0, len(due), _CALLS_AN_ENTRY))
        return sum((self._erase("retention", [], [], names) for names in batches), Erased())

    def trim_recordings(self, max_bytes: int) -> Erased:
        """Delete the oldest recordings until the rest takes no more than ``max_bytes``; keys stay."""
        found = sorted((path.parent.name, path.stat().st_mtime_ns, path) for path in self._complete())
        excess_bytes = sum(path.stat().st_size for _, _, path in found) - max_bytes
        files = []
        for _, _, path in found:
            if excess_bytes <= 0:
                break
            excess_bytes -= path.stat().st_size
            files.append(path)
        return self._drop("recordings_max", files)

    def expire_recordings(self, before_day: str) -> Erased:
        """Delete the recordings of the days before this one (``2026-11-22``, UTC); keys stay."""
        old = [path for path in self._recordings() if path.parent.name < before_day]
        return self._drop("recordings_age", old)

    def finish_interrupted(self) -> Erased:
        """Carry on where a crash stopped an erasure of this chain."""
        begun: dict[str, dict[str, object]] = {}
        reader = LedgerReader(self._ledger.folder, None)
        for one in reader.entries(chain=self._ledger.chain, containing=(b'"ledger.eras',)):
            erasure = str(one.entry.body.get("erasure"))
            if one.entry.kind == Kind.LEDGER_ERASING:
                begun[erasure] = one.entry.body
            else:
                begun.pop(erasure, None)
        total = Erased()
        for erasure, body in begun.items():
            calls, files, callers = (_strings(body.get(name)) for name in ("calls", "files", "callers"))
            total += self._destroy(erasure, calls, files, callers)
        return total

    def _erase(
        self, reason: str, calls: Sequence[str], files: Sequence[str], callers: Sequence[str] = ()
    ) -> Erased:
        erasure = os.urandom(8).hex()
        body = {"calls": list(calls), "erasure": erasure, "files": list(files), "reason": reason}
        if callers:
            body["callers"] = list(callers)
        self._ledger.append(Kind.LEDGER_ERASING, body, durable=True)
        return self._destroy(erasure, calls, files, callers)

    def _destroy(
        self, erasure: str, calls: Sequence[str], files: Sequence[str], callers: Sequence[str]
    ) -> Erased:
        try:
            keys = destroy_files(self._keys_of(calls))
            recordings = self._delete(files)
            forgotten = self._memory.destroy(callers)
        except OSError as exc:
            raise LedgerError(
                f"{exc.filename}: cannot be destroyed: {exc.strerror}; "
                "mend that and run sipagent ledger retain"
            ) from exc
        body = {"erasure": erasure, "keys_destroyed": keys, "recordings_deleted": recordings}
        if callers:
            body["callers_forgotten"] = forgotten
        self._ledger.append(Kind.LEDGER_ERASED, body, durable=True)
        return Erased(len(calls), keys, recordings, forgotten)

    def _drop(self, reason: str, paths: Sequence[Path]) -> Erased:
        total = Erased()
        for start in range(0, len(paths), _CALLS_AN_ENTRY):
            files = [self._relative(path) for path in paths[start : start + _CALLS_AN_ENTRY]]
            total += self._erase(reason, [], files)
        return total

    def _recordings(self) -> list[Path]:
        return [path for path in sorted(self._ledger.recordings.glob("*/*")) if path.is_file()]

    def _complete(self) -> list[Path]:
        """Without those that are being written."""
        return [path for path in self._recordings() if path.suffix != ".part"]

    def _keys_of(self, names: Sequence[str]) -> list[Path]:
        wanted = {file_name_of(name) for name in names}
        paths = sorted(self._ledger.keys.folder.glob("*/*.key")) if wanted else []
        return [path for path in paths if path.name.partition(".")[0] in wanted]

    def _recordings_of(self, calls: Sequence[str]) -> list[str]:
        wanted = {file_name_of(call) for call in calls}
        return [self._relative(path) for path in self._recordings() if path.name.partition(".")[0] in wanted]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._ledger.recordings).as_posix()

    def _delete(self, files: Sequence[str]) -> int:
        """Recordings are not overwritten: they are large; encrypt them where that matters."""
        count = 0
        folders = set()
        for file in files:
            path = self._ledger.recordings / file
            if ".." not in path.parts and not Path(file).is_absolute() and path.is_file():
                path.unlink()
                count += 1
                folders.add(path.parent)
        for folder in folders:
            sync_folder(folder)
            with contextlib.suppress(OSError):
                folder.rmdir()  # the day's folder goes with its last file
        return count


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
