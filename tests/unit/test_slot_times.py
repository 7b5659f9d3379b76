"""Times of day that callers rule out, count and only seem to say."""

import pytest

from tests.unit.slot_reading import read

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10:60", "! That is not a time of day."),
        ("5:75", "! That is not a time of day."),
        ("25:00", "! That is not a time of day."),
        ("I need 2 hours", None),
        ("for 30 minutes", None),
        ("two cleanings", None),
        ("three people", None),
        ("one second", None),
        ("one moment please", None),
        ("this one", None),
        ("the later one", None),
        ("ten past", None),
        ("ten to", None),
        ("$20.50", None),
        ("in the morning", None),
        ("one please", "13:00"),
        ("ten works", "10:00"),
        ("I have two kids, so at four", "16:00"),
    ],
)
def test_what_is_counted_is_no_time_of_day(text: str, value: str | None) -> None:
    assert read("time", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sixteen thirty", "16:30"),
        ("twenty one fifteen", "21:15"),
        ("fourteen hundred", "14:00"),
        ("sixteen o'clock", "16:00"),
        ("1530", "15:30"),
        ("ten-ish please", "10:00"),
        ("ten 'til five", "16:50"),
        ("fifteen minutes past three", "15:15"),
        ("half past four", "16:30"),
        ("half twelve", "12:30"),
        ("good morning, at three please", "15:00"),
        ("one at night", "01:00"),
        ("twelve at night", "00:00"),
        ("11 at night", "23:00"),
        ("from ten to four", "10:00"),
        ("between ten and eleven", "10:00"),
        ("ten to four", "15:50"),
        ("March 5 at 4", "16:00"),
        ("on March 5, four", "16:00"),
    ],
)
def test_the_clock_as_people_say_it(text: str, value: str) -> None:
    assert read("time", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("in an hour", "10:00"),
        ("in half an hour", "09:30"),
        ("in two hours", "11:00"),
        ("in an hour and a half", "10:30"),
        ("in 20 minutes", "09:20"),
        ("an hour from now", "10:00"),
        ("in twenty hours", None),
        ("half an hour later", None),
    ],
)
def test_hours_from_now_are_counted_within_the_day(text: str, value: str | None) -> None:
    assert read("time", text) == value


def test_a_time_that_was_read_back_is_moved() -> None:
    assert read("time", "half an hour later", before="10:30") == "11:00"
    assert read("time", "no, an hour earlier", before="10:30") == "09:30"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nine doesn't work, ten", "10:00"),
        ("I can't do nine but ten is fine", "10:00"),
        ("ten o'clock not eleven", "10:00"),
        ("anything but nine", None),
        ("not before ten", "10:00"),
        ("no later than ten", "10:00"),
    ],
)
def test_a_time_that_is_ruled_out_is_not_taken(text: str, value: str | None) -> None:
    assert read("time", text) == value
