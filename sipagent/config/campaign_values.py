"""Values that only campaign files have: durations, hours of a day, dates."""

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Self

_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A length of time, written ``90s``, ``15m``, ``2h`` or ``1d``."""

    seconds: int

    expects = "a length of time, as in 90s, 15m, 2h or 1d"

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: what is wrong with ``text``."""
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError("a number and one of s, m, h, d")
        return cls(int(match[1]) * _SECONDS[match[2]])

    def __str__(self) -> str:
        unit = next(u for u in ("d", "h", "m", "s") if self.seconds % _SECONDS[u] == 0)
        return f"{self.seconds // _SECONDS[unit]}{unit}"


@dataclass(frozen=True, slots=True)
class Hours:
    """Stretches of a day in minutes since midnight, written ``09:00-12:00, 13:30-19:00``."""

    spans: tuple[tuple[int, int], ...]
    """(first minute, minute after the last), rising, apart."""

    expects = "hours, as in 09:00-12:00, 13:30-19:00, or false"

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: what is wrong with ``text``."""
        spans = [_span(part.strip()) for part in text.split(",")]
        for (_, end), (start, _) in pairwise(spans):
            if start < end:
                raise ValueError("the hours overlap or are not in order")
        return cls(tuple(spans))

    def covers(self, minute: int) -> bool:
        """True where ``minute`` (since midnight) lies within."""
        return any(start <= minute < end for start, end in self.spans)

    def __str__(self) -> str:
        return ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in self.spans)


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """A date, written in quotes as ``"2026-12-25"``."""

    date: date

    expects = 'a date in quotes, as in "2026-12-25"'

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: what is wrong with ``text``."""
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError("year, month and day")
        try:
            return cls(date.fromisoformat(text))
        except ValueError:
            raise ValueError("there is no such day") from None

    def __str__(self) -> str:
        return self.date.isoformat()


def _span(text: str) -> tuple[int, int]:
    start, dash, end = text.partition("-")
    if not dash:
        raise ValueError("the dash between beginning and end is missing")
    first, last = _minute(start.strip()), _minute(end.strip())
    if first >= last:
        raise ValueError(f"{text} does not end after its beginning; split it at midnight")
    return first, last


def _minute(text: str) -> int:
    match = _CLOCK.fullmatch(text)
    minute = int(match[1]) * 60 + int(match[2]) if match else -1
    if not 0 <= minute <= 1440:
        raise ValueError(f"{text!r} is not a time between 00:00 and 24:00")
    return minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
