"""How clock times and dates are read aloud in English. US order where a date is ambiguous."""

import re
from collections.abc import Callable

from sipagent.brain.numerals import cardinal, grouped_digits, ordinal, year

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
"""What is read together, and how."""

DASH = r"\s?[-–—]\s?"
NOT_BEFORE = r"(?<![\w.,:/$€£#-])"
"""In front of a number that stands by itself."""
NOT_AFTER = r"(?!\w|[.,:/-]\d)"
"""Behind it."""

_MONTHS_TEXT = "January February March April May June July August September October November December"
MONTHS = _MONTHS_TEXT.split()
_MONTH_NAMES = {name.lower(): name for name in MONTHS} | {name[:3].lower(): name for name in MONTHS}
_MONTH_NAMES["sept"] = "September"
MONTH = "|".join(sorted((name.title() for name in _MONTH_NAMES), key=len, reverse=True))
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"

_HOUR, _MINUTE = r"([01]?\d|2[0-4])", r"([0-5]\d)(?::[0-5]\d)?"
_CLOCK = rf"{_HOUR}(?::{_MINUTE})?"
# the stop of "a.m." goes unless it ends the sentence too
_HALF = r"\s?([AaPp])(?:\.\s?[Mm](?:\.(?=\s+[a-z\d]|\s?[,;:!?)–-]))?|[Mm]\b)(?!\w)"

_FRACTIONS = {
    (1, 2): "one half",
    (1, 3): "one third",
    (2, 3): "two thirds",
    (1, 4): "one quarter",
    (3, 4): "three quarters",
}


def month_name(text: str) -> str:
    """ "Nov" → "November"."""
    return _MONTH_NAMES[text.lower()]


def _clock(hour: str, minute: str | None, half: str | None) -> str:
    spoken = cardinal(int(hour))
    if minute and int(minute):
        spoken += f" oh {cardinal(int(minute))}" if int(minute) < 10 else f" {cardinal(int(minute))}"
    elif minute and not half:
        spoken += " o'clock" if 1 <= int(hour) <= 12 else " hundred hours"
    return f"{spoken} {half.upper()} M" if half else spoken


def _date(month: str, day: str, year_text: str | None) -> str:
    if year_text and len(year_text) == 2:
        year_text = f"20{year_text}"
    return f"{month} {ordinal(int(day))}" + (f", {year(int(year_text))}" if year_text else "")


def _slash_date(m: re.Match[str]) -> str:
    month, day = int(m[1]), int(m[2])
    if not m[3] and (month, day) in _FRACTIONS:
        return _FRACTIONS[month, day]
    if month > 12 >= day:  # written the other way round
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return " over ".join(cardinal(int(part)) for part in m.groups() if part)
    return _date(MONTHS[month - 1], str(day), m[3])


def _iso_date(m: re.Match[str]) -> str:
    if not (1 <= int(m[2]) <= 12 and 1 <= int(m[3]) <= 31):
        return grouped_digits(m[0])
    return _date(MONTHS[int(m[2]) - 1], m[3], m[1])


def _mixed_fraction(m: re.Match[str]) -> str:
    fraction = _FRACTIONS.get((int(m[2]), int(m[3])))
    return f"{cardinal(int(m[1]))} and {fraction}" if fraction else m[0]


DATES: tuple[Rule, ...] = (
    (re.compile(rf"{NOT_BEFORE}(\d{{1,9}})\s{{1,2}}(\d)/(\d){NOT_AFTER}"), _mixed_fraction),
    (re.compile(rf"{NOT_BEFORE}(\d{{4}})-(\d{{2}})-(\d{{2}})(?!-?\d)"), _iso_date),
    (re.compile(rf"{NOT_BEFORE}(\d{{1,2}})/(\d{{1,2}})(?:/(\d{{4}}|\d{{2}}))?{NOT_AFTER}"), _slash_date),
    (
        re.compile(rf"\b({MONTH})\.?\s{_DAY}{DASH}{_DAY}{NOT_AFTER}"),
        lambda m: f"{month_name(m[1])} {ordinal(int(m[2]))} to {ordinal(int(m[3]))}",
    ),
    (
        re.compile(rf"\b({MONTH})\.?\s{_DAY}(?:,?\s(\d{{4}}))?(?![\w:%]|[.,]\d|\s?[AaPp]\.?[Mm]\b)"),
        lambda m: _date(month_name(m[1]), m[2], m[3]),
    ),
    (
        re.compile(rf"\b(?:the\s)?{_DAY}\s(?:of\s)?({MONTH})\b\.?(?:,?\s(\d{{4}})\b)?"),
        lambda m: _date(month_name(m[2]), m[1], m[3]),
    ),
    (re.compile(rf"\b({MONTH})\.?,?\s(\d{{4}})\b"), lambda m: f"{month_name(m[1])} {year(int(m[2]))}"),
)

TIMES: tuple[Rule, ...] = (
    (
        re.compile(rf"{NOT_BEFORE}{_CLOCK}(?:{_HALF})?{DASH}{_CLOCK}{_HALF}"),
        lambda m: f"{_clock(m[1], m[2], m[3])} to {_clock(m[4], m[5], m[6])}",
    ),
    (
        re.compile(rf"{NOT_BEFORE}{_HOUR}:{_MINUTE}{DASH}{_HOUR}:{_MINUTE}{NOT_AFTER}"),
        lambda m: f"{_clock(m[1], m[2], None)} to {_clock(m[3], m[4], None)}",
    ),
    (re.compile(rf"{NOT_BEFORE}{_CLOCK}{_HALF}"), lambda m: _clock(m[1], m[2], m[3])),
    (re.compile(rf"{NOT_BEFORE}{_HOUR}:{_MINUTE}{NOT_AFTER}"), lambda m: _clock(m[1], m[2], None)),
    (
        re.compile(rf"{NOT_BEFORE}(\d{{1,9}}):(\d{{1,9}}){NOT_AFTER}"),
        lambda m: f"{cardinal(int(m[1]))} to {cardinal(int(m[2]))}",
    ),
)
