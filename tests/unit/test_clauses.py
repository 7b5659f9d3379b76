"""Cutting the reply into clauses: early, whole, and the same however the pieces come."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.brain.clauses import ClauseSplitter
from sipagent.brain.spans import is_inside_span

pytestmark = pytest.mark.unit

PLAIN_WORDS = "Sure I can help you book on at and but because that works hello"
TOKENS = st.lists(
    st.sampled_from(
        [
            *PLAIN_WORDS.split(),
            *["Dr. Smith", "9:30", "a.m.", "1,200", "$1.50", "3.5", "Nov. 22, 2026", "(555) 123-4567"],
            *["*smiles*", "**bold**", "[pause]", "`x`", '"Yes."', "info@a.co", "https://a.b/c?d=e,f", "😀"],
            *[",", ".", "!", "?", ";", ":", "—", "...", "\n", "-", "(", ")", "*", '"', "[", "<b>"],
        ]
    ),
    max_size=60,
).flatmap(lambda words: st.sampled_from([" ".join(words), "".join(words)]))


def _split(text: str, pieces: list[str] | None = None) -> list[str]:
    splitter = ClauseSplitter()
    clauses = [clause for piece in (pieces or [text]) for clause in splitter.push(piece)]
    return clauses + splitter.flush()


def _bare(text: str) -> str:
    return "".join(text.split())


@given(text=TOKENS | st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_joined_clauses_are_the_text(text: str) -> None:
    clauses = _split(text)
    assert _bare("".join(clauses)) == _bare(text)
    assert all(clause and clause == clause.strip() for clause in clauses)


@given(text=TOKENS, seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_pieces_do_not_matter(text: str, seed: int) -> None:
    rng = random.Random(seed)
    pieces: list[str] = []
    left = text
    while left:
        width = rng.randint(1, 9)
        pieces.append(left[:width])
        left = left[width:]
    assert _split(text, pieces or [""]) == _split(text)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Sure, I can help. What day suits you?", ["Sure,", "I can help. What day suits you?"]),
        ("Yes, of course. Which day is best?", ["Yes,", "of course. Which day is best?"]),
        ("Of course! Let me check. It is free.", ["Of course!", "Let me check. It is free."]),
        ("No.", ["No."]),
        ("", []),
        ("We have time on Friday; shall I book it?", ["We have time on Friday;", "shall I book it?"]),
        ("Okay—let me look—one moment.", ["Okay—", "let me look—one moment."]),
        ("Dr. Smith is in. Ms. Lee is not in.", ["Dr. Smith is in.", "Ms. Lee is not in."]),
        ("It costs $1,200.50 or 3.5 hours, right?", ["It costs $1,200.50 or 3.5 hours,", "right?"]),
        ("On November 22, 2026 we are closed. Sorry!", ["On November 22, 2026 we are closed.", "Sorry!"]),
        ("Come at 9:30 a.m. on Monday. Is that good?", ["Come at 9:30 a.m. on Monday.", "Is that good?"]),
        ("We open at 9 a.m. We close at 5 p.m.", ["We open at 9 a.m.", "We close at 5 p.m."]),
        ("Visit https://x.com/a?b=c,d. It is new.", ["Visit https://x.com/a?b=c,d.", "It is new."]),
        ("Mail info@maple.com. We will answer.", ["Mail info@maple.com.", "We will answer."]),
        ("Call (555) 123-4567. We are open.", ["Call (555) 123-4567.", "We are open."]),
        ('She said "Hi. Bye." and left us.', ['She said "Hi. Bye."', "and left us."]),
        ("We offer:\n- Cleaning\n- Filling teeth", ["We offer:", "- Cleaning\n- Filling teeth"]),
        ("5 * 3 is 15. And 2 * 2 is 4.", ["5 * 3 is 15.", "And 2 * 2 is 4."]),
    ],
)
def test_clauses_end_where_a_person_would_pause(text: str, clauses: list[str]) -> None:
    assert _split(text) == clauses


def test_the_first_clause_does_not_wait_for_the_next_token() -> None:
    splitter = ClauseSplitter()
    assert [splitter.push(piece) for piece in ("Of", " course", ",")] == [[], [], ["Of course,"]]


def test_a_comma_in_a_number_waits() -> None:
    splitter = ClauseSplitter()
    released = [c for piece in ("It is 1", ",", "200", " dollars", " then") for c in splitter.push(piece)]
    assert released == []


def test_a_long_beginning_is_cut_before_a_linking_word() -> None:
    text = "I can book you an appointment next Tuesday morning with our hygienist if that works for you"
    first, *rest = _split(text)
    assert first == "I can book you an appointment next Tuesday morning"
    assert rest == ["with our hygienist if that works for you"]


def test_without_any_sign_clauses_stay_short() -> None:
    clauses = _split("word " * 200)
    assert all(len(clause.split()) <= 24 for clause in clauses)
    assert len(clauses[0].split()) <= 14


def test_behind_a_very_short_clause_half_a_sentence_is_enough() -> None:
    assert _split("Yes, we are open on Friday from eight until two in the afternoon. Bye.") == [
        "Yes,",
        "we are open on Friday from eight",
        "until two in the afternoon.",
        "Bye.",
    ]


def test_later_clauses_are_sentences() -> None:
    text = (
        "Hi there and good morning. I looked at the calendar, and on Tuesday, in the morning, there is room. "
        "Fine?"
    )
    assert _split(text) == [
        "Hi there and good morning.",
        "I looked at the calendar, and on Tuesday, in the morning, there is room.",
        "Fine?",
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        ["Well now *smi", "les, a lot* here", " we go again, my friend."],
        ["Now [pause", ", then speak] we", " go on, my friend."],
        ["Read **this, ", "please** now,", " my friend."],
        ["Use `a, b", ", c` now,", " my friend."],
        ["This <b", ' class="a, b">word', "</b> now,", " my friend."],
    ],
)
def test_markup_is_never_cut(pieces: list[str]) -> None:
    for clause in _split("", pieces):
        assert not is_inside_span(clause), clause


def test_a_span_that_never_closes_does_not_hold_the_voice_back() -> None:
    splitter = ClauseSplitter()
    assert splitter.push("Well (this is open and " + "goes on and on " * 30)


def test_flush_leaves_nothing() -> None:
    splitter = ClauseSplitter()
    splitter.push("One moment")
    assert splitter.flush() == ["One moment"]
    assert splitter.flush() == []
