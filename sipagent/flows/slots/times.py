"""Spoken times of day: ``half past ten``, ``ten thirty``, ``3 p.m.``, ``noon``, ``in an hour``. Pure."""

import re
from datetime import datetime, timedelta

from sipagent.flows.slots.dates import without_dates
from sipagent.flows.slots.negation import Verbs, without_negated
from sipagent.flows.slots.numbers import ONES, PRONOUN_ONE, TENS, number_of
from sipagent.flows.slots.values import Reading, Refused, Said, Value, said_last

_TO_TWELVE = "|".join(word for word, n in ONES.items() if 1 <= n <= 12)
_TEENS = "|".join(word for word, n in ONES.items() if 13 <= n <= 19)
_TWENTIES = r"twenty(?:[ -](?:one|two|three))?"
_HOUR = rf"{_TO_TWELVE}|{_TEENS}"
_UNIT = "one|two|three|four|five|six|seven|eight|nine"
_MINUTE = (
    rf"(?:(?:oh|o|zero)[ -](?:{_UNIT})|(?:twenty|thirty|forty|fifty)(?:[ -](?:{_UNIT}))?|"
    r"ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
)
_HALF = r"(?P<half>a\.? ?m\b\.?|p\.? ?m\b\.?|in the morning|in the afternoon|in the evening|at night)"
_CLOCK = re.compile(rf"(?<![:.\d$])\b(?P<hour>[01]?\d|2[0-3])[:.h](?P<minute>[0-5]\d)(?!\d)\s*{_HALF}?")
_NO_CLOCK = re.compile(r"(?<![:.\d])\d{1,2}:\d\d(?!\d)|(?<![:.\d$])\d{1,2}\.\d\d(?![.\d])")
_PAST = re.compile(
    r"(?<!\bfrom )(?<!\bbetween )\b(?P<part>half|a quarter|quarter|twenty[ -]five|five|ten|twenty|"
    rf"[0-5]?[05]|(?:\d{{1,2}}|{_MINUTE}|{_UNIT})(?= min))(?: minutes?)?\s+"
    rf"(?P<way>past|pass|passed|after|to|before|till|til|'til|of)\s+(?P<hour>{_HOUR}|\d{{1,2}})\b\s*{_HALF}?"
)
_HALF_HOUR = re.compile(rf"\bhalf (?P<hour>{_TO_TWELVE})\b\s*{_HALF}?")
_WORDS = re.compile(
    rf"\b(?P<hour>{_TWENTIES}|{_HOUR}|\d{{1,2}})[ -](?P<minute>{_MINUTE})\b(?!\s+(?:past|to)\b)\s*{_HALF}?"
)
_HUNDRED = re.compile(rf"\b(?P<hour>{_TWENTIES}|{_HOUR}) hundred\b(?: hours)?")
_RUN = re.compile(rf"\b(?P<hour>1\d|2[0-3]|0?[1-9])(?P<minute>[0-5]\d)\b(?!/)\s*{_HALF}?")
_HOUR_ONLY = re.compile(
    rf"(?P<at>\b(?:at|around|about|by|after|before|for)\s+)?(?<![:.\d$])\b(?P<hour>{_TWENTIES}|{_HOUR}|"
    rf"\d{{1,2}})(?:-?ish)?(?=\b|[ap]\.?m)"
    rf"(?!\s*(?:/|st\b|nd\b|rd\b|th\b|[:.]\d))"
    rf"\s*(?P<sharp>o'? ?clock|sharp)?\s*{_HALF}?"
)
_NOUN_BEHIND = re.compile(
    r"[ -]+(?:past|to(?=\W*$)|of (?:us|them|my|the)|more|other|hour|hr|minute|min|moment|second|sec|day|"
    r"week|month|"
    r"year|person|"
    r"people|child|children|percent|hundred|thousand|thing|bit|time|patient|cleaning|appointment|kid|tooth|teeth|"
    r"half|(?!works\b|sounds\b|suits\b|fits\b|is\b|was\b|thanks\b|yes\b|this\b|does\b|as\b|us\b|perhaps\b|"
    r"sometimes\b|\w+days\b|'s\b)[a-z]{2,}s)\b"
)
"""What is counted: "two hours" is no time of day."""
_PHONE_NUMBER = re.compile(r"\b\d{3}[ )-]+\d{3,4}(?:[ -]+\d{2,4})?\b|\b\d{7,}\b")
_GREETING = re.compile(r"\bgood (?:morning|afternoon|evening)\b")
_AMOUNT = (
    r"(?P<amount>half an|an? half|three quarters of an|a quarter of an|an|a|a couple of|"
    rf"(?:{'|'.join(TENS)})(?:[ -](?:{_UNIT}))?|{_HOUR}|\d{{1,3}})(?P<half> and a half)? "
    r"(?P<unit>hour|minute|min)s?\b(?P<rest> and a half| and a quarter)?"
)
_FROM_NOW = re.compile(
    rf"\bin (?:about |around |like )?{_AMOUNT}|\b{_AMOUNT.replace('P<', 'P<x')} from now\b"
)
_SHIFTED = re.compile(rf"\b{_AMOUNT} (?P<way>later|earlier|sooner|after that|before that)\b")
_FIRST_MORNING_HOUR = 7
"""Without a word about it, seven to eleven are in the morning, the others in the afternoon."""
_LAST_NIGHT_HOUR = 5
"""Up to this one an hour "at night" is behind midnight."""
_ABOUT = re.compile(
    rf"\b(?:noon|midday|midnight|half (?:past )?(?:{_HOUR})|(?:a )?quarter (?:past|to) (?:{_HOUR}|\d{{1,2}})|"
    rf"(?:{_HOUR}|\d{{1,2}})(?:[ -]{_MINUTE}|:\d\d)?(?: ?[ap]\.? ?m\b| o'?clock)?)(?![\w/])"
)
"""Whatever tells a time; what a negation rules out."""


def read_time(said: Said) -> Reading:
    """The time that is meant; ``at ten`` is taken anywhere, a bare ``ten`` where a time was asked for."""
    parts = said_last(said.text)
    is_repaired = len(parts) > 1 and isinstance(_read(parts[1], said, is_asked=False), Value)
    for part in parts:
        reading = _read(part, said, is_asked=said.is_asked or (is_repaired and part is parts[0]))
        if reading is not None:
            return reading
    return None


def _read(part: str, said: Said, *, is_asked: bool) -> Reading:
    text = without_negated(part, _ABOUT, Verbs.ANY).lower().replace("’", "'")
    text = without_dates(_PHONE_NUMBER.sub(" ", _GREETING.sub(" ", PRONOUN_ONE.sub(" ", text))))
    if match := re.search(r"\b(noon|midday|midnight)\b", text):
        return _value(0 if match[1] == "midnight" else 12, 0, match[1])
    if is_asked and (reading := _counted(text, said)):
        return reading
    if match := _PAST.search(text):
        return _past(match, text)
    if match := _HALF_HOUR.search(text):
        return _timed(number_of(match["hour"]), 30, match["half"], text)
    is_asked = is_asked or re.search(r"\b(?:make it|instead|rather)\b", text) is not None
    for pattern in (_CLOCK, _WORDS, *((_RUN,) if is_asked or re.search(r"\bat\b", text) else ())):
        for match in pattern.finditer(text):
            if not _NOUN_BEHIND.match(text, match.end()) and number_of(match["hour"]) <= 23:
                return _timed(number_of(match["hour"]), number_of(match["minute"]), match["half"], text)
    if match := _HUNDRED.search(text):
        return _timed(number_of(match["hour"]), 0, None, text)
    if _NO_CLOCK.search(text):
        return Refused("That is not a time of day.") if is_asked else None
    return _hour_only(text, is_asked=is_asked)


def _past(match: re.Match[str], text: str) -> Reading:
    part = match["part"].removeprefix("a ")
    minutes = {"half": 30, "quarter": 15}.get(part) or number_of(part)
    hour = number_of(match["hour"])
    is_past = match["way"] in ("past", "pass", "passed", "after")
    return _timed(hour if is_past else hour - 1, minutes if is_past else 60 - minutes, match["half"], text)


def _counted(text: str, said: Said) -> Reading:
    """``in half an hour``; where a time was read back, ``an hour later``."""
    if match := _FROM_NOW.search(text):
        groups = match.groupdict()
        told = {name: groups[name] or groups[f"x{name}"] for name in ("amount", "half", "unit", "rest")}
        start, minutes = said.now, _minutes(told)
    elif said.before and (match := _SHIFTED.search(text)):
        start = datetime.combine(said.now.date(), datetime.strptime(said.before.value, "%H:%M").time())
        minutes = _minutes(match.groupdict()) * (1 if match["way"] in ("later", "after that") else -1)
    else:
        return None
    found = start + timedelta(minutes=minutes)
    return _value(found.hour, found.minute, "") if found.date() == start.date() else None


def _minutes(told: dict[str, str | None]) -> int:
    amount = (told["amount"] or "").removesuffix(" an").removesuffix(" of")
    count = {"half": 0.5, "a half": 0.5, "an half": 0.5, "a": 1, "an": 1, "three quarters": 0.75}.get(amount)
    count = count or {"a quarter": 0.25, "a couple": 2}.get(amount) or number_of(amount)
    count += 0.5 * bool(told["half"] or (told["rest"] or "").endswith("half"))
    count += 0.25 * (told["rest"] or "").endswith("quarter")
    return round(count * (60 if told["unit"] == "hour" else 1))


def _hour_only(text: str, *, is_asked: bool) -> Reading:
    bare = None
    for match in _HOUR_ONLY.finditer(text):
        hour = number_of(match["hour"])
        if (match["half"] or match["sharp"]) and hour <= 23:
            return _timed(hour, 0, match["half"], text)
        at = match["at"].split()[0] if match["at"] else ""
        is_time = at in ("at", "around", "about", "by")
        is_told = is_time or (is_asked and (hour < 20 or match["hour"].isdigit()))
        if not is_told or not 1 <= hour <= 23 or _NOUN_BEHIND.match(text, match.end("hour")):
            continue
        if bare is None or (at == "at" and not (bare["at"] or "").startswith("at")):
            bare = match
    return _timed(number_of(bare["hour"]), 0, None, text) if bare else None


def _timed(hour: int, minute: int, half: str | None, text: str) -> Reading:
    """Bring morning and afternoon in; :func:`_value` checks."""
    words = ("morning", "afternoon", "evening", "tonight")
    part = half or next((word for word in words if word in text), "")
    is_morning = (part.startswith("a") and "m" in part[:4] and "after" not in part) or "morning" in part
    is_later = part.startswith("p") or any(word in part for word in ("afternoon", "evening", "night"))
    if hour == 0 and minute:
        hour = 12
    if hour <= 12:
        if part == "at night" and hour % 12 <= _LAST_NIGHT_HOUR:
            hour %= 12
        elif is_later:
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
