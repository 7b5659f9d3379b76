"""What goes into the model's window."""

from itertools import cycle, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.brain.context import HEADROOM_SHARE, cut_beginning, fit_window, note_on_dropped
from sipagent.brain.types import Message, Role

pytestmark = pytest.mark.unit

TALK = st.lists(
    st.builds(
        Message,
        st.sampled_from([Role.CALLER, Role.AGENT]),
        st.text(alphabet="ab c", max_size=60),
    ),
    max_size=40,
)
MORE = st.lists(st.builds(Message, st.just(Role.CALLER), st.text("xy ", max_size=40)), max_size=3)
BUDGETS = st.integers(16, 200)


def count(message: Message) -> int:
    """A token for each two characters of a word, and three of markup."""
    return 3 + sum((len(word) + 1) // 2 for word in message.text.split())


def talk(turns: int, *, words: int = 5) -> list[Message]:
    history = [Message(Role.AGENT, "hello")]
    for n in range(turns):
        history += [Message(Role.CALLER, f"q{n} " * words), Message(Role.AGENT, f"a{n} " * words)]
    return history


@given(TALK, BUDGETS)
def test_the_window_never_exceeds_its_budget(history: list[Message], budget: int) -> None:
    window = fit_window(history, count, budget_tokens=budget)
    assert sum(map(count, window.messages)) <= budget


@given(TALK, BUDGETS)
def test_the_window_is_the_end_of_the_history(history: list[Message], budget: int) -> None:
    window = fit_window(history, count, budget_tokens=budget)
    spoken = [m for m in history if m.text.strip()]
    kept = [m for m in window.messages if m.role is not Role.SYSTEM]
    assert len(kept) == len(spoken) - window.dropped_messages
    for got, said in zip(kept, spoken[window.dropped_messages :], strict=True):
        assert got.role is said.role
        assert " ".join(said.text.split()).endswith(" ".join(got.text.split()))
    if spoken:
        assert kept


@given(st.lists(st.text("ab ", min_size=1, max_size=9), max_size=60), st.integers(40, 200))
def test_whole_turns_are_dropped(texts: list[str], budget: int) -> None:
    roles = cycle([Role.AGENT, Role.CALLER])
    history = [Message(role, f"x{text}") for role, text in zip(roles, texts, strict=False)]
    window = fit_window(history, count, budget_tokens=budget)
    kept = [m for m in window.messages if m.role is not Role.SYSTEM]
    if window.dropped_messages:
        assert kept[0].role is Role.CALLER


@given(TALK, MORE, BUDGETS)
def test_dropping_is_never_taken_back(history: list[Message], more: list[Message], budget: int) -> None:
    before = fit_window(history, count, budget_tokens=budget)
    after = fit_window([*history, *more], count, budget_tokens=budget)
    assert after.dropped_messages >= before.dropped_messages
    if after.dropped_messages == before.dropped_messages:
        assert after.messages[: len(before.messages)] == before.messages


@given(TALK, st.text("xy ", max_size=60), BUDGETS)
def test_after_the_agents_message_the_callers_next_one_fits(
    history: list[Message], text: str, budget: int
) -> None:
    history, answer = [*history, Message(Role.AGENT, "yes")], Message(Role.CALLER, text)
    before = fit_window(history, count, budget_tokens=budget).dropped_messages
    after = fit_window([*history, answer], count, budget_tokens=budget).dropped_messages
    if count(answer) <= budget * HEADROOM_SHARE:
        assert after == before


def test_turns_are_dropped_in_chunks_so_that_the_cache_lasts() -> None:
    dropped = [fit_window(talk(n), count, budget_tokens=200).dropped_messages for n in range(60)]
    changes = sum(a != b for a, b in pairwise(dropped))
    assert dropped[-1] > 80
    assert changes < 20


def test_a_short_call_is_kept_whole() -> None:
    history = talk(3)
    assert fit_window(history, count, budget_tokens=500).messages == tuple(history)


def test_empty_messages_are_left_out() -> None:
    history = [Message(Role.CALLER, " "), Message(Role.CALLER, "hello")]
    assert fit_window(history, count, budget_tokens=50).messages == (history[1],)


def test_what_was_dropped_is_noted_in_the_callers_words() -> None:
    window = fit_window(talk(40, words=4), count, budget_tokens=360)
    note = window.messages[0]
    assert note.role is Role.SYSTEM
    assert note.text.startswith("Earlier the caller said: q0 q0 q0 q0 / ")
    assert "a0" not in note.text
    assert count(note) <= 360 // 8


def test_a_note_keeps_how_the_call_began_and_the_latest_lines() -> None:
    dropped = [Message(Role.CALLER, text) for text in ("my name is Ada", "first", "second", "third")]
    note = note_on_dropped(dropped, lambda m: len(m.text.split()), budget_tokens=11)
    assert note is not None
    assert note.text == "Earlier the caller said: my name is Ada / third"
    assert note_on_dropped(dropped, count, budget_tokens=3) is None
    assert note_on_dropped([], count, budget_tokens=99) is None


def test_a_long_line_is_shortened_in_the_note() -> None:
    note = note_on_dropped([Message(Role.CALLER, "w " * 40)], count, budget_tokens=99)
    assert note is not None
    assert note.text == "Earlier the caller said:" + " w" * 16 + " …"


@given(st.text(alphabet="ab ", min_size=1, max_size=200), st.integers(4, 60))
def test_an_overlong_message_loses_its_beginning(text: str, budget: int) -> None:
    message = Message(Role.CALLER, text)
    cut = cut_beginning(message, count, budget_tokens=budget)
    assert count(cut) <= budget
    assert " ".join(text.split()).endswith(" ".join(cut.text.split()))
    if count(message) <= budget:
        assert cut is message


def test_the_last_words_are_what_is_kept() -> None:
    message = Message(Role.CALLER, "blah " * 500 + "are you open on Friday?")
    window = fit_window([message], count, budget_tokens=60)
    assert window.messages[0].text.endswith("are you open on Friday?")
    assert 20 < count(window.messages[0]) <= 30


def test_the_last_message_stays_whatever_it_costs() -> None:
    history = [*talk(20), Message(Role.CALLER, "x" * 400)]
    window = fit_window(history, count, budget_tokens=40)
    assert window.messages[-1].text == "x" * 34
    assert sum(map(count, window.messages)) <= 40
