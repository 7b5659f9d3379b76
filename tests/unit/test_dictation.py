"""How much of a dictated number or a spelt name is still to come."""

import pytest

from sipagent.call.dictation import ANY_FORM, AnswerForm, Asked, Dictation, dictation_of, is_whole
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


@pytest.mark.parametrize(
    ("asked", "form", "text", "expected"),
    [
        (Asked.NUMBER, AnswerForm(4, 4), "four seven", MORE),
        (Asked.NUMBER, AnswerForm(4, 4), "4711.", NONE),
        (Asked.NUMBER, AnswerForm(4, 6), "1984", GROUP),
        (Asked.NUMBER, AnswerForm(6), "4711", MORE),
        (Asked.NUMBER, AnswerForm(6), "471104", GROUP),
        (Asked.NUMBER, AnswerForm(4, 4), "I think it's on my card", NONE),
        (Asked.PHONE, AnswerForm(7, 11), "020 7946 0018", NONE),
        (Asked.PHONE, AnswerForm(7, 11), "020 79", MORE),
        (Asked.PHONE, AnswerForm(7, 11), "plus four four, 20 7946", MORE),
    ],
)
def test_what_the_flow_knows_of_a_number_tells_its_length(
    asked: Asked, form: AnswerForm, text: str, expected: Dictation
) -> None:
    assert dictation_of(text, asked, form) is expected


@pytest.mark.parametrize(
    ("asked", "form", "text", "expected"),
    [
        (Asked.NUMBER, AnswerForm(4, 4), "It's 1984.", True),
        (Asked.NUMBER, AnswerForm(4, 4), "four seven double one", True),
        (Asked.NUMBER, AnswerForm(4, 6), "4711", False),
        (Asked.NUMBER, ANY_FORM, "4711", False),
        (Asked.PHONE, ANY_FORM, "212 555 0142", True),
        (Asked.PHONE, ANY_FORM, "555 0142", False),
        (Asked.PHONE, ANY_FORM, "plus one, 212 555 0142", True),
        (Asked.CARD, ANY_FORM, "4111 1111 1111 1111", True),
        (Asked.EMAIL, ANY_FORM, "ann dot lee at mail dot example dot com", True),
        (Asked.EMAIL, ANY_FORM, "It's ann.lee@example.com.", True),
        (Asked.EMAIL, ANY_FORM, "ann dot lee at example dot co", False),
        (Asked.ANYTHING, AnswerForm(4, 4), "I was there at 4711", False),
    ],
)
def test_number_or_address_is_whole_when_nothing_of_it_can_follow(
    asked: Asked, form: AnswerForm, text: str, *, expected: bool
) -> None:
    assert is_whole(text, asked, form) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann dot lee", MORE),
        ("ann dot lee at example", MORE),
        ("ann dot lee at example dot", MORE),
        ("It's s m i t h, four two", MORE),
        ("jsmith", GROUP),
        ("ann at example dot co dot uk", PERHAPS),
        ("It's ann.lee@example.com, thanks.", NONE),
        ("I don't have one.", NONE),
        ("No.", NONE),
        ("Can you say that again?", NONE),
    ],
)
def test_address_goes_on_until_its_domain_is_whole(text: str, expected: Dictation) -> None:
    assert dictation_of(text, Asked.EMAIL) is expected


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        (Asked.DATE, "In March", MORE),
        (Asked.DATE, "March the twenty", MORE),
        (Asked.DATE, "next", MORE),
        (Asked.DATE, "the third", PERHAPS),
        (Asked.DATE, "the third of March", NONE),
        (Asked.DATE, "Next Tuesday.", NONE),
        (Asked.TIME, "half past", MORE),
        (Asked.TIME, "at ten", PERHAPS),
        (Asked.TIME, "ten twenty", PERHAPS),
        (Asked.TIME, "At 10:30.", NONE),
        (Asked.TIME, "quarter to nine", NONE),
        (Asked.TIME, "three p.m.", NONE),
        (Asked.COUNT, "twenty", PERHAPS),
        (Asked.COUNT, "twenty-three", NONE),
        (Asked.CHOICE, "The waiting time", NONE),
    ],
)
def test_short_answer_is_over_when_it_can_stand_by_itself(
    asked: Asked, text: str, expected: Dictation
) -> None:
    assert dictation_of(text, asked) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("March 3rd.", GROUP),
        ("March third nineteen", MORE),
        ("March 3rd, 1985.", NONE),
        ("last Tuesday", NONE),
    ],
)
def test_year_may_follow_a_date_that_has_been(text: str, expected: Dictation) -> None:
    assert dictation_of(text, Asked.DATE, AnswerForm(has_been=True)) is expected


@pytest.mark.parametrize(
    ("asked", "form", "text", "words", "delay_ms"),
    [
        (Asked.NUMBER, AnswerForm(4, 4), "four seven one one", 0.01, 300),
        (Asked.PHONE, ANY_FORM, "212 555 0142", 0.01, 300),
        (Asked.DATE, ANY_FORM, "Tuesday the fourteenth of March", 0.05, 700),
        (Asked.DATE, ANY_FORM, "I have to ask my wife when she is back", 0.05, 1280),
        (Asked.TIME, ANY_FORM, "at ten", 0.9, 700),
        (Asked.CHOICE, ANY_FORM, "the waiting time", 0.01, 700),
        (Asked.TEXT, ANY_FORM, "a toothache", 0.01, 880),
        (Asked.TEXT, ANY_FORM, "my tooth hurts since yesterday evening", 0.3, 1280),
        (Asked.TEXT, ANY_FORM, "my tooth hurts since yesterday evening", 0.9, 880),
        (Asked.TEXT, ANY_FORM, "No.", 0.1, 400),
        (Asked.TEXT, AnswerForm(patience_ms=3000), "No.", 0.9, 3000),
        (Asked.DATE, AnswerForm(patience_ms=0), "in March", 0.9, 0),
    ],
)
def test_patience_fits_what_was_asked_for(
    asked: Asked, form: AnswerForm, text: str, words: float, delay_ms: int
) -> None:
    delays, patience = CommitDelays(300, 700, 1600), Patience(asked, form=form)
    assert commit_delay_ms(text, EndScores(0.3, words), delays, patience) == delay_ms
