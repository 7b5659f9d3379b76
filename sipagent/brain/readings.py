"""How numbers are read aloud in English: phones, money, measures, codes, ranges, plain numbers.

Each rule is a pattern and its reading. They are tried in order; what one has read holds no digits for the
next. What no rule knows is read as a plain number.
"""

import re

from sipagent.brain.numerals import (
    cardinal,
    decimal,
    digits,
    grouped_digits,
    in_pairs,
    ordinal,
    whole_number,
    year,
)
from sipagent.brain.readings_time import DASH, DATES, NOT_AFTER, NOT_BEFORE, TIMES, Rule

_NUM = r"(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)"
_SCALE = r"(?:\s?(hundred|thousand|million|billion|trillion|[kKmMbB]n?)\b)?"
_SHORT_SCALES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
_SIGN = r"([$€£¥₩])\s?"
_MINUS = r"(?:(?<!\w)([-−]))?"

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₩": ("won", "won", "jeon", "jeon"),
}
_CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "KRW": "₩"}
_CODE = f"({'|'.join(_CODES)})"

_UNITS = {
    name: unit
    for names, unit in (
        ("km", "kilometer"),
        ("cm", "centimeter"),
        ("mm", "millimeter"),
        ("m", "meter"),
        ("mi", "mile"),
        ("ft", "foot"),
        ("sqft", "square foot"),
        ("yd yds", "yard"),
        ("kg", "kilogram"),
        ("g", "gram"),
        ("mg", "milligram"),
        ("lb lbs", "pound"),
        ("oz", "ounce"),
        ("l L", "liter"),
        ("ml mL", "milliliter"),
        ("gal", "gallon"),
        ("mph", "mile per hour"),
        ("kmh", "kilometer per hour"),
        ("h hr hrs", "hour"),
        ("min mins", "minute"),
        ("sec secs", "second"),
        ("ms", "millisecond"),
        ("yr yrs", "year"),
        ("wk wks", "week"),
        ("mo mos", "month"),
        ("GB", "gigabyte"),
        ("MB", "megabyte"),
        ("Mbps", "megabit per second"),
        ("kW", "kilowatt"),
        ("kWh", "kilowatt hour"),
        ("Hz", "hertz"),
        ("kHz", "kilohertz"),
    )
    for name in names.split()
}
_UNIT = rf"\s?({'|'.join(sorted(_UNITS, key=len, reverse=True))})\b(?!['’])"
_PER = {
    "mo": "month",
    "yr": "year",
    "hr": "hour",
    "h": "hour",
    "wk": "week",
    "min": "minute",
    "sec": "second",
}
_STREET = (
    "Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Highway|Hwy|Parkway"
)


def _several(unit: str) -> str:
    first, _, rest = unit.partition(" per ")
    head, _, last = first.rpartition(" ")
    last = {"foot": "feet", "hertz": "hertz", "kilohertz": "kilohertz"}.get(last, f"{last}s")
    return f"{head} {last}".strip() + (f" per {rest}" if rest else "")


def _counted(number: str, one: str, many: str) -> str:
    return f"{decimal(number)} {one if number == '1' else many}"


def _amount(sign: str, number: str, scale: str | None) -> str:
    one, many, cent, cents = _CURRENCIES[sign]
    if scale:
        return f"{decimal(number)} {_SHORT_SCALES.get(scale.lower(), scale.lower())} {many}"
    whole, _, fraction = number.replace(",", "").partition(".")
    if len(fraction) not in (0, 2) or len(whole) > 15:
        return f"{decimal(number)} {many}"
    units, parts = int(whole or 0), int(fraction or 0)
    spoken = [f"{cardinal(units)} {one if units == 1 else many}"] if units or not parts else []
    if parts:
        spoken.append(f"{cardinal(parts)} {cent if parts == 1 else cents}")
    return " and ".join(spoken)


def _money(m: re.Match[str]) -> str:
    per = f" per {_PER.get(m[5], m[5])}" if m[5] else ""
    return f"{'minus ' if m[1] else ''}{_amount(m[2], m[3], m[4])}{per}"


def _degrees(m: re.Match[str]) -> str:
    scale = {"F": " Fahrenheit", "C": " Celsius"}.get((m[3] or "").upper(), "")
    return f"{'minus ' if m[1] else ''}{_counted(m[2], 'degree', 'degrees')}{scale}"


def _decade(m: re.Match[str]) -> str:
    spoken = year(int(m[1])) if len(m[1]) == 4 else cardinal(int(m[1]))
    return f"{spoken[:-1]}ies" if spoken.endswith("y") else f"{spoken}s"


def _phone(m: re.Match[str]) -> str:
    return ("plus " if m[0].startswith("+") else "") + grouped_digits(m[0])


_PHONES: tuple[Rule, ...] = (
    (re.compile(r"\d{20,}"), lambda m: grouped_digits(m[0])),  # first: the others are slow on endless rows
    (re.compile(r"(?<![\w.+-])(?:\+?1[\s.-]?)?\(?\b\d{3}\)?[\s.-]{1,2}\d{3}[\s.-]\d{4}\b"), _phone),
    (re.compile(r"(?<![\w.])\+\d{1,3}(?:[\s.-]?\(?\d{1,4}\)?){2,6}\b"), _phone),
    (re.compile(rf"{NOT_BEFORE}\d{{3}}[-.]\d{{4}}{NOT_AFTER}"), _phone),
    (re.compile(rf"{NOT_BEFORE}911{NOT_AFTER}(?!\s+[A-Z])"), lambda _: "nine one one"),
    (re.compile(rf"{NOT_BEFORE}24/7{NOT_AFTER}"), lambda _: "twenty four seven"),
)

_MONEY: tuple[Rule, ...] = (
    (
        re.compile(rf"{_SIGN}{_NUM}{DASH}[$€£¥₩]?\s?{_NUM}{_SCALE}"),
        lambda m: f"{decimal(m[2])} to {_amount(m[1], m[3], m[4])}",
    ),
    (re.compile(rf"{_MINUS}{_SIGN}{_NUM}{_SCALE}(?:\s?/\s?([a-z]+)\b)?"), _money),
    (re.compile(rf"\b{_CODE}\s?{_NUM}"), lambda m: _amount(_CODES[m[1]], m[2], None)),
    (re.compile(rf"{NOT_BEFORE}{_NUM}\s?{_CODE}\b"), lambda m: _amount(_CODES[m[2]], m[1], None)),
    (re.compile(rf"{NOT_BEFORE}{_NUM}\s?¢"), lambda m: _counted(m[1], "cent", "cents")),
)

_MEASURES: tuple[Rule, ...] = (
    (
        re.compile(rf"{NOT_BEFORE}{_NUM}{DASH}{_NUM}\s?(?:%|percent\b)"),
        lambda m: f"{decimal(m[1])} to {decimal(m[2])} percent",
    ),
    (re.compile(rf"{_MINUS}{_NUM}\s?%"), lambda m: f"{'minus ' if m[1] else ''}{decimal(m[2])} percent"),
    (re.compile(rf"{_MINUS}{_NUM}\s?[°º]\s?([FCfc]\b)?"), _degrees),
    (
        re.compile(rf"{NOT_BEFORE}{_NUM}{DASH}{_NUM}{_UNIT}"),
        lambda m: f"{decimal(m[1])} to {decimal(m[2])} {_several(_UNITS[m[3]])}",
    ),
    (
        re.compile(rf"{NOT_BEFORE}{_NUM}{_UNIT}"),
        lambda m: _counted(m[1], _UNITS[m[2]], _several(_UNITS[m[2]])),
    ),
)

_NAMES: tuple[Rule, ...] = (
    (
        re.compile(
            r"(?i)\b(ext\.|extension|code|pin|zip|confirmation(?: number)?|account(?: number)?|number is)"
            r":?\s#?(\d{3,})\b(?![.,:]\d)"
        ),
        lambda m: f"{'extension' if m[1].lower() == 'ext.' else m[1]} {grouped_digits(m[2])}",
    ),
    (
        re.compile(r"(?i)\b(suite|room|apartment|unit|flight|highway|route)\s#?(\d{1,5})\b(?![.,:]\d)"),
        lambda m: f"{m[1]} {in_pairs(m[2])}",
    ),
    (re.compile(r"\b([A-Z]{2})\s(\d{5})\b(?!-)"), lambda m: f"{m[1]} {digits(m[2])}"),
    (
        re.compile(rf"{NOT_BEFORE}(\d{{3,4}})(?=\s(?:[NSEW]\.?\s)?(?:[A-Z][a-z]+\s){{0,3}}(?:{_STREET})\b)"),
        lambda m: in_pairs(m[1]),
    ),
    (re.compile(r"(?i)(?:#|\bno\.|№)\s?(?=\d)"), lambda _: "number "),
)

_NUMBERS: tuple[Rule, ...] = (
    (re.compile(r"(?<!\w)['’]?([2-9]0|1[1-9]\d0|20\d0)s\b"), _decade),
    (
        re.compile(r"(?<![\w.])(\d[\d,]{0,14})(?:st|nd|rd|th)\b"),
        lambda m: ordinal(int(m[1].replace(",", ""))),
    ),
    (
        re.compile(rf"(?i)\b(in|since|year|of|by|until|from|before|after)\s(19\d\d|20\d\d){NOT_AFTER}"),
        lambda m: f"{m[1]} {year(int(m[2]))}",
    ),
    (
        re.compile(rf"{NOT_BEFORE}{_NUM}{DASH}{_NUM}{NOT_AFTER}"),
        lambda m: f"{decimal(m[1])} to {decimal(m[2])}",
    ),
    (
        re.compile(r"(?<![\d.])(\d+(?:\.\d+){2,})(?![\d.]*\d)"),  # versions, addresses of machines
        lambda m: " point ".join(whole_number(part) for part in m[1].split(".")),
    ),
    (re.compile(rf"{_NUM}\s?[x×]\s?{_NUM}"), lambda m: f"{decimal(m[1])} by {decimal(m[2])}"),
    (re.compile(rf"{_NUM}x\b"), lambda m: f"{decimal(m[1])} times"),
    (re.compile(rf"~\s?{_NUM}"), lambda m: f"about {decimal(m[1])}"),
    (re.compile(rf"(?<![\w.)])[-−]{_NUM}"), lambda m: f"minus {decimal(m[1])}"),
    (re.compile(rf"\+\s?{_NUM}"), lambda m: f"plus {decimal(m[1])}"),
    (re.compile(rf"{_NUM}\s?[kK]\b"), lambda m: f"{decimal(m[1])} thousand"),
    (re.compile(rf"{_NUM}\+"), lambda m: f"{decimal(m[1])} plus"),
    (re.compile(r"(?<![\d.,])(\d{7,})(?![.,]?\d)"), lambda m: grouped_digits(m[1])),
    (re.compile(_NUM), lambda m: decimal(m[1])),
)

_RULES = _PHONES + DATES + TIMES + _MONEY + _MEASURES + _NAMES + _NUMBERS


def speak_numbers(text: str) -> str:
    """``text`` with every number in words. Leaves superfluous spaces."""
    for pattern, reading in _RULES:
        if not any(character in "0123456789" for character in text):
            return text
        pieces: list[str] = []
        end = 0
        for match in pattern.finditer(text):
            pieces += [text[end : match.start()], " ", reading(match), " "]
            end = match.end()
        text = "".join([*pieces, text[end:]])
    return text
