"""What is kept of a long call's older turns."""

import pytest

from sipagent.brain.context import note_on_dropped
from sipagent.brain.summary import lines_of
from sipagent.brain.types import Message, Role

pytestmark = pytest.mark.unit


def call(*texts: str) -> list[Message]:
    """The agent speaks first, then both in turn."""
    return [Message((Role.AGENT, Role.CALLER)[n % 2], text) for n, text in enumerate(texts)]


def words(message: Message) -> int:
    return len(message.text.split())


def test_the_name_outlives_small_talk() -> None:
    small_talk = ["Indeed.", "The weather is so nice here today."] * 30
    history = call("Hello?", "Hi, my name is Sarah Miller.", *small_talk)
    note = note_on_dropped(history, words, budget_tokens=18)
    assert note is not None
    assert "my name is Sarah Miller" in note.text
    assert words(note) <= 18


def test_a_short_answer_bears_what_was_asked_for() -> None:
    history = call(
        "May I have your name?",
        "Sarah Miller.",
        "And your phone number?",
        "Five five five.",
        "Thanks.",
        "Yes.",
    )
    assert [line for _, _, line in lines_of(history)] == ["name: Sarah Miller.", "number: Five five five."]


def test_what_tells_most_comes_first_and_stands_in_order() -> None:
    history = call(
        "Hello?",
        "I like dogs. I'd like an appointment on Tuesday.",
        "Sure.",
        "Well, well. My name is Ada.",
        "Fine.",
        "My number is 555 0123.",
    )
    note = note_on_dropped(history, words, budget_tokens=99)
    assert note is not None
    assert note.text == (
        "Earlier the caller said: I'd like an appointment on Tuesday. / My name is Ada. / "
        "My number is 555 0123."
    )
    shorter = note_on_dropped(history, words, budget_tokens=9)
    assert shorter is not None
    assert shorter.text == "Earlier the caller said: My name is Ada."


def test_yes_and_no_tell_nothing() -> None:
    assert note_on_dropped(call("Right?", "Yes.", "Sure?", "mm-hm"), words, budget_tokens=99) is None
