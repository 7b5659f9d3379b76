"""What callers dictate, as speech-to-text writes it down: numbers, dates, times, names, addresses."""

from datetime import datetime

import pytest

from sipagent.flows.schema import SlotConfig, SlotType
from sipagent.flows.slots.read import read_slot
from sipagent.flows.slots.values import Refused, Said, Value
from sipagent.flows.slots.yes_no import yes_or_no

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 24, 9)  # a Tuesday


def read(kind: SlotType, text: str, *, asked: bool = True, before: str = "", **keys: object) -> str | None:
    """The value; ``! why`` where it is refused."""
    slot = SlotConfig(name="x", type=kind, ask="?", **keys)  # type: ignore[arg-type]
    value = Value(before, before) if before else None
    reading = read_slot(slot, Said(text, NOW, asked, value))
    return f"! {reading.reason}" if isinstance(reading, Refused) else reading.value if reading else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("today", "2026-11-24"),
        ("Tomorrow, please.", "2026-11-25"),
        ("the day after tomorrow", "2026-11-26"),
        ("tomorrow week", "2026-12-02"),
        ("Thursday", "2026-11-26"),
        ("on Tuesday", "2026-12-01"),
        ("this Friday", "2026-11-27"),
        ("next Friday", "2026-12-04"),
        ("next Tuesday at ten", "2026-12-01"),
        ("Friday next week", "2026-12-04"),
        ("a week from Thursday", "2026-12-03"),
        ("a week on Monday", "2026-12-07"),
        ("not Tuesday, Thursday", "2026-11-26"),
        ("Thursday, not Tuesday", "2026-11-26"),
        ("no, Wednesday", "2026-11-25"),
        ("Thursday, no, sorry, Friday", "2026-11-27"),
        ("I mean Monday", "2026-11-30"),
        ("March 2nd", "2027-03-02"),
        ("the second of March", "2027-03-02"),
        ("March the second", "2027-03-02"),
        ("the twenty-third of December", "2026-12-23"),
        ("December twenty third", "2026-12-23"),
        ("Dec. 5th", "2026-12-05"),
        ("Friday the fourth of December", "2026-12-04"),
        ("12/24", "2026-12-24"),
        ("January 3rd, 2027", "2027-01-03"),
        ("February 29, 2028", "2028-02-29"),
        ("the thirteenth", "2026-12-13"),
        ("on the 30th", "2026-11-30"),
        ("maybe the twenty-ninth", "2026-11-29"),
        ("in three days", "2026-11-27"),
        ("in two weeks", "2026-12-08"),
        ("two weeks from now", "2026-12-08"),
        ("in a week's time", "2026-12-01"),
        ("Thursday the third", "2026-12-03"),
        ("I could do it Saturday the nineteenth", "2026-12-19"),
        ("I don't know", None),
        ("my second question", None),
        ("February 30th", "! There is no February 30."),
        ("the thirty-first of April", "! There is no April 31."),
        ("yesterday", "! Monday, November twenty-third is in the past."),
    ],
)
def test_dates_are_those_of_the_calendar(text: str, value: str | None) -> None:
    assert read("date", text) == value


def test_birthday_lies_in_the_past() -> None:
    assert read("date", "the fifth of May nineteen eighty", is_past=True) == "1980-05-05"
    assert read("date", "June 1, 1975", is_past=True) == "1975-06-01"
    assert str(read("date", "May 5, 2027", is_past=True)).startswith("!")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ten", "10:00"),
        ("at 3", "15:00"),
        ("3 p.m.", "15:00"),
        ("3pm", "15:00"),
        ("8 a.m.", "08:00"),
        ("eight in the evening", "20:00"),
        ("half past ten", "10:30"),
        ("half past two", "14:30"),
        ("half nine", "09:30"),
        ("quarter to nine", "08:45"),
        ("quarter pass two", "14:15"),
        ("a quarter past four", "16:15"),
        ("ten to five", "16:50"),
        ("twenty past eleven", "11:20"),
        ("10:30", "10:30"),
        ("10.30", "10:30"),
        ("1030", "10:30"),
        ("ten thirty", "10:30"),
        ("ten-thirty", "10:30"),
        ("nine fifteen", "09:15"),
        ("nine oh five", "09:05"),
        ("two forty-five", "14:45"),
        ("noon", "12:00"),
        ("twelve", "12:00"),
        ("12 am", "00:00"),
        ("three o'clock", "15:00"),
        ("around four", "16:00"),
        ("14:00", "14:00"),
        ("not nine, ten", "10:00"),
        ("no, make it eleven", "11:00"),
        ("ten in the morning", "10:00"),
        ("the 3rd", None),
        ("whenever", None),
    ],
)
def test_times_of_day(text: str, value: str | None) -> None:
    assert read("time", text) == value


def test_time_without_a_question_must_be_one() -> None:
    assert read("time", "I need two cleanings", asked=False) is None
    assert read("time", "next Tuesday at ten", asked=False) == "10:00"
    assert read("time", "half past ten tomorrow", asked=False) == "10:30"
    assert read("time", "You can reach me at 212-555-0147.", asked=False) is None
    assert read("time", "At 930, and my number is 2125550147.", asked=False) == "09:30"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("555-0123", "5550123"),
        ("555 01 23", "5550123"),
        ("5-5-5-0-1-2-3", "5550123"),
        ("five five five, oh one two three", "5550123"),
        ("five five five zero one, um, two three", "5550123"),
        ("triple five, oh one double two", "5550122"),
        ("five fifty-five, oh one twenty-three", "5550123"),
        ("My number is 212-555-0198.", "+12125550198"),
        ("area code two one two, then five five five, oh one nine eight", "+12125550198"),
        ("+44 20 7946 0958", "+442079460958"),
        ("plus four four, two oh, seven nine four six, oh nine five eight", "+442079460958"),
        ("five five five, oh one two for", "! I heard five five five, zero one two, which is too short."),
        ("five five for one two oh three", "5541203"),
        ("555-0123, no, sorry, 0124", "5550124"),
        ("I don't have one", None),
    ],
)
def test_telephone_numbers(text: str, value: str | None) -> None:
    if text.endswith("two for"):
        assert str(read("phone", text)).startswith("!")
    else:
        assert read("phone", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no, five oh", "5050123"),
        ("no, it's 0124", "5550124"),
        ("no, five five six", "5560123"),
        ("no, 555 0199", "5550199"),
    ],
)
def test_correction_mends_the_part_that_it_resembles(text: str, value: str) -> None:
    before = "5650123" if "five oh" in text else "5550123"
    assert read("phone", text, before=before) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("four two seven one", "4271"),
        ("4271", "4271"),
        ("forty-two seventy-one", "4271"),
        ("42 71", "4271"),
        ("427", "! I heard 3 digits and need 4."),
    ],
)
def test_codes_have_their_digits(text: str, value: str) -> None:
    assert read("digits", text, least=4, most=4) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seven", "7"),
        ("I'd say an 8", "8"),
        ("twenty-three", "23"),
        ("a hundred and five", "105"),
        ("two thousand and twenty", "2020"),
        ("10 out of 10", "10"),
        ("five, no, sorry, six", "6"),
        ("none of them", None),
    ],
)
def test_numbers(text: str, value: str | None) -> None:
    assert read("number", text, least=0, most=9999) == value


def test_a_pronoun_is_no_number() -> None:
    assert read("number", "Can I skip this one?", least=1, most=10) is None
    assert read("number", "This one I'd give a four.", least=1, most=10) == "4"
    assert read("number", "One.", least=1, most=10) == "1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Sarah Miller.", "Sarah Miller"),
        ("My name is Sarah Miller", "Sarah Miller"),
        ("Hi, this is Tom.", "Tom"),
        ("Yes, it's Ann Lee.", "Ann Lee"),
        ("The name is O'Brien", "O'Brien"),
        ("Daniel Weaver speaking", "Daniel Weaver"),
        ("S as in Sam, M, Y, T, H", "Smyth"),
        ("Smith, S-M-Y-T-H", "Smyth"),
        ("John Smith, that's S-M-Y-T-H", "John Smyth"),
        ("It's Miller, M-I-double-L-E-R", "Miller"),
        ("K A T H R Y N", "Kathryn"),
        ("B as in boy, E, double L", "Bell"),
        ("no, I'd rather not", None),
        ("why do you need that", None),
    ],
)
def test_names_and_their_spelling(text: str, value: str | None) -> None:
    assert read("name", text) == value


def test_spelling_mends_the_name_that_was_read_back() -> None:
    assert read("name", "no, S-M-Y-T-H", before="John Smith") == "John Smyth"


def test_name_without_a_question_must_be_introduced() -> None:
    assert read("name", "my name is Sarah Miller and I want to book", asked=False) == "Sarah Miller"
    assert read("name", "I'm calling about Tuesday", asked=False) is None
    assert read("name", "this is urgent", asked=False) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ann dot lee at example dot com", "ann.lee@example.com"),
        ("ann.lee@example.com", "ann.lee@example.com"),
        ("It's Ann.Lee at example.com", "ann.lee@example.com"),
        ("my email is tom underscore b at g mail dot com", "tom_b@gmail.com"),
        ("j s m i t h at mail dot example dot org", "jsmith@mail.example.org"),
        ("sarah four two at example dot net", "sarah42@example.net"),
        ("info at my dash shop dot co dot uk", "info@my-shop.co.uk"),
        ("ann at example", "! I did not get the whole address."),
        ("I have none", None),
    ],
)
def test_addresses(text: str, value: str | None) -> None:
    assert read("email", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The waiting time", "waiting"),
        ("I waited for an hour", "waiting"),
        ("not the rooms, the staff", "staff"),
        ("the big rooms", "rooms"),
        ("dunno", None),
    ],
)
def test_choices(text: str, value: str | None) -> None:
    options = {"waiting": ("wait", "waited"), "rooms": ("room",), "staff": ("people",)}
    assert read("choice", text, options=options) == value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes.", "yes"),
        ("Yeah, that's right", "yes"),
        ("Mm-hm.", "yes"),
        ("Sure, go ahead.", "yes"),
        ("That works.", "yes"),
        ("No problem.", "yes"),
        ("No.", "no"),
        ("Nope, that's wrong.", "no"),
        ("Um, no, not really.", "no"),
        ("I don't think so.", "no"),
        ("I'm afraid not.", "no"),
        ("I was wondering about the price", None),
        ("I can't come because my mother is ill", None),
        ("Tuesday", None),
        ("", None),
    ],
)
def test_yes_and_no(text: str, answer: str | None) -> None:
    assert yes_or_no(text) == answer


@pytest.mark.parametrize(
    ("kind", "text", "spoken"),
    [
        ("date", "March 2nd", "Tuesday, March second"),
        ("time", "half past two", "2:30 PM"),
        ("phone", "212 555 0198", "two one two, five five five, zero one nine eight"),
        ("name", "S M Y T H", "Smyth, spelled S, M, Y, T, H"),
        ("email", "ann dot lee at example dot com", "ann dot lee at example dot com"),
    ],
)
def test_values_are_read_back_as_people_say_them(kind: SlotType, text: str, spoken: str) -> None:
    reading = read_slot(SlotConfig(name="x", type=kind, ask="?"), Said(text, NOW))
    assert isinstance(reading, Value)
    assert reading.spoken == spoken
