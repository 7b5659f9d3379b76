"""Spoken numbers: ``oh one five``, ``double five``, ``twenty-three``, ``555-0123``. Pure."""

import re

from sipagent.flows.slots.negation import Verbs, without_negated
from sipagent.flows.slots.values import Reading, Refused, Said, Value, said_last, tokens_of, without_lead

ONES = {
    word: number
    for number, words in enumerate(
        [
            "zero oh o nought",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine niner",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
    for word in words.split()
}
TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
ORDINALS = {
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
_OH = ("oh", "o")
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_SEVERAL = {
    **{f"{word}s": str(n) for word, n in ONES.items() if n < 10},
    "zeroes": "0",
    "sixes": "6",
}
"""Behind a count: "three fives"."""
_MISHEARD = {"for": "4", "to": "2", "too": "2", "ate": "8", "won": "1", "tree": "3", "sex": "6", "owe": "0"}
"""What a digit may be taken for in the middle of others."""
_BETWEEN = frozenset(("um", "uh", "er", "dash", "then", "and", "hyphen", "space", "area", "code", "that's"))
DIGIT_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def digits_in(text: str) -> str:
    """The longest run of dictated digits; empty where there is none."""
    runs, run = [""], ""
    tokens = tokens_of(text)
    at = 0
    while at < len(tokens):
        digits, used = _digits_at(tokens, at, is_inside=bool(run))
        if digits:
            run += digits
        elif not (run and tokens[at] in _BETWEEN):
            runs.append(run)
            run = ""
        at += used
    return max([*runs, run], key=len)


def with_digits(words: str) -> str:
    """The words run together, numbers as digits: ``ann forty two`` → ``ann42``."""
    tokens = tokens_of(words)
    joined, at = "", 0
    while at < len(tokens):
        digits, used = _digits_at(tokens, at, is_inside=joined[-1:].isdigit())
        joined += digits or tokens[at].replace("'", "")
        at += used
    return joined


def _digits_at(tokens: list[str], at: int, *, is_inside: bool) -> tuple[str, int]:
    """Digits that begin here, and how many words they are."""
    token = tokens[at]
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    if token.replace(".", "").replace(":", "").isdigit() and following not in _SEVERAL:
        return token.replace(".", "").replace(":", ""), 1
    if token in _TIMES and (digit := _digits_at(tokens, at + 1, is_inside=True)[0] if following else ""):
        return digit[0] * _TIMES[token], 2
    if following in _SEVERAL and 2 <= number_of(token) <= 4:
        return _SEVERAL[following] * number_of(token), 2
    if token in TENS:
        if 0 < ONES.get(following, 0) < 10:
            return str(TENS[token] + ONES[following]), 2
        return str(TENS[token]), 1
    if token in ONES:
        if 0 < ONES[token] < 10 and following in ("hundred", "thousand"):
            return f"{ONES[token]}{'00' if following == 'hundred' else '000'}", 2
        if token in _OH and not is_inside and not (following in _TIMES or _is_digit(following)):
            return "", 1  # "oh, it's five"
        return str(ONES[token]), 1
    if is_inside and token in _MISHEARD and _is_digit(following):
        return _MISHEARD[token], 1
    return "", 1


def _is_digit(token: str) -> bool:
    return token in ONES or token in TENS or token.isdigit()


def number_of(words: str) -> int:
    """What ``23``, ``3rd``, ``twenty-third`` or ``oh five`` stands for."""
    if digits := re.match(r"\d+", words):
        return int(digits[0])
    parts = re.split(r"[ -]+", words)
    return sum(ORDINALS.get(part, ONES.get(part, TENS.get(part, 0))) for part in parts)


def number_in(text: str) -> int | None:
    """One number, as ``seven``, ``twenty-three``, ``a hundred and five``, ``1,200``, ``minus one``."""
    total = current = 0
    found = is_minus = False
    before = ""
    for token in tokens_of(re.sub(r"(?<=\d),(?=\d{3})", "", re.sub(r"(?<![\w-])-(?=\d)", "minus ", text))):
        if token.isdigit() or (token in ONES and token not in _OH) or token in TENS:
            number = int(token) if token.isdigit() else ONES.get(token, TENS.get(token, 0))
            goes_on = current % 100 == 0 or (current % 10 == 0 and number < 10)
            if found and not goes_on:
                break
            is_minus = is_minus or before in ("minus", "negative")
            current += number
            found = True
        elif token in _LARGE:
            current = max(1, current) * _LARGE[token]
            found = True
            if _LARGE[token] >= 1000:
                total, current = total + current, 0
        elif found and token != "and":
            break
        before = token
    return (-1 if is_minus else 1) * (total + current) if found else None


def spoken_digits(digits: str, groups: tuple[int, ...] = ()) -> str:
    """``5550123`` → ``five five five, zero one two three``."""
    if not groups:
        head = {7: (3, 4), 10: (3, 3, 4), 11: (1, 3, 3, 4)}.get(len(digits))
        groups = head or (3,) * (len(digits) // 3 - (len(digits) % 3 == 1)) or (len(digits),)
    parts, rest = [], digits
    for size in groups:
        parts.append(rest[:size])
        rest = rest[size:]
    while rest:
        size = 2 if len(rest) == 4 else min(3, len(rest))
        parts.append(rest[:size])
        rest = rest[size:]
    return ", ".join(" ".join(DIGIT_WORDS[int(digit)] for digit in part) for part in parts if part)


def digits_only(text: str) -> str:
    """The digits of a value."""
    return "".join(character for character in text if character.isdigit())


PRONOUN_ONE = re.compile(
    r"\b(?:this|that|which|other|no|any|every|each|another|skip|last|first|next|earlier|later|good|better|new|"
    r"only|same|one) one\b",
    re.I,
)
"""No number and no hour."""


_ABOUT = re.compile(rf"\b(?:{'|'.join([*TENS, *ONES, *_LARGE])}|\d+)\b")
_HOLD = re.compile(
    r"\b(?:one|two|1|2) (?:sec(?:ond)?s?|moments?|ticks?)\b|"
    r"\b(?:(?:just|wait|give me|hold on|hang on),? (?:one|a|two) minutes?|(?:one|two) minutes?,? please)\b|"
    r"\bone (?:more )?(?:thing|question|of)\b",
    re.I,
)
"""One moment: nothing is counted."""
_RANGE = re.compile(
    r"\b(?:from |of |between )?(?:one|1|zero|0) (?:to|and|through) (?:ten|10|five|5)\b|"
    r"\b(?:out of|from|over) (?:ten|10|five|5|a hundred|100)\b",
    re.I,
)
"""What the number lies in."""
_CUE = re.compile(
    r"\b(?:i'd|i would|i'll|i will|i can|let's|let us|we|i) (?:only |probably |just )?(?:say|give|call|"
    r"go with|rate)\b|\b(?:make it|call it|my (?:answer|grade|number|rating) is)\b",
    re.I,
)


def read_number(said: Said, *, least: int, most: int) -> Reading:
    """A quantity or a grade."""
    number = None
    for part in said_last(said.text):
        text = PRONOUN_ONE.sub(" ", part.replace("’", "'"))
        text = without_negated(without_lead(text), _ABOUT, Verbs.CHOOSING)
        for pattern in (_HOLD, _RANGE):
            text = pattern.sub(" ", text)
        cue = _CUE.search(text)
        number = number_in(text[cue.end() :]) if cue else None
        number = number_in(text) if number is None else number
        if number is not None:
            break
    if number is None:
        return None
    if not least <= number <= most:
        return Refused(f"It should be a number from {least} to {most}.") if said.is_asked else None
    return Value(str(number), str(number))
