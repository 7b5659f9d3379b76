"""Checks one chain: links, signatures, heads, calls. Streams; one segment line in memory at a time."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sipagent.ledger.entry import MAX_LINE_BYTES, Tail, hash_of, parse, tail_of
from sipagent.ledger.findings import Fault, Finding, Place
from sipagent.ledger.follow import Follower
from sipagent.ledger.identity import Head, head_statement, succession_statement, verifies
from sipagent.ledger.journal import heads_path, segment_path
from sipagent.ledger.kinds import SIGNED, Kind
from sipagent.ledger.recover import read_heads, segment_numbers

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that the chain names."""

    chain: str
    place: Place
    seq: int
    call_id: str
    file: str
    sha256: str


@dataclass(slots=True)
class ChainResult:
    """What was found out about one chain."""

    chain: str
    chain_id: str = ""
    entries: int = 0
    bytes_: int = 0
    last_seq: int = 0
    last_sha256: str = ""
    signed_seq: int = 0
    """The last entry that a signature covers."""
    key: str = ""
    signers: set[str] = field(default_factory=set)
    rotations: list[tuple[str, str]] = field(default_factory=list)
    """(old key, new key), each signed by both."""
    is_live: bool = False
    """A process has it open."""
    is_closed: bool = False
    """Its last entry closes it."""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    """Calls that were forgotten, and files of recordings that were deleted; only what is signed excuses."""
    calls: int = 0


def is_live(folder: Path) -> bool:
    """Does a process have the chain open?"""
    try:
        fd = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


class ChainCheck:
    """One pass over a chain. ``run`` once."""

    def __init__(self, folder: Path, outside_heads: Sequence[Head], on_bytes: Callable[[int], None]) -> None:
        self._folder = folder
        self._outside = outside_heads
        self._on_bytes = on_bytes
        self._result = ChainResult(folder.name)
        self._follow = Follower(folder.name)
        self._heads: dict[int, list[tuple[Head, Place]]] = {}
        self._checkpoints: list[int] = []
        self._open_calls: dict[str, tuple[Place, int]] = {}
        self._set_aside: dict[str, tuple[str, Place, int]] = {}
        self._erasing: dict[str, tuple[Place, int]] = {}
        self._erased_at: dict[str, int] = {}
        self._at = Place()
        self._by_kind: dict[str, Callable[[bytes, Tail], None]] = {
            Kind.SEGMENT_OPENED: self._opened,
            Kind.CHECKPOINT: self._signed,
            Kind.SEGMENT_SEALED: self._signed,
            Kind.KEY_ROTATED: self._rotated,
            Kind.CALL_STARTED: self._call_started,
            Kind.CALL_ENDED: self._call_ended,
            Kind.CALL_REFUSED: self._call_ended,
            Kind.SERVER_CRASHED: self._crashed,
            Kind.RECORDING_CLOSED: self._recording,
            Kind.LEDGER_ERASING: self._erasing_begun,
            Kind.LEDGER_ERASED: self._erased,
            Kind.TAIL_SET_ASIDE: self._aside,
        }
        assert set(self._by_kind) > SIGNED

    def run(self) -> ChainResult:
        """Read everything. :raises OSError: a file cannot be read."""
        result = self._result
        result.is_live = is_live(self._folder)
        numbers = segment_numbers(self._folder)
        heads_before = [(n, *head) for n in numbers for head in read_heads(heads_path(self._folder, n))]
        for number, line, head in heads_before:
            self._head(head, Place(number, line))
        for number in numbers:
            self._segment(number, is_first=number == numbers[0], is_last=number == numbers[-1])
        self._follow.finish()
        result.findings += self._follow.findings
        result.last_seq, result.last_sha256 = self._follow.seq, self._follow.sha256
        self._check_outside()
        self._check_tail()
        signed_seq = result.last_seq if result.is_live else result.signed_seq
        result.erased = {name for name, seq in self._erased_at.items() if seq <= signed_seq}
        self._check_calls()
        self._check_set_aside()
        return result

    # --- lines ---

    def _segment(self, number: int, *, is_first: bool, is_last: bool) -> None:
        path = segment_path(self._folder, number)
        result, follow = self._result, self._follow
        with path.open("rb", buffering=_READ_BYTES) as file:
            line_number = 0
            while raw := file.readline(MAX_LINE_BYTES):
                line_number += 1
                result.bytes_ += len(raw)
                if not line_number % 4096:
                    self._on_bytes(result.bytes_)
                place = Place(number, line_number)
                line = raw[:-1] if raw.endswith(b"\n") else raw
                tail = tail_of(line)
                if tail is None or (own := hash_of(line)) != tail.sha256:
                    self._broken(raw, place, () if tail is None else (own, tail.sha256), is_last=is_last)
                    continue
                if line_number == 1 and tail.kind != Kind.SEGMENT_OPENED:
                    self._find(Fault.REORDERED, place, tail.seq, "the file does not begin with its opening")
                if is_first and line_number == 1 and tail.seq > 1:
                    self._begin_at(tail, number)
                if line is raw:
                    self._unterminated(place, tail.seq, is_last=is_last)
                if follow.entry(tail, place):
                    self._entry(line, tail, place)

    def _entry(self, line: bytes, tail: Tail, place: Place) -> None:
        self._result.entries += 1
        self._result.is_closed = False
        check = self._by_kind.get(tail.kind)
        if check is not None:
            self._at = place
            try:
                check(line, tail)
            except (
                ValueError,
                TypeError,
                RecursionError,
            ) as exc:  # a hash that fits says nothing of the JSON
                text = f"entry {tail.seq} cannot be read, though its hash fits: {exc}"
                self._find(Fault.CHANGED, place, tail.seq, text)
        if tail.seq in self._heads:
            self._compare(tail, place)

    def _broken(self, raw: bytes, place: Place, hashes: tuple[str, ...], *, is_last: bool) -> None:
        if not raw.endswith(b"\n") and len(raw) < MAX_LINE_BYTES:
            self._unterminated(place, None, is_last=is_last)
        else:
            self._follow.broken(place, hashes)

    def _unterminated(self, place: Place, seq: int | None, *, is_last: bool) -> None:
        if is_last and self._result.is_live:
            self._result.notes.append(f"{place}: the last line is being written")
        else:
            self._find(Fault.TORN_TAIL, place, seq, "the line has no end: a crash, or the file was cut")

    def _begin_at(self, tail: Tail, number: int) -> None:
        self._follow.begin_at(tail)
        text = f"entries 1 to {tail.seq - 1} are not here (segments 1 to {number - 1})"
        self._find(Fault.REMOVED, Place(number, 1), 1, text)

    # --- what entries say ---

    def _opened(self, line: bytes, tail: Tail) -> None:
        body = parse(line).body
        chain_id, key = str(body.get("chain_id")), str(body.get("key"))
        if self._at.line != 1 or body.get("segment") != self._at.segment:
            text = f"the opening of segment {body.get('segment')} does not belong here"
            self._find(Fault.REORDERED, self._at, tail.seq, text)
        if not self._result.chain_id:
            self._result.chain_id, self._result.key = chain_id, key
            if body.get("chain") != self._folder.name:
                text = f"this is the chain {body.get('chain')} in a folder of another name"
                self._find(Fault.REORDERED, self._at, tail.seq, text)
            calls = body.get("open_calls")
            self._open_calls = dict.fromkeys(calls if isinstance(calls, list) else [], (self._at, tail.seq))
            for head in self._outside:
                if head.chain_id == chain_id:
                    self._heads.setdefault(head.seq, []).append((head, Place()))
        elif chain_id != self._result.chain_id:
            self._find(Fault.INSERTED, self._at, tail.seq, f"this segment is of another chain, {chain_id}")
        elif key != self._result.key:
            self._foreign(tail.seq, key)

    def _signed(self, line: bytes, tail: Tail) -> None:
        body, result = parse(line).body, self._result
        key = str(body.get("key"))
        if key != result.key:
            self._foreign(tail.seq, key)
            return
        statement = head_statement(result.chain_id, tail.seq - 1, tail.prev)
        if not verifies(key, str(body.get("signature")), statement):
            first = result.signed_seq + 1
            text = f"the signature in entry {tail.seq} does not fit: entries from {first} on were rewritten"
            self._find(Fault.REWRITTEN, self._at, tail.seq, text)
            return
        result.signers.add(key)
        result.signed_seq = max(result.signed_seq, tail.seq - 1)
        result.is_closed = body.get("reason") == "closed"
        self._checkpoints.append(tail.seq)

    def _rotated(self, line: bytes, tail: Tail) -> None:
        body, result = parse(line).body, self._result
        old, new = str(body.get("old_key")), str(body.get("new_key"))
        statement = succession_statement(old, new)
        is_signed = verifies(old, str(body.get("signature")), statement)
        if old != result.key or not is_signed or not verifies(new, str(body.get("confirmation")), statement):
            self._foreign(tail.seq, new)
        else:
            result.key = new
            result.rotations.append((old, new))

    def _foreign(self, seq: int, key: str) -> None:
        text = f"entry {seq} is signed by {key[:16]}…, the chain's key is {self._result.key[:16]}…"
        self._find(Fault.FOREIGN_SIGNATURE, self._at, seq, text)

    def _call_started(self, line: bytes, tail: Tail) -> None:
        call_id = parse(line).call_id or ""
        self._result.calls += 1
        if call_id in self._open_calls:
            self._find(Fault.CALL_GAP, self._at, tail.seq, f"call {call_id} starts a second time")
        self._open_calls[call_id] = (self._at, tail.seq)

    def _call_ended(self, line: bytes, tail: Tail) -> None:
        call_id = parse(line).call_id or ""
        if self._open_calls.pop(call_id, None) is None and tail.kind == Kind.CALL_ENDED:
            self._find(Fault.CALL_GAP, self._at, tail.seq, f"call {call_id} ends and never started")

    def _crashed(self, line: bytes, tail: Tail) -> None:
        calls = parse(line).body.get("open_calls")
        for call_id in calls if isinstance(calls, list) else []:
            self._open_calls.pop(call_id, None)

    def _recording(self, line: bytes, tail: Tail) -> None:
        entry = parse(line)
        file, sha256 = str(entry.body.get("file")), str(entry.body.get("sha256"))
        one = Recording(self._folder.name, self._at, tail.seq, entry.call_id or "", file, sha256)
        self._result.recordings.append(one)

    def _erasing_begun(self, line: bytes, tail: Tail) -> None:
        body = parse(line).body
        for names in (body.get("calls"), body.get("files")):
            self._erased_at |= dict.fromkeys(names if isinstance(names, list) else [], tail.seq)
        self._erasing[str(body.get("erasure"))] = (self._at, tail.seq)

    def _erased(self, line: bytes, tail: Tail) -> None:
        self._erasing.pop(str(parse(line).body.get("erasure")), None)

    def _aside(self, line: bytes, tail: Tail) -> None:
        body = parse(line).body
        self._set_aside[str(body.get("file"))] = (str(body.get("sha256")), self._at, tail.seq)

    # --- heads and ends ---

    def _head(self, head: Head | None, place: Place) -> None:
        if head is None or not head.is_genuine:
            file = heads_path(self._folder, place.segment).name
            self._find(Fault.CHANGED, place, None, f"{file}: line {place.line} is no genuine head")
        else:
            self._heads.setdefault(head.seq, []).append((head, place))

    def _compare(self, tail: Tail, place: Place) -> None:
        for head, _ in self._heads[tail.seq]:
            if head.sha256 != tail.sha256:
                text = f"entry {tail.seq} is not the one that a signed head names"
                self._find(Fault.REWRITTEN, place, tail.seq, text)
                return

    def _check_outside(self) -> None:
        result = self._result
        known = {result.key, *result.signers}
        for entries in self._heads.values():
            for head, place in entries:
                if head.chain_id != result.chain_id or head.key not in known:
                    text = f"a head for entry {head.seq} is signed by {head.key[:16]}…, no key of this chain"
                    self._find(Fault.FOREIGN_SIGNATURE, place, head.seq, text)
        genuine = [seq for seq, entries in self._heads.items() if entries[0][0].key in known]
        newest = max(genuine, default=0)
        if newest > result.last_seq:
            text = f"the chain ends at entry {result.last_seq}, a signed head names entry {newest}"
            self._find(Fault.CUT_TAIL, Place(*self._last_place()), result.last_seq + 1, text)
        result.signed_seq = max(result.signed_seq, min(newest, result.last_seq))
        due = self._checkpoints if result.is_closed else self._checkpoints[:-1]
        if due and newest < due[-1] and not result.is_live:
            text = f"the chain has a checkpoint at entry {due[-1]}, its newest head is for {newest or 'none'}"
            self._find(Fault.CUT_HEADS, Place(*self._last_place()), due[-1], text)

    def _last_place(self) -> tuple[int, int]:
        numbers = segment_numbers(self._folder)
        return (numbers[-1] if numbers else 0), 0

    def _check_tail(self) -> None:
        result = self._result
        unsigned = result.last_seq - result.signed_seq
        if unsigned > 1 or (unsigned == 1 and not result.is_closed):
            result.notes.append(f"{result.chain}: the last {unsigned} entries are not signed yet")
        if not result.is_closed and not result.is_live:
            result.notes.append(f"{result.chain}: was not closed: its process crashed, or the end was cut")

    def _check_calls(self) -> None:
        result = self._result
        for call_id, (place, seq) in self._open_calls.items():
            if result.is_live:
                result.notes.append(f"{result.chain}: call {call_id} is in progress")
            else:
                self._find(Fault.CALL_GAP, place, seq, f"call {call_id} starts and never ends")
        for erasure, (place, seq) in self._erasing.items():
            if not result.is_live:
                text = f"erasure {erasure} was begun and not finished: run sipagent ledger retain"
                self._find(Fault.UNFINISHED_ERASURE, place, seq, text)

    def _check_set_aside(self) -> None:
        for path in sorted(self._folder.glob("*.torn-*")):
            sha256, place, seq = self._set_aside.get(path.name, ("", Place(), None))
            if not sha256:
                self._result.notes.append(f"{self._result.chain}/{path.name}: set aside and not recorded")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                text = f"{path.name} is not what was set aside"
                self._find(Fault.CHANGED, place, seq, text)

    def _find(self, fault: Fault, place: Place, seq: int | None, text: str) -> None:
        self._result.findings.append(Finding(fault, self._result.chain, place, seq, text))
