"""The chain in memory: places, segments, signatures, clocks."""

import json
from pathlib import Path

import pytest

from sipagent.ledger.chain import Chain, ChainState, Line, NewSegment, Pending, Receipt, SaveKey, Step
from sipagent.ledger.entry import freeze, hash_of
from sipagent.ledger.identity import Identity, head_statement, succession_statement, verifies
from sipagent.ledger.keystore import StoredKey
from sipagent.ledger.kinds import Kind
from tests.fakes.ledger import ManualClock

pytestmark = pytest.mark.unit

DAY_MS = 24 * 3600 * 1000


class Bench:
    """A chain with a clock and a way to append."""

    def __init__(
        self, folder: Path, *, segment_max_bytes: int = 100_000, checkpoint_entries: int = 1000
    ) -> None:
        self.clock = ManualClock()
        self.identity = Identity.open(folder)
        self.chain = Chain(
            ChainState("main", "test", "c0ffee", self.identity.key),
            self.identity,
            self.clock,
            segment_max_bytes=segment_max_bytes,
            checkpoint_entries=checkpoint_entries,
        )
        self.lines: list[dict[str, object]] = []

    def pending(self, kind: Kind, call_id: str | None = None, key: StoredKey | None = None) -> Pending:
        now_ms, utc_ms = self.clock.now_ms(), self.clock.utc_ms()
        return Pending(
            kind, call_id, freeze({}), now_ms, utc_ms, Receipt(), key=key, is_new_key=key is not None
        )

    def append(self, *kinds: Kind, call_id: str | None = None) -> list[Step]:
        """Steps of these entries; the lines are kept, too."""
        steps = list(self.chain.assemble([self.pending(kind, call_id) for kind in kinds]))
        for step in steps:
            if isinstance(step, Line):
                self.lines.append(json.loads(step.data))
        return steps

    def kinds(self) -> list[object]:
        return [line["kind"] for line in self.lines]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_entry_names_the_one_before_it(bench: Bench) -> None:
    steps = bench.append(*[Kind.CALL_MILESTONE] * 5)
    lines = [step.data[:-1] for step in steps if isinstance(step, Line)]
    assert [line["seq"] for line in bench.lines] == [1, 2, 3, 4, 5, 6]
    assert [line["prev"] for line in bench.lines] == ["0" * 64, *(hash_of(line) for line in lines[:-1])]


def test_receipts_learn_place_and_hash(bench: Bench) -> None:
    pending = bench.pending(Kind.CALL_MILESTONE)
    assert list(bench.chain.assemble([pending]))
    assert pending.receipt.seq == 2
    assert pending.receipt.sha256 == bench.chain.state.sha256


def test_the_end_of_a_call_is_signed(bench: Bench) -> None:
    bench.append(Kind.CALL_STARTED, call_id="a")
    steps = bench.append(Kind.CALL_ENDED, call_id="a")
    last, line = bench.lines[-1], steps[-1]
    assert last["kind"] == "checkpoint"
    assert isinstance(last["body"], dict)
    assert isinstance(last["seq"], int)
    statement = head_statement("c0ffee", last["seq"] - 1, str(last["prev"]))
    assert verifies(bench.identity.key, last["body"]["signature"], statement)
    assert isinstance(line, Line)
    assert line.head is not None
    assert line.head.is_genuine
    assert (line.head.seq, line.head.sha256) == (last["seq"], last["sha256"])


def test_a_refused_call_is_not_signed_at_once(bench: Bench) -> None:
    bench.append(Kind.CALL_REFUSED, call_id="a")
    assert "checkpoint" not in bench.kinds()


def test_every_n_entries_are_signed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, checkpoint_entries=10)
    bench.append(*[Kind.CALL_MILESTONE] * 30)
    seqs = [line["seq"] for line in bench.lines if line["kind"] == "checkpoint"]
    assert seqs == [11, 22, 33]


def test_a_full_segment_is_sealed_and_the_next_one_knows_the_open_calls(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_max_bytes=1500)
    bench.append(Kind.CALL_STARTED, call_id="a")
    bench.append(Kind.CALL_STARTED, call_id="b")
    bench.append(Kind.CALL_REFUSED, call_id="b")
    steps = bench.append(*[Kind.CALL_MILESTONE] * 3, call_id="a")
    at = next(index for index, step in enumerate(steps) if isinstance(step, NewSegment))
    sealed, opened = (
        json.loads(step.data) for step in (steps[at - 1], steps[at + 1]) if isinstance(step, Line)
    )
    assert sealed["kind"] == "segment.sealed"
    assert sealed["body"]["segment"] == 1
    assert opened["kind"] == "segment.opened"
    assert opened["body"]["segment"] == 2
    assert opened["body"]["open_calls"] == ["a"]
    assert opened["prev"] == sealed["sha256"]


def test_a_new_day_begins_a_new_segment(bench: Bench) -> None:
    bench.append(Kind.CALL_MILESTONE)
    bench.clock.pass_ms(DAY_MS)
    assert NewSegment(2) in bench.append(Kind.CALL_MILESTONE)


def test_a_clock_set_back_begins_no_segment_and_is_recorded(bench: Bench) -> None:
    bench.append(Kind.CALL_MILESTONE)
    bench.clock.step_ms(-3 * DAY_MS)
    steps = bench.append(Kind.CALL_MILESTONE)
    assert not [step for step in steps if isinstance(step, NewSegment)]
    assert bench.kinds()[-2:] == ["clock.stepped", "call.milestone"]
    assert bench.lines[-2]["body"] == {"by_ms": -3 * DAY_MS}


def test_time_that_goes_by_is_no_step(bench: Bench) -> None:
    bench.append(Kind.CALL_MILESTONE)
    bench.clock.pass_ms(3_600_000)
    bench.append(Kind.CALL_MILESTONE)
    assert "clock.stepped" not in bench.kinds()


def test_a_key_is_kept_before_the_first_entry_that_needs_it(bench: Bench) -> None:
    key = StoredKey("a", bytes(32), "2026-03-01T12:00:00.000Z")
    steps = bench.chain.assemble([bench.pending(Kind.CALL_STARTED, "a", key)])
    assert [type(step) for step in steps] == [NewSegment, Line, SaveKey, Line]


def test_what_is_nested_beyond_reason_costs_its_body_not_the_ledger(bench: Bench) -> None:
    nested: object = 1
    for _ in range(1500):
        nested = [nested]
    now_ms, utc_ms = bench.clock.now_ms(), bench.clock.utc_ms()
    pending = Pending(Kind.TOOL_RETURNED, "a", freeze({"result": nested}), now_ms, utc_ms, Receipt())
    line = list(bench.chain.assemble([pending]))[-1]
    assert isinstance(line, Line)
    assert json.loads(line.data)["body"] == {"unwritable": "RecursionError"}


def test_a_rotated_key_is_entered_before_it_signs(bench: Bench) -> None:
    bench.append(Kind.CALL_MILESTONE)
    old = bench.identity.key
    new = Identity.open(bench.identity.folder).rotate().rotate()
    bench.append(Kind.CALL_ENDED, call_id="a")
    rotated = [line["body"] for line in bench.lines if line["kind"] == "key.rotated"]
    assert bench.kinds()[-3:] == ["key.rotated", "key.rotated", "checkpoint"]
    first, second = rotated
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["old_key"], second["new_key"]) == (old, new.key)
    assert first["new_key"] == second["old_key"]
    for body in (first, second):
        statement = succession_statement(body["old_key"], body["new_key"])
        assert verifies(body["old_key"], body["signature"], statement)
        assert verifies(body["new_key"], body["confirmation"], statement)
    assert isinstance(bench.lines[-1]["body"], dict)
    assert bench.lines[-1]["body"]["key"] == new.key


def test_a_key_that_never_followed_is_not_used(bench: Bench) -> None:
    bench.append(Kind.CALL_MILESTONE)
    (bench.identity.folder / "instance.key").unlink()
    Identity.open(bench.identity.folder)
    bench.append(Kind.CALL_ENDED, call_id="a")
    assert bench.chain.problem is not None
    assert "never followed" in bench.chain.problem
    assert isinstance(bench.lines[-1]["body"], dict)
    assert bench.lines[-1]["body"]["key"] == bench.identity.key
