"""Number words as figures, so that texts can be compared. Pure."""

import re

_ONES_TEXT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS_TEXT = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS_TEXT = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ONES = {word: n for n, word in enumerate(_ONES_TEXT.split())}
_TENS = {word: 10 * n for n, word in enumerate(_TENS_TEXT.split(), 2)}
_DIGITS = {**{word: n for word, n in _ONES.items() if n < 10}, "oh": 0}
_ORDINALS = _ORDINALS_TEXT.split()
_WORD = rf"(?:{'|'.join([*_ONES, *_TENS])}|hundred|thousand)"
_RUN = re.compile(rf"\b{_WORD}(?:(?:[ -]|(?<=hundred) and )(?:{_WORD}|oh))*\b", re.I)
_ORDINAL = re.compile(rf"\b(?:(twenty|thirty)[ -])?({'|'.join(_ORDINALS)})\b", re.I)
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip


def in_figures(text: str) -> str:
    """ "Ninety dollars, at ten thirty" → "90 dollars, at 10 30"; "five five oh" → "5 5 0"."""
    text = _GROUPED.sub("", text)
    text = _ORDINAL.sub(
        lambda m: f"{_TENS.get((m[1] or '').lower(), 0) + _ORDINALS.index(m[2].lower())}", text
    )
    return _RUN.sub(lambda match: _figures(re.split(r"[ -]+", match[0].lower())), text)


def _figures(words: list[str]) -> str:
    numbers: list[int] = []
    last, is_open = 0, False
    for word in (word for word in words if word != "and"):
        value = _ONES.get(word, _TENS.get(word, _DIGITS.get(word, 0)))
        if word in ("hundred", "thousand") and not numbers:
            numbers = [100 if word == "hundred" else 1000]
        elif word == "hundred":
            numbers[-1] += 99 * last
        elif word == "thousand":
            numbers[-1] *= 1000
        elif is_open and (last not in _TENS.values() or 0 < value < 10):
            numbers[-1] += value
        else:
            numbers.append(value)
        is_open = word in ("hundred", "thousand") or word in _TENS
        last = value if word not in ("hundred", "thousand") else 0
    return " ".join(str(number) for number in numbers)
