"""Reading: entries in order, and their personal fields where the key is still there. Checks no hashes."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger.entry import Entry, canonical, parse, tail_of
from sipagent.ledger.journal import segment_path
from sipagent.ledger.keystore import KeyStore
from sipagent.ledger.recover import segment_numbers
from sipagent.ledger.seal import unseal
from sipagent.ledger.verify import chain_folders


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """An entry and the chain that it stands in."""

    chain: str
    entry: Entry


class LedgerReader:
    """All chains of a folder. One thread."""

    def __init__(self, folder: Path, keys: KeyStore | None) -> None:
        """:param keys: ``None``: personal fields stay sealed."""
        self.folder = folder
        self._keys = keys
        self._cache: dict[str, list[bytes]] = {}

    def __repr__(self) -> str:
        return f"LedgerReader({self.folder})"

    @classmethod
    def open(cls, folder: Path) -> "LedgerReader":
        """Read a ledger with its own keys, where this user may read them; writes nothing.

        :raises LedgerError: no ledger.
        """
        chain_folders(folder)
        has_keys = (folder / "keys").is_dir() and (folder / "identity").is_dir()
        return cls(folder, KeyStore(folder / "keys", b"") if has_keys else None)

    def entries(
        self, *, chain: str | None = None, containing: tuple[bytes, ...] = ()
    ) -> Iterator[ChainEntry]:
        """Entries of all chains by their time; lines that are no entries are passed over.

        :param containing: only lines with one of these in them.
        :raises LedgerError: a file cannot be read.
        """
        streams = [
            self._chain(path, containing)
            for path in chain_folders(self.folder)
            if chain is None or path.name == chain
        ]
        return heapq.merge(*streams, key=lambda one: one.entry.at_utc)

    def of_call(self, call_id: str) -> list[ChainEntry]:
        """A call's entries, in order."""
        needle = b'"call":' + canonical(call_id) + b","
        return [one for one in self.entries(containing=(needle,)) if one.entry.call_id == call_id]

    def personal(self, one: ChainEntry) -> dict[str, object] | None:
        """The sealed fields; ``None``: there are none, or nobody has the key any more."""
        entry = one.entry
        if entry.personal is None or self._keys is None:
            return None
        name = entry.call_id or f"day-{entry.at_utc[:10]}-{one.chain}"
        if name not in self._cache:
            if len(self._cache) > 1000:
                self._cache.clear()
            self._cache[name] = [stored.key for stored in self._keys.find(name)]
        for key in self._cache[name]:
            fields = unseal(key, entry.personal, key_name=name, kind=entry.kind)
            if fields is not None:
                return fields
        return None

    def follow(self, is_over: Callable[[], bool], *, pause_s: float = 0.25) -> Iterator[ChainEntry]:
        """What is written from now on, as it comes."""
        offsets = {path: _end_of(path) for path in chain_folders(self.folder)}
        while not is_over():
            for path in chain_folders(self.folder):
                offsets[path], entries = _new_entries(path, offsets.get(path, (1, 0)))
                yield from entries
            time.sleep(pause_s)

    def _chain(self, folder: Path, containing: tuple[bytes, ...]) -> Iterator[ChainEntry]:
        for number in segment_numbers(folder):
            path = segment_path(folder, number)
            try:
                with path.open("rb", buffering=1 << 20) as file:
                    for line in file:
                        if not containing or any(needle in line for needle in containing):
                            yield from _entry_in(folder, line)
            except OSError as exc:
                raise LedgerError(f"{path}: cannot be read: {exc.strerror}") from exc


def _entry_in(folder: Path, line: bytes) -> list[ChainEntry]:
    if tail_of(line.removesuffix(b"\n")) is None:
        return []
    try:
        return [ChainEntry(folder.name, parse(line))]
    except ValueError:
        return []  # changed by somebody: for verify to tell


def _end_of(folder: Path) -> tuple[int, int]:
    numbers = segment_numbers(folder) or [1]
    path = segment_path(folder, numbers[-1])
    return numbers[-1], path.stat().st_size if path.exists() else 0


def _new_entries(folder: Path, position: tuple[int, int]) -> tuple[tuple[int, int], list[ChainEntry]]:
    number, offset = position
    entries = []
    while (path := segment_path(folder, number)).exists():
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                entries += _entry_in(folder, line)
        if not segment_path(folder, number + 1).exists():
            break
        number, offset = number + 1, 0
    return (number, offset), entries
