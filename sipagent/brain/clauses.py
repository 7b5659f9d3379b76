"""Cuts the model's stream of text into clauses that can be spoken while the rest is still being written.

::

    pieces → held text → cut points (signs outside spans) → first clause: short; behind a very short one half
                                                             a sentence; later ones: sentences

The same text gives the same clauses however it is cut into pieces: a decision falls only when a character
arrives, never when a piece ends.
"""

import re
from dataclasses import dataclass
from itertools import chain

from sipagent.brain.spans import is_inside_span

_FIRST_MIN_WORDS = 1  # "Yes," is said while the rest is written
_FIRST_SOFT_WORDS = 5
_FIRST_HARD_WORDS = 14
_HURRIED_WORDS = 3  # said in half a second: a long sentence behind it would come too late
_SECOND_SOFT_WORDS = 7
_SECOND_MOST_WORDS = 10
_MIN_WORDS = 4
_MAX_WORDS = 18
_HARD_WORDS = 24
_SPAN_PATIENCE_WORDS = 40
"""A span that is still open after so many words was no span."""

_LINKING_TEXT = (
    "and but or so because if when while which that who where before after until unless since though "
    "although than for from in on at with without about by into through during between"
)
_LINKING = frozenset(_LINKING_TEXT.split())

_NEVER_LAST_TEXT = (
    "dr mr mrs ms prof st no vs e.g i.e rev capt gen sen gov mt ft approx appt ext fig ste apt bldg "
    "jan feb mar apr jun jul aug sept sep oct nov dec"
)
_NEVER_LAST = frozenset(_NEVER_LAST_TEXT.split())
"""Abbreviations that something follows: "Dr. Smith"."""
_MAYBE_LAST_TEXT = (
    "a.m p.m am pm etc inc ltd co corp ave blvd rd ln hwy jr sr min mins hr hrs oz lb lbs ph.d mon tue tues "
    "wed thu thur thurs fri sat sun"
)
_MAYBE_LAST = frozenset(_MAYBE_LAST_TEXT.split())
"""Abbreviations that may end a sentence as well: when a capital follows."""
_CALENDAR = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Eastern|Pacific|Central|Mountain)"
)

_SIGN = re.compile(r"(?P<sign>[.!?…]+|[,;:]|—|–|--)[\"”’')\]*_]*(?=\s)|(?<=\s)[-–—](?=\s)|\n")
_AFTER_PLAIN_WORD = re.compile(r"(?:(?<=\s)|^)[\"“(]?[^\W\d_]+(?:['’-][^\W\d_]+)*(?P<sign>[,;!?]|—)")
_WORD = re.compile(r"\S*[^\W_]\S*")
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")
_LIST_NUMBER = re.compile(r"(?:^|\n)\s*\d{1,2}[.)]?$")


@dataclass(frozen=True, slots=True)
class _Point:
    end: int
    is_sentence_end: bool


class ClauseSplitter:
    """One reply's splitter. Feed it the pieces in order; not thread-safe.

    The clauses, joined by spaces, are the text but for white space. None of them cuts a number, a time, an
    amount, an abbreviation, an address, or anything between brackets, quotes or stars.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_first = True
        self._is_hurried = False

    def __repr__(self) -> str:
        return f"ClauseSplitter({'first' if self._is_first else 'later'}, {len(self._held)} characters held)"

    def push(self, piece: str) -> list[str]:
        """Take in a piece (part of a word, or many words); the clauses it completes, mostly none."""
        clauses: list[str] = []
        for character in piece:
            is_word_start = self._held[-1:].isspace()
            self._held += character
            if not (is_word_start or character.isspace() or character in ",;!?—"):
                continue
            while cut := self._cut():
                clauses.append(self._held[:cut].strip())
                self._held = self._held[cut:]
                self._is_hurried = self._is_first and len(clauses[-1].split()) <= _HURRIED_WORDS
                self._is_first = False
        return clauses

    def flush(self) -> list[str]:
        """The reply is over: what is left, if anything."""
        rest, self._held = self._held.strip(), ""
        return [rest] if rest else []

    def _cut(self) -> int | None:
        """Where the next clause ends; None: not decided yet."""
        text = self._held
        words = [match.start() for match in _WORD.finditer(text)]
        complete = len(words) if text[-1:].isspace() else len(words) - 1
        points = [p for p in _points(text) if not is_inside_span(text[: p.end])]
        if self._is_first:
            point = next((p for p in points if _count(words, p.end) >= _FIRST_MIN_WORDS), None)
            if point or complete <= _FIRST_SOFT_WORDS:
                return point.end if point else None
            return _soft_cut(text, words[:complete], _FIRST_SOFT_WORDS, _FIRST_HARD_WORDS, _FIRST_HARD_WORDS)
        enough = [p for p in points if _count(words, p.end) >= _MIN_WORDS]
        point = next((p for p in enough if p.is_sentence_end or self._is_hurried), None)
        if self._is_hurried and not point and _SECOND_SOFT_WORDS < complete < _MAX_WORDS:
            return _soft_cut(
                text, words[:complete], _SECOND_SOFT_WORDS, _SECOND_MOST_WORDS, _SPAN_PATIENCE_WORDS
            )
        if point or complete < _MAX_WORDS:
            return point.end if point else None
        if enough:
            return enough[-1].end
        return _soft_cut(text, words[:complete], _MAX_WORDS, _MAX_WORDS, _HARD_WORDS)


def _count(words: list[int], end: int) -> int:
    return sum(start < end for start in words)


def _soft_cut(text: str, words: list[int], wanted: int, most: int, hard: int) -> int | None:
    """Between words, where no sign helps: before a linking word, in the end anywhere.

    :param words: where the complete words begin.
    :param wanted: words the clause should have; then fewer or up to ``most``.
    """
    for count in chain(range(wanted, most + 1), range(wanted - 1, _MIN_WORDS - 1, -1)):
        if count < len(words) and _is_linking(text, words[count]) and _is_safe(text, words[count]):
            return words[count]
    if len(words) < hard:
        return None
    for count in range(len(words) - 1, _MIN_WORDS - 1, -1):
        if _is_safe(text, words[count]):
            return words[count]
    return words[-1] if len(words) >= _SPAN_PATIENCE_WORDS else None


def _is_linking(text: str, start: int) -> bool:
    return _word_at(text, start).lower() in _LINKING


def _word_at(text: str, start: int) -> str:
    match = _WORD.match(text, start)
    return match[0].strip('"“(*_') if match else ""


def _is_safe(text: str, start: int) -> bool:
    """Whether the words on both sides can part: no digits, no abbreviation, no span."""
    before, behind = text[:start].split()[-1], _word_at(text, start)
    if any(c.isdigit() for c in before + behind) or before.endswith(".") or before[-1:] in "$€£#":
        return False
    if before.lower().rstrip(".,") in _NEVER_LAST or behind.lower().rstrip(".,") in _MAYBE_LAST:
        return False
    return not is_inside_span(text[:start])


def _points(text: str) -> list[_Point]:
    """Every place where a sign ends a clause, in order."""
    points: list[_Point] = []
    for match in _SIGN.finditer(text):
        sign = match["sign"] or match[0]
        if sign == "\n":
            if text[: match.start()].strip():
                points.append(_Point(match.end(), is_sentence_end=True))
        elif _is_clause_end(text, match.start(), match.end(), sign):
            points.append(_Point(match.end(), is_sentence_end=sign[0] in ".!?…"))
    # a sign right behind a plain word need not wait for the space: that saves a token's time
    last = _AFTER_PLAIN_WORD.search(text, _last_token_start(text))
    if last and last.end() == len(text):
        points.append(_Point(len(text), is_sentence_end=last["sign"] in "!?"))
    return points


def _last_token_start(text: str) -> int:
    return max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1


def _is_clause_end(text: str, start: int, end: int, sign: str) -> bool:
    before = text[:start]
    behind = text[end:].lstrip()
    if any(closer in '"”' for closer in text[start:end]) and (not behind or behind[0].islower()):
        return False  # the sentence around the quotation goes on, or may
    if sign == ".":
        return _is_full_stop(before, behind)
    if sign[0] in "!?…" or sign.startswith(".."):
        return True
    if before.rstrip()[-1:].isdigit():  # "November 22, 2026", "9 – 5": wait for what follows
        return bool(behind) and not behind[0].isdigit() and behind[0] not in "$€£"
    return True


def _is_full_stop(before: str, behind: str) -> bool:
    token = (before.split() or [""])[-1].lstrip("\"“'‘(*_[")
    word = token.lower().rstrip("*_)")
    if word in _NEVER_LAST or _LIST_NUMBER.search(before):
        return False
    if re.fullmatch(r"[A-Z]", token) and token != "I":
        return False
    if word in _MAYBE_LAST or _INITIALS.fullmatch(token):
        is_certain = len(behind) >= 3 or (bool(behind) and not behind[-1:].isalpha())
        return is_certain and behind[0].isupper() and not _CALENDAR.match(behind)
    return True
