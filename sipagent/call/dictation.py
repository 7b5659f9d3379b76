"""Is a number or a name being dictated, and is more of it to come? Pure.

What was asked for, or named by the caller, tells how long it gets: a card number has sixteen digits, a
telephone number seven, ten with its area code and eleven behind "plus one". Of a reference number nobody
knows the length, nor of a name that is spelt: after each group more may follow.
"""

import re
from enum import Enum, IntEnum


class Asked(Enum):
    """What the agent's last words asked for."""

    NOTHING = "nothing"
    ANYTHING = "anything"
    """ "How can I help?": a story may follow."""
    YES_NO = "yes_no"
    NUMBER = "number"
    """Of any length."""
    PHONE = "phone"
    CARD = "card"
    SPELLING = "spelling"
    SOMETHING = "something"


class Dictation(IntEnum):
    """How sure it is that more is to come."""

    NONE = 0
    """Nothing is dictated, or it is complete."""
    PERHAPS = 1
    """It may be complete, and may be the beginning of something longer."""
    GROUP = 2
    """Nobody knows how long it gets."""
    MORE = 3
    """It cannot be complete."""


LOCAL_DIGITS, AREA_DIGITS, COUNTRY_DIGITS = 7, 10, 11
"""Of a telephone number: without its area code, with it, and behind a 1 or a plus."""
_CARD_DIGITS = 16
_LEAST_CARD_DIGITS = 15  # American Express
_PLAIN_DIGITS = 5
"""So many digits of which nothing is known are a dictation: not a price, a year or a time of day."""

_UNITS_TEXT = "zero oh o nought one two three four five six seven eight nine"
_TEENS_TEXT = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS_TEXT = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = frozenset(_TENS_TEXT.split())
_DIGITS = dict.fromkeys(_UNITS_TEXT.split(), 1) | dict.fromkeys((*_TEENS_TEXT.split(), *_TENS), 2)
"""Digits that a word stands for."""
_TIMES = {"double": 2, "triple": 3}
_TOKEN = re.compile(r"[a-z0-9]+", re.IGNORECASE)

_CARD = re.compile(r"\bcard\b", re.IGNORECASE)
_PHONE = re.compile(
    r"\b(phone|telephone|mobile|cell(phone)?|call ?back|(reach|call|text|ring) (me|you)|area code|my number|"
    r"plus (one|1))\b|\+\s?\d",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(number|reference|code|order|invoice|booking|policy|account|customer|confirmation|ticket|case|claim|"
    r"serial|extension|zip|pin)\b",
    re.IGNORECASE,
)
_ABROAD = re.compile(r"(\bplus\b|\+|\b(one|1),?\s+(?=\(?\d{3}\b|(\w+ ){9,}))", re.IGNORECASE)
_QUANTITY = re.compile(
    r"(\d:\d\d|[$€£]\s?\d[\d,.]*|\b(19|20)\d\d|\b\d+(st|nd|rd|th)|"
    r"\b(at|for|by|until|around) \d{1,4})[.,?!]*$",
    re.IGNORECASE,
)
"""At the end: a time, an amount, a year, a date."""
_LETTERS = re.compile(r"(?:^|[\s,.:-])((?:[A-Za-z](?:[\s,.-]+|$)){2,})$")
_LONE_LETTER_WORDS = frozenset("ai")


def dictation_of(text: str, asked: Asked) -> Dictation:
    """What is being dictated at the end of ``text``.

    :param asked: what the agent's question asked for.
    """
    if _spelt_at_end(text):
        return Dictation.NONE if _is_word_spelt_out(text) else _spelling(asked)
    digits, at_end = _digits_of(text)
    if not at_end or _QUANTITY.search(text.strip()):
        return Dictation.NONE
    if asked is Asked.CARD or _CARD.search(text):
        return _card(digits)
    if asked is Asked.PHONE or _PHONE.search(text):
        return _phone(digits, is_abroad=_ABROAD.search(text) is not None)
    is_named = asked is Asked.NUMBER or _NAMED.search(text) is not None
    if not is_named and digits < _PLAIN_DIGITS:
        return Dictation.MORE if _is_digit_by_digit(text) else Dictation.NONE
    if digits < 3 and asked is not Asked.NUMBER:
        return Dictation.MORE
    return Dictation.NONE if digits >= _CARD_DIGITS else Dictation.GROUP


def _spelling(asked: Asked) -> Dictation:
    return Dictation.MORE if asked is Asked.SPELLING else Dictation.GROUP


def _card(digits: int) -> Dictation:
    if digits < _LEAST_CARD_DIGITS:
        return Dictation.MORE
    return Dictation.NONE if digits >= _CARD_DIGITS else Dictation.PERHAPS


def _phone(digits: int, *, is_abroad: bool) -> Dictation:
    if digits in (LOCAL_DIGITS, AREA_DIGITS) and not is_abroad:
        return Dictation.PERHAPS if digits == LOCAL_DIGITS else Dictation.NONE
    return Dictation.MORE if digits < (COUNTRY_DIGITS if is_abroad else AREA_DIGITS) else Dictation.NONE


def _digits_of(text: str) -> tuple[int, bool]:
    """How many digits were said, and whether the text ends in one."""
    count, factor, is_digit, before = 0, 1, False, ""
    for word in _TOKEN.findall(text.lower()):
        if word in _TIMES:
            factor, before = _TIMES[word], word
            continue
        said = len(word) if word.isdigit() else _DIGITS.get(word, 0)
        is_unit = before in _TENS and said == 1 and not word.isdigit()  # "seventy one" is two digits
        is_digit = said > 0
        count += 0 if is_unit else said * (factor if said == 1 else 1)
        factor, before = 1, word
    return count, is_digit or factor > 1


def _is_digit_by_digit(text: str) -> bool:
    """Three single digits in a row at the end: "five five five"."""
    last = _TOKEN.findall(text.lower())[-3:]
    return len(last) == 3 and all(
        _DIGITS.get(word) == 1 or (len(word) == 1 and word.isdigit()) for word in last
    )


def _spelt_at_end(text: str) -> str:
    """The letters of a name that is spelt at the end; empty where none is."""
    found = _LETTERS.search(text.strip())
    letters = "".join(_TOKEN.findall(found.group(1))).lower() if found else ""
    return "" if set(letters) <= _LONE_LETTER_WORDS else letters


def _is_word_spelt_out(text: str) -> bool:
    """ "Smith, S M I T H": the letters are a word that was said before, so they are complete."""
    letters = _spelt_at_end(text)
    return len(letters) > 2 and letters in (word.lower() for word in _TOKEN.findall(text))
