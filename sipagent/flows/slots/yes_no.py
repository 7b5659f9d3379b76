"""Plain yes and no, as people say them. Pure."""

import re

from sipagent.flows.schema import NO, YES

_WEAK_WORDS = 5
"""A sentence that only begins with "sure" or "I can't" is an answer if it is no longer than this."""
_LEAD = r"^(?:(?:oh|um|uh|er|well|and|so|ah|okay|ok|hi|hm+|sorry|i'm sorry|actually)[,. ]+)*"
_NOT_MEANT = re.compile(r"^(?:no problem|no worries|not a problem|no doubt)\b", re.I)
_NO = re.compile(
    _LEAD + r"(?:yeah,? )?(?:no|nope|nah|naw|negative|never|absolutely not|of course not|definitely not|"
    r"certainly not|not (?:really|quite|yet|at all|exactly|right|correct)|i'm afraid not|incorrect|uh-uh|"
    r"that's (?:not (?:right|correct|it)|wrong|incorrect)|that is (?:not (?:right|correct)|wrong))\b",
    re.I,
)
_YES = re.compile(
    _LEAD
    + r"(?:yes|yeah|yep|yup|yea|ya|yah|of course|absolutely|definitely|certainly|exactly|indeed|correct|"
    r"affirmative|mm-?hm+|uh-?huh|that's (?:right|correct|me|it|true|fine)|that is (?:right|correct)|"
    r"you bet|please do|by all means)\b",
    re.I,
)
_WEAK_NO = re.compile(
    _LEAD + r"(?:wrong|don't|please don't|i'd rather not|it's not|it isn't|that isn't|"
    r"(?:that )?(?:doesn't|does not|"
    r"won't) work|i (?:don't|do not|didn't|can't|cannot|won't|wouldn't|am not|haven't|couldn't|think not)|"
    r"i'm not)\b",
    re.I,
)
_WEAK_YES = re.compile(
    _LEAD + r"(?:sure|right|go ahead|okay|ok|alright|all right|fine|perfect|great|lovely|excellent|"
    r"sounds (?:good|great|right|fine|perfect)|it is|it's (?:right|correct|fine|good|okay)|it was|why not|"
    r"i (?:do|am|will|can|did|have|think so|guess so|suppose so|believe so|confirm)|works for me|"
    r"that (?:works|would work|sounds (?:good|great|fine|perfect)|(?:would|will) be (?:fine|great|good|"
    r"perfect|"
    r"lovely|ok|okay))|that'(?:d|ll) be (?:fine|great|good|perfect|lovely)|that's (?:good|perfect|great|"
    r"okay)|"
    r"speaking|this is (?:she|he|her|him|me)|you got it|spot on|looks good|confirm(?:ed)?)\b",
    re.I,
)
_WELCOMES = re.compile(
    _LEAD + r"(?:yes|yeah|sure|okay|ok|all right|alright|fine|of course|go (?:ahead|"
    r"on))[,. ]+(?:so )?what (?:do|would) you "
    r"(?:want|like|need) to (?:know|ask|hear)\b",
    re.I,
)
_RIGHT = re.compile(r"\bthat's (?:right|correct)\b(?! (?:after|before|now))", re.I)
_END_NO = re.compile(
    r"\b(?:that's (?:all|it|everything)|nothing(?: else)?|i'm (?:all )?(?:good|set|done))\b", re.I
)


def yes_or_no(text: str) -> str | None:
    """``yes``, ``no``, or None: neither by itself."""
    words = text.strip().replace("’", "'")
    if _NOT_MEANT.match(words):
        return YES
    is_short = len(words.split()) <= _WEAK_WORDS
    if _NO.match(words) or (is_short and _WEAK_NO.match(words)):
        return NO
    if _WELCOMES.match(words):
        return YES
    if _YES.match(words) or _RIGHT.search(words) or (is_short and _WEAK_YES.match(words)):
        return YES
    return None


def is_nothing_else(text: str) -> bool:
    """The answer to "anything else?" that means no."""
    return _END_NO.search(text.replace("’", "'")) is not None
