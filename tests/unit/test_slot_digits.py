"""Digits, telephone numbers and amounts: the zero that is said "oh", and what callers mend."""

import pytest

from sipagent.flows.slots.values import Value
from tests.unit.slot_reading import read, reading_of

pytestmark = pytest.mark.unit

ABROAD = "+442079460958"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("oh five five one", "0551"),
        ("oh oh seven one", "0071"),
        ("no, oh five five one", "0551"),
        ("um oh one two three", "0123"),
        ("Oh, five, five, one.", "0551"),
        ("double oh seven one", "0071"),
        ("five oh oh one", "5001"),
        ("oh, it's five five one two", "5512"),
        ("oh it's five five one two", "5512"),
        ("Oh, five five one two", "5512"),
        ("oh okay 5512", "5512"),
        ("three fives one", "5551"),
        ("five thousand", "5000"),
        ("oh my god", None),
        ("I don't have one", None),
        ("one", "! I heard 1 digit and need 4."),
    ],
)
def test_oh_is_a_zero_directly_before_digits(text: str, value: str | None) -> None:
    assert read("digits", text, least=4, most=4) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no, it ends in 24", "5550124"),
        ("the last two digits are 24", "5550124"),
        ("the last digit is 5", "5550125"),
        ("24 at the end", "5550124"),
        ("ends with double four", "5550144"),
        ("oh, it ends in 24", "5550124"),
        ("it starts with 4", "4550123"),
        ("the first three digits are 646", "6460123"),
        ("the second digit is 9", "5950123"),
        ("the third one should be a 7", "5570123"),
        ("the second to last digit is 9", "5550193"),
        ("the last but one is 9", "5550193"),
        ("the area code is 646", "+16465550123"),
        ("no, not 0123, 0124", "5550124"),
        ("0124 not 0123", "5550124"),
        ("it's a 4 not a 3", "5550124"),
        ("not 555, 556", "5560123"),
        ("no, five nine", "5950123"),
        ("it's 555 0199", "5550199"),
        ("not a five, a nine", None),
        ("that's wrong", None),
    ],
)
def test_a_number_is_mended_where_the_caller_says(text: str, value: str | None) -> None:
    assert read("phone", text, before="5550123", region="US") == value


@pytest.mark.parametrize(
    "text",
    [
        "no, five nine",
        "no, 0959",
        "it ends in 59",
        "not 0958, 0959",
        "no, it's 20 7946 0959",
        "020 7946 0959",
        "no, plus four four two oh, seven nine four six, oh nine five nine",
    ],
)
def test_a_mended_number_keeps_its_country(text: str) -> None:
    assert read("phone", text, before=ABROAD, region="US") == "+442079460959"


def test_another_number_is_no_mended_one() -> None:
    assert read("phone", "no, 212 555 0199", before=ABROAD, region="US") == "+12125550199"


def test_the_country_is_read_back_where_it_is_another() -> None:
    for text, spoken in (
        ("plus 44 20 7946 0958", "plus four four, two zero seven, nine four six, zero nine five eight"),
        ("0044 20 7946 0958", "plus four four, two zero seven, nine four six, zero nine five eight"),
        ("plus one 212 555 0198", "two one two, five five five, zero one nine eight"),
    ):
        reading = reading_of("phone", text, region="US")
        assert isinstance(reading, Value)
        assert reading.spoken == spoken


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("area code 212 and the number is 555 0198", "+12125550198"),
        ("oh, five five five one two three four", "5551234"),
        ("oh five five five one two three four", "5551234"),
        ("one eight hundred five five five one two one two", "+18005551212"),
        ("five five five two thousand", "5552000"),
        ("my number is 212 555 0198 extension 12", "+12125550198"),
        ("five five five zero one two three. no, four", "5550124"),
        ("it's the one I'm calling from", None),
    ],
)
def test_numbers_as_callers_group_them(text: str, value: str | None) -> None:
    assert read("phone", text, region="US") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("not seven, eight", "8"),
        ("it wasn't a seven, it was an eight", "8"),
        ("I wouldn't say ten, more like eight", "8"),
        ("seven, sorry, eight", "8"),
        ("From one to ten, you said? Nine.", "9"),
        ("on a scale from one to ten I'd say nine", "9"),
        ("I waited two hours, I'd say a three", "3"),
        ("Oh, a perfect ten", "10"),
        ("eight out of ten", "8"),
        ("no more than five", "5"),
        ("I don't know, five", "5"),
        ("can't complain, nine", "9"),
        ("just one", "1"),
        ("number one", "1"),
        ("one second please", None),
        ("one moment", None),
        ("one minute please", None),
        ("no one told me", None),
        ("one of the nurses was rude", None),
        ("minus one", "! It should be a number from 1 to 10."),
        ("-1", "! It should be a number from 1 to 10."),
    ],
)
def test_a_grade_is_what_the_caller_gives(text: str, value: str | None) -> None:
    assert read("number", text, least=1, most=10) == value
