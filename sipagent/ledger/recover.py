"""Where did the chain stand? Reads the newest segment when a chain is opened, and sets a torn tail aside."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import LedgerDamaged
from sipagent.ledger.chain import ChainState
from sipagent.ledger.clock import utc_of
from sipagent.ledger.entry import Entry, Tail, hash_of, parse, tail_of
from sipagent.ledger.files import sync_folder, write_new
from sipagent.ledger.identity import Head, parse_head
from sipagent.ledger.journal import heads_path, segment_path
from sipagent.ledger.kinds import Kind

_PARSED = frozenset(
    {Kind.CALL_STARTED, Kind.CALL_ENDED, Kind.CALL_REFUSED, Kind.KEY_ROTATED, Kind.CHECKPOINT}
)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A tail that was no entries."""

    file: str
    bytes_: int
    sha256: str

    def body(self) -> dict[str, object]:
        """Body of ``tail.set_aside``."""
        return {"bytes": self.bytes_, "file": self.file, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Recovered:
    """A chain as it was found."""

    state: ChainState | None
    """``None``: it has not begun."""
    set_aside: tuple[SetAside, ...] = ()
    is_clean: bool = True
    """It was closed; nothing crashed."""
    last_utc_ms: int = 0


def segment_numbers(folder: Path) -> list[int]:
    """The segments that are there, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.jsonl") if path.stem.isdecimal())


def read_heads(path: Path) -> list[tuple[int, Head | None]]:
    """(line number, head) of a heads file; ``None``: not readable. A missing file has none."""
    heads: list[tuple[int, Head | None]] = []
    if not path.exists():
        return heads
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line:
            try:
                heads.append((number, parse_head(line.decode())))
            except ValueError:
                heads.append((number, None))
    return heads


def recover(folder: Path) -> Recovered:
    """Find the end of the chain; move what is torn into a ``.torn`` file of its own.

    :raises LedgerDamaged: entries that were signed are gone or changed. :raises OSError: unreadable.
    """
    numbers = segment_numbers(folder)
    set_aside: list[SetAside] = []
    while numbers:
        signed_seq = _newest_signed(folder, numbers)
        number = numbers.pop()
        path = segment_path(folder, number)
        content = path.read_bytes()
        scan = _Scan(number)
        good_bytes = scan.run(content)
        is_unbegun = scan.state is None and not read_heads(heads_path(folder, number))
        if scan.seq < signed_seq and not is_unbegun:
            raise LedgerDamaged(
                f"{path}: entry {scan.seq + 1} at byte {good_bytes} is damaged or gone, but the chain was "
                f"signed up to entry {signed_seq}; run sipagent ledger verify, then move {folder} away as "
                "evidence and start again"
            )
        if good_bytes < len(content):
            set_aside.append(_set_aside(path, content[good_bytes:], good_bytes))
        if scan.state is None:  # the crash came before the file's first entry
            path.unlink()
            continue
        return Recovered(scan.state, tuple(set_aside), scan.is_clean, scan.last_utc_ms)
    return Recovered(None, tuple(set_aside))


def _newest_signed(folder: Path, numbers: list[int]) -> int:
    for number in reversed(numbers):
        seqs = [head.seq for _, head in read_heads(heads_path(folder, number)) if head and head.is_genuine]
        if seqs:
            return max(seqs)
    return 0


def _set_aside(path: Path, rest: bytes, good_bytes: int) -> SetAside:
    count = len(list(path.parent.glob(f"{path.name}.torn-*")))
    torn = path.with_name(f"{path.name}.torn-{count + 1}")
    write_new(torn, rest)
    fd = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(fd, good_bytes)
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(path.parent)
    return SetAside(torn.name, len(rest), hashlib.sha256(rest).hexdigest())


class _Scan:
    """Follows one segment to its last good line."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.state: ChainState | None = None
        self.is_clean = True
        self.last_utc_ms = 0

    @property
    def seq(self) -> int:
        return self.state.seq if self.state else 0

    def run(self, content: bytes) -> int:
        """:returns: bytes up to the end of the last good line."""
        start = 0
        while (end := content.find(b"\n", start)) >= 0:
            line = content[start:end]
            tail = tail_of(line)
            if tail is None or hash_of(line) != tail.sha256 or not self._take(line, tail):
                break
            start = end + 1
        if self.state is not None:
            self.state.segment_bytes = start
            last = parse(content[content.rfind(b"\n", 0, start - 1) + 1 : start - 1])
            self.last_utc_ms = utc_of(last.at_utc)
        return start

    def _take(self, line: bytes, tail: Tail) -> bool:
        if self.state is None:
            return tail.kind == Kind.SEGMENT_OPENED and self._begin(parse(line), tail)
        state = self.state
        if tail.seq != state.seq + 1 or tail.prev != state.sha256 or state.is_sealed:
            return False
        state.seq, state.sha256 = tail.seq, tail.sha256
        state.since_checkpoint += 1
        self.is_clean = False
        state.is_sealed = tail.kind == Kind.SEGMENT_SEALED
        if tail.kind in _PARSED:
            self._follow(parse(line))
        return True

    def _begin(self, entry: Entry, tail: Tail) -> bool:
        body = entry.body
        calls = body.get("open_calls")
        if body.get("segment") != self._number or not isinstance(calls, list):
            return False
        self.state = ChainState(
            name=str(body.get("chain")),
            instance=str(body.get("instance")),
            chain_id=str(body.get("chain_id")),
            key=str(body.get("key")),
            seq=tail.seq,
            sha256=tail.sha256,
            segment=self._number,
            segment_first_seq=tail.seq,
            segment_day=entry.at_utc[:10],
            open_calls=dict.fromkeys(map(str, calls)),
            since_checkpoint=1,
        )
        self.is_clean = False
        return True

    def _follow(self, entry: Entry) -> None:
        assert self.state is not None
        calls = self.state.open_calls
        match entry.kind:
            case Kind.CALL_STARTED if entry.call_id is not None:
                calls[entry.call_id] = None
            case Kind.CALL_ENDED | Kind.CALL_REFUSED if entry.call_id is not None:
                calls.pop(entry.call_id, None)
            case Kind.KEY_ROTATED:
                self.state.key = str(entry.body.get("new_key"))
            case Kind.CHECKPOINT:
                self.state.since_checkpoint = 0
                self.is_clean = entry.body.get("reason") == "closed"
