"""Days that callers rule out, prefer, count and write in numbers."""

import time

import pytest

from sipagent.flows.schema import SlotType
from sipagent.flows.slots.values import Value
from tests.unit.slot_reading import read, reading_of

pytestmark = pytest.mark.unit

MONDAY, TUESDAY, WEDNESDAY = "2026-11-30", "2026-12-01", "2026-11-25"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Monday doesn't work, Tuesday", TUESDAY),
        ("Monday doesn't work Tuesday does", TUESDAY),
        ("I can't do Monday but Tuesday works", TUESDAY),
        ("I can't do Monday, Tuesday would be fine.", TUESDAY),
        ("Monday? No, I can't. Tuesday", TUESDAY),
        ("Monday, I can't, Tuesday", TUESDAY),
        ("not Tuesday Wednesday", WEDNESDAY),
        ("neither Monday nor Tuesday, Wednesday", WEDNESDAY),
        ("Tuesday instead of Monday", TUESDAY),
        ("I'd rather not on Monday, Tuesday maybe", TUESDAY),
        ("Monday is bad, how about Wednesday", WEDNESDAY),
        ("I'm busy on Monday, Tuesday is fine", TUESDAY),
        ("I work Mondays, Tuesday is okay", TUESDAY),
        ("I don't think it's Monday, it's Tuesday", TUESDAY),
        ("I won't be here Monday or Tuesday so Wednesday", WEDNESDAY),
        ("move it from Monday to Wednesday", WEDNESDAY),
        ("December the fourth doesn't suit me, the fifth would", "2026-12-05"),
        ("anything but Monday", None),
        ("any day but Monday works", None),
        ("I'm free all week except Friday", None),
        ("I can't come on Monday any more", None),
        ("I don't think Monday works", None),
        ("Monday's out", None),
        ("I can't make it Monday", None),
        ("I have no time on Monday", None),
        ("never on Mondays", None),
        ("as long as it's not Monday", None),
        ("not Monday or Tuesday", None),
    ],
)
def test_a_day_that_is_ruled_out_is_not_taken(text: str, value: str | None) -> None:
    assert read("date", text) == value


@pytest.mark.parametrize(
    "text",
    [
        "Not until Monday",
        "I'm away until Monday",
        "I can't come before Monday",
        "why don't we say Monday",
        "couldn't we do Monday",
        "Isn't Monday free?",
        "I don't mind Monday",
        "nothing but Monday",
        "I can't do any day but Monday",
        "I'm not sure, maybe Monday",
        "I don't know, Monday?",
        "Monday, just not too early",
        "Monday would be great but not in the morning",
        "no, Monday",
        "no Monday",
        "Monday or Tuesday",
        "I'm calling today about Monday",
        "On Monday, sorry about that",
    ],
)
def test_a_not_that_rules_out_something_else_leaves_the_day(text: str) -> None:
    assert read("date", text) == MONDAY


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Sat", "2026-11-28"),
        ("Sat morning", "2026-11-28"),
        ("on Sun", "2026-11-29"),
        ("next wed please", "2026-12-02"),
        ("I sat down with my wife", None),
        ("Sat down with my wife", None),
        ("the sun is shining", None),
        ("they wed in spring", None),
        ("May first", "2027-05-01"),
        ("I may first need to check", None),
        ("the second may be better", None),
        ("the first available day", None),
        ("the third option", None),
        ("on the 3rd floor", None),
        ("fifth", "2026-12-05"),
    ],
)
def test_words_that_are_also_days_count_where_a_day_would_stand(text: str, value: str | None) -> None:
    assert read("date", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("in ten days", "2026-12-04"),
        ("in three weeks", "2026-12-15"),
        ("in twenty-one days", "2026-12-15"),
        ("in a couple of days", "2026-11-26"),
        ("in a fortnight", "2026-12-08"),
        ("in two months", "2027-01-24"),
        ("a week from tomorrow", "2026-12-02"),
        ("two weeks today", "2026-12-08"),
        ("two weeks from Thursday", "2026-12-10"),
        ("next week on Thursday", "2026-12-03"),
        ("the week after next on Tuesday", "2026-12-08"),
        ("the first Monday in December", "2026-12-07"),
        ("the last Friday of the month", "2026-11-27"),
        ("the fifth of next month", "2026-12-05"),
        ("next week", None),
        ("next month", None),
        ("sometime this week", None),
        ("the weekend", None),
        ("I have had it for three weeks", None),
    ],
)
def test_days_are_counted_and_a_week_is_no_day(text: str, value: str | None) -> None:
    assert read("date", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("31/12", "2026-12-31"),
        ("12/31", "2026-12-31"),
        ("13/5/2027", "2027-05-13"),
        ("3/2/2027", "2027-03-02"),
        ("03.03.2027", "2027-03-03"),
        ("2.3.2027", "2027-03-02"),
        ("3-2-27", "2027-03-02"),
        ("24.12.", "2026-12-24"),
        ("2027-03-02", "2027-03-02"),
        ("10.30", None),
        ("555-0123", None),
        ("2/30", "! There is no February 30."),
    ],
)
def test_dates_in_numbers(text: str, value: str | None) -> None:
    assert read("date", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Feb twenty ninth two thousand", "2000-02-29"),
        ("may fifth two thousand and one", "2001-05-05"),
        ("May 5th 85", "1985-05-05"),
        ("the fifth of May eighty five", "1985-05-05"),
        ("may fifth oh five", "2005-05-05"),
        ("may fifth twenty ten", "2010-05-05"),
        ("May twenty second nineteen ninety nine", "1999-05-22"),
        ("January twenty two thousand one", "2001-01-20"),
        ("July 4th, nineteen oh nine", "1909-07-04"),
        ("5/5/85", "1985-05-05"),
        ("31.12.99", "1999-12-31"),
        ("05 05 1985", "1985-05-05"),
        ("three weeks ago", "2026-11-03"),
        ("nineteen eighty five", None),
    ],
)
def test_birthdays_have_their_year(text: str, value: str | None) -> None:
    assert read("date", text, is_past=True) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("May 5th 27", "2027-05-05"),
        ("May 5th 10 a.m.", "2027-05-05"),
        ("may fifth ten thirty", "2027-05-05"),
        ("May 5th 85", "! Sunday, May fifth, 1985 is in the past."),
    ],
)
def test_a_day_to_come_has_a_year_to_come_and_a_time_is_no_year(text: str, value: str) -> None:
    assert read("date", text) == value


def test_a_weekday_that_contradicts_the_date_is_read_back() -> None:
    for text, is_sure in (("Tuesday the third of March", False), ("Wednesday the third of March", True)):
        reading = reading_of("date", text)
        assert isinstance(reading, Value)
        assert (reading.value, reading.is_sure) == ("2027-03-03", is_sure)


def test_long_talk_is_read_at_once() -> None:
    for text in (
        "not monday " * 200,
        "five " * 400,
        "I can't do it, and " * 100,
        "the a of " * 300,
        " " * 2000,
    ):
        kinds: tuple[SlotType, ...] = ("date", "time", "phone", "name", "email")
        for kind in kinds:
            started_s = time.perf_counter()
            read(kind, text, before="ann.lee@example.com" if kind == "email" else "")
            assert time.perf_counter() - started_s < 1.0, (kind, text[:20])


def test_what_is_corrected_is_only_what_was_meant() -> None:
    assert read("date", "Tuesday at ten, no, eleven") == TUESDAY
    assert read("time", "Tuesday at ten, no, eleven", asked=False) == "11:00"
    assert read("date", "Monday, no, wait, let me look") is None
