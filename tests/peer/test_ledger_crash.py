"""The ledger against the world: kills, full disks, clocks, second writers."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipagent.errors import LedgerBusy, LedgerDamaged, LedgerError, LedgerUnavailable
from sipagent.ledger import Kind, Ledger, LedgerLimits, LedgerReader, LedgerState, verify
from tests.fakes.ledger import QUIET, ManualClock, write_call

pytestmark = pytest.mark.peer

KILLS = int(os.environ.get("SIPAGENT_TEST_KILLS", "60"))
"""Writers that are killed while their calls write."""
ZYGOTE = Path(__file__).with_name("ledger_zygote.py")
ROOT = Path(__file__).parents[2]


def until(is_so: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.01)


def kinds(folder: Path, chain: str = "main") -> list[str]:
    return [one.entry.kind for one in LedgerReader(folder, None).entries(chain=chain)]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Opens ledgers in the test's folder; closes them behind it."""
    ledgers: list[Ledger] = []

    def open_one(chain: str = "main", **options: object) -> Ledger:
        chosen = {"limits": QUIET, **options}
        ledger = Ledger.open(tmp_path / "ledger", "test", chain=chain, **chosen)  # type: ignore[arg-type]
        ledgers.append(ledger)
        return ledger

    yield open_one
    for ledger in ledgers:
        ledger.close()


def test_kill_at_random_moments_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    done = subprocess.run(
        [sys.executable, ZYGOTE, folder, str(KILLS), "7"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    acknowledged = {tuple(line.split()[1:]) for line in done.stdout.splitlines() if line.count(" ") == 2}
    Ledger.open(folder, "test").close()  # the last crash is told, too
    written = {(str(one.entry.seq), one.entry.sha256) for one in LedgerReader(folder, None).entries()}
    assert len(acknowledged) > KILLS
    assert acknowledged <= written
    report = verify(folder)
    assert report.findings == ()
    found = kinds(folder)
    assert KILLS <= found.count("server.crashed") <= KILLS * 1.2
    torn = list((folder / "chains" / "main").glob("*.torn-*"))
    assert found.count("tail.set_aside") == len(torn)


def test_a_torn_tail_is_set_aside_and_told(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    write_call(ledger, "call-1")
    ledger.close()
    path = sorted((tmp_path / "ledger" / "chains" / "main").glob("*.jsonl"))[-1]
    with path.open("ab") as file:
        file.write(b'{"at_ms":1,"at_utc":"20')
    assert not verify(tmp_path / "ledger").is_complete
    opened().close()
    (torn,) = path.parent.glob("*.torn-*")
    assert torn.read_bytes() == b'{"at_ms":1,"at_utc":"20'
    aside = next(
        one for one in LedgerReader(tmp_path / "ledger", None).entries() if "aside" in one.entry.kind
    )
    assert aside.entry.body["file"] == torn.name
    assert verify(tmp_path / "ledger").is_good
    torn.write_bytes(b"something else")
    assert not verify(tmp_path / "ledger").is_intact


def test_a_crash_names_the_calls_that_were_open(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    ledger.call("open-1").append(Kind.CALL_STARTED, {}, durable=True)
    ledger.call("open-2").append(Kind.CALL_STARTED, {}, durable=True)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", tmp_path / "ledger", copy], check=True, timeout=20)
    report = verify(copy)
    assert [one.fault.value for one in report.findings] == ["call_gap", "call_gap"]
    Ledger.open(copy, "test").close()
    crashed = next(one for one in LedgerReader(copy, None).entries() if one.entry.kind == "server.crashed")
    assert crashed.entry.body["open_calls"] == ["open-1", "open-2"]
    assert verify(copy).is_good


def test_a_ledger_in_use_can_be_verified(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    ledger.call("open-1").append(Kind.CALL_STARTED, {}, durable=True)
    report = verify(tmp_path / "ledger")
    assert report.is_good
    assert report.chains[0].is_live
    assert "main: call open-1 is in progress" in report.notes


def test_a_clean_end_is_no_crash(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    for _ in range(3):
        ledger = opened()
        ledger.append(Kind.SERVER_STOPPED, {"reason": "SIGTERM"})
        assert ledger.close()
    assert "server.crashed" not in kinds(tmp_path / "ledger")
    assert verify(tmp_path / "ledger").is_good


def test_a_second_writer_is_refused_and_another_chain_is_not(opened: Callable[..., Ledger]) -> None:
    first = opened()
    with pytest.raises(LedgerBusy, match=f"process {os.getpid()} writes this chain"):
        opened()
    opened("worker-2").append(Kind.SERVER_STARTED, {}, durable=True)
    first.append(Kind.SERVER_STARTED, {}, durable=True)
    first.close()
    opened().append(Kind.SERVER_STARTED, {}, durable=True)


def test_a_second_process_is_refused(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    opened()
    code = (
        "import sys; from pathlib import Path; from sipagent.ledger import Ledger; "
        "Ledger.open(Path(sys.argv[1]), 'x')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "ledger"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "LedgerBusy" in done.stderr


def test_a_clock_set_back_breaks_nothing(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    clock = ManualClock(tick_ms=5)
    ledger = opened(clock=clock)
    write_call(ledger, "call-1")
    clock.step_ms(-2 * 86_400_000)
    write_call(ledger, "call-2")
    ledger.close()
    clock.step_ms(-3_600_000)
    ledger = opened(clock=clock)
    write_call(ledger, "call-3")
    ledger.close()
    assert verify(tmp_path / "ledger").findings == ()
    assert kinds(tmp_path / "ledger").count("clock.stepped") == 2


def test_a_chain_that_was_changed_takes_nothing_more(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    write_call(ledger, "call-1")
    ledger.close()
    path = sorted((tmp_path / "ledger" / "chains" / "main").glob("*.jsonl"))[-1]
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    with pytest.raises(LedgerDamaged, match="run sipagent ledger verify"):
        opened()
    assert path.read_bytes() == content[:-30]


def test_a_foreign_key_signs_nothing(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    opened().close()
    (tmp_path / "ledger" / "identity" / "instance.key").unlink()
    with pytest.raises(LedgerError, match="never followed"):
        opened()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"make it writable or change ledger\.dir"):
        Ledger.open(tmp_path / "file", "test")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs root to mount a small tmpfs: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def fill(path: Path) -> None:
    """Take all the space there is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


def test_a_full_disk_stops_new_calls_and_running_ones_go_on(small_disk: Path) -> None:
    folder = small_disk / "ledger"
    states: list[LedgerState] = []
    limits = LedgerLimits(min_free_bytes=0, retry_interval_ms=50, durable_timeout_ms=2000)
    ledger = Ledger.open(folder, "test", limits=limits, on_state=states.append)
    running = ledger.call("running", ["+15550100123"])
    running.append(Kind.CALL_STARTED, {"n": 0}, sealed={"caller": "x"}, durable=True)
    filler = small_disk / "filler"
    fill(filler)
    numbers = iter(range(1, 100_000))
    while ledger.is_writable:  # into what is left of the last block
        running.append(Kind.CALL_MILESTONE, {"n": next(numbers), "filler": "x" * 2000})
        time.sleep(0.001)
    assert not states[-1].is_writable
    assert "cannot be written: No space left on device" in (states[-1].problem or "")
    started_s = time.monotonic()
    for _ in range(200):
        running.append(Kind.CALL_MILESTONE, {"n": next(numbers)}, sealed={"text": "still talking"})
    with pytest.raises(LedgerUnavailable, match="kept in memory"):
        ledger.call("new").append(Kind.CALL_STARTED, {"n": next(numbers)}, durable=True)
    with pytest.raises(LedgerUnavailable):
        running.end({"n": next(numbers)})
    assert time.monotonic() - started_s < 5
    filler.unlink()
    until(lambda: ledger.is_writable)
    ledger.call("new").refuse({"sip_status": 503})
    assert ledger.close()
    assert [state.is_writable for state in states] == [False, True]
    written = [one.entry.body["n"] for one in LedgerReader(folder, None).entries() if "n" in one.entry.body]
    assert written == list(range(next(numbers)))
    assert verify(folder).findings == ()


def test_a_disk_that_is_full_for_too_long_says_how_much_was_lost(small_disk: Path) -> None:
    folder = small_disk / "ledger"
    limits = LedgerLimits(min_free_bytes=0, retry_interval_ms=50, buffer_entries=50)
    ledger = Ledger.open(folder, "test", limits=limits)
    filler = small_disk / "filler"
    fill(filler)
    while ledger.is_writable:
        ledger.append(Kind.CALL_MILESTONE, {"filler": "x" * 2000})
        time.sleep(0.001)
    receipts = [ledger.append(Kind.CALL_MILESTONE, {"m": number}) for number in range(200)]
    lost = sum(receipt.is_lost for receipt in receipts)
    assert 150 <= lost < 200
    filler.unlink()
    until(lambda: ledger.is_writable)
    assert ledger.close()
    entries = [one.entry for one in LedgerReader(folder, None).entries()]
    assert sum("m" in entry.body for entry in entries) == 200 - lost
    assert [entry.body["count"] for entry in entries if entry.kind == "entries.lost"] == [lost]
    assert verify(folder).findings == ()


def test_a_nearly_full_disk_stops_new_calls_before_it_is_full(opened: Callable[..., Ledger]) -> None:
    ledger = opened(limits=LedgerLimits(min_free_bytes=1 << 60))
    ledger.append(Kind.SERVER_STARTED, {}, durable=True)
    until(lambda: not ledger.is_writable)
    assert "MiB free" in (ledger.state.problem or "")
    ledger.append(Kind.CALL_MILESTONE, {}, durable=True)


def test_the_anchor_command_gets_the_newest_head(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    kept = tmp_path / "heads"
    command = [sys.executable, "-c", f"import sys; open({str(kept)!r}, 'a').write(sys.stdin.read())"]
    ledger = opened(anchor_command=command)
    write_call(ledger, "call-1")
    ledger.close()
    assert kept.read_text().splitlines()[-1] == str(ledger.head)


@pytest.mark.parametrize("command", [["false"], ["/no/such/command"]])
def test_an_anchor_that_fails_is_told_once_and_stops_nothing(
    tmp_path: Path, opened: Callable[..., Ledger], command: list[str]
) -> None:
    ledger = opened(anchor_command=command)
    for number in range(3):
        write_call(ledger, f"call-{number}", turns=1)
        time.sleep(0.05)
    until(lambda: "anchor.failed" in kinds(tmp_path / "ledger"))
    ledger.close()
    assert kinds(tmp_path / "ledger").count("anchor.failed") == 1
    assert verify(tmp_path / "ledger").is_good


def test_every_line_is_readable_by_others(tmp_path: Path, opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    write_call(ledger, "call-1")
    ledger.close()
    script = (
        f"head -n 3 {tmp_path}/ledger/chains/main/00000001.jsonl | tail -n 1 | tr -d '\\n' "
        """| sed 's/,"sha256":"[0-9a-f]*"}$/}/' | sha256sum"""
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    third = (tmp_path / "ledger" / "chains" / "main" / "00000001.jsonl").read_text().splitlines()[2]
    assert done.stdout.split()[0] == json.loads(third)["sha256"]
