"""When a recording pauses for a card number, and when it goes on."""

import pytest

from sipagent.call.card_guard import (
    CardGuard,
    Pause,
    Resume,
    agent_ended,
    agent_says,
    asks_for_card,
    caller_said,
    key_pressed,
    longest_run,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("4111 1111 1111 1111", 16),
        ("four one one one, um, four two four two", 8),
        ("it's 4111-1111 and 2222", 12),
        ("double four triple two one", 6),
        ("forty one eleven", 3),
        ("call me at nine on the fifth of 2027", 4),
        ("no numbers here", 0),
    ],
)
def test_longest_run(text: str, digits: int) -> None:
    assert longest_run(text) == digits


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What is your card number?", True),
        ("Please read me the long number on your credit card.", True),
        ("And the expiry date?", True),
        ("Could you tell me the security code?", True),
        ("We do take credit cards.", False),
        ("What is your phone number?", False),
        ("I'll send you a card for your birthday.", False),
    ],
)
def test_asks_for_card(text: str, asks: bool) -> None:
    assert asks_for_card(text) is asks


def test_pauses_when_the_agent_asks_and_goes_on_with_the_next_subject() -> None:
    guard, action = agent_says(CardGuard(), "What's your card number?", 1000)
    assert action == Pause(reaches_back=False)
    guard, action = agent_ended(guard, "What's your card number?", 3000)
    assert action is None
    for text in ("it's 4111 1111", "it's 4111 1111 1111 1111"):
        guard, action = caller_said(guard, text, 9000)
        assert action is None
    guard, action = agent_ended(guard, "Thank you. When shall we see you?", 12_000)
    assert (guard.is_paused, action) == (False, Resume())


def test_stays_paused_while_more_is_asked_or_only_half_is_said() -> None:
    guard, _ = agent_says(CardGuard(), "What's your card number?", 1000)
    guard, _ = caller_said(guard, "4111 1111", 4000)
    guard, action = agent_ended(guard, "Mm-hm, go on.", 5000)
    assert guard.is_paused
    guard, _ = caller_said(guard, "4111 1111 1111 1111", 9000)
    guard, action = agent_says(guard, "And the security code, please?", 9500)
    assert action is None, "paused already"
    guard, action = agent_ended(guard, "And the security code, please?", 11_000)
    assert guard.is_paused
    guard, _ = caller_said(guard, "123", 13_000)
    _, action = agent_ended(guard, "All set.", 14_000)
    assert action == Resume()


def test_digits_that_nobody_asked_for_are_taken_back() -> None:
    guard, action = caller_said(CardGuard(), "charge it to 4111 111", 1000)
    assert action is None
    guard, action = caller_said(guard, "charge it to 4111 1111", 2000)
    assert action == Pause(reaches_back=True)
    guard, action = caller_said(guard, "charge it to 4111 1111 2222 3333", 3000)
    assert action is None


def test_telephone_numbers_are_recorded_where_they_were_asked_for() -> None:
    guard, _ = agent_says(CardGuard(), "What's your phone number?", 1000)
    guard, action = caller_said(guard, "five five five oh one double zero one two three", 4000)
    assert action is None
    _, action = caller_said(guard, "4111 1111 1111 1111", 9000)
    assert action == Pause(reaches_back=True)


def test_a_long_run_of_keys_pauses() -> None:
    guard, actions = CardGuard(), []
    for _ in range(16):
        guard, action = key_pressed(guard, 1000)
        actions.append(action)
    assert [action for action in actions if action] == [Pause(reaches_back=True)]


def test_a_pause_has_an_end() -> None:
    guard, _ = agent_says(CardGuard(), "What's your card number?", 0)
    _, action = agent_ended(guard, "Hello?", 119_999)
    assert action is None
    _, action = agent_ended(guard, "Hello?", 120_000)
    assert action == Resume()
