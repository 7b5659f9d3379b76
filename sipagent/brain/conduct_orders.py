"""Does a caller give the agent itself orders: about its instructions, another role, on somebody's authority?

By rules for English; pure. What somebody wants done ("cancel it", "book me in") is no such order.
"""

import re

_RULES = r"(?:instructions|prompt|restrictions|guidelines|programming|configuration|system prompt)"
_OFFICE = (
    r"(?:owner|chief executive|ceo|inspector|fire marshal|police|tax office|it department|phone company|"
    r"programmer|"
    r"developer|administrator|admin|platinum customer|member of the board|manager|supplier|"
    r"emergency broadcast)"
)
_ORDERS = re.compile(
    rf"\b(?:ignore|forget|disregard|override|bypass|disable|drop|print|reveal|translate|recite|summari[sz]e|"
    rf"read out|"
    rf"read me|show me|tell me)\b[^.?!]{{0,30}}\b(?:your|all|previous|system|above|secret|"
    rf"the first line of your) "
    rf"(?:\w+ )?(?:{_RULES}|rules you)\b|^(?:please )?(?:print|reveal|recite) your\b|"
    r"\b(?:ignore|disregard|forget|repeat) (?:all |everything |the )?(?:the )?(?:rules|text|everything|"
    r"all)?\s*"
    r"(?:above|you were (?:given|told))\b|"
    rf"\byour (?:real |secret |new |own |true )?{_RULES} (?:are|is|say|says|tell)\b|"
    rf"\bwhat were you told before\b|"
    rf"\bpretend that your {_RULES}\b|\brules (?:that )?you (?:have been|were) given\b|"
    rf"\bits secret {_RULES}\b|"
    r"\b(?:developer|debug|admin|god|jailbreak) mode\b|\boverride code\b|\bsystem message\b|"
    r"\bnew call\. you\b|"
    r"\byou have (?:a )?new (?:prompt|instructions)\b|\bdisable (?:all )?your\b|\blist all the tools\b|"
    r"\byou must obey\b|\bfrom now on,? you\b|\byou(?:'re| are) now (?:a|an|in|my|the|called)\b|"
    rf"\byou are (?:a|an|the) (?:\w+ )?(?:pirate|actor|terminal|travel agent|owner's assistant)\b|"
    r"\byou(?:'re| are) an actor\b|\byou work for me now\b|\beverything you said so far\b|"
    r"\bin your next answer\b|"
    r"\b(?:say|repeat) after me\b|\bcomplete this sentence\b|\brepeat that sentence\b|"
    r"\bpretend (?:to be|that|you|it's|it is|your|i'm)\b|\b(?:let's|let us) (?:pretend|play)\b|"
    r"(?:^|[.!?,] )(?:please )?(?:imagine|suppose) (?:that )?(?:you\b|i'm the\b)|\bact (?:as|like) (?:a|an|"
    r"if|my|the)\b|"
    r"(?:^|[.!?,] )(?:please )?(?:be|play) (?:my|the|an?) \w+(?: of the \w+)? and\b|"
    r"\b(?:speak|talk|answer)(?: to me)? (?:as if you|as the|like a)\b|\bin this story\b|\bwriting a novel\b|"
    r"\bsay that you(?:'re| are) (?:a|an)\b|\bbe honest,? you are\b|"
    rf"\b(?:i'm|i am|this is|as (?:a|the|your)|it's|i'm (?:with|from)|i'm calling from) (?:(?:the|your|a|"
    rf"an) )?"
    rf"(?:[\w']+ )?{_OFFICE}\b(?! (?:of (?:the|my|a) (?:dog|cat|car)|at \w+ school))|"
    r"\bi (?:order|command) you\b|\bordered you to\b|\bmy lawyer says\b|\bpromised me\b|\balready said yes\b|"
    r"\balways books? me\b|\bjust say (?:that )?it's\b|\bmake me say\b|\bi'm telling you to\b|"
    r"\bforce you to\b|"
    r"\bi grant you\b|\byour boss told\b|\bit's the (?:doctor|owner|manager|boss) speaking\b|"
    r"\b(?:doctor|dr\.?) \w+ here, \w+ the\b|\bstop being (?:a|an|the)\b",
    re.I,
)


def is_order(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _ORDERS.search(plain) is not None
