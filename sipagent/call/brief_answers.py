"""May more follow a date, a time or a count as it stands? Pure.

"In March" lacks its day and "half past" its hour; "the third" can stand by itself, and "of March" may follow.
"""

import re
from enum import IntEnum


class Following(IntEnum):
    """How sure it is that the answer goes on."""

    NOTHING = 0
    PERHAPS = 1
    """It can stand as it is, and may go on."""
    LIKELY = 2
    """It can stand as it is, and mostly goes on."""
    SURELY = 3


_MONTHS_TEXT = "january february march april may june july august september october november december"
_MONTH = f"(?:{'|'.join(_MONTHS_TEXT.split())})"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_ORDINAL = (
    r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|thirteen|"
    r"fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twentie|thirtie)th)"
)
_DAY = rf"(?:{_ORDINAL}|\d{{1,2}}|{_ONES}|{_TEENS}|{_TENS})"
_OPEN_DATE = re.compile(
    rf"\b(?:next|this|last|coming|on|of|in|by|from|after|before|until|since|the|"
    rf"(?:{_MONTH}|the) (?:twenty|thirty))$"
)
_DAY_OF_MONTH = re.compile(
    rf"(?:\b{_MONTH} (?:the )?{_DAY}|\b{_DAY}(?: of)? {_MONTH}|\b\d{{1,2}}/\d{{1,2}})$"
)
_MONTH_AT_END = re.compile(rf"\b{_MONTH}$")
_ORDINAL_AT_END = re.compile(rf"\b{_ORDINAL}$")
_HALF_A_YEAR = re.compile(rf"\b{_MONTH}\b.* (?:nineteen|twenty|two thousand(?: and)?|(?:19|20))$")
_OPEN_TIME = re.compile(r"\b(?:at|around|about|half|past|quarter|to|between|after|before|by|from|until|a)$")
_OPEN_HOUR = re.compile(
    rf"\b(?:\d{{1,2}}|{_ONES}|ten|eleven|twelve|(?:{_ONES}|ten|eleven|twelve) (?:{_TENS}|oh))$"
)
_OPEN_COUNT = re.compile(rf"\b(?:{_TENS}|hundred|thousand)$")


def may_follow_date(text: str, *, has_been: bool = False) -> Following:
    """:param has_been: it lies behind, as a birthday: a year may follow."""
    said = _plain(text)
    if _OPEN_DATE.search(said) or (has_been and _HALF_A_YEAR.search(said)):
        return Following.SURELY
    if _DAY_OF_MONTH.search(said):
        return Following.LIKELY if has_been else Following.NOTHING
    if _MONTH_AT_END.search(said):
        return Following.SURELY
    return Following.PERHAPS if _ORDINAL_AT_END.search(said) else Following.NOTHING


def may_follow_time(text: str) -> Following:
    """ "Ten" may go on with "thirty" or "in the morning"; "half past" must."""
    said = _plain(text)
    if _OPEN_TIME.search(said):
        return Following.SURELY
    return Following.PERHAPS if _OPEN_HOUR.search(said) and not _is_clock(said) else Following.NOTHING


def may_follow_count(text: str) -> Following:
    """ "Twenty" may go on with "three"."""
    return Following.PERHAPS if _OPEN_COUNT.search(_plain(text)) else Following.NOTHING


def _is_clock(said: str) -> bool:
    """It ends in minutes behind a colon, as speech-to-text writes them, or behind "past" and "to"."""
    return re.search(rf"\d:\d\d$|\b(?:past|to) (?:\d+|{_ONES}|{_TEENS})$", said) is not None


def _plain(text: str) -> str:
    return re.sub(r"[.,!?… -]+$", "", re.sub(r"[,;]", "", text.lower().replace("-", " ")).strip())
