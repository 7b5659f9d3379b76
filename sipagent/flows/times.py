"""Spoken times of day: ``half past ten``, ``ten thirty``, ``3 p.m.``, ``noon``. Pure."""

import re

from sipagent.flows.numbers import ONES, TENS
from sipagent.flows.values import Reading, Refused, Said, Value, repaired, without_negated

_HOUR = "|".join([word for word, n in ONES.items() if 1 <= n <= 12])
_MINUTE = (
    r"(?:(?:oh|o|zero)[ -](?:one|two|three|four|five|six|seven|eight|nine)|"
    r"(?:twenty|thirty|forty|fifty)(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?|"
    r"ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
)
_HALF = r"(?P<half>a\.? ?m\b\.?|p\.? ?m\b\.?|in the morning|in the afternoon|in the evening|at night)"
_CLOCK = re.compile(rf"\b(?P<hour>[01]?\d|2[0-3])[:.h](?P<minute>[0-5]\d)(?!\d)\s*{_HALF}?")
_PAST = re.compile(
    r"\b(?P<part>half|quarter|a quarter|five|ten|twenty|twenty[ -]five|\d{1,2})(?: minutes?)?\s+"
    rf"(?P<way>past|pass|passed|after|to|before|till|of)\s+(?P<hour>{_HOUR}|\d{{1,2}})\b\s*{_HALF}?"
)
_HALF_HOUR = re.compile(rf"\bhalf (?P<hour>{_HOUR})\b\s*{_HALF}?")
_WORDS = re.compile(rf"\b(?P<hour>{_HOUR}|\d{{1,2}})[ -](?P<minute>{_MINUTE})\b\s*{_HALF}?")
_RUN = re.compile(rf"\b(?P<hour>1[0-2]|0?[1-9])(?P<minute>[0-5]\d)\b(?!/)\s*{_HALF}?")
_HOUR_ONLY = re.compile(
    rf"(?P<at>\b(?:at|around|about|by|after|before|for)\s+)?(?<![:.\d])\b(?P<hour>{_HOUR}|"
    rf"\d{{1,2}})(?=\b|[ap]\.?m)"
    rf"(?!\s*(?:/|st\b|nd\b|rd\b|th\b|days?\b|weeks?\b|months?\b|people|persons))"
    rf"\s*(?P<sharp>o'? ?clock|sharp)?\s*{_HALF}?"
)
_PHONE_NUMBER = re.compile(r"\b\d{3}[ )-]+\d{3,4}(?:[ -]+\d{2,4})?\b|\b\d{7,}\b")
_FIRST_MORNING_HOUR = 7
"""Without a word about it, seven to eleven are in the morning, the others in the afternoon."""


def read_time(said: Said) -> Reading:
    """The time that is meant; ``at ten`` is taken anywhere, a bare ``ten`` where a time was asked for."""
    _, last = repaired(said.text)
    text = _PHONE_NUMBER.sub(" ", without_negated(last).lower().replace("’", "'"))
    if match := re.search(r"\b(noon|midday|midnight)\b", text):
        return _value(0 if match[1] == "midnight" else 12, 0, match[1])
    if match := _PAST.search(text):
        part = match["part"].removeprefix("a ")
        minutes = {"half": 30, "quarter": 15}.get(part) or _number(part)
        hour = _number(match["hour"])
        is_past = match["way"] in ("past", "pass", "passed", "after")
        return _timed(
            hour if is_past else hour - 1, minutes if is_past else 60 - minutes, match["half"], text
        )
    if match := _HALF_HOUR.search(text):
        return _timed(_number(match["hour"]), 30, match["half"], text)
    is_asked = said.is_asked or re.search(r"\b(?:make it|instead|rather)\b", text) is not None
    for pattern in (_CLOCK, _WORDS, *((_RUN,) if is_asked or re.search(r"\bat\b", text) else ())):
        if match := pattern.search(text):
            return _timed(_number(match["hour"]), _number(match["minute"]), match["half"], text)
    return _hour_only(text, is_asked=is_asked)


def _hour_only(text: str, *, is_asked: bool) -> Reading:
    bare = None
    for match in _HOUR_ONLY.finditer(text):
        if match["half"] or match["sharp"]:
            return _timed(_number(match["hour"]), 0, match["half"], text)
        is_time = match["at"] and match["at"].split()[0] in ("at", "around", "about", "by")
        if (is_time or is_asked) and bare is None and 1 <= _number(match["hour"]) <= 23:
            bare = match
    return _timed(_number(bare["hour"]), 0, None, text) if bare else None


def _timed(hour: int, minute: int, half: str | None, text: str) -> Reading:
    """Bring morning and afternoon in; :func:`_value` checks."""
    part = half or next((word for word in ("morning", "afternoon", "evening", "tonight") if word in text), "")
    is_morning = (part.startswith("a") and "m" in part[:4] and "after" not in part) or "morning" in part
    is_later = part.startswith("p") or any(word in part for word in ("afternoon", "evening", "night"))
    if hour == 0 and minute:
        hour = 12
    if hour <= 12:
        if is_later:
            hour = hour % 12 + 12
        elif is_morning:
            hour %= 12
        elif hour < _FIRST_MORNING_HOUR:
            hour += 12
    return _value(hour, minute, "")


def _value(hour: int, minute: int, spoken: str) -> Reading:
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        return Refused("That is not a time of day.")
    twelve = hour % 12 or 12
    digits = f"{twelve}:{minute:02d}" if minute else f"{twelve}"
    return Value(f"{hour:02d}:{minute:02d}", spoken or f"{digits} {'AM' if hour < 12 else 'PM'}")


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    words = re.split(r"[ -]+", text)
    return sum(ONES.get(word, TENS.get(word, 0)) for word in words)
