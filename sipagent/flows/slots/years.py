"""Spoken years: ``nineteen eighty``, ``two thousand and one``, ``85``. Pure."""

import re

from sipagent.flows.slots.numbers import ONES, TENS, number_of

_UNIT = "|".join(word for word, number in ONES.items() if 1 <= number <= 9)
_TEEN = "|".join(word for word, number in ONES.items() if number >= 10)
_TENS = "|".join(TENS)
_PAIR = rf"(?:(?:{_TENS})(?:[ -](?:{_UNIT}))?|{_TEEN}|(?:oh|o|zero)[ -](?:{_UNIT}))"
YEAR = (
    r"(?:(?:19|20)\d\d|"
    rf"(?:nineteen|twenty)[ -]{_PAIR}|nineteen hundred(?: (?:and )?(?:{_PAIR}|{_UNIT}))?|"
    rf"two thousand(?: (?:and )?(?:{_PAIR}|{_UNIT}))?)\b"
)
"""A year that is told in full."""
SHORT_YEAR = rf"(?:['’]?\d\d(?![\d:.]|\s*(?:[ap]\.?\s?m\b|o'?clock))|{_PAIR})\b"
"""One of two digits."""
_YEARS_TO_COME = 30
"""85 is no year to come."""


def year_of(text: str, today_year: int, *, is_past: bool) -> int | None:
    """The year; one of two digits is the last such, or for a day to come one near.

    None where it is two digits that a day to come hardly means: a time of day may follow it.
    """
    words = text.lower().strip(" ,'’")
    if re.fullmatch(r"\d{4}", words):
        return int(words)
    for century, number in (("nineteen hundred", 1900), ("two thousand", 2000), ("nineteen", 1900)):
        if re.match(rf"{century}\b(?! hundred)", words):
            rest = words[len(century) :].replace("and", "").strip(" -")
            if rest or " " in century:
                return number + (number_of(rest) if rest else 0)
    if match := re.fullmatch(rf"twenty[ -]({_PAIR})", words):
        return 2000 + number_of(match[1])
    return _two_digits(number_of(words), today_year, is_past=is_past)


def _two_digits(short: int, today_year: int, *, is_past: bool) -> int | None:
    year = today_year // 100 * 100 + short
    if is_past:
        return year if year <= today_year else year - 100
    if year < today_year:
        return None
    return year if year < today_year + _YEARS_TO_COME else year - 100
