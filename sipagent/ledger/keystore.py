"""The calls' keys, apart from the chain: to destroy one is to forget that call's personal fields.

``DIR/keys/2026-11-22/<name>.<random>.key``, one small JSON file for each key. ``name`` is a hash of the
call's id (the recordings' files bear it, too); the parties are listed as HMACs of their numbers under a local
secret, so that the store itself tells nobody who called.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger.files import destroy, private_folder, sync_folder, write_new

LOOKUP_NAME = "lookup.key"


def normal_number(text: str) -> str:
    """What is the same about the ways to write a party: digits for numbers, lower case for names.

    ``+1 (555) 010-0123``, ``tel:+15550100123``, ``sip:+15550100123@example.net;user=phone`` and
    ``0015550100123`` are one.
    """
    user = text.strip().strip("<>")
    scheme, colon, rest = user.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        user = rest
    user = user.partition("@")[0].partition(";")[0].strip().lower()
    bare = user.translate(str.maketrans("", "", " -().\t/"))
    digits = bare.removeprefix("+")
    if digits.isdecimal() and digits.isascii():
        return digits.removeprefix("00") or digits
    return user


def file_name_of(key_name: str) -> str:
    """How the files of a call begin: 32 hexadecimal digits that do not show its id."""
    return hashlib.sha256(key_name.encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key."""

    name: str
    """The call's id, or ``day-<date>-<chain>`` for what belongs to no call."""
    key: bytes
    at_utc: str
    parties: tuple[str, ...] = ()
    """HMACs of the parties' numbers."""

    def __repr__(self) -> str:
        return f"StoredKey({self.name}, {self.at_utc})"


class KeyStore:
    """Folder of keys. Any thread; several processes at a time."""

    def __init__(self, folder: Path, lookup_secret: bytes) -> None:
        self.folder = folder
        self._secret = lookup_secret

    def __repr__(self) -> str:
        return f"KeyStore({self.folder})"

    @classmethod
    def open(cls, folder: Path, identity_folder: Path) -> "KeyStore":
        """Use the folder; make it and the lookup secret where they do not exist.

        :raises LedgerError: they cannot be read or made.
        """
        path = identity_folder / LOOKUP_NAME
        try:
            private_folder(folder)
            if not path.exists():
                private_folder(identity_folder)
                with contextlib.suppress(FileExistsError):
                    write_new(path, os.urandom(32))
            secret = path.read_bytes()
        except OSError as exc:
            raise LedgerError(
                f"{exc.filename or path}: the key store cannot be used: {exc.strerror}"
            ) from exc
        if len(secret) != 32:
            raise LedgerError(f"{path}: expected 32 bytes, got {len(secret)}; restore it from the backup")
        return cls(folder, secret)

    def party(self, number: str) -> str:
        """The HMAC under which a party's calls are found."""
        return hmac.new(self._secret, normal_number(number).encode(), "sha256").hexdigest()

    def save(self, key: StoredKey) -> None:
        """Keep a key, durably.

        :raises OSError: the disk does not take it.
        """
        day = self.folder / key.at_utc[:10]
        if not day.is_dir():
            private_folder(day)
            sync_folder(self.folder)
        record = {
            "at_utc": key.at_utc,
            "key": base64.b64encode(key.key).decode(),
            "name": key.name,
            "parties": list(key.parties),
        }
        path = day / f"{file_name_of(key.name)}.{os.urandom(4).hex()}.key"
        write_new(path, json.dumps(record).encode() + b"\n")

    def find(self, name: str) -> list[StoredKey]:
        """The keys of a call: none (forgotten or never sealed), one, or several after an id came twice."""
        paths = self.folder.glob(f"*/{file_name_of(name)}.*.key")
        return [key for key in map(_read, sorted(paths)) if key is not None and key.name == name]

    def names_of(self, party: str) -> list[str]:
        """The calls that a number or name took part in and that are not forgotten yet."""
        wanted = self.party(party)
        return [key.name for key in self.all() if wanted in key.parties]

    def names_before(self, at_utc: str) -> list[str]:
        """Calls, and days of what belongs to no call, whose keys were made before then."""
        days = [day for day in sorted(self.folder.glob("*")) if day.name <= at_utc[:10]]
        keys = (_read(path) for day in days for path in sorted(day.glob("*.key")))
        return [key.name for key in keys if key is not None and key.at_utc < at_utc]

    def all(self) -> Iterator[StoredKey]:
        """Every key, day by day."""
        keys = map(_read, sorted(self.folder.glob("*/*.key")))
        return (key for key in keys if key is not None)


def destroy_files(paths: Iterable[Path]) -> int:
    """Destroy files and make it durable.

    :returns: how many there were.
    """
    folders: set[Path] = set()
    count = 0
    for path in paths:
        count += destroy(path)
        folders.add(path.parent)
    for folder in folders:
        sync_folder(folder)
        with contextlib.suppress(OSError):
            folder.rmdir()  # the day's folder goes with its last file
    return count


def _read(path: Path) -> StoredKey | None:
    try:
        record = json.loads(path.read_bytes())
        key = base64.b64decode(record["key"], validate=True)
        return StoredKey(record["name"], key, record["at_utc"], tuple(record["parties"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # destroyed at this moment, or cut short by a full disk
