"""Forgetting by age and size, on a clock of the test's own; and where the recordings lie."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.errors import LedgerError
from sipagent.ledger import Erased, Keep, Kind, Ledger, LedgerReader, Retention, place_recordings, verify
from sipagent.ledger.erase import Eraser
from sipagent.ledger.retention import PAUSE_S, retain
from tests.fakes.ledger import QUIET, ManualClock, write_call

pytestmark = pytest.mark.unit

DAY_MS = 24 * 3600 * 1000


class Watch:
    """A retention whose waiting is the passing of the clock."""

    def __init__(self, ledger: Ledger, clock: ManualClock, keep: Keep) -> None:
        self.clock = clock
        self.began_ms = clock.utc
        self.waits = 0
        self.done: list[tuple[int, Erased]] = []
        self.errors: list[Exception] = []
        self.retention = Retention(
            ledger, keep, on_done=self.tell, on_error=self.errors.append, clock=clock, wait=self.wait
        )

    def tell(self, done: Erased) -> None:
        self.done.append(((self.clock.utc - self.began_ms) // 1000, done))

    def wait(self, seconds: float) -> bool:
        self.clock.pass_ms(round(seconds * 1000))
        self.waits += 1
        return self.clock.utc - self.began_ms > self.limit_ms

    def run_for(self, ms: int) -> None:
        self.limit_ms = ms
        self.retention.run()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger", "test", limits=QUIET, clock=clock)
    yield ledger
    ledger.close()
    assert verify(tmp_path / "ledger").findings == ()


def recordings(ledger: Ledger) -> list[Path]:
    return sorted(path for path in ledger.recordings.glob("*/*"))


def erasures(ledger: Ledger) -> list[tuple[object, object]]:
    ledger.checkpoint(durable=True)
    entries = [one.entry for one in LedgerReader(ledger.folder, None).entries()]
    return [
        (entry.body["reason"], entry.body["calls"]) for entry in entries if entry.kind == Kind.LEDGER_ERASING
    ]


def test_each_call_goes_within_ten_minutes_of_its_age(ledger: Ledger, clock: ManualClock) -> None:
    write_call(ledger, "monday")
    clock.pass_ms(DAY_MS)
    write_call(ledger, "tuesday")
    watch = Watch(ledger, clock, Keep(call_days=3))
    watch.run_for(4 * DAY_MS)
    assert watch.waits == 4 * DAY_MS // 1000 // PAUSE_S + 1
    assert [done for _, done in watch.done] == [Erased(1, 1, 1), Erased(1, 1, 1)]
    for (at_s, _), due_s in zip(watch.done, (2 * DAY_MS // 1000, 3 * DAY_MS // 1000), strict=True):
        assert due_s <= at_s <= due_s + PAUSE_S + 60
    assert erasures(ledger) == [("retention", ["monday"]), ("retention", ["tuesday"])]
    assert ledger.keys.find("monday") == ledger.keys.find("tuesday") == []
    assert watch.errors == []


def test_recordings_may_go_before_the_words(ledger: Ledger, clock: ManualClock) -> None:
    write_call(ledger, "monday")
    clock.pass_ms(DAY_MS)
    write_call(ledger, "tuesday")
    before = recordings(ledger)
    clock.pass_ms(DAY_MS)
    assert retain(ledger, Keep(recording_days=1), clock.utc) == Erased(0, 0, 1)
    assert recordings(ledger) == before[1:]
    assert len(ledger.keys.find("monday")) == 1
    assert erasures(ledger) == [("recordings_age", [])]
    assert not (ledger.recordings / before[0].parent.name).exists()


def test_the_oldest_recordings_go_before_there_is_no_room(ledger: Ledger, clock: ManualClock) -> None:
    for number in range(4):
        write_call(ledger, f"call-{number}")
    paths = sorted(recordings(ledger), key=lambda path: path.name, reverse=True)
    for age, path in enumerate(reversed(paths)):
        os.utime(path, ns=(age * 10**9, age * 10**9))  # names say nothing about age
    running = paths[0].with_name(f"{'cd' * 16}.wav.part")
    running.write_bytes(bytes(10_000))
    size_bytes = paths[0].stat().st_size
    assert retain(ledger, Keep(recordings_max_bytes=5 * size_bytes), clock.utc) == Erased()
    assert retain(ledger, Keep(recordings_max_bytes=4 * size_bytes), clock.utc) == Erased(0, 0, 1)
    assert {path for path in paths if path.exists()} == set(paths[:3])
    assert running.exists(), "what is being written is nobody's to delete"
    running.unlink()


def test_without_limits_everything_stays(ledger: Ledger, clock: ManualClock) -> None:
    write_call(ledger, "call-1")
    watch = Watch(ledger, clock, Keep())
    watch.run_for(60 * DAY_MS)
    assert (watch.done, watch.errors, erasures(ledger)) == ([], [], [])


def test_what_cannot_go_is_told_and_tried_again(
    ledger: Ledger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_call(ledger, "call-1")
    clock.pass_ms(2 * DAY_MS)
    watch = Watch(ledger, clock, Keep(call_days=1))

    def broken(path: Path) -> bool:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("sipagent.ledger.keystore.destroy", broken)
        watch.run_for(0)
    assert [str(error).partition("; ")[2] for error in watch.errors] == [
        "mend that and run sipagent ledger retain"
    ]
    watch.run_for(watch.clock.utc - watch.began_ms)
    assert ledger.keys.find("call-1") == []
    assert len(watch.errors) == 1


def test_what_comes_first_comes_first_and_its_fault_stops_nothing(ledger: Ledger, clock: ManualClock) -> None:
    write_call(ledger, "call-1")
    clock.pass_ms(2 * DAY_MS)
    order: list[object] = []

    def before() -> None:
        order.append("before")
        raise LedgerError("not now")

    Retention(
        ledger, Keep(call_days=1), on_done=order.append, on_error=order.append, before=before, clock=clock,
        wait=lambda _: True,
    ).run()  # fmt: skip
    assert [str(step) for step in order[:2]] == ["before", "not now"]
    assert order[2] == Erased(1, 1, 1)


# --- where the recordings lie ---


def test_recordings_elsewhere_are_found_through_the_ledgers_folder(tmp_path: Path) -> None:
    place_recordings(tmp_path / "ledger", tmp_path / "disk" / "sound")
    place_recordings(tmp_path / "ledger", tmp_path / "disk" / "sound")
    with Ledger.open(tmp_path / "ledger", "test", limits=QUIET) as ledger:
        write_call(ledger, "call-1")
        (path,) = (tmp_path / "disk" / "sound").glob("*/*.wav")
        assert (tmp_path / "disk" / "sound").stat().st_mode & 0o777 == 0o700
        report = verify(tmp_path / "ledger")
        assert (report.findings, report.recordings_checked) == ((), 1)
        assert retain(ledger, Keep(recordings_max_bytes=1), 0) == Erased(0, 0, 1)
    assert not path.exists()
    assert verify(tmp_path / "ledger").findings == ()


def test_recordings_that_lie_elsewhere_already_are_not_lost_sight_of(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", "test", limits=QUIET) as ledger:
        write_call(ledger, "call-1")
    with pytest.raises(LedgerError, match=r"there are recordings here.*move them there"):
        place_recordings(tmp_path / "ledger", tmp_path / "new")
    assert verify(tmp_path / "ledger").recordings_checked == 1
    place_recordings(tmp_path / "ledger", None)
    assert verify(tmp_path / "ledger").recordings_checked == 1


def test_an_empty_place_is_left_for_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        place_recordings(tmp_path / "ledger", tmp_path / name)
        assert (tmp_path / "ledger" / "recordings").resolve() == tmp_path / name
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"recording\.dir cannot be used"):
        place_recordings(tmp_path / "ledger", tmp_path / "file")


def test_a_call_that_is_forgotten_while_it_runs_begins_no_recording(ledger: Ledger) -> None:
    call = ledger.call("running", ["+15550100123"])
    call.append(Kind.CALL_STARTED, {"direction": "in"}, sealed={"caller": "+15550100123"}, durable=True)
    assert call.recording_path().name.endswith(".wav")
    Eraser(ledger).forget(["running"], reason="asked")
    with pytest.raises(LedgerError, match="has been forgotten"):
        call.recording_path()
    call.end({"cause": "caller hung up", "duration_ms": 1})
