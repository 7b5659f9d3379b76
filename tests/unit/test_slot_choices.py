"""Options that callers name and rule out."""

import pytest

from tests.unit.slot_reading import read

pytestmark = pytest.mark.unit

OPTIONS = {
    "waiting": ("wait", "waited"),
    "rooms": ("room", "parking", "clean", "waiting room"),
    "staff": ("people", "dentist", "friendly"),
    "nothing": ("no complaints", "don't change", "everything was great"),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("it isn't the staff, it's the rooms", "rooms"),
        ("it isn't the staff it's the rooms", "rooms"),
        ("not the rooms but the staff", "staff"),
        ("not the staff the rooms", "rooms"),
        ("the staff, not the rooms", "staff"),
        ("instead of the rooms the staff", "staff"),
        ("the staff isn't the problem, the rooms are", "rooms"),
        ("I don't care about the rooms, the staff", "staff"),
        ("nothing but the waiting", "waiting"),
        ("not the rooms", None),
        ("anything but the staff", None),
        ("neither the rooms nor the staff", None),
        ("I don't want the rooms", None),
    ],
)
def test_an_option_that_is_ruled_out_is_not_taken(text: str, value: str | None) -> None:
    assert read("choice", text, options=OPTIONS) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The dentist didn't explain anything", "staff"),
        ("they were not friendly", "staff"),
        ("The rooms weren't clean", "rooms"),
        ("I couldn't find the parking", "rooms"),
        ("no complaints", "nothing"),
        ("don't change anything", "nothing"),
        ("Nothing, really, everything was great.", "nothing"),
        ("the waiting room", "rooms"),
    ],
)
def test_a_complaint_is_about_what_it_names(text: str, value: str | None) -> None:
    assert read("choice", text, options=OPTIONS) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("the rooms, no, the staff", "staff"),
        ("rooms, I mean staff", "staff"),
        ("the rooms, sorry about that", "rooms"),
        ("the rooms or the staff", None),
        ("the rooms and the staff", None),
        ("everything was great except the rooms", None),
    ],
)
def test_of_several_options_only_a_correction_counts(text: str, value: str | None) -> None:
    assert read("choice", text, options=OPTIONS) == value
