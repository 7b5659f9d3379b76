"""What the program does with a caller's question: says what is written down, declines, or leaves it to the
conversation. The model never decides whether something is known.

::

    words ─▶ a question? ─no──────────────────────────────────────────▶ LEAVE
               │ yes, or its words fit a stored question all but exactly
               ├─ stored question fits, answer tells what is wanted ──▶ SAY   the answer, word for word
               ├─ persona's own text covers it ───────────────────────▶ LEAVE (the model has it already)
               ├─ passages cover it ──▶ SAY their sentences that do; or TELL the model, with these passages
               └─ nothing does ───────────────────────────────────────▶ DECLINE
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from sipagent.knowledge.asked import Asked, asked_in, is_follow_up, is_question
from sipagent.knowledge.index import KnowledgeIndex, Match
from sipagent.knowledge.passages import LONGEST_SAID_WORDS, Passage
from sipagent.knowledge.wanted import Wanted, has_evidence
from sipagent.knowledge.words import Subject, subject_of

CHARS_PER_TOKEN = 3
"""Of English prose to a model's tokenizer, on the cautious side."""
SAY_COVERED, SAY_ASKED = 0.6, 0.3
"""At least so much of the caller's question must be in a stored one, and of that in the caller's."""
EXACT = 0.85
"""Both, for words that do not look like a question."""
PARTLY_COVERED = 0.7
"""The first of them where less than half of the stored question was asked."""
TELL_COVERED = 0.55
TELL_ASKED, TELL_IN_TEXT = 0.5, 0.7
"""One of them, for the answer to a stored question: it answers that one, or its own words do."""
KIND_COVERED, KIND_ASKED = 0.3, 0.8
"""In place of the above where a time, a price or the like is wanted and told, and nothing foreign asked."""
UNCERTAIN_COVERED = 0.5
_LISTS = re.compile(r"^(?:who|which|what are)\b", re.I)
"""Questions whose answer names all: it tells how many, too."""
_MOST_PASSAGES = 2
_MOST_QUOTED = 2
"""Sentences."""
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
    :param budget_tokens: the model is shown so much of the passages for one question, and words the answer;
        None: passages that answer no stored question are quoted.
    """

    def __init__(
        self, passages: Sequence[Passage], own_text: str = "", *, budget_tokens: int | None = None
    ) -> None:
        own = tuple(Passage(OWN_TEXT, "", sentence) for sentence in _sentences(own_text))
        self._index = KnowledgeIndex((*passages, *own))
        self._budget_tokens = budget_tokens
        self.passages = tuple(passages)

    def __repr__(self) -> str:
        return f"Knowledge({len(self.passages)} passages, {self._index!r})"

    def advise(self, text: str, earlier: str = "") -> Advice:
        """What to do with the caller's words; takes a millisecond or two.

        :param earlier: what the caller asked before, for questions that lean on it.
        """
        asked = asked_in(text)
        if asked is Asked.TALK:
            return LEAVE
        subject = subject_of(text, is_question)
        if asked is not Asked.FACT:
            return next((_said(m) for m in self._matches(subject) if _is_exact(m)), LEAVE)
        advice = self._answer(subject) if subject.words else LEAVE  # "what?", "how much is it?" of nothing
        is_open = advice.move is Move.DECLINE or not subject.words
        if is_open and earlier and is_follow_up(text):
            return self._answer(_with_earlier(subject, earlier))
        return advice

    def _matches(self, subject: Subject) -> list[Match]:
        """Passages that speak of it and tell what is wanted, the best first."""
        return [m for m in self._index.search(subject) if _tells(m, subject)]

    def _exact(self, subject: Subject) -> Match | None:
        """What the asking clauses by themselves fit all but exactly, whatever is said beside them."""
        words = tuple(word for word in subject.words if word not in subject.asides)
        bare = replace(subject, words=words, asides=frozenset(), told=frozenset())
        stored = (m for m in self._matches(bare) if m.passage.where != OWN_TEXT)
        return next((m for m in stored if m.is_certain and _is_exact(m)), None)

    def _answer(self, subject: Subject) -> Advice:
        if subject.asides and (exact := self._exact(subject)):
            return _said(exact)
        matches = self._matches(subject)
        stored = (m for m in matches if m.passage.where != OWN_TEXT)
        if answer := next((m for m in stored if _is_answer(m, subject)), None):
            return _said(answer)
        covering = [m for m in matches if _is_told(m, subject)]
        covering.sort(key=lambda match: -match.covered)
        if not covering:
            return Advice(Move.DECLINE)
        told = [match.passage for match in covering if match.passage.where != OWN_TEXT][:_MOST_PASSAGES]
        if covering[0].passage.where == OWN_TEXT or not told:
            return LEAVE
        if self._budget_tokens is None:
            return Advice(Move.SAY, self._quoted(told[0], subject), told[0].where)
        return Advice(Move.TELL, _beginning(told, self._budget_tokens * CHARS_PER_TOKEN), told[0].where)

    def _quoted(self, passage: Passage, subject: Subject) -> str:
        """The sentences of a passage that speak of the subject, and what follows as long as it is short."""
        sentences = list(_sentences(passage.text))
        if len(passage.text.split()) <= LONGEST_SAID_WORDS // 2:
            return passage.text
        shares = [self._index.share_of(sentence, subject) for sentence in sentences]
        first = shares.index(max(shares))
        said = [sentences[first]]
        for sentence in sentences[first + 1 : first + _MOST_QUOTED]:
            if len(" ".join((*said, sentence)).split()) <= LONGEST_SAID_WORDS // 2:
                said.append(sentence)
        return " ".join(said)


def _said(match: Match) -> Advice:
    return Advice(Move.SAY, match.passage.text, match.passage.where)


def _tells(match: Match, subject: Subject) -> bool:
    """The passage contains what an answer must contain."""
    if has_evidence(match.passage.text, subject.wanted, subject.counted):
        return True
    return bool(subject.counted and _LISTS.match(match.question) and _is_exact(match))


def _is_answer(match: Match, subject: Subject) -> bool:
    if not match.passage.is_sayable:
        return False
    if not match.is_certain:
        return match.covered >= UNCERTAIN_COVERED and match.asked >= EXACT
    is_kind = subject.wanted is not Wanted.ANYTHING and not match.is_foreign
    if is_kind and match.asked >= KIND_ASKED and match.covered >= KIND_COVERED:
        return True
    least = SAY_COVERED if match.asked >= TELL_ASKED else PARTLY_COVERED
    return match.covered >= least and match.asked >= SAY_ASKED


def _is_told(match: Match, subject: Subject) -> bool:
    """The passage speaks of the subject, whatever question it answers."""
    if not match.is_certain:
        return False
    is_covered = match.covered >= TELL_COVERED and (not match.question or match.asked >= TELL_ASKED)
    return is_covered or (subject.wanted is Wanted.ANYTHING and match.in_text >= TELL_IN_TEXT)


def _is_exact(match: Match) -> bool:
    return match.passage.is_sayable and match.covered >= EXACT and match.asked_whole >= EXACT


def _with_earlier(subject: Subject, earlier: str) -> Subject:
    """What leans on an earlier question is about its subject, too."""
    before = subject_of(earlier)
    wanted = before.wanted if subject.wanted is Wanted.ANYTHING and not subject.words else subject.wanted
    words = tuple(dict.fromkeys((*subject.words, *before.words)))
    return replace(subject, words=words, wanted=wanted)


def _beginning(passages: Sequence[Passage], most_chars: int) -> str:
    """As many whole sentences as fit; of the first one at least its beginning."""
    text = ""
    for sentence in (one for passage in passages for one in _sentences(passage.text)):
        if len(text) + len(sentence) + 1 > most_chars:
            break
        text = f"{text} {sentence}".strip()
    return text or passages[0].text[:most_chars].rpartition(" ")[0]


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (part for part in re.split(r"(?<=[.!?;])\s+", line.strip()) if part)
