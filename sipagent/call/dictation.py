"""Is a number or a name being dictated, and is more of it to come? Pure.

What was asked for, or named by the caller, tells how long it gets: a card number has sixteen digits, a
telephone number seven, ten with its area code and eleven behind "plus one". Of a reference number nobody
knows the length, nor of a name that is spelt: after each group more may follow. A flow knows more of what it
asks for (``AnswerForm``), and a date, a time or a count is over when it can stand by itself
(``brief_answers.py``).
"""

import re
from dataclasses import dataclass
from enum import Enum, IntEnum

from sipagent.call.brief_answers import Following, may_follow_count, may_follow_date, may_follow_time


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
    EMAIL = "email"
    DATE = "date"
    TIME = "time"
    COUNT = "count"
    """How many."""
    CHOICE = "choice"
    TEXT = "text"
    """In the caller's own words, as long as it takes."""
    SOMETHING = "something"


BRIEF = frozenset((Asked.DATE, Asked.TIME, Asked.COUNT, Asked.CHOICE))
"""What is answered in a few words."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What is known of the answer, besides what was asked for."""

    least_digits: int = 0
    """0: nobody knows."""
    most_digits: int = 0
    """0: nobody knows."""
    has_been: bool = False
    """Of a date: it lies behind, so that a year may follow."""
    patience_ms: int | None = None
    """Silence at which the answer is taken, whatever was said; None: the words tell."""


ANY_FORM = AnswerForm()


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
_ADDRESS = re.compile(
    r"(?:@|\bat\b)\s*[\w-]+(?:\s+[\w-]+){0,3}?(?:\s*(?:\.\s?|\bdot\b\s*)[a-z]{2,})+", re.IGNORECASE
)
_SHORT_DOMAIN = re.compile(r"(?:\.|\bdot)\s*[a-z]{2}[.,!?]*$", re.IGNORECASE)
"""At the end: after "dot co" more may follow."""
_ADDRESS_GOES_ON = re.compile(r"(?:@|\b(?:at|dot|underscore|dash|hyphen|plus))[.,… ]*$", re.IGNORECASE)
_ADDRESS_PART = re.compile(r"@|\b(?:dot|underscore|hyphen)\b|\w[._]\w|\bat (?:\w+ )?\w+[.,]*$", re.IGNORECASE)
_ALONE = re.compile(
    r"(?:(?:yes|sure|okay|um+|uh+|it's|it is|that's|that is|that would be)[,.]?\s+)*([\w'-]+)[.,]*",
    re.IGNORECASE,
)
"""One word: the beginning of an address."""
_PARTICLES_TEXT = "yes yeah yep no nope none nothing sure okay ok right sorry pardon what please"
_PARTICLES = frozenset(_PARTICLES_TEXT.split())

_LETTERS = re.compile(r"(?:^|[\s,.:-])((?:[A-Za-z](?:[\s,.-]+|$)){2,})$")
_LONE_LETTER_WORDS = frozenset("ai")


def dictation_of(text: str, asked: Asked, form: AnswerForm = ANY_FORM) -> Dictation:
    """What is being dictated at the end of ``text``.

    :param asked: what the agent's question asked for. :param form: what is known of the answer besides.
    """
    if asked is Asked.EMAIL:
        return _email(text)
    if asked in BRIEF:
        return _brief(text, asked, form)
    if _spelt_at_end(text):
        return Dictation.NONE if _is_word_spelt_out(text) else _spelling(asked)
    digits, at_end = _digits_of(text)
    if not at_end:
        return Dictation.NONE
    if _is_of_known_length(text, asked, form):
        return _of_known_length(digits, form)
    if _QUANTITY.search(text.strip()):
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


def is_whole(text: str, asked: Asked, form: AnswerForm = ANY_FORM) -> bool:
    """True where the text ends in the whole of a number or an address that was asked for: nothing more of it
    can come."""
    if asked is Asked.EMAIL:
        address = _ADDRESS.search(text)
        is_last = address is not None and not text[address.end() :].strip(" .,!?")
        return is_last and _email(text) is Dictation.NONE
    digits, at_end = _digits_of(text)
    if not at_end or _spelt_at_end(text):
        return False
    if _is_of_known_length(text, asked, form):
        return digits == form.most_digits
    if asked is Asked.PHONE:
        return digits == (AREA_DIGITS if _ABROAD.search(text) is None else COUNTRY_DIGITS)
    return asked is Asked.CARD and digits == _CARD_DIGITS


def _is_of_known_length(text: str, asked: Asked, form: AnswerForm) -> bool:
    """The flow knows the least or the most digits; behind a plus they are another country's."""
    is_known = form.least_digits > 0 or form.most_digits > 0
    is_national = asked is Asked.PHONE and _ABROAD.search(text) is None
    return is_known and (asked is Asked.NUMBER or is_national)


def _of_known_length(digits: int, form: AnswerForm) -> Dictation:
    if digits < form.least_digits:
        return Dictation.MORE
    return Dictation.NONE if digits >= (form.most_digits or _CARD_DIGITS) else Dictation.GROUP


def _email(text: str) -> Dictation:
    """An address is whole with its domain; "ann dot lee" and "ann at example" are not."""
    text = text.strip()
    if _ADDRESS_GOES_ON.search(text):
        return Dictation.MORE
    if _ADDRESS.search(text):
        return Dictation.PERHAPS if _SHORT_DOMAIN.search(text) else Dictation.NONE
    digits, at_end = _digits_of(text)
    if _ADDRESS_PART.search(text) or _spelt_at_end(text) or (at_end and digits > 1):
        return Dictation.MORE
    alone = _ALONE.fullmatch(text)
    return Dictation.GROUP if alone and alone[1].lower() not in _PARTICLES else Dictation.NONE


def _brief(text: str, asked: Asked, form: AnswerForm) -> Dictation:
    match asked:
        case Asked.DATE:
            following = may_follow_date(text, has_been=form.has_been)
        case Asked.TIME:
            following = may_follow_time(text)
        case Asked.COUNT:
            following = may_follow_count(text)
        case _:
            following = Following.NOTHING
    return {
        Following.NOTHING: Dictation.NONE,
        Following.PERHAPS: Dictation.PERHAPS,
        Following.LIKELY: Dictation.GROUP,
        Following.SURELY: Dictation.MORE,
    }[following]


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
