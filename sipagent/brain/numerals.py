"""English words for numbers. Without hyphens and without "and": voices read them best so."""

_ONES_TEXT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS_TEXT = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"
_ONES, _TENS = _ONES_TEXT.split(), _TENS_TEXT.split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_LARGEST = 10**15


def cardinal(number: int) -> str:
    """120 → "one hundred twenty". From a thousand trillion on: digit by digit."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= _LARGEST:
        return digits(str(number))
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    scale, name = next((s, n) for s, n in _SCALES if number >= s)
    head, rest = divmod(number, scale)
    return f"{cardinal(head)} {name}" + (f" {cardinal(rest)}" if rest else "")


def whole_number(text: str) -> str:
    """ "1,200" → "one thousand two hundred"; leading zeros and endless rows digit by digit."""
    plain = text.replace(",", "") or "0"
    if len(plain) > 15 or (len(plain) > 1 and plain.startswith("0")):
        return grouped_digits(plain)
    return cardinal(int(plain))


def ordinal(number: int) -> str:
    """22 → "twenty second"."""
    *head, last = cardinal(number).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last = f"{last}th"
    return " ".join([*head, last])


def digits(text: str) -> str:
    """ "204" → "two zero four"; what is no digit is passed over."""
    return " ".join(_ONES[int(character)] for character in text if character in "0123456789")


def grouped_digits(text: str) -> str:
    """Digit by digit, a short pause (comma) at each break in ``text`` or after three of a long run."""
    runs = "".join(c if c in "0123456789" else " " for c in text).split()
    if len(runs) == 1 and len(runs[0]) > 4:
        run = runs[0]
        first = len(run) - 4 if len(run) in (7, 10) else len(run)
        runs = [run[at : min(at + 3, first)] for at in range(0, first, 3)] + (
            [run[first:]] if first < len(run) else []
        )
    return ", ".join(digits(run) for run in runs)


def decimal(text: str) -> str:
    """ "1,200.50" → "one thousand two hundred point five zero"."""
    whole, _, fraction = text.partition(".")
    spoken = whole_number(whole)
    return f"{spoken} point {digits(fraction)}" if fraction else spoken


def year(number: int) -> str:
    """2026 → "twenty twenty six", 1905 → "nineteen oh five", 2005 → "two thousand five"."""
    century, rest = divmod(number, 100)
    if not 1100 <= number < 2100 or 2000 <= number < 2010:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {_after_hundred(rest)}"


def in_pairs(text: str) -> str:
    """As house and room numbers are said: "1428" → "fourteen twenty eight", "204" → "two oh four"."""
    if not 3 <= len(text) <= 4 or text.startswith("0"):
        return cardinal(int(text)) if len(text) < 3 and not text.startswith("0") else digits(text)
    head, rest = divmod(int(text), 100)
    if rest == 0:
        return cardinal(int(text)) if head % 10 == 0 else f"{cardinal(head)} hundred"
    return f"{cardinal(head)} {_after_hundred(rest)}"


def _after_hundred(rest: int) -> str:
    return f"oh {cardinal(rest)}" if rest < 10 else cardinal(rest)
