"""Follows a chain link by link and tells what kind of edit a broken link is.

The *main path* is the run of entries that link to each other. A whole entry that does not link is a *stray*
until a later entry links to it (then the path goes on there and what lies between is a gap), or until the end
(then its place in the path tells whether it is a copy, an intruder or out of order). Lines that are no whole
entries wait as *unknown*: a gap of the same size names them. Memory: 16 bytes for each entry.
"""

from array import array
from dataclasses import dataclass, field

from sipagent.ledger.entry import ZERO, Tail
from sipagent.ledger.findings import Fault, Finding, Place

_MAX_STRAYS = 10_000
_SEGMENT_SHIFT = 40
_GAP_MAX_SLOTS = 1_000_000


@dataclass(slots=True)
class _Unknown:
    place: Place
    hashes: tuple[str, ...]
    """What the next entry may name as its predecessor; empty: cannot be told."""


@dataclass(slots=True)
class _Gap:
    first: int
    last: int
    place: Place
    """Of the entry behind it."""
    unknown: list[_Unknown]
    filled: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Stray:
    tail: Tail
    place: Place


class Follower:
    """One chain's links. Feed every line in order, then ``finish``."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.seq = 0
        self.sha256 = ZERO
        self.findings: list[Finding] = []
        self._base = 0
        self._place = Place()
        self._hashes = array("Q")
        self._lines = array("Q")
        self._unknown: list[_Unknown] = []
        self._gaps: list[_Gap] = []
        self._strays: dict[str, _Stray] = {}

    def begin_at(self, tail: Tail) -> None:
        """The chain's beginning is not here: take this entry's word for what was before it."""
        self.seq, self.sha256 = tail.seq - 1, tail.prev
        self._base = self.seq

    def broken(self, place: Place, hashes: tuple[str, ...] = ()) -> None:
        """A line that is no whole entry."""
        self._unknown.append(_Unknown(place, hashes))

    def entry(self, tail: Tail, place: Place) -> bool:
        """A line whose own hash fits.

        :returns: False where it is a copy of an earlier one.
        """
        if tail.seq == self.seq + 1 and tail.prev == self.sha256:
            self._intrude()
            self._advance(tail, place)
            return True
        if self._follows_unknown(tail):
            for index, unknown in enumerate(self._unknown):
                self._changed(self.seq + 1 + index, unknown.place)
            self._skip_to(tail.seq - 1)
            self._unknown.clear()
            self._advance(tail, place)
            return True
        if self._has(tail):
            self._find(Fault.DUPLICATED, place, tail.seq, f"entry {tail.seq} is here a second time")
            return False
        before = self._strays.pop(tail.prev, None)
        if before is not None and before.tail.seq == tail.seq - 1:
            self._adopt(before)
            self._advance(tail, place)
        elif len(self._strays) < _MAX_STRAYS:
            self._strays[tail.sha256] = _Stray(tail, place)
        return True

    def finish(self) -> None:
        """The chain is over: name what is left."""
        ahead = [stray for stray in self._strays.values() if stray.tail.seq > self.seq]
        for stray in sorted(ahead, key=lambda one: one.tail.seq):
            if stray.place > self._place:
                del self._strays[stray.tail.sha256]
                self._adopt(stray)
        for index, unknown in enumerate(self._unknown):
            self._changed(self.seq + 1 + index, unknown.place)
        self._unknown.clear()
        for stray in self._strays.values():
            self._name(stray)
        for gap in self._gaps:
            self._name_gap(gap)

    def _follows_unknown(self, tail: Tail) -> bool:
        if not self._unknown or tail.seq != self.seq + 1 + len(self._unknown):
            return False
        hashes = self._unknown[-1].hashes
        return not hashes or tail.prev in hashes

    def _has(self, tail: Tail) -> bool:
        index = tail.seq - self._base - 1
        return 0 <= index < len(self._hashes) and self._hashes[index] == int(tail.sha256[:16], 16)

    def _advance(self, tail: Tail, place: Place) -> None:
        self.seq, self.sha256, self._place = tail.seq, tail.sha256, place
        self._hashes.append(int(tail.sha256[:16], 16))
        self._lines.append(place.segment << _SEGMENT_SHIFT | place.line)

    def _skip_to(self, seq: int) -> None:
        """Entries up to ``seq`` are not known."""
        count = seq - self.seq
        if 0 < count <= _GAP_MAX_SLOTS:
            self._hashes.extend([0] * count)
            self._lines.extend([0] * count)
        elif count > 0:
            self._hashes, self._lines, self._base = array("Q"), array("Q"), seq
        self.seq = seq

    def _adopt(self, stray: _Stray) -> None:
        """The path goes on at a stray."""
        tail = stray.tail
        if tail.seq <= self.seq:
            self._fork(tail.seq)
        elif tail.seq > self.seq + 1:
            self._gaps.append(_Gap(self.seq + 1, tail.seq - 1, stray.place, self._unknown))
            self._unknown = []
            self._skip_to(tail.seq - 1)
        elif tail.prev != self.sha256:
            text = f"entry {self.seq} is not the one that entry {tail.seq} was written behind"
            self._find(Fault.REWRITTEN, self._place, self.seq, text)
        self._intrude()
        if stray.place < self._place:
            self._find(
                Fault.REORDERED, stray.place, tail.seq, f"entry {tail.seq} stands before entry {self.seq}"
            )
        self._advance(tail, stray.place)

    def _fork(self, seq: int) -> None:
        """What was taken for entry ``seq`` and those behind it are intruders."""
        keep = max(0, seq - self._base - 1)
        for offset, packed in enumerate(self._lines[keep:]):
            place = Place(packed >> _SEGMENT_SHIFT, packed & ((1 << _SEGMENT_SHIFT) - 1))
            if packed:
                self._find(
                    Fault.INSERTED,
                    place,
                    seq + offset,
                    f"a second entry {seq + offset}, no part of the chain",
                )
        del self._hashes[keep:], self._lines[keep:]
        self.seq = seq - 1

    def _intrude(self) -> None:
        """The path goes on without a gap: lines between that are no entries were never in it."""
        for unknown in self._unknown:
            text = f"a line behind entry {self.seq} that is no entry of the chain"
            self._find(Fault.INSERTED, unknown.place, None, text)
        self._unknown.clear()

    def _name(self, stray: _Stray) -> None:
        seq = stray.tail.seq
        gap = next((gap for gap in self._gaps if gap.first <= seq <= gap.last), None)
        if gap is not None and seq not in gap.filled:
            gap.filled.add(seq)
            self._find(Fault.REORDERED, stray.place, seq, f"entry {seq} is not in its place")
        else:
            self._find(Fault.INSERTED, stray.place, seq, f"a second entry {seq}, no part of the chain")

    def _name_gap(self, gap: _Gap) -> None:
        unknown = iter(gap.unknown)
        start = gap.first
        for seq in [*sorted(gap.filled), gap.last + 1]:
            while start < seq and (line := next(unknown, None)) is not None:
                self._changed(start, line.place)
                start += 1
            if start < seq:
                what = f"entry {start} is" if start == seq - 1 else f"entries {start} to {seq - 1} are"
                text = f"{what} gone, before entry {gap.last + 1}"
                self._find(Fault.REMOVED, gap.place, start, text)
            start = seq + 1
        for line in unknown:
            self._find(Fault.INSERTED, line.place, None, "a line that is no entry of the chain")

    def _changed(self, seq: int, place: Place) -> None:
        self._find(Fault.CHANGED, place, seq, f"entry {seq} does not fit its hash")

    def _find(self, fault: Fault, place: Place, seq: int | None, text: str) -> None:
        self.findings.append(Finding(fault, self.chain, place, seq, text))
