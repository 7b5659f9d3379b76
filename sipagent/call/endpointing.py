"""How long to wait after the caller's last sound before answering. Pure.

The witnesses: what was said (a sentence that cannot be over, a number half dictated, a story without a
question), whether the language model finds that a message may end there, what was asked (a clean "yes" needs
no patience), how it sounded (the end-of-turn model), and the caller's own tempo: who pauses long within
sentences is given longer.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

SURE_SCORE = 0.5
"""Smart Turn's own threshold: at or above it the turn is over."""
_IMPOSSIBLE_END = 0.02
"""Below it the language model finds no end: "I wanted to ask whether my daughter" has 0.0004, of whole
sentences one in twenty lies below, most of them misheard."""
_UNLIKELY_END = 0.1
_LIKELY_END = 0.3
_CERTAIN_END = 0.6
_FEW_WORDS = 2
"""So few words ("Friday.") mean too little to the model."""
PHONE_DIGITS = 7
"""The least digits of a dictated telephone number."""
_STORY_SHARE = 0.8
_TEMPO_FACTOR = 1.25
_TEMPO_WEIGHT = 0.4
_NOTABLE_PAUSE_MS = 250

_UNFINISHED = re.compile(
    r"\b(and|or|but|because|if|when|so that|the|a|an|my|your|to|for|from|with|at|of|um+|uh+|er+|hm+|"
    r"(i would|i'd) like|i want|i need|(number|name|address|e-?mail|birthday|question|problem) is|"
    r"it's|that's|i'm|let me (think|see|check|look)|hold on|(one|a|just a) (second|moment|minute)|"
    r"(you know|i mean|like))[,.… -]*$|(,|…|\.\.\.| -|—)$|"
    r"\b(can|could|would|will) you (please )?(tell|show) me[?,.… -]*$",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"\b(good ?bye|bye(?:[- ]?bye)?|have a (?:good|nice|great) (?:day|one|evening|weekend))\b", re.I
)
_QUESTION = re.compile(
    r"(\?\s*$)|^((hi|hello|hey|so|and|ok|okay|great|well|um|yes|no|thanks|please)[,.! ]+)*"
    r"(what|when|where|who|which|why|how|is|are|do|does|did|can|could|would|will|may|should|have|has)\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"\b(i('d| would) like (to )?\w+ \w+|i (need|want|wish|have) to \w+ \w+|"
    r"i (need|want) (a|an|some|my|the) \w+|"
    r"wondering (if|whether)|(please|could you|can you|would you|i'm calling (to|about|for))\b.*\w+|"
    r"(book|cancel|move|change|reschedule|confirm|speak|talk|transfer|help) \w+)",
    re.IGNORECASE,
)
_SHORT_ANSWER = re.compile(
    r"^(yes|yeah|yep|yup|no|nope|sure|okay|ok|right|correct|exactly|please|thanks|thank you|fine|great|"
    r"perfect|of course|absolutely|not really|i (do|don't|am|can|can't|will|would|think so)|"
    r"that's (right|it|all|fine))\b",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"^((sorry|actually|well|so|listen|look|okay|hi|hello|hey|excuse me|um+|uh+)[,.!? -]*)+$", re.IGNORECASE
)
_INTRODUCTION = re.compile(r"\b(my name is|this is) \w+", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9']+(?:-[a-z0-9']+)*", re.IGNORECASE)
_SPOKEN_DIGITS = frozenset(
    ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
_ASKS_YES_NO = re.compile(
    r"^(is|are|do|does|did|would|shall|should|can|could|will|may|have|has|was)\b", re.IGNORECASE
)
_SPELT = re.compile(r"(?:^|[\s,.-])(?:[A-Za-z][\s,.-]+){1,}[A-Za-z][,.]*$")


@dataclass(frozen=True, slots=True)
class CommitDelays:
    """Silence in ms after which a prepared reply is spoken."""

    sure: int = 300
    doubt: int = 700
    latest: int = 1600


class Asked(Enum):
    """What the agent's last words asked for."""

    NOTHING = "nothing"
    ANYTHING = "anything"
    """ "How can I help?": a story may follow."""
    YES_NO = "yes_no"
    NUMBER = "number"
    SPELLING = "spelling"
    SOMETHING = "something"


@dataclass(frozen=True, slots=True)
class Patience:
    """What the wait depends on besides the words."""

    asked: Asked = Asked.ANYTHING
    tempo_ms: int = 0
    """The pauses that this caller makes within a turn, smoothed."""

    def paused(self, pause_ms: int, text: str | None) -> "Patience":
        """The caller went on after a pause.

        :param text: what had been said by then; a pause that its words explain tells nothing of the tempo.
        """
        if pause_ms < _NOTABLE_PAUSE_MS or (text and (is_unfinished(text) or is_dictating(text, self.asked))):
            return self
        if not self.tempo_ms:
            return replace(self, tempo_ms=pause_ms)
        tempo_ms = self.tempo_ms + _TEMPO_WEIGHT * (pause_ms - self.tempo_ms)
        return replace(self, tempo_ms=round(tempo_ms))


@dataclass(frozen=True, slots=True)
class EndScores:
    """0..1 that the turn is over; None where no model has judged it (yet)."""

    sound: float | None = None
    """By the end-of-turn model."""
    words: float | None = None
    """By the language model: how likely the message ends at its last word."""


def commit_delay_ms(text: str, scores: EndScores, delays: CommitDelays, patience: Patience) -> int:
    """Silence to wait for."""
    if is_unfinished(text) or is_dictating(text, patience.asked):
        return delays.latest
    if is_farewell(text) or (patience.asked is Asked.YES_NO and _is_short_answer(text)):
        return delays.sure
    if _LEAD_IN.match(text.strip()):
        return delays.doubt
    long_ms = max(delays.doubt, round(delays.latest * _STORY_SHARE))
    if scores.words is not None and len(words_of(text)) > _FEW_WORDS and not _is_short_answer(text):
        if scores.words < _IMPOSSIBLE_END and not _QUESTION.search(text):
            return delays.latest
        if scores.words < (_IMPOSSIBLE_END if _QUESTION.search(text) else _UNLIKELY_END):
            return long_ms
    if is_story(text, patience.asked, scores.words):
        return long_ms
    delay_ms = _by_witnesses(text, scores, delays)
    return max(delay_ms, min(delays.doubt, round(patience.tempo_ms * _TEMPO_FACTOR)))


def _by_witnesses(text: str, scores: EndScores, delays: CommitDelays) -> int:
    """For a sentence that may be over."""
    if _is_over_by_words(text):
        return delays.sure * 4 // 3
    if scores.words is not None and scores.words >= _CERTAIN_END:
        return delays.sure
    return delays.sure if scores.sound is not None and scores.sound >= SURE_SCORE else delays.doubt


def needs_score(text: str, patience: Patience) -> bool:
    """True where the words leave it open and the sound decides. The model's work is saved elsewhere: a
    question is answered when its reply is ready, which is later than any doubt."""
    return not (
        is_unfinished(text)
        or is_dictating(text, patience.asked)
        or _LEAD_IN.match(text.strip()) is not None
        or is_story(text, patience.asked)
        or is_farewell(text)
        or _is_over_by_words(text)
    )


def _is_over_by_words(text: str) -> bool:
    return _QUESTION.search(text) is not None or _is_short_answer(text)


def _is_short_answer(text: str) -> bool:
    return _SHORT_ANSWER.match(text.strip()) is not None and len(words_of(text)) <= 3


def words_of(text: str) -> list[str]:
    """The lower-case words of a transcript."""
    return _WORD.findall(text.lower())


def is_unfinished(text: str) -> bool:
    """True for a sentence that cannot be over: it ends in "and", "my number is", "let me think"."""
    return _UNFINISHED.search(text.strip()) is not None


def is_dictating(text: str, asked: Asked) -> bool:
    """True while a number or a spelt name is being dictated and more is to come."""
    words = words_of(text)
    digits = sum(len(re.sub(r"\D", "", word)) or word in _SPOKEN_DIGITS for word in words)
    last = words[-1] if words else ""
    ends_in_digits = last in _SPOKEN_DIGITS or last.replace("-", "").isdigit()
    is_number = asked is Asked.NUMBER or re.search(r"\bnumber\b", text, re.I) is not None or digits >= 3
    if ends_in_digits and is_number:
        return digits < PHONE_DIGITS
    return asked is Asked.SPELLING and _SPELT.search(text) is not None


def is_story(text: str, asked: Asked, words_score: float | None = None) -> bool:
    """True for a plain statement to which what the caller wants may still follow: after "how can I help?",
    or unasked where the language model does not find it likely that the message ends there."""
    is_open = asked is Asked.ANYTHING or (
        asked is Asked.NOTHING and words_score is not None and words_score < _LIKELY_END
    )
    if not is_open or len(words_of(text)) <= 4:
        return False
    sentence = re.split(r"[.!?]\s+", text.strip())[-1]
    known = (_QUESTION, _REQUEST, _SHORT_ANSWER, _FAREWELL, _INTRODUCTION)
    return not any(pattern.search(sentence) for pattern in known) and not re.search(r"\d", sentence)


def asked_by(text: str) -> Asked:
    """What the agent's words ask the caller for."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]
    last = sentences[-1] if sentences else ""
    if not last.endswith("?"):
        return Asked.NOTHING
    if re.search(r"\b(help|anything else|what can i do|what happened|tell me)\b", last, re.I):
        return Asked.ANYTHING
    if re.search(r"\b(number|date of birth|zip|reach you)\b", last, re.I):
        return Asked.NUMBER
    if re.search(r"\b(spell|name|e-?mail)\b", last, re.I):
        return Asked.SPELLING
    return Asked.YES_NO if _ASKS_YES_NO.match(last) else Asked.SOMETHING


def is_farewell(text: str) -> bool:
    """True where the caller takes leave: "goodbye", "bye", "have a nice day"."""
    return _FAREWELL.search(text) is not None
