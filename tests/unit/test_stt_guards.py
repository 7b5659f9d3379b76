"""What Whisper says when it should not."""

import pytest

from sipagent.speech.guards import (
    compression_ratio,
    is_hallucination,
    is_stammer,
    repeated_words,
    without_repeats,
)

pytestmark = pytest.mark.unit

STAMMERS = [
    ("What is your address? What is your address?", "What is your address?"),
    ("What is your address? What is your address", "What is your address?"),
    ("My number is 555-0123. My number is 555-0123. My", "My number is 555-0123."),
    ("And that's all goodbye. And that's all", "And that's all goodbye."),
    ("No, thank you. No, thank you", "No, thank you."),
    ("I need it. I need it. I need it. I need", "I need it."),
]
SPEECH = [
    "What is your address?",
    "My number is 5, 5, 5, 0, 1, 2, 3.",
    "five five five five zero zero",
    "No, no, no, no, that is wrong.",
    "bye bye",
    "I would like to, I would like to move it.",
    "",
]


@pytest.mark.parametrize(("text", "once"), STAMMERS)
def test_a_stammer_is_found_and_cut(text: str, once: str) -> None:
    assert is_stammer(text)
    assert without_repeats(text).rstrip(".?") == once.rstrip(".?")


@pytest.mark.parametrize("text", SPEECH)
def test_what_people_say_is_left_alone(text: str) -> None:
    assert not is_stammer(text)
    assert without_repeats(text) == text


def test_a_single_word_over_and_over_is_a_stammer() -> None:
    assert repeated_words("so " * 8) == 7
    assert without_repeats("so so so so so so so so") == "so"


def test_compression_finds_a_loop_that_is_not_at_the_end() -> None:
    assert compression_ratio("very long and very much the same " * 8) > 2.4
    assert is_stammer("very long and very much the same " * 8 + "but it ends otherwise")


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "sound_ms"),
    [
        ("", -0.1, 0.0, 2000),
        (".", -0.1, 0.0, 2000),
        ("Beep Beep Beep Beep", -0.6, 0.5, 1000),
        ("You", -2.5, 0.9, 400),
        ("Thank you.", -0.5, 0.7, 400),
        ("I'm not a fan of the game.", -2.4, 0.8, 980),
        ("That is a whole sentence, said in no time at all.", -0.3, 0.1, 200),
    ],
)
def test_words_about_noise_are_nothing(text: str, logprob: float, no_speech: float, sound_ms: int) -> None:
    assert is_hallucination(text, logprob, no_speech, sound_ms)


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "sound_ms"),
    [
        ("Thank you.", -0.5, 0.4, 400),
        ("Yes.", -0.7, 0.5, 200),
        ("My number in time time", -0.9, 0.4, 1500),
        ("What is your address?", -0.1, 0.9, 900),
    ],
)
def test_faint_words_are_kept(text: str, logprob: float, no_speech: float, sound_ms: int) -> None:
    assert not is_hallucination(text, logprob, no_speech, sound_ms)
