"""Full-text search over passages: SQLite FTS5 in memory, BM25 for what comes near, then how well it fits.

::

    subject's words ─▶ the passages' own (stem, synonym, likeness: speech-to-text misspells) ─▶ BM25, best few
        ─▶ covered: the share of the subject that the passage speaks of, rare words counting more
           asked: the share of the passage's question that the caller asked
"""

import math
import re
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from sipagent.knowledge.passages import Passage
from sipagent.knowledge.wanted import Wanted
from sipagent.knowledge.words import (
    Subject,
    is_common,
    sound_of,
    subject_of,
    synonyms_of,
    weight_of,
    words_of,
)

_CANDIDATES = 12
_LIKE_ENOUGH = 0.8
"""Of two spellings, 0..1: "invisaline" and "invisalign" have 0.9."""
_LEAST_LETTERS = 5
"""Of words that are compared by likeness."""
_ASIDE_SHARE = 0.4
"""What a word beside the question says, of one in it."""
_FOREIGN_SHARE = 2.5
"""What a word says against an answer that no passage has: "root canals for dogs" is not asked anywhere."""
_COMMON_SHARE = 0.2
"""The same of words that are used of everything."""
_SYNONYM_SHARE = 0.9
"""How sure another word for it is, of the word itself."""
_PLACES = {"question": 1.0, "topic": 0.9, "body": 0.75}
"""Where a word stands → how sure it is that the passage is about it."""
_OTHERS = re.compile(r"(?:,| (?:or|and) ).*")
_OTHER_KIND = 0.15
"""Off the score of an answer to "how much" where nobody asks for a price."""
_TOKENIZER = "porter unicode61 remove_diacritics 2"


@dataclass(frozen=True, slots=True)
class Match:
    """A passage and how well it fits. 0..1."""

    passage: Passage
    question: str
    """The one of its questions that comes nearest; empty: it is prose."""
    covered: float
    asked: float
    """Of alternatives ("cash or checks") one is enough."""
    asked_whole: float
    """With all alternatives."""
    is_certain: bool
    """A word of theirs that says something is in both: not "get" and "place" alone."""
    in_text: float
    """The share of the subject that stands in the passage itself, not in its questions or headings."""
    is_foreign: bool
    """Something is asked about that no passage has a word for."""
    is_of_other_kind: bool = False
    """The stored question wants a price or the like, and the caller does not."""

    @property
    def score(self) -> float:
        """Both together."""
        return 0.75 * self.covered + 0.25 * self.asked - (_OTHER_KIND if self.is_of_other_kind else 0.0)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A passage under one of its questions; words as their stems' numbers."""

    passage: Passage
    question: str
    question_words: dict[int, float]
    """Word → how much it says."""
    first_words: frozenset[int]
    """Those up to the first of several alternatives: one of them is asked for, never all."""
    places: dict[int, float]
    """Word → the best place where it stands."""
    wanted: Wanted
    body: frozenset[int]
    """Words of the passage itself."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the caller's."""

    stems: tuple[int, ...]
    """Of the passages' words that it may be; empty: they have no such word."""
    weight: float
    says_something: bool
    is_foreign: bool
    """The passages have none such, and it is a subject of its own."""


class KnowledgeIndex:
    """Searches passages. Any thread; the passages never change."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            f"CREATE VIRTUAL TABLE entries USING fts5(question, topic, body, tokenize='{_TOKENIZER}')"
        )
        self._db.execute(f"CREATE VIRTUAL TABLE words USING fts5(word, tokenize='{_TOKENIZER}')")
        rows = [(p, question) for p in passages for question in (p.questions or ("",))]
        self._vocabulary = sorted({w for p in passages for w in _all_words(p)})
        self._db.executemany("INSERT INTO words VALUES (?)", [(word,) for word in self._vocabulary])
        self._db.executemany(
            "INSERT INTO entries VALUES (?, ?, ?)", [(question, p.topic, p.text) for p, question in rows]
        )
        self._sounds = {word: sound_of(word) for word in self._vocabulary}
        self._stems = {word: self._stem(word) for word in self._vocabulary}
        self._entries = [self._entry(passage, question) for passage, question in rows]
        self._weights = self._rarities()

    def __repr__(self) -> str:
        return f"KnowledgeIndex({len(self._entries)} entries, {len(self._vocabulary)} words)"

    def search(self, subject: Subject) -> list[Match]:
        """Passages that speak of the subject, the best first, each once."""
        wanted = self._known_words(subject)
        known = [stem for word in wanted for stem in word.stems]
        if not known:
            return []
        best: dict[int, Match] = {}
        for entry in self._candidates(known):
            match = self._match(entry, wanted)
            if subject.wanted is Wanted.ANYTHING and entry.wanted is not Wanted.ANYTHING:
                match = replace(match, is_of_other_kind=True)
            key = id(entry.passage)
            if key not in best or match.score > best[key].score:
                best[key] = match
        return sorted(best.values(), key=lambda match: -match.score)

    def share_of(self, text: str, subject: Subject) -> float:
        """How much of the subject a part of a passage speaks of: 0..1."""
        stems = {self._stems.get(word) for word in words_of(text)}
        wanted = self._known_words(subject)
        total = sum(word.weight for word in wanted) or 1.0
        return sum(word.weight for word in wanted if stems.intersection(word.stems)) / total

    # --- inside ---

    def _known_words(self, subject: Subject) -> list[_Word]:
        found: list[_Word] = []
        words = list(subject.words)
        while words:
            word = words.pop(0)
            stems = self._stems_of(word)
            if not stems and words and (joined := self._like(word + words[0])) is not None:
                stems = (joined,)  # "wheel chair" is one word here
                words.pop(0)
            if not stems and (like := self._like(word)) is not None:
                stems = (like,)
            found.append(self._weighed(word, stems, subject))
        return found

    def _weighed(self, word: str, stems: tuple[int, ...], subject: Subject) -> _Word:
        rarity = max((self._weights[stem] for stem in stems), default=self._rarest)
        is_beside, says = word in subject.asides, weight_of(word)
        if word in subject.names:
            says = min(says, _COMMON_SHARE)
        is_foreign = not stems and (word == subject.quality or (says == 1.0 and not is_common(word)))
        says = 1.0 if is_foreign else says
        if is_foreign and word not in subject.told:
            share = _FOREIGN_SHARE
        else:
            share = _ASIDE_SHARE if word in subject.told and (is_beside or is_foreign) else 1.0
            says = says if stems or is_foreign else min(says, _COMMON_SHARE)
        return _Word(stems, share * says * rarity, says == 1.0, is_foreign and not is_beside)

    def _stems_of(self, word: str) -> tuple[int, ...]:
        """The passages' own words for it: with the same stem, or that mean the same."""
        stems = (self._stem(one) for one in synonyms_of(word))
        return tuple(dict.fromkeys(stem for stem in stems if stem is not None))

    def _match(self, entry: _Entry, wanted: Sequence[_Word]) -> Match:
        total = sum(word.weight for word in wanted) or 1.0
        covered = sum(word.weight * _place(entry, word) for word in wanted)
        asked_for = {stem for word in wanted for stem in word.stems}
        shares = {stem: self._weights[stem] * share for stem, share in entry.question_words.items()}
        own = sum(share for stem, share in shares.items() if stem in entry.first_words)
        whole = sum(shares.values())
        asked = sum(share for stem, share in shares.items() if stem in asked_for)
        is_certain = any(word.says_something and entry.places.keys() & word.stems for word in wanted)
        in_text = sum(word.weight for word in wanted if entry.body.intersection(word.stems))
        return Match(
            entry.passage,
            entry.question,
            covered / total,
            min(1.0, asked / own) if own else 0.0,
            asked / whole if whole else 0.0,
            is_certain,
            in_text / total,
            any(word.is_foreign for word in wanted),
        )

    def _candidates(self, stems: Iterable[int]) -> Iterator[_Entry]:
        query = " OR ".join(f'"{self._vocabulary[stem]}"' for stem in dict.fromkeys(stems))
        with self._lock:
            rows = self._db.execute(
                "SELECT rowid FROM entries WHERE entries MATCH ? "
                "ORDER BY bm25(entries, 3.0, 2.0, 1.0) LIMIT ?",
                (query, _CANDIDATES),
            ).fetchall()
        return (self._entries[rowid - 1] for (rowid,) in rows)

    def _stem(self, word: str) -> int | None:
        """The number that all words with its stem have; None: the passages have none."""
        with self._lock:
            row = self._db.execute(
                "SELECT min(rowid) FROM words WHERE words MATCH ?", (f'"{word}"',)
            ).fetchone()
        return None if row[0] is None else int(row[0]) - 1

    def _like(self, word: str) -> int | None:
        """The word of the passages that is spelled most like this one."""
        if len(word) < _LEAST_LETTERS or word.isdecimal():
            return None
        sound = sound_of(word)
        near = [
            (s, one) for one, s in self._sounds.items() if abs(len(s) - len(sound)) <= 3 and s[0] == sound[0]
        ]
        scored = [(SequenceMatcher(None, sound, s, autojunk=False).ratio(), one) for s, one in near]
        ratio, best = max(scored, default=(0.0, ""))
        return self._stems[best] if ratio >= _LIKE_ENOUGH and weight_of(best) == 1.0 else None

    def _entry(self, passage: Passage, question: str) -> _Entry:
        places: dict[int, float] = {}
        for name, text in (("question", question), ("topic", passage.topic), ("body", passage.text)):
            for word in words_of(text):
                stem = self._stems[word]
                if stem is not None:
                    places[stem] = max(places.get(stem, 0.0), _PLACES[name])
        subject = subject_of(question)
        known = ((self._stems.get(word), weight_of(word)) for word in subject.words)
        asked = {stem: weight for stem, weight in known if stem is not None}
        body = frozenset(stem for word in words_of(passage.text) if (stem := self._stems[word]) is not None)
        first = {self._stems.get(word) for word in words_of(_OTHERS.sub("", question))} & asked.keys()
        return _Entry(
            passage,
            question,
            asked,
            frozenset(stem for stem in first or asked if stem is not None),
            places,
            subject.wanted,
            body,
        )

    def _rarities(self) -> dict[int, float]:
        """Inverse document frequencies, as BM25 has them, times what a word says at all."""
        passages: dict[int, set[int]] = defaultdict(set)
        for entry in self._entries:
            for stem in entry.places:
                passages[stem].add(id(entry.passage))
        count = len({id(entry.passage) for entry in self._entries})
        self._rarest = _rarity(count, 1)
        return {stem: _rarity(count, len(found)) for stem, found in passages.items()}


def _place(entry: _Entry, word: _Word) -> float:
    """How sure it is that the entry is about the word; less so where it has another word for it."""
    places = (
        entry.places.get(stem, 0.0) * (_SYNONYM_SHARE if n else 1.0) for n, stem in enumerate(word.stems)
    )
    return max(places, default=0.0)


def _rarity(passages: int, having: int) -> float:
    return math.log(1 + (passages - having + 0.5) / (having + 0.5))


def _all_words(passage: Passage) -> Iterator[str]:
    for text in (*passage.questions, passage.topic, passage.text):
        yield from words_of(text)
