"""Taking leave, and what was said before it: "yes please, thank you, goodbye" is a yes. Pure."""

import re

_COURTESY = (
    r"(?:please|thanks?|thank you|many thanks|so much|very much|a lot|"
    r"for (?:your|the|all(?: of)?(?: your| the)?|everything|calling|now|today)(?: \w+)?|"
    r"you too|and|then|now|again|okay|ok|all right|alright|so|well|dear|love|sir|ma'am|too|good|great|"
    r"perfect|lovely|cool|i (?:have|need|'ve got) to (?:go|run)|i must go|nothing else|"
    r"that(?:'s| is|'ll be| will be| was) (?:all|it|everything)"
    r"(?: (?:i (?:needed|wanted|have)|for (?:now|today)))?)"
)
_ABOUT_TO = r"(?:i(?:'m| am)? (?:going to|gonna|have to|need to|must|'ll) |(?:you (?:can|may)|please|just) )?"
_FAREWELL = (
    r"(?:good ?bye|bye(?:[- ]?bye)*|(?:you )?have a (?:good|nice|great|lovely|wonderful) "
    r"(?:day|one|evening|weekend|afternoon|night|time)|see you(?: later| then| soon| around)?|"
    r"(?:i'll )?(?:talk|speak) to you (?:later|soon|then)|take care|cheers|so long|"
    rf"{_ABOUT_TO}(?:hang(?:ing)? up|end the call))"
)
_GAP = r"[\s,.!;-]*"
_LEAVE = re.compile(rf"(?<![\w'])(?:{_FAREWELL}){_GAP}(?:(?:{_FAREWELL}|{_COURTESY})(?![\w']){_GAP})*$", re.I)
"""A farewell with nothing but courtesies behind it."""
_CLOSING = re.compile(
    rf"(?<![\w'])that(?:'s| is|'ll be| will be| was) (?:all|it|everything)(?: i needed)?{_GAP}"
    rf"(?:thanks|thank you)(?:{_GAP}{_COURTESY}(?![\w']))*{_GAP}$",
    re.I,
)
"""Nobody says thank you for everything in the middle of a call."""
_NOT_YET = re.compile(
    r"\b(?:don't|do not|not|never|before (?:you|i|we)|instead of|say|(?<!have )(?<!need )(?<!got )to)[\s,]*$",
    re.I,
)
"""Before it: "please don't hang up", "I just wanted to say goodbye to"."""
_TRAIL = re.compile(rf"(?:^|(?<=[\s,.!;-])){_COURTESY}{_GAP}$", re.I)


def without_farewell(text: str) -> tuple[str, bool]:
    """(what was said besides, whether the caller takes leave). Empty: nothing else was said."""
    found = _LEAVE.search(text) or _CLOSING.search(text)
    if found is None or _NOT_YET.search(text[: found.start()]):
        return text, False
    rest = text[: found.start()].strip(" ,;-")
    while (cut := _TRAIL.sub("", rest).strip(" ,;-")) != rest:
        rest = cut
    return (rest if re.search(r"\w", rest) else ""), True
