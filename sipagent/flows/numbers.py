"""Spoken numbers: ``oh one five``, ``double five``, ``twenty-three``, ``555-0123``. Pure."""

import re

from sipagent.flows.values import Reading, Refused, Said, Value, repaired, tokens_of, without_lead

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
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_MISHEARD = {"for": "4", "to": "2", "too": "2", "ate": "8", "won": "1", "tree": "3", "sex": "6", "owe": "0"}
"""What a digit may be taken for in the middle of others."""
_BETWEEN = frozenset(("um", "uh", "er", "dash", "then", "and", "hyphen", "space", "area", "code", "that's"))
_GROUP_STARTS = (0, 3, 6)
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


def _digits_at(tokens: list[str], at: int, *, is_inside: bool) -> tuple[str, int]:
    """Digits that begin here, and how many words they are."""
    token = tokens[at]
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    if token.replace(".", "").replace(":", "").isdigit():
        return token.replace(".", "").replace(":", ""), 1
    if token in _TIMES and (digit := _digits_at(tokens, at + 1, is_inside=True)[0] if following else ""):
        return digit[0] * _TIMES[token], 2
    if token in TENS:
        if 0 < ONES.get(following, 0) < 10:
            return str(TENS[token] + ONES[following]), 2
        return str(TENS[token]), 1
    if token in ONES:
        if 0 < ONES[token] < 10 and following == "hundred":
            return f"{ONES[token]}00", 2
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
    """One number, as ``seven``, ``twenty-three``, ``a hundred and five``, ``1,200``."""
    total = current = 0
    found = False
    for token in tokens_of(text.replace(",", "") if any(c.isdigit() for c in text) else text):
        if token.isdigit() or token in ONES or token in TENS:
            number = int(token) if token.isdigit() else ONES.get(token, TENS.get(token, 0))
            goes_on = current % 100 == 0 or (current % 10 == 0 and number < 10)
            if found and not goes_on:
                break
            current += number
            found = True
        elif token in _LARGE:
            current = max(1, current) * _LARGE[token]
            found = True
            if _LARGE[token] >= 1000:
                total, current = total + current, 0
        elif found and token != "and":
            break
    return total + current if found else None


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


def dictated(said: Said, *, least: int, most: int) -> str:
    """The digits that are meant, corrections applied: ``no, five oh`` mends what was read back."""
    first, last = repaired(said.text)
    digits = digits_in(without_lead(last))
    before = digits_in(first) or (digits_only(said.before.value) if said.before else "")
    if before and 0 < len(digits) < least:
        return _mended(before, digits, is_tail=bool(digits_in(first)))
    if not digits:
        return before if digits_in(first) else ""
    return digits


def digits_only(text: str) -> str:
    """The digits of a value."""
    return "".join(character for character in text if character.isdigit())


def _mended(before: str, digits: str, *, is_tail: bool) -> str:
    """``before`` with the part replaced that ``digits`` resembles most; the end, where that is not clear."""
    size = len(digits)
    if size > len(before):
        return digits
    if is_tail:
        return before[:-size] + digits
    costs = [
        (
            sum(a != b for a, b in zip(before[at : at + size], digits, strict=True)),
            at not in _GROUP_STARTS,
            at,
        )
        for at in range(len(before) - size + 1)
    ]
    cost, _, at = min((one for one in costs if one[0]), default=(size, False, len(before) - size))
    if cost == size:
        return before[:-size] + digits
    return before[:at] + digits + before[at + size :]


def read_digits(said: Said, *, least: int, most: int) -> Reading:
    """A code or an account: so many digits."""
    digits = dictated(said, least=least, most=most)
    if not digits:
        return None
    if not least <= len(digits) <= most:
        if not said.is_asked:
            return None
        wanted = str(least) if least == most else f"{least} to {most}"
        return Refused(f"I heard {len(digits)} digits and need {wanted}.")
    return Value(digits, spoken_digits(digits))


PRONOUN_ONE = re.compile(
    r"\b(?:this|that|which|other|no|any|every|each|another|skip|last|first|next|earlier|later|good|better|new|"
    r"only|same|one) one\b",
    re.I,
)
"""No number and no hour."""


def read_number(said: Said, *, least: int, most: int) -> Reading:
    """A quantity or a grade."""
    _, last = repaired(said.text)
    number = number_in(PRONOUN_ONE.sub(" ", without_lead(last)))
    if number is None:
        return None
    if not least <= number <= most:
        return Refused(f"It should be a number from {least} to {most}.") if said.is_asked else None
    return Value(str(number), str(number))
