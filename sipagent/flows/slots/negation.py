"""What a caller rules out, and how far a "not" reaches. Pure.

::

    not | instead of | neither … nor        what follows, to the end of the clause
    Monday doesn't work, I can't do Monday  the clause
    any day but, anything except            what follows
    nothing but, I can't do any day but     nothing: it is what is wanted
    not before, why not, I wouldn't mind    nothing
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Verbs(Enum):
    """Which negated verbs rule something out."""

    ANY = "any"
    """ "I can't do Monday": of a day and a time."""
    CHOOSING = "choosing"
    """ "I don't mean the staff"; "the dentist didn't explain anything" is still about the dentist."""
    NONE = "none"
    """Only "not this, that": a telephone number."""


@dataclass(frozen=True, slots=True)
class Negation:
    """A part of the text that is ruled out."""

    at: int
    """Where the word stands that does it."""
    start: int
    end: int
    is_weak: bool = False
    """Only where something else is left: "they were not friendly" tells what it is about."""


_NT = r"(?:ca|wo|do|does|did|is|are|was|were|would|could|should|have|has|had|ai)n'?t"
_AUX = (
    r"(?:am|is|are|was|were|do|does|did|can|could|will|would|should|have|has|had|'m|'s|'re|'ll|'d|i'm|it's|"
    r"that's|he's|she's|we're|they're)"
)
_VERBAL = re.compile(rf"\b(?:{_NT}|cannot|can not|(?:\b{_AUX}) (?:\w+ly )?not|no longer|unable to)\b")
_CONTRAST = re.compile(r"\b(?:not|neither|nor|never|unless|instead of|rather than|better than)\b")
_HARMLESS_BEHIND = re.compile(
    r"\s*(?:(?:\w+ly|even) )?(?:only|just|until|till|before|earlier than|sooner than|later than|more than|"
    r"less than|after|mind|suppose|matter|forget|hesitate|wait (?:until|till|for)|know\b(?! about)|"
    r"sure\b(?! about)|certain\b(?! about)|care\b(?! (?:for|about))|too |so early|so late|"
    r"\w+ (?:\w+ ){0,3}(?:until|till|before|earlier than|sooner than)\b)"
)
"""Behind a "not" that rules nothing out: "not before Monday", "I don't mind"."""
_ASKED = re.compile(rf"{_NT} (?:i|we|you|he|she|it|they|there|that)\b")
"""At the beginning of a clause: "couldn't we do Monday" proposes it."""
_EXCEPT = r"(?:but(?! not\b)|except(?:ing)?(?: for| on)?|other than|apart from|besides)"
_ONLY = re.compile(
    r"(?:\b(?:nothing|none|nobody|no (?:\w+ )?\w+)|n't (?:\w+ ){0,4}any\w*(?: \w+){0,2})(?: at all| else)? "
    rf"{_EXCEPT}\b"
)
_ALL_BUT = re.compile(
    r"\b(?:any|every|all)(?:thing|one|body|time|day)?"
    r"(?: (?!works?\b|is\b|are\b|was\b|would\b|will\b|suits?\b|fine\b|good\b)[\w']+){0,3} "
    rf"{_EXCEPT}\b(?! (?:i|we|it|that)\b)|\b(?:except(?:ing)?(?: for| on)?|other than|apart from)\b"
)
_END = re.compile(
    r"[,;!?]+|(?<![ap])\.(?!\s?\d|m\b)|\b(?:but|though|however)\b|"
    r"\b(?:it's|it is|that's|i mean|i meant|make it|let's|rather|how about|what about|maybe|perhaps|"
    r"(?<!not )so|then|because|i'd|i would|i can(?!')|i could|i want|i need|i said|i'll|we can(?!')|"
    r"we could)\b"
)
_GOES_ON = re.compile(
    rf"\b(?:think|believe|say|said|sure|if|that|whether|know|mean|unless|not|to|can|could|will|{_NT}|cannot)$"
)
_PREDICATE = re.compile(
    r"\b(?:is|are|was|would be|will be|'s|'ll be|'d be|looks?|sounds?) (?:(?:really|also|already|just|all|"
    r"totally|quite|very|fully) )*"
    r"(?:bad|no good|no use|out|impossible|full|booked|taken|gone|difficult|tricky|too \w+|no option)\b"
    r"(?! of the| for breakfast)|"
    r"\b(?:not|isn't) (?:\w+ )?(?:good|great|ideal|possible|okay|ok|available|an option|working|free)\b|"
    r"\b(?:i'm|i am|we're|we are) (?:\w+ )?(?:busy|away|working|out of town|on holiday|on vacation|"
    r"not free|not available|unavailable|traveling|travelling|booked|at work)\b|"
    r"\bno (?:time|way|chance)\b|\bi work\b|\bi(?:'ve| have) (?:got )?(?:work|school|class|something|"
    r"a meeting|another appointment)\b"
)
_BOUND = re.compile(r"\b(?:until|till|before)\b")
_OF_IT = re.compile(
    r"\W*(?:no|nope|(?:(?:i|we|that|it|this|which)(?:'s| is| just| really)? )*"
    rf"(?:{_NT}|cannot|can not|not|will not|does not)(?: really| quite| be)?"
    r"(?: (?:do|make|come|work|suit|good|possible|fit|going to work|an option)(?: it| that| me| for me|"
    r" then)?)?)\W*"
)
"""A clause that rules out the one before it: "Monday? No, I can't"."""
_BARE = r"(?:\W|\b(?:on|at|the|well|um|uh|for|okay|and|how about|what about)\b)*"
_CHOOSING_VERB = re.compile(
    r"\s*(?:\w+ly )?(?:want|need|mean|think|choose|pick|say|said|care|like|love|prefer|take|give|call|"
    r"go with|"
    r"have (?:a|any) (?:problem|issue|complaint)s?)\b"
)
_BEING = re.compile(r"(?:is|are|was|were|'s|it's|that's|ai)(?:n'?t| (?:\w+ly )?not)$")
_POINT = re.compile(
    r"\s*(?:\w+ly )?(?:(?:the|a|an|my|our) )?(?:\w+ )?(?:problem|issue|one|reason|it|important|point|"
    r"concern)\b"
)
_DETERMINED = re.compile(r"\s*(?:\w+ly )?(?:about )?(?:the|a|an|my|your|our|that|those|these|this)\b")
_FOLLOWS = re.compile(r"\s*(?:(?:on|at|the|an?)\s+)*")
_MOVED = re.compile(
    r"\b(?:mov|chang|shift|reschedul|switch|push|postpon|bring)\w*\b[^.;!?]*?\bfrom\b(?P<old>.+?)\b(?:to|until)\b"
)
"""From Monday to Wednesday: the first is the old one."""


def without_negated(text: str, about: re.Pattern[str], verbs: Verbs) -> str:
    """The text with spaces where it is ruled out; as it was where nothing is.

    :param about: what the values look like, in lower case.
    """
    found = list(text)
    for one in negations(text, about, verbs):
        found[one.start : one.end] = " " * (one.end - one.start)
    return "".join(found)


def negations(text: str, about: re.Pattern[str], verbs: Verbs) -> list[Negation]:
    """Every part of the text that is ruled out."""
    low = text.lower().replace("’", "'")
    exceptions = [*_ONLY.finditer(low)]
    exceptions += [m for m in _ALL_BUT.finditer(low) if not _inside(m.end() - 1, exceptions)]
    clauses = _clauses(low, exceptions)
    found = [Negation(m.start("old"), m.start("old"), m.end("old")) for m in _MOVED.finditer(low)]
    for at, (start, end) in enumerate(clauses):
        except_here = [one for one in exceptions if start <= one.start() < end]
        if except_here:
            found += [out for one in except_here if (out := _excepted(low, one, end, about, verbs))]
            continue
        before = clauses[at - 1] if at else (0, 0)
        found += _in_clause(low, start, end, before, about, verbs)
    return found


def _inside(at: int, matches: list[re.Match[str]]) -> bool:
    return any(one.start() <= at < one.end() for one in matches)


def _clauses(low: str, exceptions: list[re.Match[str]]) -> list[tuple[int, int]]:
    """(start, end) of each; a "but" that makes an exception ends none."""
    cuts = [0]
    for match in _END.finditer(low):
        is_word = match[0][0].isalpha()
        if _inside(match.start(), exceptions) or (is_word and _GOES_ON.search(low[: match.start()].rstrip())):
            continue
        cuts.append(match.start() if is_word else match.end())
    return list(zip(cuts, [*cuts[1:], len(low)], strict=True))


def _excepted(
    low: str, match: re.Match[str], end: int, about: re.Pattern[str], verbs: Verbs
) -> Negation | None:
    if _ONLY.match(low, match.start()):
        return Negation(match.start(), match.start(), match.end())  # the "nothing" in "nothing but"
    if verbs is Verbs.CHOOSING and not match[0].startswith(("any", "every", "all")):
        return None  # "all was fine except the rooms": they are what it is about
    return _forward(low, match.start(), match.end(), end, about)


def _in_clause(
    low: str, start: int, end: int, before: tuple[int, int], about: re.Pattern[str], verbs: Verbs
) -> Iterator[Negation]:
    clause = low[start:end]
    mentions = [one for one in about.finditer(low, start, end) if one[0].strip()]
    is_proposed = re.match(rf"\W*{_NT}\b.*\?$", clause.rstrip()) is not None
    predicate = _PREDICATE.search(clause) if verbs is Verbs.ANY and not is_proposed else None
    if predicate and _BOUND.search(clause, predicate.end()):
        predicate = None
    verbal = _VERBAL.search(clause)
    contrast = _CONTRAST.search(clause)
    is_of_it = verbs is Verbs.ANY and not mentions and before[1] and low[end - 1 : end] != "?"
    if is_of_it and _OF_IT.fullmatch(clause) and _bare(about).fullmatch(low, *before):
        yield Negation(start, *before)
    elif predicate:
        yield Negation(start + predicate.start(), start, end)
    elif verbal and _is_meant(clause, verbal):
        at, behind = start + verbal.start(), start + verbal.end()
        if verbs is Verbs.ANY:
            yield from _of_verb(low, (start, at, behind, end), mentions, about)
        else:
            yield from _of_choice(low, (start, at, behind, end), mentions, about, verbs)
    elif contrast and _is_meant(clause, contrast):
        yield _forward(low, start + contrast.start(), start + contrast.end(), end, about)


@lru_cache(16)
def _bare(about: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"{_BARE}(?:{about.pattern}){_BARE}")


def _is_meant(clause: str, match: re.Match[str]) -> bool:
    """It rules something out."""
    head = clause[: match.start()].rstrip()
    is_first = not head.strip(" ,") or head.endswith("why")
    is_asked = is_first and (_ASKED.match(clause, match.start()) is not None or clause.rstrip().endswith("?"))
    is_idle = head.endswith(("why", "if")) or _HARMLESS_BEHIND.match(clause, match.end()) is not None
    return not is_asked and not is_idle


def _of_verb(
    low: str, spot: tuple[int, int, int, int], mentions: list[re.Match[str]], about: re.Pattern[str]
) -> Iterator[Negation]:
    """ "Monday doesn't work", "I can't do Monday": what stands before the verb, or else behind it."""
    start, at, behind, end = spot
    if any(one.start() < at for one in mentions) and any(one.start() > at for one in mentions):
        yield Negation(at, start, behind)
    elif mentions and mentions[0].start() > at:
        yield _forward(low, at, behind, end, about)
    else:
        yield Negation(at, start, end)


def _of_choice(
    low: str,
    spot: tuple[int, int, int, int],
    mentions: list[re.Match[str]],
    about: re.Pattern[str],
    verbs: Verbs,
) -> Iterator[Negation]:
    start, at, behind, end = spot
    is_being = _BEING.search(low[start:behind]) is not None
    is_before = any(one.start() < at for one in mentions)
    if verbs is Verbs.NONE:
        if is_being:
            yield _forward(low, at, behind, end, about)
    elif is_being and is_before:
        if _POINT.match(low, behind):
            yield Negation(at, start, behind)
    elif is_being and low[behind:end].strip():
        is_there = re.search(r"\bthere \S+$", low[start:behind]) is not None
        found = _forward(low, at, behind, end, about)
        is_weak = is_there or not _DETERMINED.match(low, behind)
        yield Negation(found.at, found.start, found.end, is_weak)
    elif _CHOOSING_VERB.match(low, behind):
        yield _forward(low, at, behind, end, about)
    elif is_before and _POINT.match(low, behind):
        yield Negation(at, start, behind)


def _forward(low: str, at: int, start: int, end: int, about: re.Pattern[str]) -> Negation:
    """To the end of the clause; of two values that stand side by side the first alone: "not nine ten"."""
    mentions = [one for one in about.finditer(low, start, end) if one[0].strip()]
    if len(mentions) > 1:
        gap = _FOLLOWS.match(low, mentions[0].end())
        if gap is not None and gap.end() >= mentions[1].start():
            return Negation(at, at, mentions[0].end())
    return Negation(at, at, end)
