"""What the program does with a caller's question: says the stored answer, shows passages to the language
model, declines, or leaves it to the conversation. The model never decides whether something is known.

::

    words ─▶ a question? ─no──────────────────────────────────────────▶ LEAVE
               │ yes, or its words fit a stored question all but exactly
               ├─ stored question fits, answer tells what is wanted ──▶ SAY   the answer, word for word
               ├─ persona's own text covers it ───────────────────────▶ LEAVE (the model has it already)
               ├─ passages cover it ──────────────────────────────────▶ TELL  the model, with these passages
               └─ nothing does ───────────────────────────────────────▶ DECLINE
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sipagent.knowledge.asked import Asked, asked_in, is_follow_up, is_question
from sipagent.knowledge.index import KnowledgeIndex, Match
from sipagent.knowledge.passages import Passage, read_folder
from sipagent.knowledge.wanted import Wanted, has_evidence
from sipagent.knowledge.words import Subject, subject_of

CHARS_PER_TOKEN = 3
"""Of English prose to a model's tokenizer, on the cautious side."""
SAY_COVERED, SAY_ASKED = 0.6, 0.3
"""At least so much of the caller's question must be in a stored one, and of that in the caller's."""
EXACT = 0.85
"""Both, for words that do not look like a question."""
TELL_COVERED = 0.5
_MOST_PASSAGES = 2
OWN_TEXT = "the persona"


class Move(Enum):
    """What to do with the caller's words."""

    SAY = "say"
    TELL = "tell"
    DECLINE = "decline"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, and with which text."""

    move: Move
    text: str = ""
    """SAY: the answer. TELL: what the model is shown."""
    where: str = ""
    """``file:line`` that it stands in."""


LEAVE = Advice(Move.LEAVE)


class Knowledge:
    """What one persona knows. Any thread.

    :param passages: of its folder.
    :param own_text: its prompt and other texts that the model is shown anyway.
    :param budget_tokens: of the passages that are shown for one question.
    """

    def __init__(self, passages: Sequence[Passage], own_text: str = "", *, budget_tokens: int = 100) -> None:
        own = tuple(Passage(OWN_TEXT, "", sentence) for sentence in _sentences(own_text))
        self._index = KnowledgeIndex((*passages, *own))
        self._budget_chars = budget_tokens * CHARS_PER_TOKEN
        self.passages = tuple(passages)

    def __repr__(self) -> str:
        return f"Knowledge({len(self.passages)} passages, {self._index!r})"

    def advise(self, text: str, earlier: str = "") -> Advice:
        """What to do with the caller's words; well under a millisecond.

        :param earlier: what the caller asked before, for questions that lean on it.
        """
        asked = asked_in(text)
        if asked is Asked.TALK:
            return LEAVE
        subject = subject_of(text, is_question)
        if asked is Asked.FACT and earlier and is_follow_up(text):
            subject = _with_earlier(subject, earlier)
        matches = [m for m in self._index.search(subject) if has_evidence(m.passage.text, subject.wanted)]
        if asked is not Asked.FACT:
            return next((_said(m) for m in matches if _is_exact(m)), LEAVE)
        if not subject.words and (asked is not Asked.FACT or subject.wanted is Wanted.ANYTHING):
            return LEAVE  # "what?", "why is that?"
        return self._answer(matches)

    def _answer(self, matches: Sequence[Match]) -> Advice:
        best = matches[0] if matches else None
        if best is not None and best.passage.where != OWN_TEXT and _is_answer(best):
            return _said(best)
        covering = [match for match in matches if match.covered >= TELL_COVERED and match.is_certain]
        if not covering:
            return Advice(Move.DECLINE)
        told = [match.passage for match in covering if match.passage.where != OWN_TEXT][:_MOST_PASSAGES]
        if covering[0].passage.where == OWN_TEXT or not told:
            return LEAVE
        return Advice(Move.TELL, self._within_budget(told), told[0].where)

    def _within_budget(self, passages: Sequence[Passage]) -> str:
        """As many whole sentences as fit; of the first one at least its beginning."""
        text, left = "", self._budget_chars
        for sentence in (s for passage in passages for s in _sentences(passage.text)):
            if len(sentence) + 1 > left:
                break
            text, left = f"{text} {sentence}", left - len(sentence) - 1
        return text.strip() or passages[0].text[: self._budget_chars].rpartition(" ")[0]


def load_knowledge(folder: Path, own_text: str = "", *, budget_tokens: int = 100) -> Knowledge:
    """The folder's knowledge.

    :raises ConfigError: with one line for each problem of its files.
    """
    return Knowledge(read_folder(folder), own_text, budget_tokens=budget_tokens)


def _said(match: Match) -> Advice:
    return Advice(Move.SAY, match.passage.text, match.passage.where)


def _is_answer(match: Match) -> bool:
    least = SAY_ASKED if match.is_certain else EXACT
    return match.passage.is_sayable and match.covered >= SAY_COVERED and match.asked >= least


def _is_exact(match: Match) -> bool:
    return match.passage.is_sayable and match.covered >= EXACT and match.asked >= EXACT


def _with_earlier(subject: Subject, earlier: str) -> Subject:
    """What leans on an earlier question is about its subject, too."""
    before = subject_of(earlier)
    wanted = before.wanted if subject.wanted is Wanted.ANYTHING and not subject.words else subject.wanted
    words = tuple(dict.fromkeys((*subject.words, *before.words)))
    return Subject(words, subject.asides, wanted)


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (part for part in re.split(r"(?<=[.!?;])\s+", line.strip()) if part)
