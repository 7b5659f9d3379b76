"""What a verification can find: each thing has a name, a place and a verdict that it spoils."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a chain."""

    segment: int = 0
    line: int = 0
    """From 1; 0: the whole file."""

    def __str__(self) -> str:
        if not self.segment:
            return "-"
        return f"{self.segment:08d}.jsonl" + (f":{self.line}" if self.line else "")


class Verdict(Enum):
    """What a finding speaks against."""

    INTEGRITY = "integrity"
    """What is there is what was written."""
    COMPLETENESS = "completeness"
    """Nothing that was written is missing."""


class Fault(Enum):
    """The names of the findings."""

    CHANGED = "changed"
    """Bytes of an entry, a head or a set-aside file differ from their hash."""
    REWRITTEN = "rewritten"
    """Entries were replaced and their hashes made anew: a link, signature or head does not fit."""
    INSERTED = "inserted"
    """An entry that the chain never had."""
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    FOREIGN_SIGNATURE = "foreign_signature"
    """Signed, but not by the key that the chain (or the auditor) trusts."""
    REPLACED_RECORDING = "replaced_recording"
    REMOVED = "removed"
    """Entries within the chain are gone."""
    CUT_TAIL = "cut_tail"
    """Signed heads name entries behind the last one."""
    TORN_TAIL = "torn_tail"
    """The last line has no end: a crash, or a cut."""
    CUT_HEADS = "cut_heads"
    """The chain has checkpoints whose heads are gone."""
    CALL_GAP = "call_gap"
    """A call without its start or its end."""
    MISSING_RECORDING = "missing_recording"
    UNFINISHED_ERASURE = "unfinished_erasure"
    UNKNOWN_HEAD = "unknown_head"
    """A head from outside names a chain that is not here."""

    @property
    def verdict(self) -> Verdict:
        """What it speaks against."""
        return Verdict.COMPLETENESS if self in _COMPLETENESS else Verdict.INTEGRITY


_COMPLETENESS = frozenset(
    {
        Fault.REMOVED,
        Fault.CUT_TAIL,
        Fault.TORN_TAIL,
        Fault.CUT_HEADS,
        Fault.CALL_GAP,
        Fault.MISSING_RECORDING,
        Fault.UNFINISHED_ERASURE,
        Fault.UNKNOWN_HEAD,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    fault: Fault
    chain: str
    place: Place
    seq: int | None
    """The first entry concerned."""
    text: str

    def __str__(self) -> str:
        return f"{self.fault.value}: {self.chain}/{self.place}: {self.text}"

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "finding": self.fault.value,
            "verdict": self.fault.verdict.value,
            "chain": self.chain,
            "segment": self.place.segment or None,
            "line": self.place.line or None,
            "seq": self.seq,
            "text": self.text,
        }
