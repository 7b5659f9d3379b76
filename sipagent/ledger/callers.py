"""What is remembered of callers from one call to the next, sealed and forgettable.

``DIR/callers/<id>.notes`` holds one caller's notes, sealed as the personal fields of calls are, and
``DIR/callers/keys/<id>.key`` the key of this caller alone: to destroy it is to forget the caller. ``id`` is
an HMAC of the number under the store's local secret, so that the folder tells nobody who called.
"""

import base64
import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger.clock import Clock, SystemClock, utc_text
from sipagent.ledger.entry import canonical
from sipagent.ledger.files import destroy, private_folder, replace_with, sync_folder, write_new
from sipagent.ledger.keystore import KeyStore
from sipagent.ledger.seal import new_key, seal, unseal

FOLDER = "callers"
MOST_NOTES = 24
"""Of one caller; the oldest go."""
LONGEST_CHARS = 500
KEY = re.compile(r"[a-z][a-z0-9_]{0,30}")
_KIND = "caller.notes"
_ID_DIGITS = 32
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class _Key:
    """One caller's key, with what forgetting by age needs to know."""

    key: bytes
    at_utc: str
    """When something was last remembered."""
    keep_days: int


class CallerMemory:
    """Notes on callers. Any thread; several processes at a time. Waits for the disk."""

    def __init__(self, folder: Path, numbers: KeyStore, *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._numbers = numbers
        self._clock = clock or SystemClock()

    def __repr__(self) -> str:
        return f"CallerMemory({self._folder})"

    @classmethod
    def of(cls, ledger_folder: Path, numbers: KeyStore, *, clock: Clock | None = None) -> "CallerMemory":
        """That of a ledger; nothing is made before something is remembered."""
        return cls(ledger_folder / FOLDER, numbers, clock=clock)

    @property
    def exists(self) -> bool:
        """Something has ever been remembered."""
        return self._folder.is_dir()

    def recall(self, caller: str) -> dict[str, str]:
        """The caller's notes, oldest first; empty for a stranger and for one who is due to be forgotten.

        :raises LedgerError: the folder cannot be read.
        """
        name = self.id_of(caller)
        try:
            key = self._key(name)
            if key is None or _is_due(key, self._clock.utc_ms()):
                return {}
            return self._notes(name, key)
        except OSError as exc:
            raise LedgerError(f"{self._folder}: callers cannot be recalled: {exc.strerror}") from exc

    def remember(self, caller: str, notes: Mapping[str, str], *, keep_days: int) -> None:
        """Keep notes on a caller beside those that are there; an empty value takes a note away.

        :param caller: number or name; all ways to write a number are one.
        :param keep_days: for so long after the last note; then the caller is forgotten.
        :raises LedgerError: no caller, a note that is no ``[a-z][a-z0-9_]*`` and a line of text, or the disk
            does not take it.
        """
        _check(caller, notes)
        name = self.id_of(caller)
        try:
            with self._locked():
                key = self._key(name)
                known = {} if key is None or _is_due(key, self._clock.utc_ms()) else self._notes(name, key)
                merged = {k: v for k, v in known.items() if k not in notes} | {
                    k: v for k, v in notes.items() if v
                }
                kept = dict(list(merged.items())[-MOST_NOTES:])
                secret = key.key if key is not None else new_key()
                self._save_key(name, _Key(secret, utc_text(self._clock.utc_ms()), keep_days))
                fields = canonical({"notes": [[k, v] for k, v in kept.items()]})
                sealed = seal(secret, fields, key_name=name, kind=_KIND)
                replace_with(self._folder / f"{name}.notes", sealed.encode() + b"\n")
        except OSError as exc:
            raise LedgerError(f"{self._folder}: a caller cannot be remembered: {exc.strerror}") from exc

    def id_of(self, caller: str) -> str:
        """Under what a caller is kept; says nothing without the store's secret."""
        return self._numbers.party(caller)[:_ID_DIGITS]

    def knows(self, caller: str) -> bool:
        """There is something to forget."""
        return bool(self._files(self.id_of(caller)))

    def due(self, now_utc_ms: int, before_utc: str | None = None) -> list[str]:
        """Ids of callers who have not called for their days, or for whom nothing was noted since a day.

        :raises OSError: the folder cannot be read.
        """
        names = sorted({path.stem for path in self._folder.glob("keys/*.key")})
        keys = ((name, self._key(name)) for name in names)
        stray = {path.stem for path in self._folder.glob("*.notes")} - set(names)
        return sorted(
            {name for name, key in keys if key is None or _is_due(key, now_utc_ms, before_utc)} | stray
        )

    def destroy(self, names: Sequence[str]) -> int:
        """Destroy what is kept under these ids, keys first.

        :returns: how many callers that were.
        :raises OSError: something cannot be destroyed.
        """
        if not names or not self.exists:
            return 0
        count = 0
        with self._locked():
            for name in names:
                files = self._files(name)
                for path in files:
                    destroy(path)
                count += bool(files)
            for folder in (self._folder / "keys", self._folder):
                if folder.is_dir():
                    sync_folder(folder)
        return count

    def _files(self, name: str) -> list[Path]:
        paths = (self._folder / "keys" / f"{name}.key", self._folder / f"{name}.notes")
        return [path for path in paths if re.fullmatch(r"[0-9a-f]+", name) and path.is_file()]

    def _notes(self, name: str, key: _Key) -> dict[str, str]:
        try:
            sealed = (self._folder / f"{name}.notes").read_text(encoding="ascii")
            fields = unseal(key.key, sealed, key_name=name, kind=_KIND)
        except (FileNotFoundError, ValueError):
            return {}
        notes = fields.get("notes") if fields else None
        return {str(k): str(v) for k, v in notes} if isinstance(notes, list) else {}

    def _key(self, name: str) -> _Key | None:
        """None: there is none, or it is not whole."""
        try:
            record = json.loads((self._folder / "keys" / f"{name}.key").read_bytes())
            key = base64.b64decode(record["key"], validate=True)
            return _Key(key, str(record["at_utc"]), int(record["keep_days"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _save_key(self, name: str, key: _Key) -> None:
        path = self._folder / "keys" / f"{name}.key"
        record = {
            "at_utc": key.at_utc,
            "keep_days": key.keep_days,
            "key": base64.b64encode(key.key).decode(),
        }
        private_folder(path.parent)
        content = json.dumps(record).encode() + b"\n"
        if path.exists():
            replace_with(path, content)
        else:
            write_new(path, content)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process and thread at a time changes the folder."""
        private_folder(self._folder)
        fd = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)


def _is_due(key: _Key, now_utc_ms: int, before_utc: str | None = None) -> bool:
    kept_since = utc_text(now_utc_ms - key.keep_days * _DAY_MS)
    return key.at_utc < kept_since or (before_utc is not None and key.at_utc < before_utc)


def _check(caller: str, notes: Mapping[str, str]) -> None:
    if not caller.strip():
        raise LedgerError("a caller without a number cannot be remembered")
    for key, value in notes.items():
        if not KEY.fullmatch(key):
            raise LedgerError(f"a note is named like dentist_of_choice, got {key!r}")
        if len(value) > LONGEST_CHARS or not value.isprintable():
            raise LedgerError(f"note {key}: expected one line of at most {LONGEST_CHARS} characters")
