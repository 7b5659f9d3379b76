"""Who answered: a person, a voicemail, a screening service, a menu, a fax? Pure: facts in, verdicts out.

::

    32 ms windows: voice, tones ─┐
    partial texts ───────────────┼─▶ Answering ─▶ Decided … Corrected … OurTurn, Beeped, AskText
    the time since the answer ───┘

Whoever answers waits for us after a short word; a greeting that was recorded goes on. So a pause after
little speech is a person, speech without a pause is a machine, and the words overrule both. A person is
decided upon ``DECIDE_MS`` after the answer at the latest, also while still speaking; where it is doubtful, it
is a person. ``OurTurn`` follows when that person has fallen silent: only then may we speak. Listening goes
on: a machine's words or its beep correct the verdict, most often before we have said anything.
"""

from dataclasses import dataclass
from enum import StrEnum

from sipagent.campaigns.greeting_words import Hint, hint_of
from sipagent.campaigns.signals import Signal, SignalFinder


class Answerer(StrEnum):
    """Who or what is on the line."""

    HUMAN = "human"
    VOICEMAIL = "voicemail"
    SCREENING = "screening"
    IVR = "ivr"
    FAX = "fax"
    BUSY = "busy"
    INVALID_NUMBER = "invalid_number"
    CONGESTION = "congestion"


@dataclass(frozen=True, slots=True)
class Window:
    """32 ms of the line, as facts."""

    start_ms: int
    """Since the answer; negative before it (early media)."""
    voice: float
    """Probability of speech, 0..1."""
    tones_hz: tuple[float, ...] = ()
    """As :func:`sipagent.campaigns.line_tones.tones_in` tells."""

    @property
    def end_ms(self) -> int:
        """Where the window ends."""
        return self.start_ms + WINDOW_MS


@dataclass(frozen=True, slots=True)
class Decided:
    """The first verdict; there is one for each call."""

    answerer: Answerer
    at_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """The verdict was wrong."""

    answerer: Answerer
    at_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class OurTurn:
    """It is a person who waits for us now. Once."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Beeped:
    """A beep has ended: what is said now is recorded."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class AskText:
    """The words of everything up to here would help; give them to ``heard``."""

    at_ms: int


Finding = Decided | Corrected | OurTurn | Beeped | AskText

WINDOW_MS = 32
DECIDE_MS = 2950
"""Since the answer: the verdict stands, and whoever is silent by then waits no longer."""
_VOICE_ON, _VOICE_OFF = 0.5, 0.35
_GAP_MS = 260
"""Silence within one stretch of speech."""
_FIRST_ASK_MS = 1100
_ASK_EVERY_MS = 550
_PAUSE_ASK_MS = 160
_QUIET_PERSON_MS = 480
"""Silence after which it is our turn, where the words are a person's …"""
_QUIET_SHORT_MS = 640
"""… after a short word …"""
_QUIET_OPENING_MS = 900
"""… and after what may be the first sentence of a recording."""
_CLICK_MS = 64
_SHORT_SPEECH_MS = 1250
_MUCH_SPEECH_MS = 5500
"""Speech that no person says on answering, unless the words are a person's."""
_TEXT_MS = 700
"""Words that take longer are not waited for."""
_TONE_AGAIN_MS, _MOST_TONE_MS = 1000, 6000
_KIND_MS = 15_000
_LISTEN_MS = 45_000
"""Corrections come within this time."""

_OF_SIGNAL = {
    Signal.SIT: Answerer.INVALID_NUMBER,
    Signal.BUSY: Answerer.BUSY,
    Signal.CONGESTION: Answerer.CONGESTION,
    Signal.FAX: Answerer.FAX,
}
_OF_HINT = {
    Hint.VOICEMAIL: Answerer.VOICEMAIL,
    Hint.SCREENING: Answerer.SCREENING,
    Hint.IVR: Answerer.IVR,
}
_OF_PEOPLE = (Hint.PERSON, Hint.PERSON_BUSINESS)


class Answering:
    """One call's detector. Not thread-safe."""

    def __init__(self) -> None:
        self.verdict: Answerer | None = None
        self._is_our_turn = False
        self._has_spoken_for_itself = False
        """A machine, by its words: what kind of one, the next few may tell better."""
        self._signals = SignalFinder()
        self._now_ms = 0
        self._voice = False
        self._voice_ms = 0
        self._stretches = 0
        self._stretch_ms = 0
        self._silent_ms = 0
        self._first_voice_ms: int | None = None
        self._hint = Hint.NONE
        self._is_question = False
        self._tone_ms: int | None = None
        self._text_asked_ms: int | None = None
        self._asked_voice_ms = 0
        self._asked_pause = -1

    def __repr__(self) -> str:
        return f"Answering({self.verdict}, {self._voice_ms} ms of voice, {self._hint.value})"

    @property
    def silent_ms(self) -> int:
        """Since anybody spoke or a tone sounded."""
        return self._silent_ms

    def step(self, window: Window) -> tuple[Finding, ...]:
        """Take the next window.

        :returns: what follows from it, in order.
        """
        self._now_ms = window.end_ms
        signal = self._signals.step(
            window.tones_hz, window.start_ms, window.end_ms, after_speech=self._voice_ms > 400
        )
        self._follow_voice(0.0 if self._signals.is_sounding else window.voice)
        found: list[Finding] = []
        if signal is Signal.BEEP:
            found += self._beeped()
        elif signal is not None:
            found += self._settle(_OF_SIGNAL[signal], f"tone {signal.value}")
        if window.start_ms >= 0:
            found += self._decide()
        if self._wants_text():
            found.append(AskText(self._now_ms))
        return tuple(found)

    def heard(self, text: str) -> tuple[Finding, ...]:
        """The words so far, whole, as ``AskText`` wanted them."""
        self._hint, self._text_asked_ms = hint_of(text), None
        self._is_question = text.rstrip().endswith("?")
        if (answerer := _OF_HINT.get(self._hint)) is not None:
            self._has_spoken_for_itself = True
            return tuple(self._settle(answerer, f"words of {self._hint.value}"))
        if self.verdict in _OF_HINT.values() and self._is_person_again():
            return tuple(self._may_speak("words of a person"))
        return tuple(self._decide()) if self._now_ms > 0 else ()

    def _is_person_again(self) -> bool:
        """Only length had spoken for a machine, and the words say it was a person."""
        return self._hint is Hint.PERSON_BUSINESS and self._silent_ms >= _PAUSE_ASK_MS

    def _follow_voice(self, probability: float) -> None:
        self._voice = probability >= (_VOICE_OFF if self._voice else _VOICE_ON)
        if self._signals.is_sounding:
            self._silent_ms, self._tone_ms = 0, self._now_ms
        if not self._voice:
            self._silent_ms += WINDOW_MS
            return
        if self._first_voice_ms is None:
            self._first_voice_ms = self._now_ms - WINDOW_MS
        if self._silent_ms > _GAP_MS or not self._stretches:
            self._stretches += 1
            self._stretch_ms = 0
        elif self._silent_ms:
            self._stretch_ms += self._silent_ms
        self._silent_ms = 0
        self._voice_ms += WINDOW_MS
        self._stretch_ms += WINDOW_MS

    def _beeped(self) -> list[Finding]:
        beeped: list[Finding] = [Beeped(self._now_ms)]
        if self.verdict in (None, Answerer.HUMAN) and self._now_ms > 0:
            return [*self._settle(Answerer.VOICEMAIL, "beep"), *beeped]
        return beeped

    def _settle(self, answerer: Answerer, why: str) -> list[Finding]:
        """Decide, or correct. A beep or words that a machine alone says are stronger than rhythm."""
        before, self.verdict = self.verdict, answerer
        if before is None:
            return [Decided(answerer, self._now_ms, why)]
        if before is answerer or self._now_ms > _LISTEN_MS:
            self.verdict = before
            return []
        return [Corrected(answerer, self._now_ms, why)]

    def _decide(self) -> list[Finding]:
        """By rhythm, with what the words hint at: who it is, and whether it is our turn."""
        if self._is_our_turn or self.verdict not in (None, Answerer.HUMAN):
            return []
        has_paused = self._voice_ms >= _CLICK_MS and self._silent_ms >= self._patience_ms()
        if has_paused and not (self._is_text_pending() and self._voice_ms >= _SHORT_SPEECH_MS):
            return self._paused()
        if self._now_ms < DECIDE_MS or self._is_tone_pending():
            return []
        if self._is_waiting_in_vain():
            return self._may_speak("nothing that speaks for a machine")
        if self._is_much_speech():
            return self._settle(Answerer.VOICEMAIL, f"{self._voice_ms} ms of speech and no end")
        if self.verdict is None:
            why = "words of a person" if self._hint in _OF_PEOPLE else "in doubt, still speaking"
            return self._settle(Answerer.HUMAN, why)
        return []

    def _paused(self) -> list[Finding]:
        """Somebody has spoken and waits."""
        if self._is_much_speech():
            return self._settle(Answerer.VOICEMAIL, f"{self._voice_ms} ms of speech, then silence")
        return self._may_speak(f"a pause after {self._voice_ms} ms of speech")

    def _may_speak(self, why: str) -> list[Finding]:
        self._is_our_turn = True
        return [*self._settle(Answerer.HUMAN, why), OurTurn(self._now_ms)]

    def _is_much_speech(self) -> bool:
        return self._voice_ms >= _MUCH_SPEECH_MS and self._hint not in _OF_PEOPLE

    def _is_waiting_in_vain(self) -> bool:
        """Nobody has spoken, or only a word or two, and now it is silent."""
        if self._voice_ms < _CLICK_MS:
            return True
        return self._silent_ms >= _GAP_MS and self._voice_ms < _SHORT_SPEECH_MS

    def _is_text_pending(self) -> bool:
        """Words that were asked for are on their way."""
        return self._text_asked_ms is not None and self._now_ms - self._text_asked_ms < _TEXT_MS

    def _is_tone_pending(self) -> bool:
        """A tone sounds, or has just sounded and may come again: busy needs three of them."""
        since_ms = self._now_ms - self._tone_ms if self._tone_ms is not None else _MOST_TONE_MS
        return since_ms < _TONE_AGAIN_MS and self._now_ms < _MOST_TONE_MS

    def _patience_ms(self) -> int:
        """Silence after which it is our turn."""
        if self._hint in _OF_PEOPLE or self._is_question:
            return _QUIET_PERSON_MS
        if self._hint is Hint.OPENING or self._voice_ms >= _SHORT_SPEECH_MS:
            return _QUIET_OPENING_MS
        return _QUIET_SHORT_MS

    def _wants_text(self) -> bool:
        """At each pause, and now and then while speech goes on."""
        latest_ms = _KIND_MS if self._has_spoken_for_itself else _LISTEN_MS
        if self._now_ms > latest_ms or self._voice_ms < 128:
            return False
        is_pause = self._silent_ms >= _PAUSE_ASK_MS and self._asked_pause != self._stretches
        is_long = (
            self._voice_ms >= max(_FIRST_ASK_MS, self._asked_voice_ms + _ASK_EVERY_MS) and not self._silent_ms
        )
        if is_pause and self._voice_ms > self._asked_voice_ms:
            self._asked_pause = self._stretches
        elif not is_long or (self.verdict not in (None, Answerer.HUMAN)):
            return False
        self._asked_voice_ms = self._voice_ms
        if self._text_asked_ms is None:
            self._text_asked_ms = self._now_ms
        return True
