"""How long to wait after the caller's last sound before answering. Pure.

Three witnesses: what was said (a sentence that cannot be over, a number half dictated, a story without a
question), what was asked (a clean "yes" needs no patience), how it sounded (the end-of-turn model), and the
caller's own tempo: who pauses long within sentences is given longer.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

SURE_SCORE = 0.5
"""Smart Turn's own threshold: at or above it the turn is over."""
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
    r"(you know|i mean|like))[,.… -]*$|\b(can|could|would|will) you (please )?(tell|show) me[?,.… -]*$",
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


def commit_delay_ms(text: str, score: float | None, delays: CommitDelays, patience: Patience) -> int:
    """Silence to wait for.

    :param score: 0..1 that the turn is over, ``None`` where no model has judged it (yet).
    """
    if is_unfinished(text) or is_dictating(text, patience.asked):
        return delays.latest
    if is_story(text, patience.asked):
        return max(delays.doubt, round(delays.latest * _STORY_SHARE))
    if is_farewell(text) or (patience.asked is Asked.YES_NO and _is_short_answer(text)):
        return delays.sure
    if _is_over_by_words(text):
        delay_ms = delays.sure * 4 // 3
    else:
        delay_ms = delays.sure if score is not None and score >= SURE_SCORE else delays.doubt
    return max(delay_ms, min(delays.doubt, round(patience.tempo_ms * _TEMPO_FACTOR)))


def needs_score(text: str, patience: Patience) -> bool:
    """True where the words leave it open and the sound decides. The model's work is saved elsewhere: a
    question is answered when its reply is ready, which is later than any doubt."""
    return not (
        is_unfinished(text)
        or is_dictating(text, patience.asked)
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


def is_story(text: str, asked: Asked) -> bool:
    """True for a plain statement after "how can I help?": what the caller wants may still follow."""
    if asked is not Asked.ANYTHING or len(words_of(text)) <= 4:
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


def is_backchannel(text: str, backchannels: frozenset[str]) -> bool:
    """True where every word only says "I am listening", or where there is no word at all."""
    words = words_of(text)
    return " ".join(words) in backchannels or all(word in backchannels for word in words)
