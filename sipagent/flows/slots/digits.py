"""Dictated digits, and how they are mended: ``no, five oh``, ``it ends in 24``, ``not 0123, 0124``. Pure."""

import re

from sipagent.flows.slots.negation import Verbs, negations
from sipagent.flows.slots.numbers import ONES, TENS, digits_in, digits_only, number_of, spoken_digits
from sipagent.flows.slots.values import Reading, Refused, Said, Value, repaired, without_lead

_GROUP_STARTS = (0, 3, 6)
_IS = (
    r"(?:\s+(?:of (?:it|them|the number))?)?\s*"
    r"(?:'s|is|are|was|were|should be|must be|has to be|ought to be|:)\s+(?:an? )?"
)
_COUNT = r"(?:two|three|four|five|six|seven|eight|[2-8])"
_DIGITS = r"(?:digits?|numbers?|ones?|figures?|part|bit)"
_ENDS = re.compile(
    rf"\b(?:ends? (?:in|with|on)|ending (?:in|with|on)|(?:the )?end{_IS}|at the end,?(?: it'?s| it is)?|"
    rf"(?<!second )(?<!second to )(?<!next to )(?:the )?last(?: {_COUNT})?(?: {_DIGITS})?{_IS})"
    r"\s*(?P<told>.+)|"
    r"(?P<before>.+?),? (?:at|in) the end\b"
)
_BEGINS = re.compile(
    rf"\b(?:(?:starts?|starting|begins?|beginning) (?:with|in)|(?:the )?(?:start|beginning){_IS}|"
    rf"(?:the )?first(?: {_COUNT})?(?: {_DIGITS})?{_IS})\s*(?P<told>.+)|"
    r"(?P<before>.+?),? (?:at|in) the (?:beginning|start|front)\b"
)
_AREA = re.compile(rf"\barea code{_IS}\s*(?P<told>.+)")
_NTH = re.compile(
    r"\b(?:the )?(?P<nth>second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|"
    r"\d{1,2}(?:nd|rd|th))"
    rf"(?P<back>[ -](?:to[ -]|from (?:the )?)?(?:last|end))?(?: (?:digit|number|one|"
    rf"figure))?{_IS}(?P<told>.+)|"
    rf"\b(?:the )?(?P<last>next to last|last but one)(?: digit| number| one)?{_IS}(?P<told2>.+)"
)
_AREA_DIGITS, _LOCAL_DIGITS, _NATIONAL_DIGITS = 3, 7, 10
_ABOUT = re.compile(rf"\b(?:(?:{'|'.join([*TENS, *ONES])}|double|triple|\d+)\b[ ,-]*)+")
_HAVE_ONE = re.compile(r"\b(?:have|got|need|want|find|get|remember|know|with) one\b", re.IGNORECASE)
_OH = re.compile(r"\W*oh?\b(?P<mark>[,.!;]*)", re.IGNORECASE)


def dictated(said: Said, *, least: int, most: int) -> str:
    """The digits that are meant, corrections applied: ``no, five oh`` mends what was read back."""
    first, last = repaired(said.text)
    before = digits_in(first) or (digits_only(said.before.value) if said.before else "")
    if before and (directed := _directed(before, last, least)) is not None:
        return directed
    digits = _heard(last, least=least, most=most, is_mending=bool(before))
    if before and 0 < len(digits) < least:
        return _mended(before, digits, is_tail=bool(digits_in(first)))
    if not digits:
        return before if digits_in(first) else ""
    return digits


def _heard(text: str, *, least: int, most: int, is_mending: bool) -> str:
    """The digits of the text. An "oh" that they begin with is a zero, unless it is an interjection:
    "oh, five five one two" where four digits are due."""
    plain = digits_in(without_lead(text))
    kept = without_lead(text, keeps_oh=True)
    lead = _OH.match(kept)
    zeroed = digits_in(kept)
    if lead is None or len(zeroed) <= len(plain):
        return plain
    fits_plain, fits_zeroed = (least <= len(digits) <= most for digits in (plain, zeroed))
    if lead["mark"]:
        return plain if fits_plain or is_mending else zeroed
    return plain if fits_plain and not fits_zeroed else zeroed


def _directed(before: str, text: str, least: int) -> str | None:
    """``before`` mended where the caller says how; empty: it is not clear where; None: nothing is said."""
    low = text.lower().replace("’", "'")
    if (mended := _contrasted(before, low, least)) is not None:
        return mended
    if match := _AREA.search(low):
        told = digits_in(match["told"])
        if len(told) == _AREA_DIGITS and len(before) in (_LOCAL_DIGITS, _NATIONAL_DIGITS):
            return told + before[-_LOCAL_DIGITS:]
    if match := _NTH.search(low):
        told = digits_in(match["told"] or match["told2"])
        at = 1 if match["last"] else number_of(match["nth"]) - 1
        at = len(before) - 1 - at if match["last"] or match["back"] else at
        if 0 < len(told) < least and 0 <= at <= len(before) - len(told):
            return before[:at] + told + before[at + len(told) :]
    for pattern in (_ENDS, _BEGINS):
        if match := pattern.search(low):
            told = digits_in(match["told"] or match["before"])
            if 0 < len(told) < min(least, len(before)):
                size = len(told)
                return before[:-size] + told if pattern is _ENDS else told + before[size:]
    return None


def _contrasted(before: str, low: str, least: int) -> str | None:
    """``not 0123, 0124``: the one in the other's place."""
    ruled_out = negations(low, _ABOUT, Verbs.NONE)
    old = digits_in(" ".join(low[one.start : one.end] for one in ruled_out))
    if not old:
        return None
    rest = list(low)
    for one in ruled_out:
        rest[one.start : one.end] = "," * (one.end - one.start)
    new = digits_in(without_lead("".join(rest).strip(", "), keeps_oh=True))
    if len(new) >= least:
        return new
    if not new or before.count(old) > 1:
        return ""
    if old in before:
        return before.replace(old, new)
    return None if len(new) > len(before) else _mended(before, new, is_tail=False)


def _mended(before: str, digits: str, *, is_tail: bool) -> str:
    """``before`` with the part replaced that ``digits`` resembles most; the end, where that is not clear."""
    size = len(digits)
    if size > len(before):
        return digits
    end = len(before) - size
    if is_tail:
        return before[:end] + digits
    costs = [
        (
            sum(a != b for a, b in zip(before[at : at + size], digits, strict=True)),
            at != end,
            at not in _GROUP_STARTS,
            at,
        )
        for at in range(end + 1)
    ]
    cost, _, _, at = min((one for one in costs if one[0]), default=(size, False, False, end))
    if cost == size:
        at = end
    return before[:at] + digits + before[at + size :]


def read_digits(said: Said, *, least: int, most: int) -> Reading:
    """A code or an account: so many digits."""
    digits = dictated(said, least=least, most=most)
    if not digits or (digits == "1" and _HAVE_ONE.search(said.text)):
        return None
    if not least <= len(digits) <= most:
        if not said.is_asked:
            return None
        wanted = str(least) if least == most else f"{least} to {most}"
        heard = "1 digit" if len(digits) == 1 else f"{len(digits)} digits"
        return Refused(f"I heard {heard} and need {wanted}.")
    return Value(digits, spoken_digits(digits))
