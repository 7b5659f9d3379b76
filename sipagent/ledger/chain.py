"""The chain in memory: drafts in, lines with their places, hashes and signatures out. No I/O.

```
Pending ──► (new segment?) ──► (clock stepped?) ──► key to keep ──► line ──► (checkpoint?)
```
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sipagent.errors import LedgerError
from sipagent.ledger.clock import Clock, utc_text
from sipagent.ledger.entry import ZERO, Draft, Frozen, canonical, freeze, line_of
from sipagent.ledger.identity import Head, Identity, head_statement
from sipagent.ledger.keystore import StoredKey
from sipagent.ledger.kinds import Kind
from sipagent.ledger.seal import seal

CLOCK_STEP_MS = 1000
"""UTC may drift this far from the monotonic clock between two entries before it counts as a step."""
FORMAT = 1


@dataclass(slots=True)
class Receipt:
    """What becomes of an appended entry. ``seq`` and ``sha256`` are set when its place is known."""

    seq: int | None = None
    sha256: str | None = None
    is_durable: bool = False
    """It is on the disk."""
    is_lost: bool = False
    """The disk was full for longer than memory lasts: it will never be written, ``entries.lost`` says so."""


@dataclass(slots=True)  # not frozen: see Frozen
class Pending:
    """What happened, on its way to becoming an entry."""

    kind: Kind
    call_id: str | None
    body: Frozen
    at_ms: int
    at_utc_ms: int
    receipt: Receipt
    sealed: Frozen | None = None
    key: StoredKey | None = None
    """Of ``sealed``."""
    is_new_key: bool = False
    """The key must be on the disk before the entry."""
    is_urgent: bool = False
    """Somebody waits until it is on the disk."""

    def draft(self) -> Draft:
        """Canonical, and sealed."""
        personal = None
        if self.sealed is not None and self.key is not None:
            personal = seal(self.key.key, _json(self.sealed), key_name=self.key.name, kind=self.kind)
        return Draft(self.kind, self.call_id, _json(self.body), personal, self.at_ms, self.at_utc_ms)


def _json(frozen: Frozen) -> bytes:
    try:
        return frozen.canonical()
    except (
        ValueError,
        RecursionError,
    ) as exc:  # nested beyond all reason by a peer: the entry itself must stay
        return canonical({"unwritable": type(exc).__name__})


@dataclass(frozen=True, slots=True)
class Line:
    """Step: write this."""

    data: bytes
    receipt: Receipt | None
    head: Head | None


@dataclass(frozen=True, slots=True)
class NewSegment:
    """Step: what follows goes into this file."""

    number: int


@dataclass(frozen=True, slots=True)
class SaveKey:
    """Step: keep this key."""

    key: StoredKey


Step = Line | NewSegment | SaveKey


@dataclass(slots=True)
class ChainState:
    """Where a chain stands."""

    name: str
    instance: str
    chain_id: str
    key: str
    """Public key that signs it."""
    seq: int = 0
    sha256: str = ZERO
    segment: int = 0
    segment_first_seq: int = 1
    segment_bytes: int = 0
    segment_day: str = ""
    is_sealed: bool = False
    """The newest segment takes no more."""
    open_calls: dict[str, None] = field(default_factory=dict)
    """Started and not ended, in order."""
    since_checkpoint: int = 0


class Chain:
    """Gives entries their places. Writer thread only."""

    def __init__(
        self,
        state: ChainState,
        identity: Identity,
        clock: Clock,
        *,
        segment_max_bytes: int,
        checkpoint_entries: int,
    ) -> None:
        self.state = state
        self._identity = identity
        self._clock = clock
        self._segment_max_bytes = segment_max_bytes
        self._checkpoint_entries = checkpoint_entries
        self._utc_offset_ms = clock.utc_ms() - clock.now_ms()
        self.problem: str | None = None
        """Why a new signing key is not in use."""

    def __repr__(self) -> str:
        return f"Chain({self.state.name}, seq={self.state.seq}, segment={self.state.segment})"

    def assemble(
        self, batch: Sequence[Pending], *, checkpoint: tuple[str, Receipt] | None = None
    ) -> Iterator[Step]:
        """Steps that put the batch on the disk; each is made when it is asked for.

        :param checkpoint: (reason, receipt): sign at the end of it; the end of a call is a reason by itself.
        """
        has_ended_call = False
        for pending in batch:
            draft = pending.draft()
            yield from self._segment_for(draft.at_utc_ms)
            yield from self._clock_check(draft)
            if pending.is_new_key and pending.key is not None:
                yield SaveKey(pending.key)
            yield self._line(draft, pending.receipt)
            has_ended_call |= self._has_ended_call(draft)
            if self.state.since_checkpoint >= self._checkpoint_entries:
                yield from self._checkpoint("count", None)
        if checkpoint is not None:
            yield from self._checkpoint(*checkpoint)
        elif has_ended_call:
            yield from self._checkpoint("call", None)

    def own(self, kind: Kind, body: Mapping[str, object]) -> Pending:
        """An entry of the ledger's own, as of now."""
        frozen = freeze(dict(body))
        return Pending(kind, None, frozen, self._clock.now_ms(), self._clock.utc_ms(), Receipt())

    def _stamped(self, kind: Kind, body: Mapping[str, object]) -> Draft:
        return self.own(kind, body).draft()

    def _has_ended_call(self, draft: Draft) -> bool:
        calls = self.state.open_calls
        if draft.call_id is None:
            return False
        if draft.kind is Kind.CALL_STARTED:
            calls[draft.call_id] = None
        elif draft.kind in (Kind.CALL_ENDED, Kind.CALL_REFUSED):
            calls.pop(draft.call_id, None)
            return draft.kind is Kind.CALL_ENDED
        return False

    def _segment_for(self, utc_ms: int) -> Iterator[Step]:
        """Begin a new file where this one is full or its day is over; a clock set back begins none."""
        state = self.state
        day = utc_text(utc_ms)[:10]
        is_full = state.segment_bytes >= self._segment_max_bytes or day > state.segment_day
        if state.segment and not state.is_sealed and not is_full:
            return
        if state.segment and not state.is_sealed:
            yield from self._follow_rotation()
            body: dict[str, object] = {
                "bytes": state.segment_bytes,
                "entries": state.seq - state.segment_first_seq + 1,
                "segment": state.segment,
            }
            yield self._signed(Kind.SEGMENT_SEALED, body, None)
        state.segment += 1
        state.segment_first_seq = state.seq + 1
        state.segment_bytes = 0
        state.segment_day = day
        state.is_sealed = False
        yield NewSegment(state.segment)
        yield self._own(
            Kind.SEGMENT_OPENED,
            {
                "chain": state.name,
                "chain_id": state.chain_id,
                "format": FORMAT,
                "instance": state.instance,
                "key": state.key,
                "open_calls": list(state.open_calls),
                "segment": state.segment,
            },
        )

    def _clock_check(self, draft: Draft) -> Iterator[Step]:
        offset_ms = draft.at_utc_ms - draft.at_ms
        by_ms = offset_ms - self._utc_offset_ms
        self._utc_offset_ms = offset_ms
        if abs(by_ms) > CLOCK_STEP_MS:
            yield self._own(Kind.CLOCK_STEPPED, {"by_ms": by_ms})

    def _checkpoint(self, reason: str, receipt: Receipt | None) -> Iterator[Step]:
        yield from self._segment_for(self._clock.utc_ms())
        yield from self._follow_rotation()
        yield self._signed(Kind.CHECKPOINT, {"reason": reason}, receipt)

    def _follow_rotation(self) -> Iterator[Step]:
        """Where the instance has a new key, enter the old one's signature over it and use it."""
        state = self.state
        if self._identity.has_changed():
            try:
                newer = Identity.open(self._identity.folder)
                newer.succession_from(state.key)
                self._identity, self.problem = newer, None
            except LedgerError as exc:
                self.problem = str(exc)  # go on with the key in memory: the chain is still right
        for record in self._identity.succession_from(state.key):
            yield self._own(Kind.KEY_ROTATED, record)
            state.key = record["new_key"]

    def _signed(self, kind: Kind, body: dict[str, object], receipt: Receipt | None) -> Line:
        state = self.state
        statement = head_statement(state.chain_id, state.seq, state.sha256)
        signed = {**body, "key": self._identity.key, "signature": self._identity.sign(statement)}
        line = self._line(self._stamped(kind, signed), receipt)
        state.since_checkpoint = 0
        head = self._identity.head(
            chain=state.name, chain_id=state.chain_id, seq=state.seq, sha256=state.sha256
        )
        return Line(line.data, receipt, head)

    def _own(self, kind: Kind, body: Mapping[str, object]) -> Line:
        return self._line(self._stamped(kind, body), None)

    def _line(self, draft: Draft, receipt: Receipt | None) -> Line:
        state = self.state
        data, sha256 = line_of(draft, seq=state.seq + 1, prev=state.sha256)
        state.seq += 1
        state.sha256 = sha256
        state.segment_bytes += len(data)
        state.since_checkpoint += 1
        if receipt is not None:
            receipt.seq, receipt.sha256 = state.seq, sha256
        return Line(data, receipt, None)
