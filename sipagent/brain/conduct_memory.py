"""Does a caller want to be forgotten, or to hear what is remembered of them? By rules for English; pure."""

import re

_MINE = (
    r"my (?:personal |own |private |whole )?(?:data|information|info|details|records?|number|name|profile|"
    r"history|notes)"
)
_OF_ME = (
    r"(?:everything|anything|all|whatever|what) (?:that )?(?:you (?:have|know|remember|store|keep|saved|"
    r"stored|got)|you've got)"
)
_LIST = r"(?! from (?:the|your) (?:\w+ )?(?:list|schedule|appointment|booking|bill))"
_FORGET = re.compile(
    rf"\b(?:delete|erase|remove|wipe|destroy|forget|get rid of) (?:all )?(?:of )?(?:{_MINE}\b{_LIST}|"
    rf"{_OF_ME}|"
    r"(?:everything|anything|all the (?:data|information)|what you know) (?:about|on) me\b|"
    r"(?:the )?data (?:about|on) me\b)|"
    r"(?<!don't )(?<!not )(?<!never )(?<!did you )(?<!did they )\bforget (?:about )?me\b(?! not\b)|"
    r"\bforget who i am\b|"
    r"(?<!i )(?<!you )(?<!they )(?<!he )(?<!she )(?<!why )\b(?:don't|do not) (?:remember|save|store|keep) "
    rf"(?:me\b(?! (?:waiting|on hold|here|too))|{_MINE}\b|(?:anything|notes|data) (?:about|on) me\b)|"
    rf"\bdon't want you to (?:remember|save|store|keep|know) (?:me\b(?! waiting)|{_MINE}\b|"
    rf"anything about me\b)|"
    r"\bstop (?:remembering|storing|saving) (?:me|my|anything about me)\b|"
    r"\b(?:right|want|like|ask(?:ing)?) to be forgotten\b|"
    r"\btake me (?:out of|off) your (?:system|database|memory|files|computer)\b|"
    rf"\b{_MINE} (?:to be )?(?:erased|deleted|removed|wiped|forgotten)\b",
    re.I,
)
_KNOWN = re.compile(
    r"\bwhat (?:all )?(?:do|did|have) you (?:know|remember|have|keep|store|hold|got|stored|saved|kept)"
    r"(?: down| on file| stored| saved)? (?:about|on|of) me\b|"
    r"\b(?:what|which) (?:kind of )?(?:personal )?(?:data|information|info|details|notes) (?:do|have|"
    r"are) you "
    r"(?:have|keep|store|hold|got|stored|saved|storing|keeping)(?: stored| saved| on file)? (?:(?:about|on|"
    r"of) me|of mine)\b|"
    r"\bdo you (?:know|remember|have|keep|store) (?:anything|something|data|information|notes) (?:about|"
    r"on) me\b|"
    r"\b(?:do|did|have|are) you (?:store|keep|save|saved|stored|storing|keeping|remember) "
    r"my (?:personal )?(?:data|number|information|details)\b",
    re.I,
)


def wants_to_be_forgotten(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _FORGET.search(plain) is not None


def asks_what_is_known(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _KNOWN.search(plain) is not None
