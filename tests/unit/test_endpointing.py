"""How long the agent waits after the caller's last sound: by words, by models, by what was asked."""

import pytest

from sipagent.call.dictation import Asked
from sipagent.call.endpointing import (
    EndScores,
    Patience,
    asked_by,
    commit_delay_ms,
    is_farewell,
    is_unfinished,
)
from tests.unit.turn_script import DELAYS, MIDDLE_MS, STORY_MS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "bye",
        "OK, goodbye!",
        "Thank you, bye-bye.",
        "have a nice day",
        "Bye now. Thank you for your help.",
        "No, that's all. Have a great evening, you too.",
        "Goodbye. Goodbye.",
    ],
)
def test_farewells(text: str) -> None:
    assert is_farewell(text)


@pytest.mark.parametrize(
    "text",
    [
        "can I buy one",
        "Hyde Park by night",
        "hello",
        "I want to have a nice day with my wife, is there a table?",
        "I wanted to have a nice evening.",
        "Before I say goodbye, what is your address?",
        "Bye the way, are you open on Friday?",
    ],
)
def test_no_farewells(text: str) -> None:
    assert not is_farewell(text)


def test_unfinished_and_backchannel() -> None:
    assert is_unfinished("I would like to...")
    assert is_unfinished("I would like to, let me think")
    assert is_unfinished("Can you tell me?")
    assert is_unfinished("Do you know when?")
    assert not is_unfinished("When?")
    assert not is_unfinished("Sorry, what?")
    assert not is_unfinished("I would like to book an appointment.")


@pytest.mark.parametrize(
    "text",
    [
        "Sorry,",
        "Well, actually.",
        "Hi. I have a question.",
        "Okay, so",
        "We are, uh,",
        "I was wondering if...",
    ],
)
def test_what_introduces_more_is_waited_for(text: str) -> None:
    assert commit_delay_ms(text, EndScores(0.9), DELAYS, Patience()) >= DELAYS.doubt


@pytest.mark.parametrize(
    ("asked", "text", "score", "delay_ms"),
    [
        (Asked.ANYTHING, "What is your address?", 0.9, 400),
        (Asked.ANYTHING, "Can I talk to a real person, please?", 0.3, 400),
        (Asked.ANYTHING, "I need to cancel my appointment.", 0.3, 700),
        (Asked.NOTHING, "My name is Sarah Miller.", 0.9, 300),
        (Asked.ANYTHING, "My name is Sarah Miller.", 0.9, 300),
        (Asked.NOTHING, "Thank you so much. Goodbye.", 0.02, 300),
        (Asked.ANYTHING, "I need to cancel my appointment.", 0.9, 300),
        (Asked.ANYTHING, "I have had a toothache since yesterday evening.", 0.98, STORY_MS),
        (Asked.SOMETHING, "I have had a toothache since yesterday evening.", 0.98, 300),
        (
            Asked.ANYTHING,
            "I have had a toothache since Monday, and I was wondering whether somebody could see me today.",
            0.9,
            300,
        ),
        (Asked.ANYTHING, "What I wanted to find out", 0.98, STORY_MS),
        (Asked.ANYTHING, "When I called you yesterday.", 0.98, STORY_MS),
        (Asked.ANYTHING, "When can I come in?", 0.02, 400),
        (Asked.YES_NO, "Yes.", 0.02, 300),
        (Asked.YES_NO, "No, thank you.", 0.02, 300),
        (Asked.YES_NO, "No, I would rather come on Thursday.", 0.02, 700),
        (Asked.ANYTHING, "No, thank you.", 0.02, 400),
        (Asked.ANYTHING, "My number is 555", 0.99, 1600),
        (Asked.ANYTHING, "My number is five five five", 0.99, 1600),
        (Asked.ANYTHING, "My number is 555-0123.", 0.99, 700),
        (Asked.PHONE, "five five five, zero one", 0.99, 1600),
        (Asked.NUMBER, "five five five, zero one two three", 0.99, STORY_MS),
        (Asked.SPELLING, "It's Smyth, S M Y", 0.99, 1600),
        (Asked.SPELLING, "My name is Sarah Miller.", 0.99, 300),
        (Asked.NOTHING, "Thank you so much.", 0.99, 300),
    ],
)
def test_patience_by_words_and_question(asked: Asked, text: str, score: float, delay_ms: int) -> None:
    assert commit_delay_ms(text, EndScores(score), DELAYS, Patience(asked)) == delay_ms


@pytest.mark.parametrize(
    ("asked", "text", "sound", "words", "delay_ms"),
    [
        (Asked.ANYTHING, "I wanted to ask whether my daughter.", 0.99, 0.0004, 1600),
        (Asked.SOMETHING, "Is it okay if I?", 0.95, 0.0001, STORY_MS),
        (Asked.SOMETHING, "I have a toothache end.", 0.9, 0.05, STORY_MS),
        (Asked.NOTHING, "I was there last week.", 0.99, 0.18, STORY_MS),
        (Asked.NOTHING, "I was there last week.", 0.99, 0.44, MIDDLE_MS),
        (Asked.NOTHING, "I was there last week.", 0.99, 0.55, 300),
        (Asked.ANYTHING, "I'm calling about my invoice.", 0.98, 0.33, MIDDLE_MS),
        (Asked.ANYTHING, "I'd like to speak to somebody.", 0.97, 0.11, STORY_MS),
        (Asked.ANYTHING, "I'm calling about my invoice from last month.", 0.97, 0.59, 300),
        (Asked.ANYTHING, "Could you send me a copy?", 0.9, 0.004, 700),
        (Asked.ANYTHING, "Can I bring my dog if he is on a leash?", 0.1, 0.83, 400),
        (Asked.SOMETHING, "I'd prefer the afternoon.", 0.2, 0.65, 300),
        (Asked.SOMETHING, "I'd prefer the afternoon.", 0.2, 0.4, 700),
        (Asked.SOMETHING, "Friday.", 0.9, 0.009, 300),
        (Asked.SOMETHING, "Tuesday, please.", 0.2, 0.02, 700),
        (Asked.ANYTHING, "Can you repeat that?", 0.9, 0.1, 400),
    ],
)
def test_patience_where_the_language_model_has_judged(
    asked: Asked, text: str, sound: float, words: float, delay_ms: int
) -> None:
    assert commit_delay_ms(text, EndScores(sound, words), DELAYS, Patience(asked)) == delay_ms


def test_caller_who_pauses_long_is_given_longer() -> None:
    question = "What is your address?"
    patience = Patience().paused(100, None)
    assert commit_delay_ms(question, EndScores(0.9), DELAYS, patience) == 400
    patience = patience.paused(400, "Hello there.")
    assert commit_delay_ms(question, EndScores(0.9), DELAYS, patience) == 500
    for _ in range(20):
        patience = patience.paused(5000, "Hello there.")
    assert commit_delay_ms(question, EndScores(0.9), DELAYS, patience) == MIDDLE_MS


def test_pause_that_the_words_explain_tells_nothing_of_the_tempo() -> None:
    assert Patience().paused(1000, "I would like to").tempo_ms == 0
    assert Patience().paused(1000, "My number is 555").tempo_ms == 0


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Maple Street Dental, how can I help?", Asked.ANYTHING),
        ("We close at five. Is there anything else?", Asked.ANYTHING),
        ("Would Tuesday suit you?", Asked.YES_NO),
        ("What's the best number to reach you?", Asked.PHONE),
        ("What is your reference number?", Asked.NUMBER),
        ("Could I have the number on your card?", Asked.CARD),
        ("Could you spell that?", Asked.SPELLING),
        ("Could I have your e-mail address?", Asked.EMAIL),
        ("Sure. Which day?", Asked.SOMETHING),
        ("We are open on Friday.", Asked.NOTHING),
        ("", Asked.NOTHING),
    ],
)
def test_what_the_agent_asked(text: str, asked: Asked) -> None:
    assert asked_by(text) is asked
