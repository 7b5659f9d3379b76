"""Spoken dates: ``next Tuesday``, ``the day after tomorrow``, ``the second of March``, ``3/2``. Pure."""

import re
from calendar import monthrange
from datetime import date, timedelta

from sipagent.flows.slots.negation import Verbs, without_negated
from sipagent.flows.slots.numbers import ONES, ORDINALS, TENS, number_of
from sipagent.flows.slots.values import Reading, Refused, Said, Value, said_last
from sipagent.flows.slots.years import SHORT_YEAR, YEAR, year_of

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
_DAY_NAMES = {**{name: n for n, name in enumerate(WEEKDAYS)}, "mon": 0, "tue": 1, "tues": 1, "weds": 2}
_DAY_NAMES |= {"thu": 3, "thur": 3, "thurs": 3, "fri": 4, "choose day": 1}
_WORDS_TOO = {"wed": 2, "sat": 5, "sun": 6}
"""Short forms that are also words: they count where a day would stand."""
_DAY = "|".join(sorted(_DAY_NAMES, key=len, reverse=True))
_SHORT_DAY = (
    r"(?:(?<=\bon )|(?<=\bnext )|(?<=\bthis )|(?<=\bcoming )|(?<=\bor )|(?<=\bfor )|(?<=\bby )|(?<=, )|"
    r"(?<=\bmaybe )|^\W*)"
    rf"(?:{'|'.join(_WORDS_TOO)})(?=\W*$|\s*[,.;!?]|\s+(?:morning|afternoon|evening|please|or|works?|next|"
    r"would|the \d|\d|at (?:\d|noon|half|ten|eleven|twelve|one|two|three|four|five|six|seven|eight|nine))\b)"
)
_NAMED = rf"(?:{_DAY})(?='?s?\b)|{_SHORT_DAY}"
_WEEKDAY = re.compile(
    r"\b(?:(?P<which>next week(?: on)?|this week(?: on)?|the week after next(?: on)?|next|last|this|"
    r"this coming|the coming|coming|"
    r"(?:a|one|two|three|in a|in two) weeks?,? (?:on|from)|week on|a fortnight (?:on|from)),?\s+)?"
    rf"(?P<day>{_NAMED})(?:'?s)?\b"
    r"(?P<later>\s+(?:after next|in (?:a|one|two|three) weeks?|of next week|next week|week(?!end)|"
    r"the week after(?: next)?))?"
)
_COUNT = {
    **{word: n for word, n in {**ONES, **TENS}.items() if n},
    "a": 1,
    "an": 1,
    "a couple of": 2,
    "a couple": 2,
}
_COUNTS = "|".join(sorted(_COUNT, key=len, reverse=True))
_ONE_TO_NINETEEN = [word for word, number in ONES.items() if number]
_NUMBER = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?|(?:twenty|thirty)[ -]?(?:"
    + "|".join([*ORDINALS, *_ONE_TO_NINETEEN])
    + r")|"
    + "|".join([*ORDINALS, *_ONE_TO_NINETEEN, "thirty", "twenty"])
    + r")(?! (?:thousand|hundred)\b)"
)
_VERB = (
    r"(?: (?:be|have|not|work|do|need|i|we|you|it|he|she|they|suit|come|also|well|just|get|go|take|make|want|"
    r"still|call|say|ask)\b)"
)
_MONTH = (
    rf"(?P<month>{'|'.join(f'{m[:3]}(?:{m[3:]})?' for m in MONTHS if m != 'may')}|sept|"
    rf"(?<!\bi )(?<!\bwe )(?<!\byou )(?<!\bit )(?<!\bhe )(?<!\bshe )(?<!\bthey )may(?!{_VERB}))\.?"
)
_YEAR = rf"(?:,?\s+(?:in\s+|of\s+)?(?P<year>{YEAR}|{SHORT_YEAR}))?"
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+(?:the\s+)?(?P<day>{_NUMBER})\b{_YEAR}")
_DAY_MONTH = re.compile(rf"\b(?:the\s+)?(?P<day>{_NUMBER})(?:\s+day)?\s+(?:of\s+)?{_MONTH}\b{_YEAR}")
_NUMERIC = re.compile(
    r"(?<![\d/.-])(?P<first>\d{1,2})\s*(?P<mark>[/.-]|, ?| )\s*(?P<second>\d{1,2})"
    r"(?:\s*(?P=mark)\s*(?P<year>\d{4}|\d\d))?(?![\d/-]|\.\d|:)"
)
_ISO = re.compile(r"\b(?P<year>\d{4})[-./](?P<month>\d\d?)[-./](?P<day>\d\d?)\b")
_IN = re.compile(
    rf"\b(?P<in>in\s+)?(?:about\s+)?(?P<count>(?:{'|'.join(TENS)})[ -](?:{'|'.join(_ONE_TO_NINETEEN)})|"
    rf"{_COUNTS}|\d{{1,3}})\s+(?P<unit>day|week|month|year|fortnight)(?:'?s'?)?\b"
    r"(?P<from>\s+(?:(?:from\s+)?(?P<start>now|today|tomorrow|yesterday)|time|ago)\b)?"
)
_BEHIND = (
    r"(?=\W*$|\s*[,.;!?]|\s+(?:at|around|in|please|would|will|is|works?|if|then|or|and|between|before|after|"
    r"(?:of )?(?:this|next|the) month|should|sounds?|maybe|might|can|could|for|thanks|morning|afternoon|"
    r"evening|but|"
    r"not|i|we|it's|was|suits?|fits?|either|early|late|that's|half|quarter|noon|\d|a)\b)"
)
_WORD_DAY = rf"\d{{1,2}}(?:st|nd|rd|th)|(?:twenty|thirty)[ -]?(?:{'|'.join(ORDINALS)})|{'|'.join(ORDINALS)}"
_ORDINAL_ONLY = re.compile(
    rf"\b(?:(?:the|on)\s+|^\W*)(?P<day>{_WORD_DAY})\b{_BEHIND}(?P<next>\s+(?:of )?next month)?"
)
_WEEKDAY_AND_DAY = re.compile(
    rf"\b(?P<weekday>{_NAMED}),?\s+(?:on\s+)?(?:the\s+)?(?:{_WORD_DAY})\b(?!\s+of\s+next\s+month)"
)
_DATE_IN_NUMBERS = re.compile(r"\b\d{1,2}([/.-])\d{1,2}\1\d{2,4}\b|\b\d{1,2}/\d{1,2}\b")
_NAMED_DAY = re.compile(
    rf"\b{_MONTH}\s+(?:the\s+)?(?:{_WORD_DAY}|\d{{1,2}}(?![\d:.]))(?:,? (?:19|20)\d\d)?\b".replace(
        "?P<month>", "?:"
    )
    + rf"|\b(?:the\s+)?(?:{_WORD_DAY})\s+(?:of\s+)?{_MONTH}\b".replace("?P<month>", "?:")
)
_NTH = re.compile(
    rf"\b(?P<nth>first|second|third|fourth|last|1st|2nd|3rd|4th) (?P<day>{'|'.join(WEEKDAYS)}) (?:of|in) "
    rf"(?:(?P<which>next|this|the) month|{_MONTH})\b"
)
_RELATIVE = (
    (r"\bday after tomorrow\b", 2),
    (r"\bday before yesterday\b", -2),
    (r"\btomorrow\b", 1),
    (r"\byesterday\b", -1),
    (r"\b(?:(?<!calling )(?<!are you )today|this (?:morning|afternoon|evening)|tonight)\b", 0),
)
_ABOUT = re.compile(
    "|".join(
        re.sub(r"\?P<\w+>", "?:", pattern.replace("(?P=mark)", "[/.-]"))
        for pattern in (
            _MONTH_DAY.pattern,
            _DAY_MONTH.pattern,
            _WEEKDAY.pattern,
            *(pattern for pattern, _ in _RELATIVE),
            rf"\b(?:the|on)\s+(?:{_WORD_DAY})\b",
            r"\b\d{1,2}/\d{1,2}\b",
            r"\bnext (?:week|month)\b",
        )
    )
)
"""Whatever tells a day; what a negation rules out."""


def read_date(said: Said, *, is_past: bool) -> Reading:
    """The day that is meant, which exists and lies on the right side of today."""
    today = said.now.date()
    for last in said_last(said.text):
        text = without_negated(last, _ABOUT, Verbs.ANY).lower().replace("’", "'")
        for find in (_nth, _from_day, _relative, _weekday, _full, _numeric, _counted, _day_of_month):
            found = find(text, today, is_past)
            if found is not None:
                return _checked(found, text, today, is_past=is_past)
    return None


def without_dates(text: str) -> str:
    """Lower-case text without its days of a month, so that their numbers are taken for nothing else."""
    for pattern in (_ISO, _DATE_IN_NUMBERS, _NAMED_DAY):
        text = pattern.sub(" ", text)
    return text


def _checked(found: date | Refused, text: str, today: date, *, is_past: bool) -> Reading:
    if isinstance(found, Refused):
        return found
    if not is_past and found < today:
        return Refused(f"{spoken_date(found, today)} is in the past.")
    if is_past and found > today:
        return Refused(f"{spoken_date(found, today)} has not been yet.")
    named = _WEEKDAY.search(text)
    is_sure = named is None or _weekday_of(named) == found.weekday() or "from" in text
    return Value(found.isoformat(), spoken_date(found, today), is_sure)


def spoken_date(day: date, today: date) -> str:
    """``Tuesday, March third``; with the year where it is another one."""
    text = f"{WEEKDAYS[day.weekday()].title()}, {MONTHS[day.month - 1].title()} {_ordinal(day.day)}"
    return text if abs((day - today).days) < 300 else f"{text}, {day.year}"


def _ordinal(number: int) -> str:
    for word, ordinal in ORDINALS.items():
        if ordinal == number:
            return word
    tens = next(word for word, ten in TENS.items() if ten == number // 10 * 10)
    return f"{tens}-{_ordinal(number % 10)}"


def _weekday_of(match: re.Match[str]) -> int:
    return {**_DAY_NAMES, **_WORDS_TOO}[match["day"].strip(" ,.!?")]


def _nth(text: str, today: date, _is_past: bool) -> date | None:
    """``the first Monday in December``."""
    match = _NTH.search(text)
    if match is None:
        return None
    month, year = today.month, today.year
    if match["month"]:
        month = _month(match["month"])
        year += month < today.month
    elif match["which"] == "next":
        year, month = _months_on(today, 1)
    weekday, days = WEEKDAYS.index(match["day"]), monthrange(year, month)[1]
    fitting = [date(year, month, n) for n in range(1, days + 1) if date(year, month, n).weekday() == weekday]
    return fitting[-1] if match["nth"] == "last" else fitting[number_of(match["nth"]) - 1]


def _from_day(text: str, today: date, _is_past: bool) -> date | None:
    """``a week from tomorrow``."""
    match = _IN.search(text)
    if match is None or not match["start"]:
        return None
    start = today + timedelta({"tomorrow": 1, "yesterday": -1}.get(match["start"], 0))
    return _later(start, _count(match["count"]), match["unit"])


def _relative(text: str, today: date, _is_past: bool) -> date | None:
    for pattern, days in _RELATIVE:
        if match := re.search(pattern, text):
            behind = text[match.end() :]
            return today + timedelta(days + 7 * bool(re.match(r"\s+(?:in a )?week\b", behind)))
    return None


def _weekday(text: str, today: date, is_past: bool) -> date | None:
    if _MONTH_DAY.search(text) or _DAY_MONTH.search(text) or _WEEKDAY_AND_DAY.search(text):
        return None  # "Tuesday the third of March": the date says more
    match = _WEEKDAY.search(text)
    if match is None:
        return None
    weekday, which, later = _weekday_of(match), match["which"] or "", (match["later"] or "").strip()
    if is_past or which == "last":
        return today - timedelta((today.weekday() - weekday - 1) % 7 + 1)
    day = today + timedelta((weekday - today.weekday() - 1) % 7 + 1)
    monday = today - timedelta(today.weekday())
    if which.startswith("this week"):
        return monday + timedelta(weekday)
    if which.startswith("the week after next") or later == "the week after next":
        return monday + timedelta(14 + weekday)
    if which.startswith("next") or later in ("next week", "of next week") or "next week" in text:
        return monday + timedelta(7 + weekday)
    return day + timedelta(7 * _weeks(which or later))


def _weeks(words: str) -> int:
    """``two weeks from`` → 2."""
    if "fortnight" in words or "two" in words:
        return 2
    return 3 if "three" in words else int("week" in words or "after next" in words)


def _full(text: str, today: date, is_past: bool) -> date | Refused | None:
    matches = [match for pattern in (_DAY_MONTH, _MONTH_DAY) if (match := pattern.search(text))]
    if not matches:
        return None
    match = max(matches, key=lambda one: one.end() - one.start())
    year = year_of(match["year"], today.year, is_past=is_past) if match["year"] else None
    return _dated(today, year, _month(match["month"]), number_of(match["day"]), is_past=is_past)


def _numeric(text: str, today: date, is_past: bool) -> date | Refused | None:
    if match := _ISO.search(text):
        return _dated(today, int(match["year"]), int(match["month"]), int(match["day"]), is_past=is_past)
    for match in _NUMERIC.finditer(text):
        first, second, mark = int(match["first"]), int(match["second"]), match["mark"].strip()
        is_plain = mark in ("", ",")
        is_day_first = first > 12 or (mark == "." and second <= 12)
        month, day = (second, first) if is_day_first else (first, second)
        if not 1 <= month <= 12 or not day or (is_plain and len(match["year"] or "") != 4):
            continue
        if mark == "." and not match["year"] and first <= _LAST_HOUR:
            continue  # 10.30 is a time of day
        year = year_of(match["year"], today.year, is_past=is_past) if match["year"] else None
        return _dated(today, year, month, day, is_past=is_past)
    return None


_LAST_HOUR = 23


def _counted(text: str, today: date, is_past: bool) -> date | None:
    for match in _IN.finditer(text):
        is_told = match["in"] or (match["from"] or "").strip() not in ("", "ago")
        if is_told or "ago" in text:
            count = _count(match["count"])
            return _later(today, -count if is_past or "ago" in text else count, match["unit"])
    return None


def _count(words: str) -> int:
    return _COUNT.get(words) or number_of(words)


def _later(start: date, count: int, unit: str) -> date:
    if unit in ("month", "year"):
        year, month = _months_on(start, count * (12 if unit == "year" else 1))
        return date(year, month, min(start.day, monthrange(year, month)[1]))
    return start + timedelta(count * {"day": 1, "week": 7, "fortnight": 14}[unit])


def _day_of_month(text: str, today: date, is_past: bool) -> date | Refused | None:
    """``the third``: of this month, or of the next one that it fits."""
    match = _ORDINAL_ONLY.search(text)
    if match is None:
        match = re.search(rf"\b(?P<day>{_WORD_DAY})\b(?P<next>\s+of next month)?", text)
        if match is None or not (_WEEKDAY_AND_DAY.search(text) or match["next"]):
            return None
    day = number_of(match["day"])
    named = _WEEKDAY_AND_DAY.search(text)
    weekday = {**_DAY_NAMES, **_WORDS_TOO}[named["weekday"].strip(" ,")] if named else None
    year, month = _months_on(today, 1 if match["next"] else 0)
    for _ in range(24):
        try:
            found = date(year, month, day)
        except ValueError:
            found = None
        is_right = found is not None and (found <= today if is_past else found >= today)
        if found is not None and is_right and weekday in (None, found.weekday()):
            return found
        year, month = _months_on(date(year, month, 1), -1 if is_past else 1)
    return Refused(f"There is no day {day}.")


def _month(word: str) -> int:
    return next(n for n, name in enumerate(MONTHS, 1) if name.startswith(word[:3]))


def _months_on(start: date, count: int) -> tuple[int, int]:
    """(year, month) so many months later."""
    total = start.year * 12 + start.month - 1 + count
    return total // 12, total % 12 + 1


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
