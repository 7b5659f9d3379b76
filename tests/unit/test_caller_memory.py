"""What is remembered of callers: sealed, bounded, and gone when it is to go."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import structlog

from sipagent.call.memory import Remembrance
from sipagent.call.ports import Offer
from sipagent.cli.main import main
from sipagent.config.schema import PersonaConfig
from sipagent.errors import LedgerError
from sipagent.ledger import CallerMemory, Eraser, Keep, Kind, Ledger, LedgerReader, verify
from sipagent.ledger.callers import MOST_NOTES
from sipagent.ledger.retention import retain
from tests.fakes.ledger import CALLER, OTHER, QUIET, ManualClock, write_call

pytestmark = pytest.mark.unit

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger", "test", limits=QUIET, clock=clock)
    yield ledger
    ledger.close()
    assert verify(tmp_path / "ledger").findings == ()


@pytest.fixture
def memory(ledger: Ledger, clock: ManualClock) -> CallerMemory:
    return CallerMemory.of(ledger.folder, ledger.keys, clock=clock)


def test_notes_come_back_however_the_number_is_written(memory: CallerMemory) -> None:
    memory.remember(CALLER, {"caller_name": "Sarah Miller"}, keep_days=30)
    memory.remember("tel:" + CALLER, {"dentist": "Dr. Lee"}, keep_days=30)
    assert memory.recall("0015550100123") == {"caller_name": "Sarah Miller", "dentist": "Dr. Lee"}
    assert memory.recall(OTHER) == {}


def test_a_note_is_replaced_and_an_empty_one_taken_away(memory: CallerMemory) -> None:
    memory.remember(CALLER, {"a": "1", "b": "2"}, keep_days=30)
    memory.remember(CALLER, {"a": "3", "b": ""}, keep_days=30)
    assert memory.recall(CALLER) == {"a": "3"}


def test_the_folder_tells_neither_number_nor_words(memory: CallerMemory, ledger: Ledger) -> None:
    memory.remember(CALLER, {"caller_name": "Sarah Miller"}, keep_days=30)
    files = [path for path in (ledger.folder / "callers").rglob("*") if path.is_file()]
    assert len(files) == 3  # notes, key, lock
    for path in files:
        assert path.stat().st_mode & 0o077 == 0
        assert b"Sarah" not in path.read_bytes()
        assert CALLER.strip("+") not in path.name


def test_without_the_key_the_notes_are_noise(memory: CallerMemory, ledger: Ledger) -> None:
    memory.remember(CALLER, {"a": "1"}, keep_days=30)
    (key,) = (ledger.folder / "callers" / "keys").glob("*.key")
    key.unlink()
    assert memory.recall(CALLER) == {}
    assert retain(ledger, Keep(forgets_callers=True), 0).callers == 1  # nobody can read them: they go
    assert not list((ledger.folder / "callers").glob("*.notes"))


def test_only_so_many_notes_are_kept(memory: CallerMemory) -> None:
    for n in range(MOST_NOTES + 5):
        memory.remember(CALLER, {f"n{n}": "x"}, keep_days=30)
    assert list(memory.recall(CALLER)) == [f"n{n}" for n in range(5, MOST_NOTES + 5)]


@pytest.mark.parametrize(
    ("caller", "notes"),
    [("", {"a": "1"}), (CALLER, {"A b": "1"}), (CALLER, {"a": "x\ny"}), (CALLER, {"a": "x" * 501})],
)
def test_what_cannot_be_kept_is_said(memory: CallerMemory, caller: str, notes: dict[str, str]) -> None:
    with pytest.raises(LedgerError):
        memory.remember(caller, notes, keep_days=30)
    assert not memory.exists


def test_forgetting_a_caller_destroys_the_notes_and_says_so(memory: CallerMemory, ledger: Ledger) -> None:
    memory.remember(CALLER, {"a": "1"}, keep_days=30)
    memory.remember(OTHER, {"a": "2"}, keep_days=30)
    assert Eraser(ledger).forget_caller(CALLER).callers == 1
    assert (memory.recall(CALLER), memory.recall(OTHER)) == ({}, {"a": "2"})
    assert Eraser(ledger).forget_caller(CALLER).callers == 0
    ledger.checkpoint(durable=True)
    bodies = [
        one.entry.body
        for one in LedgerReader(ledger.folder, None).entries()
        if one.entry.kind == Kind.LEDGER_ERASED
    ]
    assert [body["callers_forgotten"] for body in bodies] == [1]


def test_a_caller_who_says_so_is_forgotten_in_the_call_and_the_ledger_has_it(
    memory: CallerMemory, ledger: Ledger
) -> None:
    persona = PersonaConfig(name="maple", greeting="Hello.", prompt_file=Path("p"), memory="on")
    remembrance = Remembrance(memory, {"maple": persona}, Eraser(ledger).forget_caller)
    memory.remember(CALLER, {"caller_name": "Sarah Miller"}, keep_days=30)
    memory.remember(OTHER, {"a": "2"}, keep_days=30)
    call = remembrance.begin(
        persona, Offer("id", "trunk", "100", CALLER, "192.0.2.1"), structlog.get_logger()
    )
    assert call is not None
    call.forget()
    call.close()
    assert (memory.recall(CALLER), memory.recall(OTHER)) == ({}, {"a": "2"})
    ledger.checkpoint(durable=True)
    kinds = [one.entry.kind for one in LedgerReader(ledger.folder, None).entries()]
    assert Kind.LEDGER_ERASED in kinds


def test_a_crash_in_the_middle_of_forgetting_is_made_good(memory: CallerMemory, ledger: Ledger) -> None:
    memory.remember(CALLER, {"a": "1"}, keep_days=30)
    body = {"erasure": "e", "calls": [], "files": [], "callers": [memory.id_of(CALLER)], "reason": "caller"}
    ledger.append(Kind.LEDGER_ERASING, body, durable=True)
    assert Eraser(ledger).finish_interrupted().callers == 1
    assert memory.recall(CALLER) == {}


def test_each_caller_goes_after_days_without_a_call(
    memory: CallerMemory, ledger: Ledger, clock: ManualClock
) -> None:
    memory.remember(CALLER, {"a": "1"}, keep_days=2)
    memory.remember(OTHER, {"a": "2"}, keep_days=30)
    clock.pass_ms(2 * DAY_MS + 1)
    assert memory.recall(CALLER) == {}  # due, though nobody has looked yet
    assert retain(ledger, Keep(forgets_callers=True), clock.utc).callers == 1
    assert memory.recall(OTHER) == {"a": "2"}
    assert retain(ledger, Keep(call_days=1, forgets_callers=True), clock.utc).callers == 1
    assert memory.recall(OTHER) == {}


def test_notes_written_at_once_are_all_kept(memory: CallerMemory) -> None:
    threads = [
        Thread(target=memory.remember, args=(CALLER, {f"n{n}": str(n)}), kwargs={"keep_days": 30})
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(memory.recall(CALLER)) == [f"n{n}" for n in range(8)]


def test_the_command_forgets_the_notes_with_the_calls(
    memory: CallerMemory, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    write_call(ledger, "call-1")
    memory.remember(CALLER, {"a": "1"}, keep_days=30)
    arguments = ["ledger", "forget", "--dir", str(ledger.folder), "--caller", CALLER]
    assert main([*arguments, "--dry-run"]) == 0
    assert "the notes on this caller" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "notes on 1 callers" in capsys.readouterr().err
    assert memory.recall(CALLER) == {}
