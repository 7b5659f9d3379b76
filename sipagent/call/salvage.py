"""Recordings that a crash cut short: mended, hashed and entered, or entered as lost. Nothing is left open.

::

    ledger: recording.started without an end ──┐
    disk:   <call>.part of a call of the crash ─┴─▶ withdrawn? delete │ .part? mend, seal │ there? hash │ lost
                                                        └───── recording.closed or recording.dropped ─────┘
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from sipagent.errors import AudioFormatError, LedgerError, SipAgentError
from sipagent.ledger import SUFFIX, Kind, Ledger, LedgerReader, SealedWriter, unsealed
from sipagent.ledger.files import sync_folder
from sipagent.ledger.keystore import file_name_of
from sipagent.media.recorder import PART
from sipagent.media.recorder_mend import HEAD_BYTES, TAIL_BYTES, mend, mend_stream, mended_chunks

_ENDS = (Kind.RECORDING_CLOSED, Kind.RECORDING_DROPPED)
_NEEDLES = (b'"kind":"recording.', b'"kind":"server.crashed"', b'"kind":"consent.withdrawn"')
_MENDED = ".mended"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A recording without an end."""

    call_id: str
    file: str
    """Below the folder of the recordings, as the ledger names it."""


class Salvage:
    """For one chain, once after it was opened. Not the thread of a call: it reads and writes whole files."""

    def __init__(
        self,
        ledger: Ledger,
        log: structlog.stdlib.BoundLogger,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """:param is_over: looked at between two recordings: what is left is done at the next start."""
        self._ledger = ledger
        self._log = log
        self._is_over = is_over
        self._reader = LedgerReader(ledger.folder, None)
        self._withdrawn: set[str] = set()
        """Calls of whose recording nothing may stay."""

    def __repr__(self) -> str:
        return f"Salvage({self._ledger.folder}, {self._ledger.chain})"

    def run(self) -> None:
        """Deal with what earlier runs of this chain left.

        :raises LedgerError: the ledger cannot be read or written. :raises OSError: a folder cannot be read.
        """
        parts = sorted(self._ledger.recordings.glob(f"*/*{PART}"))
        if not parts and not self._ledger.has_crashed:
            return
        for one in self._unfinished(parts):
            if self._is_over():
                return
            self._settle(one)

    def _unfinished(self, parts: Iterable[Path]) -> list[Unfinished]:
        """Those of this run are not among them, for they may be of running calls."""
        found: dict[str, Unfinished] = {}
        crashed: dict[str, str] = {}
        for one in self._reader.entries(chain=self._ledger.chain, containing=_NEEDLES):
            entry = one.entry
            file, call_id = str(entry.body.get("file")), entry.call_id or ""
            if entry.kind == Kind.SERVER_CRASHED:
                open_calls = entry.body.get("open_calls")
                crashed |= {file_name_of(c): c for c in (open_calls if isinstance(open_calls, list) else [])}
            elif entry.kind == Kind.RECORDING_STARTED and entry.seq <= self._ledger.found_seq:
                found[file] = Unfinished(call_id, file)
            elif entry.kind in _ENDS:
                found.pop(file, None)
            elif entry.kind == Kind.CONSENT_WITHDRAWN and entry.body.get("keeps") is False:
                self._withdrawn.add(call_id)
        for part in parts:  # its beginning was still in memory
            file = f"{part.parent.name}/{part.name.removesuffix(PART)}"
            owner = crashed.get(part.name.partition(".")[0])
            if owner is not None:
                found.setdefault(file, Unfinished(owner, file))
        return list(found.values())

    def _settle(self, one: Unfinished) -> None:
        path = self._ledger.recordings / one.file
        part = path.with_name(path.name + PART)
        if ".." in path.parts or Path(one.file).is_absolute():
            return  # nobody of ours wrote that
        facts: dict[str, object] = {}
        if one.call_id in self._withdrawn:
            problem = "consent was withdrawn"
        elif not part.exists() and not path.exists():
            problem = "a crash came before any of it was on the disk"
        else:
            try:
                facts, problem = self._complete(one.call_id, path, part), ""
            except (AudioFormatError, LedgerError) as error:
                problem = f"cut short by a crash; {error}"
        if problem:
            _delete(part, path)
            self._enter(Kind.RECORDING_DROPPED, one, {"reason": problem})
        else:
            self._enter(Kind.RECORDING_CLOSED, one, {**facts, "salvaged": True})

    def _complete(self, call_id: str, path: Path, part: Path) -> dict[str, object]:
        """:raises AudioFormatError, LedgerError: nothing can be made of it."""
        facts: dict[str, object] = {"encrypted": path.name.endswith(SUFFIX)}
        if not path.exists():  # else the crash came between its name and its entry
            mended = path.with_name(path.name + _MENDED + PART)
            mended.unlink(missing_ok=True)
            if facts["encrypted"]:
                facts["duration_ms"] = self._mend_sealed(call_id, part, mended)
                mended.rename(path)
            else:
                facts["duration_ms"] = _mend_plain(part)
                part.rename(path)
            sync_folder(path.parent)
        _delete(part)
        with path.open("rb") as file:
            facts["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        return {**facts, "bytes": path.stat().st_size}

    def _mend_sealed(self, call_id: str, part: Path, mended: Path) -> int:
        """Seal anew what is there, without a byte of it in clear on the disk."""
        problem: SipAgentError = LedgerError("its key is gone")
        for stored in self._ledger.keys.find(call_id):
            try:
                found = mend_stream(unsealed(part, stored.key, is_whole=False))
            except (AudioFormatError, LedgerError) as error:
                problem = error
                continue
            writer = SealedWriter(mended, stored.key)
            for chunk in mended_chunks(unsealed(part, stored.key, is_whole=False), found):
                writer.write(chunk)
            writer.close()
            return found.duration_ms
        raise problem

    def _enter(self, kind: Kind, one: Unfinished, facts: dict[str, object]) -> None:
        self._ledger.append(kind, {"file": one.file, **facts}, call_id=one.call_id, durable=True)
        self._log.warning(kind.value, file=one.file, call_id=one.call_id, **facts)


def _mend_plain(part: Path) -> int:
    with part.open("r+b") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size_bytes - TAIL_BYTES))
        found = mend(head, file.read(), size_bytes)
        file.seek(0)
        file.write(found.head)
        file.truncate(found.size_bytes)
        file.flush()
        os.fsync(file.fileno())
    return found.duration_ms


def _delete(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
