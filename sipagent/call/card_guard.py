"""Keeps card numbers out of recordings: when to pause, by the words of both sides. Pure.

The pause begins when the agent asks for card data, or the caller's words turn out to be a long run of
digits (then it reaches back over the caller's whole turn). It ends when the agent goes on to something
else; a number that is only half dictated keeps it.
"""

import re
from dataclasses import dataclass, replace

_CARD = re.compile(
    r"\b((credit|debit|payment|bank) ?cards?|cards? (number|details|digits)|(long|16|sixteen)[- ]digit|"
    r"security code|cvv|cvc|expir(y|ation) date|(number|digits|code) (on|of) (the|your) (\w+ )?card)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\?|\b(please|tell|give|say|read|dictate|enter|need|have|what)\b", re.IGNORECASE)
_PHONE = re.compile(r"\b(phone|telephone|mobile|cell|call ?back|reach you|call you)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\d+|[a-z']+", re.IGNORECASE)
_SPOKEN = frozenset(
    ("zero", "oh", "o", "nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
_TENS = re.compile(
    r"ten|eleven|twelve|(thir|four|fif|six|seven|eigh|nine)teen|(twen|thir|for|fif|six|seven|eigh|nine)ty"
)
_PASSED_OVER = frozenset(("um", "uh", "er", "and", "then", "dash", "hyphen", "space"))
_REPEATS = {"double": 1, "triple": 2}

LONG_RUN_DIGITS = 8
CARD_DIGITS = 13
"""The shortest card numbers; what counts where a telephone number was asked for."""
_WHOLE_DIGITS = 15
"""American Express has 15; a shorter run behind a question for the card is taken for half of it."""
_LONGEST_PAUSE_MS = 120_000


@dataclass(frozen=True, slots=True)
class CardGuard:
    """The whole state."""

    is_paused: bool = False
    since_ms: int = 0
    digits: int = 0
    """Dictated since the pause began; a code or date is as good as a whole number."""
    has_answered: bool = False
    """The caller has said something since the agent asked."""
    is_phone: bool = False
    """The agent asked for a telephone number last."""
    keyed: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """``reaches_back``: over the caller's turn that has just been heard."""

    reaches_back: bool


@dataclass(frozen=True, slots=True)
class Resume:
    pass


Action = Pause | Resume


def asks_for_card(text: str) -> bool:
    """True for words that make somebody dictate card data."""
    return _CARD.search(text) is not None and _ASKS.search(text) is not None


def longest_run(text: str) -> int:
    """Digits in the longest run of digits, in figures or words, as a transcript may have it."""
    longest = run = 0
    repeat = 0
    for token in _TOKEN.findall(text.lower()):
        if token in _REPEATS:
            repeat = _REPEATS[token]
            continue
        if token.isdigit():
            run += len(token)
        elif token in _SPOKEN or _TENS.fullmatch(token):
            run += 1
        elif token not in _PASSED_OVER:
            run = 0
        run += repeat if run else 0
        repeat = 0
        longest = max(longest, run)
    return longest


def agent_says(guard: CardGuard, text: str, now_ms: int) -> tuple[CardGuard, Action | None]:
    """A clause of the agent's is about to be said."""
    if asks_for_card(text) or longest_run(text) >= CARD_DIGITS:
        return _paused(guard, now_ms, reaches_back=False)
    return replace(guard, is_phone=_PHONE.search(text) is not None), None


def agent_ended(guard: CardGuard, text: str, now_ms: int) -> tuple[CardGuard, Action | None]:
    """The agent has finished; ``text``: the whole utterance."""
    is_half = 3 < guard.digits < _WHOLE_DIGITS and guard.digits % 4 == 0
    goes_on = guard.has_answered and not asks_for_card(text) and not is_half
    is_old = now_ms - guard.since_ms >= _LONGEST_PAUSE_MS
    if guard.is_paused and (goes_on or is_old):
        return CardGuard(is_phone=guard.is_phone), Resume()
    return guard, None


def caller_said(guard: CardGuard, text: str, now_ms: int) -> tuple[CardGuard, Action | None]:
    """What the caller's turn says so far, or at its end: asking twice does no harm."""
    run = longest_run(text)
    if guard.is_paused:
        return replace(guard, has_answered=True, digits=max(guard.digits, run)), None
    if run >= (CARD_DIGITS if guard.is_phone else LONG_RUN_DIGITS):
        guard, action = _paused(guard, now_ms, reaches_back=True)
        return replace(guard, has_answered=True, digits=run), action
    return guard, None


def key_pressed(guard: CardGuard, now_ms: int) -> tuple[CardGuard, Action | None]:
    """A digit of the caller's telephone; a long run of them is a number, too."""
    guard = replace(guard, keyed=guard.keyed + 1)
    if not guard.is_paused and guard.keyed >= LONG_RUN_DIGITS:
        guard, action = _paused(guard, now_ms, reaches_back=True)
        return replace(guard, has_answered=True), action
    return guard, None


def _paused(guard: CardGuard, now_ms: int, *, reaches_back: bool) -> tuple[CardGuard, Action | None]:
    action = None if guard.is_paused else Pause(reaches_back)
    return CardGuard(True, now_ms, keyed=guard.keyed), action
