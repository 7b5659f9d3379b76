"""Spoken dates: ``next Tuesday``, ``the day after tomorrow``, ``the second of March``, ``3/2``. Pure."""

import re
from datetime import date, timedelta

from sipagent.flows.numbers import ONES, TENS
from sipagent.flows.values import Reading, Refused, Said, Value, repaired, without_negated

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_ORDINALS = {
    word: number
    for number, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
            "thirteenth",
            "fourteenth",
            "fifteenth",
            "sixteenth",
            "seventeenth",
            "eighteenth",
            "nineteenth",
            "twentieth",
        ],
        1,
    )
} | {"thirtieth": 30}
_DAY_NAMES = {**{name: n for n, name in enumerate(WEEKDAYS)}, "mon": 0, "tue": 1, "tues": 1, "wed": 2}
_DAY_NAMES |= {"weds": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4, "sat": 5, "sun": 6, "choose day": 1}
_WEEKDAY = re.compile(
    r"\b(?:(?P<which>next|this|this coming|the coming|coming|a week on|a week from|week on)\s+)?"
    rf"(?P<day>{'|'.join(sorted(_DAY_NAMES, key=len, reverse=True))})s?\b"
    r"(?P<later>\s+(?:after next|week|in a week|next week|of next week))?"
)
_NUMBER = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?|(?:twenty|thirty)[ -]?(?:"
    + "|".join([*_ORDINALS, *ONES])
    + r")|"
    + "|".join([*_ORDINALS, *ONES, "thirty", "twenty"])
    + r")"
)
_MONTH = rf"(?P<month>{'|'.join(f'{m[:3]}(?:{m[3:]})?' for m in MONTHS)}|sept)\.?"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d|(?:nineteen|twenty)[ -]\w+(?:[ -]\w+)?))?"
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+(?:the\s+)?(?P<day>{_NUMBER})\b{_YEAR}")
_DAY_MONTH = re.compile(rf"\b(?:the\s+)?(?P<day>{_NUMBER})(?:\s+day)?\s+(?:of\s+)?{_MONTH}\b{_YEAR}")
_NUMERIC = re.compile(r"\b(?P<month>\d{1,2})\s*(?:/|-)\s*(?P<day>\d{1,2})(?:\s*(?:/|-)\s*(?P<year>\d{4}))?\b")
_ISO = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b")
_IN = re.compile(
    r"\b(?:in\s+)?(?P<count>a|one|two|three|four|five|six|\d+)\s+(?P<unit>day|week|month)s?"
    r"(?:\s+from\s+(?:now|today)|\s+time)?\b"
)
_ORDINAL_ONLY = re.compile(
    rf"\b(?:the|on)\s+(?P<day>\d{{1,2}}(?:st|nd|rd|th)|(?:twenty|thirty)[ -]?(?:{'|'.join(_ORDINALS)})|"
    rf"{'|'.join(_ORDINALS)})\b(?!\s+(?:one|time|thing|of))"
)  # fmt: skip

_WEEKDAY_AND_DAY = re.compile(
    rf"\b(?P<weekday>{'|'.join(sorted(_DAY_NAMES, key=len, reverse=True))}),?\s+(?:the\s+)?"
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)|(?:twenty|thirty)[ -]?(?:{'|'.join(_ORDINALS)})|{'|'.join(_ORDINALS)})\b"
)


def read_date(said: Said, *, is_past: bool) -> Reading:
    """The day that is meant, which exists and lies on the right side of today."""
    _, last = repaired(said.text)
    text = without_negated(last).lower().replace("’", "'")
    today = said.now.date()
    for find in (_relative, _weekday, _full, _numeric, _counted, _day_of_month):
        found = find(text, today, is_past)
        if found is not None:
            break
    else:
        return None
    if isinstance(found, Refused):
        return found
    if not is_past and found < today:
        return Refused(f"{spoken_date(found, today)} is in the past.")
    if is_past and found > today:
        return Refused(f"{spoken_date(found, today)} has not been yet.")
    return Value(found.isoformat(), spoken_date(found, today))


def spoken_date(day: date, today: date) -> str:
    """``Tuesday, March third``; with the year where it is another one."""
    text = f"{WEEKDAYS[day.weekday()].title()}, {MONTHS[day.month - 1].title()} {_ordinal(day.day)}"
    return text if abs((day - today).days) < 300 else f"{text}, {day.year}"


def _ordinal(number: int) -> str:
    for word, ordinal in _ORDINALS.items():
        if ordinal == number:
            return word
    tens = next(word for word, ten in TENS.items() if ten == number // 10 * 10)
    return f"{tens}-{_ordinal(number % 10)}"


def _relative(text: str, today: date, _is_past: bool) -> date | None:
    for pattern, days in (
        (r"\bday after tomorrow\b", 2),
        (r"\bday before yesterday\b", -2),
        (r"\btomorrow\b", 1),
        (r"\byesterday\b", -1),
        (r"\b(?:today|this (?:morning|afternoon|evening)|tonight)\b", 0),
    ):
        if match := re.search(pattern, text):
            behind = text[match.end() :]
            return today + timedelta(days + 7 * bool(re.match(r"\s+(?:in a )?week\b", behind)))
    return None


def _weekday(text: str, today: date, is_past: bool) -> date | None:
    if _MONTH_DAY.search(text) or _DAY_MONTH.search(text) or _WEEKDAY_AND_DAY.search(text):
        return None  # "Tuesday the third of March": the date says more
    matches = list(_WEEKDAY.finditer(text))
    if not matches:
        return None
    match = matches[-1] if re.search(r"\b(?:no|not|rather|instead)\b", text) else matches[0]
    weekday, which = _DAY_NAMES[match["day"]], match["which"] or ""
    if is_past:
        return today - timedelta((today.weekday() - weekday - 1) % 7 + 1)
    day = today + timedelta((weekday - today.weekday() - 1) % 7 + 1)
    if which == "next" or (match["later"] or "").strip() in ("next week", "of next week"):
        monday = today + timedelta(7 - today.weekday())
        return monday + timedelta(weekday)
    return day + timedelta(7 if match["later"] or "week" in which else 0)


def _full(text: str, today: date, is_past: bool) -> date | Refused | None:
    matches = [match for pattern in (_DAY_MONTH, _MONTH_DAY) if (match := pattern.search(text))]
    if not matches:
        return None
    match = max(matches, key=lambda one: one.end() - one.start())
    day, month = (
        _number(match["day"]),
        next(n for n, name in enumerate(MONTHS, 1) if name.startswith(match["month"][:3])),
    )
    return _dated(today, _year(match["year"]), month, day, is_past=is_past)


def _numeric(text: str, today: date, is_past: bool) -> date | Refused | None:
    match = _ISO.search(text) or _NUMERIC.search(text)
    if match is None or not 1 <= int(match["month"]) <= 12:
        return None
    year = int(match["year"]) if match["year"] else None
    return _dated(today, year, int(match["month"]), int(match["day"]), is_past=is_past)


def _counted(text: str, today: date, is_past: bool) -> date | None:
    match = _IN.search(text)
    if match is None or not (re.search(r"\b(in|from|time)\b", match[0]) or "ago" in text):
        return None
    word = match["count"]
    count = 1 if word == "a" else int(word) if word.isdigit() else ONES[word]
    days = count * {"day": 1, "week": 7, "month": 30}[match["unit"]]
    return today + timedelta(-days if is_past or "ago" in text else days)


def _day_of_month(text: str, today: date, is_past: bool) -> date | Refused | None:
    """``the third``: of this month, or of the next one that it fits."""
    match = _ORDINAL_ONLY.search(text)
    if match is None:
        return None
    day = _number(match["day"])
    named = _WEEKDAY_AND_DAY.search(text)
    weekday = _DAY_NAMES[named["weekday"]] if named else None
    month, year = today.month, today.year
    for _ in range(24):
        try:
            found = date(year, month, day)
        except ValueError:
            found = None
        is_right = found is not None and (found <= today if is_past else found >= today)
        if found is not None and is_right and weekday in (None, found.weekday()):
            return found
        month += -1 if is_past else 1
        year, month = (year - 1, 12) if month < 1 else (year + 1, 1) if month > 12 else (year, month)
    return Refused(f"There is no day {day}.")


def _dated(today: date, year: int | None, month: int, day: int, *, is_past: bool) -> date | Refused:
    """The date, in the nearest year on the right side of today where none was said."""
    years = (year,) if year else tuple(today.year + (-n if is_past else n) for n in range(9))
    for one in years:
        try:
            found = date(one, month, day)
        except ValueError:
            continue
        if year or (found <= today if is_past else found >= today):
            return found
    return Refused(f"There is no {MONTHS[month - 1].title()} {day}{f' in {year}' if year else ''}.")


def _number(text: str) -> int:
    if text[0].isdigit():
        return int(re.match(r"\d+", text)[0])  # type: ignore[index]  # begins with a digit
    words = re.split(r"[ -]+", text)
    return sum(_ORDINALS.get(word, ONES.get(word, TENS.get(word, 0))) for word in words)


def _year(text: str | None) -> int | None:
    if not text:
        return None
    if text.isdigit():
        return int(text)
    words = re.split(r"[ -]+", text)
    century = {"nineteen": 1900, "twenty": 2000}[words[0]]
    rest = sum(ONES.get(word, TENS.get(word, 0)) for word in words[1:])
    return century + rest if rest else None
