"""What speech-to-text makes of callers' words, put right; and what is left alone."""

from datetime import datetime

import pytest

from sipagent.flows.misheard import as_answer, as_said
from sipagent.flows.slots.phones import read_phone
from sipagent.flows.slots.values import Refused, Said, Value, without_echo

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("Hey, we're exactly are you.", "Hey, where exactly are you."),
        ("Till one can I reach you?", "Till when can I reach you?"),
        ("Let's say the 14s.", "Let's say the 14th."),
        ("No wait when stay would be better.", "No wait Wednesday would be better."),
        ("How about fry day?", "How about Friday?"),
        ("Thirst day is fine.", "Thursday is fine."),
    ],
)
def test_sound_and_grammar_tell_what_was_said(heard: str, said: str) -> None:
    assert as_said(heard) == said


@pytest.mark.parametrize(
    "text",
    [
        "One day I will come.",
        "We're at the door, are you there?",
        "Someday, maybe.",
        "They said today.",
        "Is every day possible?",
        "I'd like to stay.",
        "I was there yesterday and they were closed.",
        "Do they open on Monday?",
        "Will they be open on the holiday?",
        "It's my birthday today.",
    ],
)
def test_what_makes_sense_is_left_alone(text: str) -> None:
    assert as_said(text) == text


def test_a_lone_now_is_a_no_where_one_is_expected() -> None:
    assert as_answer("Now.") == "no"
    assert as_answer("Now is fine.") == "Now is fine."


def phone(text: str, region: str = "US") -> Value | Refused | None:
    return read_phone(Said(text, datetime(2026, 11, 24)), region=region)


def test_the_zero_that_a_group_begins_with_comes_back_and_is_read_back() -> None:
    found = phone("212-555-147.")
    assert isinstance(found, Value)
    assert found.value == "+12125550147"
    assert not found.is_sure


def test_whole_numbers_and_other_countries_are_left_as_they_are() -> None:
    found = phone("212-555-1470")
    assert isinstance(found, Value)
    assert found.value == "+12125551470"
    assert isinstance(phone("030-555-147", "DE"), Value)
    assert isinstance(phone("55-12"), Refused)


@pytest.mark.parametrize(
    ("heard", "once"),
    [
        ("Eight. Eight.", "Eight."),
        ("915 915 915", "915"),
        ("five five five five", "five five"),
        ("5 5 5", "5 5 5"),
        ("no no wait", "no no wait"),
    ],
)
def test_words_that_are_written_several_times_were_said_once(heard: str, once: str) -> None:
    assert without_echo(heard) == once
