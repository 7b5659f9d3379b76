"""How long to wait after the caller's last sound before answering. Pure.

The witnesses: what was said (a sentence that cannot be over, a number half dictated, a story without a
question), whether the language model finds that a message may end there, what was asked (a clean "yes" needs
no patience), how it sounded (the end-of-turn model), and the caller's own tempo: who pauses long within
sentences is given longer.
"""

import re
from dataclasses import dataclass, field, replace

from sipagent.call.dictation import ANY_FORM, BRIEF, AnswerForm, Asked, Dictation, dictation_of, is_whole

SURE_SCORE = 0.5
"""Smart Turn's own threshold: at or above it the turn is over."""
_IMPOSSIBLE_END = 0.02
"""Below it the language model finds no end: "I wanted to ask whether my daughter" has 0.0004, of whole
sentences one in twenty lies below, most of them misheard."""
_UNLIKELY_END = 0.1
_HALF_LIKELY_END = 0.25
_LIKELY_END = 0.5
"""Below it more follows about as often as not: "I'm calling about my invoice" has 0.33, "… from last month"
0.59."""
_CERTAIN_END = 0.6
_STORY_END = 0.3
_NO_QUESTION_END = 0.002
_OPEN = (Asked.ANYTHING, Asked.NOTHING)
"""Nobody has told the caller what to say."""
_FEW_WORDS = 2
"""So few words ("Friday.") mean too little to the model."""
_BRIEF_WORDS = 5
"""No more are needed for a date, a time, a count or a choice: nothing more has to follow."""
_STORY_SHARE = 0.8
_MIDDLE_SHARE = 0.55
_TEMPO_FACTOR = 1.25
_TEMPO_WEIGHT = 0.4
_GROUP_FACTOR = 1.5
_NOTABLE_PAUSE_MS = 250

_UNFINISHED = re.compile(
    r"\b(and|or|but|because|if|when|so that|the|a|an|my|your|to|for|from|with|at|of|um+|uh+|er+|hm+|"
    r"(i would|i'd) like|i want|i need|(number|name|address|e-?mail|birthday|question|problem) is|"
    r"it's|that's|i'm|let me (think|see|check|look)|hold on|(one|a|just a) (second|moment|minute)|"
    r"(you know|i mean|like))[,.… -]*$|(,|…|\.\.\.| -|—)$|"
    r"\b(can|could|would|will) you (please )?(tell|show) me[?,.… -]*$|"
    r"\b(know|tell me|wondering|wonder|sure|remember|ask|explain|find out) "
    r"(when|where|what|which|who|why|how( much| many| long| late)?|whether)[?,.… -]*$",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?<!\bto )(?<!\bi )(?<!\bsay )"
    r"\b(good ?bye|bye(?:[- ]?bye)?|have a (?:good|nice|great) (?:day|one|evening|weekend))\b",
    re.IGNORECASE,
)
_FAREWELL_TAIL_WORDS = 6
"""No more than "… thank you for your help" follows a farewell."""
_QUESTION = re.compile(
    r"(\?\s*$)|^((hi|hello|hey|so|and|ok|okay|great|well|um|yes|no|thanks|please)[,.! ]+)*"
    r"((what|when|where|who|why|how)(?! (i|we|he|she|they)\b)|"
    r"which|is|are|do|does|did|can|could|would|will|may|should|have|has)\b",
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
    r"^(yes|yeah|yep|yup|mm-?hm+|uh-?huh|no|nope|sure|okay|ok|right|correct|exactly|please|thanks|thank you|"
    r"fine|great|perfect|of course|absolutely|not really|i (do|don't|am|can|can't|will|would|think so)|"
    r"that's (right|it|all|fine))\b",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"^((sorry|actually|well|so|listen|look|okay|hi|hello|hey|excuse me|um+|uh+|"
    r"i('ve got| have) (a|another|one more) (quick )?question)[,.!? -]*)+$",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(r"\b(my name is|this is) \w+", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9']+(?:-[a-z0-9']+)*", re.IGNORECASE)
_ASKS_YES_NO = re.compile(
    r"^(is|are|do|does|did|would|shall|should|can|could|will|may|have|has|was)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class CommitDelays:
    """Silence in ms after which a prepared reply is spoken."""

    sure: int = 300
    doubt: int = 700
    latest: int = 1600


@dataclass(frozen=True, slots=True)
class Patience:
    """What the wait depends on besides the words."""

    asked: Asked = Asked.ANYTHING
    form: AnswerForm = field(default=ANY_FORM, kw_only=True)
    """What is known of the answer besides."""
    tempo_ms: int = 0
    """The pauses that this caller makes within a turn, smoothed."""
    group_ms: int = 0
    """The longest between the groups of what this caller dictates."""

    def paused(self, pause_ms: int, text: str | None) -> "Patience":
        """The caller went on after a pause.

        :param text: what had been said by then; a pause that its words explain tells nothing of the tempo.
        """
        if text and is_dictating(text, self.asked, self.form):
            return replace(self, group_ms=max(self.group_ms, pause_ms))
        if pause_ms < _NOTABLE_PAUSE_MS or (text and is_unfinished(text)):
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
    if patience.form.patience_ms is not None:
        return patience.form.patience_ms
    long_ms = max(delays.doubt, round(delays.latest * _STORY_SHARE))
    dictation = dictation_of(text, patience.asked, patience.form)
    if is_unfinished(text) or dictation is Dictation.MORE:
        return delays.latest
    if dictation is Dictation.GROUP:
        return min(delays.latest, max(long_ms, round(patience.group_ms * _GROUP_FACTOR)))
    if is_farewell(text) or (patience.asked is Asked.YES_NO and is_short_answer(text)):
        return delays.sure
    if is_whole(text, patience.asked, patience.form):
        return delays.sure
    if _LEAD_IN.match(text.strip()):
        return _middle_ms(delays)
    delay_ms = _by_witnesses(text, scores, delays, patience.asked)
    is_brief = patience.asked in BRIEF and len(words_of(text)) <= _BRIEF_WORDS
    if is_brief or (patience.asked is Asked.EMAIL and dictation is Dictation.PERHAPS):
        delay_ms = min(delay_ms, delays.doubt)
    if dictation is Dictation.PERHAPS:
        delay_ms = max(delay_ms, delays.doubt)
    return max(delay_ms, min(_middle_ms(delays), round(patience.tempo_ms * _TEMPO_FACTOR)))


def _middle_ms(delays: CommitDelays) -> int:
    """Between ``doubt`` and ``latest``."""
    return max(delays.doubt, round(delays.latest * _MIDDLE_SHARE))


def _by_witnesses(text: str, scores: EndScores, delays: CommitDelays, asked: Asked) -> int:
    """For a sentence that may be over."""
    if is_short_answer(text):
        return delays.sure * 4 // 3
    words = scores.words if len(words_of(text)) > _FEW_WORDS else None
    long_ms = max(delays.doubt, round(delays.latest * _STORY_SHARE))
    if _QUESTION.search(text):
        return _for_question(words, delays)
    if words is not None and words < _IMPOSSIBLE_END:
        return delays.latest
    if words is not None and words < _UNLIKELY_END:
        return long_ms
    if is_story(text, asked, words):
        is_few = asked is Asked.TEXT and len(words_of(text)) <= _FEW_WORDS
        is_certain = words is not None and words >= _CERTAIN_END
        return _middle_ms(delays) if is_few or is_certain else long_ms
    if words is not None and words < _LIKELY_END and asked in _OPEN:
        return long_ms if words < _HALF_LIKELY_END else _middle_ms(delays)
    if words is not None and words >= _CERTAIN_END:
        return delays.sure
    return delays.sure if scores.sound is not None and scores.sound >= SURE_SCORE else delays.doubt


def _for_question(words: float | None, delays: CommitDelays) -> int:
    """ "Could you send me a copy" is complete, and "by e-mail" may still follow."""
    if words is not None and words < _NO_QUESTION_END:
        return max(delays.doubt, round(delays.latest * _STORY_SHARE))
    if words is not None and words < _UNLIKELY_END:
        return delays.doubt
    return delays.sure * 4 // 3


def needs_score(text: str, patience: Patience) -> bool:
    """True where the words leave it open and the sound decides. The model's work is saved elsewhere: a
    question is answered when its reply is ready, which is later than any doubt."""
    return not (
        patience.form.patience_ms is not None
        or is_unfinished(text)
        or is_dictating(text, patience.asked, patience.form)
        or is_whole(text, patience.asked, patience.form)
        or _LEAD_IN.match(text.strip()) is not None
        or is_story(text, patience.asked)
        or is_farewell(text)
        or _is_over_by_words(text)
    )


def _is_over_by_words(text: str) -> bool:
    return _QUESTION.search(text) is not None or is_short_answer(text)


def is_short_answer(text: str) -> bool:
    """True for "yes", "no, thanks", "that's right"."""
    return _SHORT_ANSWER.match(text.strip()) is not None and len(words_of(text)) <= 3


def words_of(text: str) -> list[str]:
    """The lower-case words of a transcript."""
    return _WORD.findall(text.lower())


def is_unfinished(text: str) -> bool:
    """True for a sentence that cannot be over: it ends in "and", "my number is", "let me think"."""
    return _UNFINISHED.search(text.strip()) is not None


def is_dictating(text: str, asked: Asked, form: AnswerForm = ANY_FORM) -> bool:
    """True while a number or a spelt name is being dictated and more may come."""
    return dictation_of(text, asked, form) > Dictation.PERHAPS


def is_story(text: str, asked: Asked, words_score: float | None = None) -> bool:
    """True for a plain statement to which what the caller wants may still follow: after "how can I help?",
    or unasked where the language model does not find it likely that the message ends there. What was asked
    for in the caller's own words is one, too."""
    if asked is Asked.TEXT:
        return True
    is_open = asked is Asked.ANYTHING or (
        asked is Asked.NOTHING and words_score is not None and words_score < _STORY_END
    )
    if not is_open or len(words_of(text)) <= 4:
        return False
    sentence = re.split(r"[.!?]\s+", text.strip())[-1]
    known = (_QUESTION, _REQUEST, _SHORT_ANSWER, _FAREWELL, _INTRODUCTION)
    return not any(pattern.search(sentence) for pattern in known) and not re.search(r"\d", sentence)


def last_sentence(text: str) -> str:
    """Where the agent's words ask something, they do so with it."""
    return re.split(r"(?<=[.!?])\s+", text.strip())[-1]


def asked_by(text: str) -> Asked:
    """What the agent's words ask the caller for."""
    last = last_sentence(text)
    if not last.endswith("?"):
        return Asked.NOTHING
    if re.search(r"\b(help|anything else|what can i do|what happened|tell me)\b", last, re.I):
        return Asked.ANYTHING
    if re.search(r"\bcard\b.*\bnumber\b|\bnumber\b.*\bcard\b", last, re.I):
        return Asked.CARD
    if re.search(r"\b(phone|mobile|cell|telephone|(reach|call|contact) you)\b", last, re.I):
        return Asked.PHONE
    if re.search(r"\b(number|date of birth|zip|code)\b", last, re.I):
        return Asked.NUMBER
    if re.search(r"\be-?mail\b", last, re.I):
        return Asked.EMAIL
    if re.search(r"\b(spell|name)\b", last, re.I):
        return Asked.SPELLING
    return Asked.YES_NO if _ASKS_YES_NO.match(last) else Asked.SOMETHING


def is_farewell(text: str) -> bool:
    """True where the caller takes leave with the last words: "goodbye", "bye, thank you for your help"."""
    found = _FAREWELL.search(text)
    rest = text[found.end() :] if found else ""
    is_last = len(words_of(rest)) <= _FAREWELL_TAIL_WORDS and not _QUESTION.search(rest)
    return found is not None and is_last
