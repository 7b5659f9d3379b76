"""How much of a dictated number or a spelt name is still to come."""

import pytest

from sipagent.call.dictation import Asked, Dictation, dictation_of
from sipagent.call.endpointing import CommitDelays, EndScores, Patience, commit_delay_ms

pytestmark = pytest.mark.unit

MORE, GROUP, PERHAPS, NONE = Dictation.MORE, Dictation.GROUP, Dictation.PERHAPS, Dictation.NONE


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        (Asked.PHONE, "212 555", MORE),
        (Asked.PHONE, "555 0142", PERHAPS),
        (Asked.PHONE, "212 555 01", MORE),
        (Asked.PHONE, "212 555 0142", NONE),
        (Asked.PHONE, "1 212 555 014", MORE),
        (Asked.PHONE, "plus one, 212 555 0142", NONE),
        (Asked.PHONE, "double five five, zero one", MORE),
        (Asked.PHONE, "seventy one, twenty", MORE),
        (Asked.ANYTHING, "You can reach me at plus 1 6 1 7", MORE),
        (Asked.ANYTHING, "My number is 212. 555. 0142.", NONE),
        (Asked.CARD, "4111 1111 1111", MORE),
        (Asked.CARD, "3714 496353 98431", PERHAPS),
        (Asked.ANYTHING, "My card number is 4111 1111 1111 1111.", NONE),
        (Asked.ANYTHING, "my order number is seven seven", MORE),
        (Asked.ANYTHING, "My order number is seven seven three", GROUP),
        (Asked.NUMBER, "12", GROUP),
        (Asked.NOTHING, "five five five", MORE),
    ],
)
def test_digits_are_counted_against_what_was_asked_or_named(
    asked: Asked, text: str, expected: Dictation
) -> None:
    assert dictation_of(text, asked) is expected


@pytest.mark.parametrize(
    "text",
    [
        "Can I come at 10:30?",
        "My son was born in 2019.",
        "I need a table for two on Friday at seven",
        "We are 4",
        "That was 120 dollars",
        "Until 1700",
        "The 21st",
    ],
)
def test_times_years_and_counts_are_no_dictation(text: str) -> None:
    assert dictation_of(text, Asked.ANYTHING) is NONE


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        (Asked.SPELLING, "It's Smyth, S M Y", MORE),
        (Asked.NOTHING, "it's S M I", GROUP),
        (Asked.NOTHING, "K-O-W-A", GROUP),
        (Asked.NOTHING, "It's Smith, S M I T H.", NONE),
        (Asked.SPELLING, "Smith. S-M-I-T-H.", NONE),
        (Asked.NOTHING, "So do I", NONE),
        (Asked.NOTHING, "I need a", NONE),
    ],
)
def test_spelling_goes_on_until_the_word_is_whole(asked: Asked, text: str, expected: Dictation) -> None:
    assert dictation_of(text, asked) is expected


def test_patience_after_a_group_grows_with_the_caller_s_own_pauses() -> None:
    delays, text = CommitDelays(300, 700, 1600), "My order number is seven seven three"
    patience = Patience(Asked.ANYTHING)
    assert commit_delay_ms(text, EndScores(0.9, 0.9), delays, patience) == 1280
    for pause_ms, delay_ms in ((500, 1280), (1000, 1500), (700, 1500), (3000, 1600)):
        patience = patience.paused(pause_ms, text)
        assert commit_delay_ms(text, EndScores(0.9, 0.9), delays, patience) == delay_ms
    assert patience.tempo_ms == 0
