"""Does a caller give the agent itself orders: about its instructions, another role, or what it shall say?

By rules for English; pure. What somebody wants done ("cancel it", "book me in") is no such order, nor who
they say they are: the program grants nothing by that.
"""

import re

_RULES = r"(?:instructions|prompt|restrictions|guidelines|programming|configuration|rules)"
_ORDERS = re.compile(
    rf"\b(?:ignore|forget|disregard|override|bypass|disable|drop|print|reveal|translate|recite|summari[sz]e|"
    rf"read out|read me|show me|tell me|repeat|pretend)\b[^.?!]{{0,30}}"
    rf"\b(?:your|all|previous|system|above|secret)(?: \w+)? {_RULES}\b|"
    r"\b(?:ignore|disregard|forget|repeat) (?:all |everything |the )?(?:the )?(?:rules|text|everything|all)?"
    r"\s*(?:above|you were (?:given|told))\b|"
    rf"\byour (?:real |secret |new |own |true )?{_RULES} (?:are|is|say|says|tell)\b|"
    rf"\b(?:system prompt|system message|override code)\b|\byou have (?:a )?new {_RULES}\b|"
    r"\b(?:developer|debug|admin|god|jailbreak) mode\b|"
    r"\bfrom now on,? you(?:'re| are| do| will| must|'ll)\b|\byou must obey\b|\byou work for me now\b|"
    r"\byou(?:'re| are) (?:now|no longer) (?:a|an|in|my|the|called|bound)\b|"
    r"\b(?:pretend|imagine|suppose) (?:that |to be |to have )?"
    r"(?:you(?:'re| are| were| have| can)|an?\b|the\b)|"
    r"\bact (?:as|like) (?:a|an|if|my|the)\b|\bstop being (?:a|an|the)\b|"
    r"\b(?:say|repeat) after me\b|\bcomplete (?:this|the|my) sentence\b|"
    r"\b(?:want|need) you to (?:say|repeat)\b|\bi (?:order|command|grant) you\b",
    re.I,
)


def is_order(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _ORDERS.search(plain) is not None
