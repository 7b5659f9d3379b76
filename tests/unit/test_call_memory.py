"""What a persona remembers of a caller, and of whom nothing is remembered."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from sipagent.call.identity import Identity
from sipagent.call.memory import CallMemory, Remembrance
from sipagent.call.ports import Offer
from sipagent.call.tool_port import CallContext
from sipagent.config.schema import PersonaConfig
from sipagent.errors import LedgerError
from tests.fakes.personas import filled

pytestmark = pytest.mark.unit

PERSONA = PersonaConfig(name="maple", greeting="Hello.", prompt_file=Path("p"), memory="on", memory_days=9)
OFFER = Offer("id", "trunk", "100", "+15550100123", "192.0.2.1")
LOG = structlog.get_logger()


class Store:
    """Notes in a dictionary."""

    def __init__(self) -> None:
        self.notes: dict[str, dict[str, str]] = {}
        self.keep_days = 0
        self.is_broken = False

    def recall(self, caller: str) -> dict[str, str]:
        if self.is_broken:
            raise LedgerError("the disk is gone")
        return dict(self.notes.get(caller, {}))

    def remember(self, caller: str, notes: Mapping[str, str], *, keep_days: int) -> None:
        if self.is_broken:
            raise LedgerError("the disk is gone")
        self.notes.setdefault(caller, {}).update(notes)
        self.keep_days = keep_days

    def forget(self, number: str) -> None:
        if self.is_broken:
            raise LedgerError("the disk is gone")
        self.notes.pop(number, None)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def remembrance(store: Store) -> Remembrance:
    return Remembrance(store, {"maple": PERSONA}, store.forget)


def began(remembrance: Remembrance, offer: Offer = OFFER, persona: PersonaConfig = PERSONA) -> CallMemory:
    memory = remembrance.begin(persona, offer, LOG)
    assert memory is not None
    return memory


def test_the_next_call_knows_name_and_outcome(remembrance: Remembrance, store: Store) -> None:
    first = began(remembrance)
    assert first.variables == {}
    first.outcome("asked", {})
    first.outcome("booked", {"name": "Sarah Miller", "day": "2026-12-01"})
    first.close()
    remembrance.remember(CallContext("c", OFFER.caller, "100", "maple"), {"dentist": "Dr. Lee {caller}"})
    known = began(remembrance).variables
    assert known["caller_name"] == "Sarah Miller"
    assert known["last_outcome"] == "booked"
    assert len(known["last_call"]) == 10
    assert known["noted_dentist"] == "Dr. Lee caller"  # nothing of it can be a placeholder again
    assert store.keep_days == 9
    assert (
        filled("Name: {caller_name}; {noted_dentist}|{noted_other}", known)
        == "Name: Sarah Miller; Dr. Lee caller|"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi, my name is Sarah Miller.", "Sarah Miller"),
        ("my name's Ada and I have a toothache", "Ada"),
        ("I'm Bob's brother.", None),
        ("My name is on the list.", None),
    ],
)
def test_a_name_that_is_told_in_free_talk_is_kept(
    remembrance: Remembrance, store: Store, text: str, name: str | None
) -> None:
    memory = began(remembrance)
    memory.heard(text)
    memory.close()
    assert store.notes[OFFER.caller].get("caller_name") == name


@pytest.mark.parametrize(
    ("offer", "persona"),
    [
        (replace(OFFER, identity=Identity(is_private=True)), PERSONA),
        (replace(OFFER, caller="anonymous"), PERSONA),
        (replace(OFFER, caller=""), PERSONA),
        (replace(OFFER, identity=Identity(caller=OFFER.caller, verstat="failed")), PERSONA),
        (OFFER, replace(PERSONA, memory="off")),
    ],
)
def test_who_is_not_remembered(remembrance: Remembrance, offer: Offer, persona: PersonaConfig) -> None:
    assert remembrance.begin(persona, offer, LOG) is None


def test_who_is_called_is_remembered_by_the_dialled_number(remembrance: Remembrance, store: Store) -> None:
    began(remembrance, replace(OFFER, direction="out", dialled="+15550100777")).close()
    assert list(store.notes) == ["+15550100777"]


def test_a_tool_is_told_where_nothing_is_kept(store: Store) -> None:
    off = Remembrance(store, {"maple": replace(PERSONA, memory="off")})
    with pytest.raises(LedgerError, match="memory: off"):
        off.remember(CallContext("c", "1", "2", "maple"), {"a": "b"})
    off.use({"maple": PERSONA})
    with pytest.raises(LedgerError, match="withhold"):
        off.remember(CallContext("c", "", "2", "maple"), {"a": "b"})
    assert store.notes == {}


def test_a_disk_that_fails_costs_the_notes_not_the_call(remembrance: Remembrance, store: Store) -> None:
    store.is_broken = True
    memory = began(remembrance)
    memory.outcome("booked", {})
    memory.close()
    assert memory.variables == {}


def test_who_wants_to_be_forgotten_is_at_once_and_nothing_of_the_call_is_kept(
    remembrance: Remembrance, store: Store
) -> None:
    began(remembrance).close()
    memory = began(remembrance)
    memory.outcome("booked", {"name": "Sarah Miller"})
    memory.forget()
    assert store.notes == {}
    memory.outcome("booked", {"name": "Sarah Miller"})
    with pytest.raises(LedgerError, match="forgotten"):
        remembrance.remember(CallContext("c", OFFER.caller, "100", "maple"), {"dentist": "Dr. Lee"})
    memory.close()
    assert store.notes == {}
    began(remembrance).close()  # the next call is another one
    assert list(store.notes) == [OFFER.caller]


def test_what_could_not_be_forgotten_is_tried_again_when_the_call_ends(
    remembrance: Remembrance, store: Store
) -> None:
    began(remembrance).close()
    memory = began(remembrance)
    store.is_broken = True
    memory.forget()
    assert store.notes
    store.is_broken = False
    memory.close()
    assert store.notes == {}


def test_what_is_known_is_told_by_its_kind_alone(remembrance: Remembrance) -> None:
    assert began(remembrance).kinds == ""
    first = began(remembrance)
    first.outcome("booked", {"name": "Sarah Miller"})
    first.close()
    remembrance.remember(CallContext("c", OFFER.caller, "100", "maple"), {"favourite_dentist": "Dr. Lee"})
    memory = began(remembrance)
    assert "Sarah" not in memory.kinds
    assert "your name" in memory.kinds
    assert "your favourite dentist" in memory.kinds
    memory.forget()
    assert memory.kinds == ""
