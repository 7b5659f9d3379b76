"""What the agent is about to say: prepared on the lanes, collected by the call, committed or dropped."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sipagent.brain.clauses import ClauseSplitter
from sipagent.brain.guarded import ClaimRules, guarded, known_in
from sipagent.brain.spoken import speakable
from sipagent.brain.types import Conversation, Message, SamplingLimits
from sipagent.call.turn_events import ReplyBegan, WordsScored
from sipagent.call.work import Lane, Priority
from sipagent.errors import EngineError
from sipagent.speech.phrases import PhraseCache
from sipagent.speech.shaping import pause_after_ms
from sipagent.speech.types import never_cancelled
from sipagent.units import Pcm16, monotonic_ms

_FIRST_SOUND_LIMIT_S = 0.5


@dataclass(frozen=True, slots=True)
class SoundPrepared:
    """A piece of an utterance's sound and the text it says."""

    utterance_id: int
    pcm: Pcm16
    text: str
    pause_before_ms: int = 0
    """Natural gap to what was said before, where that is still being said."""


@dataclass(frozen=True, slots=True)
class UtteranceComplete:
    """All of its sound has been prepared. ``text``: what the model wrote, or the phrase."""

    utterance_id: int
    text: str


@dataclass(frozen=True, slots=True)
class UtteranceFailed:
    """An engine failed; what was prepared before may still be said."""

    utterance_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimReplaced:
    """The model wrote what it must not claim: a fixed sentence stands for the rest of its reply."""

    utterance_id: int
    claim: str
    text: str


@dataclass(slots=True)
class Utterance:
    """One utterance of the agent, as its call sees it. Call thread, but for ``cancel`` and ``stamp``."""

    utterance_id: int
    attempt: int | None
    """The caller's attempt that it answers; None for the program's own phrases."""
    caller_text: str = ""
    sounds: list[SoundPrepared] = field(default_factory=list)
    text: str = ""
    is_complete: bool = False
    is_committed: bool = False
    has_asked: bool = False
    """Its last sentence, with what it asks, has begun to be heard."""
    by: str = ""
    """How the knowledge decided about the caller's question; empty: it was not asked."""
    stamps_ms: dict[str, int] = field(default_factory=dict)
    filler_at_ms: int | None = None
    """When "one moment" was heard before it."""
    queued_ms: dict[str, int] = field(default_factory=dict)
    """How long its first job waited in each lane."""
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _sounds_begun: threading.Event = field(default_factory=threading.Event)

    @property
    def prepared_text(self) -> str:
        """What the model wrote, or the phrase; while that is not known, the clauses that have sound."""
        return self.text or " ".join(dict.fromkeys(sound.text for sound in self.sounds))

    def cancel(self) -> None:
        """Its jobs stop within one token or chunk."""
        self._cancelled.set()
        self._sounds_begun.set()

    def waited(self, lane: str, waited_ms: int) -> None:
        """Note the wait of its first job in a lane."""
        self.queued_ms.setdefault(lane, waited_ms)

    def sound_begun(self) -> None:
        """Its first sound is there."""
        self.stamp("tts_first_pcm")
        self._sounds_begun.set()

    def wait_for_sound(self) -> None:
        """Leave the cores to the voice until the first sound is there; half a second at most."""
        self._sounds_begun.wait(_FIRST_SOUND_LIMIT_S)

    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def stamp(self, name: str) -> None:
        """Note when a stage was first reached."""
        self.stamps_ms.setdefault(name, monotonic_ms())


@dataclass(frozen=True, slots=True)
class SpeakingEngines:
    """What speaking needs, shared by all calls with the same voice."""

    phrases: PhraseCache
    reply_lane: Lane
    tts_lane: Lane


class Speaker:
    """Prepares one call's utterances: model → clauses → voice. Answers through ``post``."""

    def __init__(
        self,
        engines: SpeakingEngines,
        conversation: Conversation,
        limits: SamplingLimits,
        post: Callable[[object], None],
        claims: ClaimRules | None = None,
    ) -> None:
        """:param claims: what the model may claim; None: anything."""
        self._claims = claims
        self._engines = engines
        self._conversation = conversation
        self._limits = limits
        self._post = post

    def say(self, utterance: Utterance, *texts: str) -> None:
        """Prepare a phrase, or several in a row. Sound that is cached is there before this returns."""
        before = ""
        sounds = [pcm for text in texts if (pcm := self._engines.phrases.lookup(text)) is not None]
        if len(sounds) < len(texts):
            for text in texts:
                self._synthesize(utterance, text, before)
                before = text
            self._complete(utterance, " ".join(texts))
            return
        utterance.sound_begun()
        for text, pcm in zip(texts, sounds, strict=True):
            pause_ms = pause_after_ms(before) if before else 0
            self._post(SoundPrepared(utterance.utterance_id, pcm, text, pause_ms))
            before = text
        self._post(UtteranceComplete(utterance.utterance_id, " ".join(texts)))

    def rehearse(self, *texts: str) -> None:
        """Have the sound of phrases cached when they are due; what is due now goes first."""
        for text in texts:
            self._engines.tts_lane.submit(
                partial(self._speak_to_nobody, text), priority=Priority.TAIL, cancelled=never_cancelled
            )

    def _speak_to_nobody(self, text: str) -> None:
        with suppress(EngineError):  # it is told when the phrase is due
            for _ in self._engines.phrases.speak(text, never_cancelled):
                pass

    def tell(self, utterance: Utterance, text: str) -> None:
        """Prepare a text of some length, clause by clause, so that its beginning is there soon."""
        if self._engines.phrases.lookup(text) is not None:
            self.say(utterance, text)
        else:
            self._engines.reply_lane.submit(
                lambda: self._tell(utterance, text),
                priority=Priority.FIRST_CLAUSE,
                cancelled=utterance.is_cancelled,
                waited=utterance.waited,
            )
        if utterance.attempt is not None:
            self._post(ReplyBegan(utterance.attempt))

    def _tell(self, utterance: Utterance, text: str) -> None:
        splitter, before = ClauseSplitter(), ""
        for clause in (*splitter.push(text), *splitter.flush()):
            before = self._clause(utterance, clause, before)
        self._complete(utterance, text)

    def reply(
        self,
        utterance: Utterance,
        history: Sequence[Message],
        *,
        first: str = "",
        then: str = "",
        told: Sequence[str] = (),
    ) -> None:
        """Prepare the model's answer to ``history``, which ends with the caller's message.

        :param first: phrase before it. :param then: phrase behind it, as a question to come back to.
        :param told: what the program gives the model to say, and so may be claimed.
        """

        def job() -> None:
            clauses: list[str] = []
            before = self._clause(utterance, first, "") if first else ""
            try:
                for clause in self._worded(utterance, history, told):
                    clauses.append(clause)
                    before = self._clause(utterance, clause, before)
            except EngineError as error:
                if not then:
                    self._post(UtteranceFailed(utterance.utterance_id, str(error)))
                    return
            if then:
                before = self._clause(utterance, then, before)
            if not before:
                self._post(UtteranceFailed(utterance.utterance_id, "llm: the reply has nothing to say"))
                return
            self._complete(utterance, " ".join(filter(None, (first, *clauses, then))))

        self._engines.reply_lane.submit(
            job, priority=Priority.FIRST_CLAUSE, cancelled=utterance.is_cancelled, waited=utterance.waited
        )

    def _worded(self, utterance: Utterance, history: Sequence[Message], told: Sequence[str]) -> Iterator[str]:
        """The model's clauses, as far as they may be spoken."""
        clauses = self._model_clauses(utterance, history)
        if self._claims is None:
            return clauses

        def replaced(claim: str, text: str) -> None:
            self._post(ClaimReplaced(utterance.utterance_id, claim, text))

        return guarded(clauses, self._claims, known_in(self._claims, history, told), replaced)

    def _model_clauses(self, utterance: Utterance, history: Sequence[Message]) -> Iterator[str]:
        attempt, has_begun = utterance.attempt, False

        def end_scored(score: float) -> None:
            if attempt is not None:
                self._post(WordsScored(attempt, score))

        splitter = ClauseSplitter()
        for piece in self._conversation.reply(
            history, self._limits, utterance.is_cancelled, on_end_scored=end_scored
        ):
            if not has_begun:
                has_begun = True
                utterance.stamp("llm_first_token")
                if attempt is not None:
                    self._post(ReplyBegan(attempt))
            yield from splitter.push(piece)
        yield from splitter.flush()

    def _clause(self, utterance: Utterance, clause: str, before: str) -> str:
        """Hand a clause to the voice; the last one that was handed over."""
        if not speakable(clause):
            return before
        utterance.stamp("first_clause")
        self._synthesize(utterance, clause, before)
        if not before:
            utterance.wait_for_sound()
        return clause

    def _synthesize(self, utterance: Utterance, text: str, before: str) -> None:
        """:param before: the clause before this one, empty for the first."""

        def job() -> None:
            pause_ms = pause_after_ms(before) if before else 0
            try:
                for pcm in self._engines.phrases.speak(text, utterance.is_cancelled):
                    utterance.sound_begun()
                    self._post(SoundPrepared(utterance.utterance_id, pcm, text, pause_ms))
                    pause_ms = 0
            except EngineError as error:
                self._post(UtteranceFailed(utterance.utterance_id, str(error)))

        priority = Priority.TAIL if before else Priority.FIRST_CLAUSE
        self._engines.tts_lane.submit(
            job, priority=priority, cancelled=utterance.is_cancelled, waited=utterance.waited
        )

    def _complete(self, utterance: Utterance, text: str) -> None:
        """Say so behind the last clause: the lane keeps the order of equal priorities."""

        def job() -> None:
            self._post(UtteranceComplete(utterance.utterance_id, text))

        self._engines.tts_lane.submit(job, priority=Priority.TAIL, cancelled=utterance.is_cancelled)
