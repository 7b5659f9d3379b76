"""What speech-to-text is told of the answer to come."""

from pathlib import Path

import pytest

from sipagent.flows.expected import expected_of
from sipagent.flows.load import load_flow
from sipagent.flows.schema import SlotConfig
from sipagent.flows.slots.hints import hint_of
from sipagent.flows.slots.read import read_slot
from sipagent.flows.slots.values import Said, Value
from sipagent.flows.talk import Talk
from tests.unit.slot_reading import NOW

pytestmark = pytest.mark.unit

FLOWS = Path(__file__).resolve().parents[2] / "flows"


@pytest.mark.parametrize("region", ["US", "GB", "DE", "FR", "JP"])
def test_an_example_of_a_number_is_one_of_that_country(region: str) -> None:
    slot = SlotConfig(type="phone", ask="Your number?", region=region)
    assert isinstance(read_slot(slot, Said(hint_of(slot), NOW)), Value)


def test_a_code_is_shown_with_as_many_digits_as_it_has() -> None:
    assert hint_of(SlotConfig(type="digits", ask="The code?", least=4, most=4)) == "4-0-7-2."


def test_names_are_not_shown_for_they_would_be_heard() -> None:
    assert hint_of(SlotConfig(type="name", ask="Your name?")) == ""


def test_only_what_is_asked_for_is_hinted_at() -> None:
    flow = load_flow(FLOWS / "receptionist.yaml")
    assert expected_of(flow, Talk(state="main")).hint == ""
    assert expected_of(flow, Talk(state="booking", asking="phone")).hint == "201-555-0123."
    read_back = Talk(state="booking", slots={"phone": Value("5550123", "-")}, to_confirm=("phone",))
    assert expected_of(flow, read_back).hint == ""
