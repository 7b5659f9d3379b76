"""Makes the model's text speakable: English prose in letters, for a voice and for nobody's eyes.

::

    markup → web and mail addresses → abbreviations → numbers → symbols → punctuation
"""

import re
import unicodedata

from sipagent.brain.markup import without_markup
from sipagent.brain.numerals import digits
from sipagent.brain.readings import speak_numbers
from sipagent.brain.readings_time import DASH, MONTH, month_name

_ABBREVIATIONS = {
    "Mr.": "Mister",
    "Mrs.": "Missis",
    "Ms.": "Miz",
    "Prof.": "Professor",
    "Rev.": "Reverend",
    "Capt.": "Captain",
    "Jr.": "Junior",
    "Sr.": "Senior",
    "Ave.": "Avenue",
    "Blvd.": "Boulevard",
    "Rd.": "Road",
    "Ln.": "Lane",
    "Hwy.": "Highway",
    "Pkwy.": "Parkway",
    "Apt.": "Apartment",
    "Ste.": "Suite",
    "Bldg.": "Building",
    "Ft.": "Fort",
    "Mt.": "Mount",
    "Inc.": "Incorporated",
    "Ltd.": "Limited",
    "Co.": "Company",
    "Corp.": "Corporation",
    "approx.": "approximately",
    "appt.": "appointment",
    "appts.": "appointments",
    "dept.": "department",
    "est.": "established",
    "ext.": "extension",
    "min.": "minutes",
    "mins.": "minutes",
    "hr.": "hour",
    "hrs.": "hours",
    "vs.": "versus",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "a.k.a.": "also known as",
    "Ph.D.": "P H D",
    "w/o": "without",
    "w/": "with",
    "n/a": "not applicable",
    "and/or": "and or",
    "Q&A": "Q and A",
    "R&D": "R and D",
}
_KEYS = "|".join(re.escape(key) for key in sorted(_ABBREVIATIONS, key=len, reverse=True))
_ABBREVIATION = re.compile(rf"(?<![\w.])({_KEYS})(?![\w.])", re.IGNORECASE)
_BY_FOLDED = {key.casefold(): words for key, words in _ABBREVIATIONS.items()}
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,}(?!\w)")
_DOCTOR = re.compile(r"(\b[A-Z][a-z]+\s)?\bDr\.(\s+[A-Z])?")
_SAINT = re.compile(r"((?:\d\S*\s|\b[NSEW]\.?\s)?\b[A-Z][a-z]+\s|\d+(?:st|nd|rd|th)\s)?\bSt\.(\s+[A-Z])?")

_DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "tues": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "thur": "Thursday",
    "thurs": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
_DAY = rf"(?:{'|'.join(sorted((d.title() for d in _DAYS), key=len, reverse=True))})"
_NO_STOP = r"(?:\.(?=\s+[a-z\d]|\s?[,;:!?]))?"  # an abbreviation's, unless it ends the sentence too
_FULL_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DAY_RANGE = re.compile(rf"\b({_FULL_DAY}|{_DAY})\.?{DASH}({_FULL_DAY}|{_DAY})\b{_NO_STOP}")
_SHORT_DAY = re.compile(rf"\b({_DAY})(?:\.(?=\s*[\w,–-])|(?=,?\s(?:\d|{MONTH})))")
_MONTH_RANGE = re.compile(rf"\b({MONTH})\.?{DASH}({MONTH})\b{_NO_STOP}")
_SHORT_MONTH = re.compile(rf"\b({MONTH})\.(?=\s*[a-z\d,])")

_MAIL = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})@((?:[\w-]{1,63}\.){1,4}[A-Za-z]{2,12})\b")
_TLDS = (
    "com|org|net|edu|gov|info|biz|io|co|us|uk|ca|au|eu|de|ai|app|dev|"
    "health|care|dental|clinic|shop|store|online|site"
)
_URL = re.compile(
    r"(?i)\b(?:https?://|www\.)([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::\d+)?(/[^\s<>\"')\]]*)?(?<![.,;:!?])"
)
_DOMAIN = re.compile(
    rf"(?i)(?<![\w@.])((?:[a-z0-9-]{{1,63}}\.){{1,3}}(?:{_TLDS}))\b(?![.@]\w)(/[^\s<>\"')\]]*)?"
)

_WORDS_FOR_SYMBOLS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "%": "percent",
    "@": "at",
    "°": "degrees",
    "€": "euros",
    "£": "pounds",
    "™": "",
    "®": "",
    "©": "",
}
_SYMBOL = re.compile("|".join(map(re.escape, _WORDS_FOR_SYMBOLS)))
_EITHER = re.compile(r"(?<=\w)\s?/\s?(?=\w)")
_BREAK = re.compile(r"\s+[-–]{1,3}\s+|\s*(?:—|–|--+)\s*")
_VULGAR_FRACTION = re.compile("[¼-¾⅐-⅞]")
_APOSTROPHES = re.compile("[‘’‛ʼ`´′]")
_LOOSE_APOSTROPHE = re.compile(r"(?<![^\W\d_])'|'(?![^\W\d_])")
_LOOSE_HYPHEN = re.compile(r"(?<![^\W\d_])-+|-+(?![^\W\d_])")
_TRAILING_DOTS = re.compile(r"\.\s?\.[.\s]*(?=[a-z])")
_SIGNS = re.compile(r"\s*([.,;:!?](?:[\s.,;:!?]*[.,;:!?])?)\s*")


def speakable(text: str) -> str:
    """``text`` as words and plain punctuation; empty where there is nothing to say. Never raises.

    Works on a reply or on a clause of it. Plain prose comes back as it is. The result holds letters,
    spaces, apostrophes and hyphens inside words, and ``. , ; : ! ?``.
    """
    text = without_markup(_without_surrogates(text))
    text = _addresses(_APOSTROPHES.sub("'", text))
    text = speak_numbers(_ascii_digits(_abbreviations(_compatible(text))))
    text = _EITHER.sub(" or ", _BREAK.sub(", ", text))
    text = _SYMBOL.sub(lambda m: f" {_WORDS_FOR_SYMBOLS[m[0]]} ", text)
    return _punctuate(text)


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _compatible(text: str) -> str:
    """Ligatures, wide letters, fractions and raised digits as plain characters (Unicode's NFKC)."""
    if text.isascii():
        return text
    text = _VULGAR_FRACTION.sub(lambda m: f" {m[0]}", text.replace("…", "... "))
    return unicodedata.normalize("NFKC", text).replace("⁄", "/")


def _ascii_digits(text: str) -> str:
    """Digits of other scripts as 0-9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text)


# -- addresses -----------------------------------------------------------------------------------------


def _addresses(text: str) -> str:
    text = _MAIL.sub(lambda m: f" {_said(m[1])} at {_said(m[2])} ", text)
    text = _URL.sub(lambda m: _site(m[1], m[2]), text)
    return _DOMAIN.sub(lambda m: _site(m[1], m[2]), text)


def _site(domain: str, path: str | None) -> str:
    """A bare domain can be remembered; a path cannot."""
    if path and len(path) > 1:
        return " our website "
    return f" {_said(domain.removeprefix('www.'))} "


def _said(part: str) -> str:
    for sign, word in ((".", "dot"), ("_", "underscore"), ("-", "dash"), ("+", "plus")):
        part = part.replace(sign, f" {word} ")
    part = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part)
    return re.sub(r"[0-9]+", lambda m: f" {digits(m[0])} ", part).lower()


# -- abbreviations -------------------------------------------------------------------------------------


def _abbreviations(text: str) -> str:
    text = _DOCTOR.sub(_doctor_or_drive, text)
    text = _SAINT.sub(_saint_or_street, text)
    text = _DAY_RANGE.sub(lambda m: f"{_day(m[1])} to {_day(m[2])}", text)
    text = _SHORT_DAY.sub(lambda m: _day(m[1]), text)
    text = _MONTH_RANGE.sub(lambda m: f"{month_name(m[1])} to {month_name(m[2])}", text)
    text = _SHORT_MONTH.sub(lambda m: month_name(m[1]), text)
    text = _ABBREVIATION.sub(_expanded, text)
    return _INITIALS.sub(_letters, text)


def _letters(match: re.Match[str]) -> str:
    """ "U.S." → "U S": a stop would make the voice pause; the last one may end the sentence."""
    is_last = not match.string[match.end() :].strip()
    return match[0].replace(".", " ").strip() + ("." if is_last else "")


def _expanded(match: re.Match[str]) -> str:
    """The words, and the stop again where the abbreviation ended the sentence as well."""
    words = _BY_FOLDED[match[1].casefold()]
    if match[1][0].isupper():
        words = words[0].upper() + words[1:]
    rest = match.string[match.end() :].lstrip("\"')")
    ends = (
        match[1].endswith(".")
        and words.casefold() in _CAN_END
        and (not rest.strip() or _NEW_SENTENCE.match(rest))
    )
    return f"{words}." if ends else words


_CAN_END = frozenset(
    {"et cetera", "minutes", "hours", "avenue", "road", "boulevard", "junior", "senior", "incorporated"}
)
_NEW_SENTENCE = re.compile(r"\s+[A-Z]")


def _day(text: str) -> str:
    return _DAYS.get(text.lower(), text)


def _doctor_or_drive(m: re.Match[str]) -> str:
    """ "Dr. Smith", but "Elm Dr." where a name stands before and none behind."""
    before, behind = m[1] or "", m[2] or ""
    if behind:
        return f"{before}Doctor{behind}"
    return f"{before}Drive" if before else "Doctor"


def _saint_or_street(m: re.Match[str]) -> str:
    """ "St. Mary", but "12 Elm St. Suite 4", "5th St." and "Elm St." """
    before, behind = m[1] or "", m[2] or ""
    is_street = bool(before) and (not behind or before[0].isdigit())
    return f"{before}{'Street' if is_street else 'Saint'}{behind}"


# -- punctuation ---------------------------------------------------------------------------------------


def _punctuate(text: str) -> str:
    text = _TRAILING_DOTS.sub(", ", text)
    text = "".join(c if c in ".,;:!?'- " or _is_letter(c) else " " for c in text)
    text = _LOOSE_HYPHEN.sub(" ", _LOOSE_APOSTROPHE.sub("", text))
    text = " ".join(_SIGNS.sub(lambda m: f"{_strongest(m[1])} ", text).split())
    text = text.lstrip(".,;:!? ")
    return text if any(c.isalpha() for c in text) else ""


def _is_letter(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character) in ("Mn", "Mc")


def _strongest(signs: str) -> str:
    return next(sign for sign in "?!.:;," if sign in signs)
