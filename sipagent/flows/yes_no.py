"""Plain yes and no, as people say them. Pure."""

import re

from sipagent.flows.schema import NO, YES

_YES = re.compile(
    r"^(?:(?:oh|um|uh|er|well|and|so|ah|okay|ok|hi)[,. ]+)*(?:"
    r"yes|yeah|yep|yup|ya|yah|yea|sure|correct|right|exactly|absolutely|definitely|certainly|indeed|"
    r"of course|please do|go ahead|that's (?:right|correct|it|fine|me|good|perfect|great|okay|true|the one)|"
    r"that is (?:right|correct|fine)|that(?: would|'d| will|'ll)? (?:be (?:fine|great|good|perfect|lovely|ok|okay)|work"
    r"s?)|sounds (?:good|great|right|fine|perfect)|it is|it's (?:right|correct|fine|good|okay)|i (?:do|am|will|can|did|"
    r"was|would|have|could|should|think so|guess so|suppose so|believe so)|you (?:bet|got it)|mm-?hm+|"
    r"uh-?huh|perfect|fine|great|alright|all right|ok|okay|works for me|affirmative|i'll be there|"
    r"that works|spot on|you've got it|i confirm|confirm(?:ed)?|by all means|why not|looks good|"
    r"(?:i )?(?:can|could|will) (?:make|do) (?:it|that)|si|ja)\b",
    re.I,
)
_NO = re.compile(
    r"^(?:(?:oh|um|uh|er|well|and|so|ah|okay|ok|yeah|actually|sorry|i'm sorry|hi)[,. ]+)*(?:"
    r"no\b(?! (?:problem|worries|doubt))|nope|nah|naw|not (?:really|quite|yet|at all|exactly|right|correct|today|anymore)|"
    r"wrong|incorrect|negative|never|absolutely not|of course not|definitely not|certainly not|"
    r"that's (?:not|wrong|incorrect)|that is (?:not|wrong)|that isn't|it's (?:not|wrong)|it isn't|"
    r"i (?:don't|do not|didn't|did not|can't|cannot|won't|would not|wouldn't|am not|haven't|wasn't|"
    r"couldn't|think not|don't think so)|i'm (?:not|good|afraid not)|i'd rather not|don't|"
    r"(?:sorry,? )?(?:that )?(?:doesn't|does not|won't) work|uh-?uh|please don't|hm+ no)\b",
    re.I,
)
_NOT_MEANT = re.compile(r"^(?:no problem|no worries|not a problem|no doubt)\b", re.I)
_END_NO = re.compile(
    r"\b(?:that's (?:all|it|everything)|nothing(?: else)?|i'm (?:all )?(?:good|set|done))\b", re.I
)


def yes_or_no(text: str) -> str | None:
    """``yes``, ``no``, or None: neither by itself."""
    words = text.strip().replace("’", "'")
    if _NOT_MEANT.match(words):
        return YES
    if _NO.match(words):
        return NO
    if _YES.match(words):
        return YES
    return None


def is_nothing_else(text: str) -> bool:
    """The answer to "anything else?" that means no."""
    return _END_NO.search(text.replace("’", "'")) is not None
