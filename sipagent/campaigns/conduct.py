"""What is done on a campaign call, from the answer to the hang-up. Pure: findings in, actions out.

::

    LISTENING ─ human, our turn ─▶ TALKING (the flow) ─ beep, machine's words ─▶ LEAVING
        ├─ voicemail ─▶ LEAVING: the beep, or silence where none comes ─▶ Say text, once ─▶ OVER
        ├─ screening ─▶ ASKED: when it has ended, Say who calls, once; then LISTENING as if newly answered
        └─ ivr, fax, busy, no such number ─▶ OVER
    anywhere: the key, or words that mean "never again" and then a pause ─▶ OVER

The thread of the call drives it: ``window`` for each 32 ms, ``heard`` for texts that were asked for,
``caller_said`` and ``key_pressed`` during the talk, ``said`` when a ``Say`` has ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from sipagent.campaigns.answering import (
    Answerer,
    Answering,
    AskText,
    Beeped,
    Corrected,
    Decided,
    Finding,
    OurTurn,
    Window,
)
from sipagent.campaigns.greeting_words import is_recording, speaks_as_greeting
from sipagent.campaigns.opting_out import asks_to_stop
from sipagent.campaigns.outcomes import OPT_OUT, Ending, FlowResult, Outcome, outcome_of_status

NO_BEEP_MS = 4000
"""Silence after a greeting at which the beep is no longer waited for."""
LONGEST_GREETING_MS = 60_000
_HAS_ASKED_MS = 900
"""Silence after a screening service's question."""
_WISH_PAUSE_MS, _WISH_FIRST_PAUSE_MS = 700, 500
"""Silence after which "don't call me" is not going on with "before nine", in a talk and before it …"""
_WISH_LATEST_MS = 2500
"""… which it is not either where the voices go on for so long without taking it back."""
_CONVERSING_TURNS = 2
"""Whoever has answered us so often is no machine, whatever beeps."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a contact's call says."""

    announcement: str = ""
    voicemail: str = ""
    introduction: str = ""
    """Said to a screening service; empty: we hang up."""
    opt_out_key: str = "9"


# --- actions ---


@dataclass(frozen=True, slots=True)
class StartFlow:
    """Talk with the person; the announcement first, to its end."""

    announcement: str


@dataclass(frozen=True, slots=True)
class StopFlow:
    """It was no person: fall silent at once."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say this to its end, then tell ``said``."""

    text: str


@dataclass(frozen=True, slots=True)
class Transcribe:
    """The words up to here are wanted, for ``heard``."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call is over for us."""


Action = StartFlow | StopFlow | Say | Transcribe | HangUp


class Phase(Enum):
    """Where the call stands."""

    LISTENING = "listening"
    TALKING = "talking"
    ASKED = "asked"
    SCREENED = "screened"
    LEAVING = "leaving"
    LEFT = "left"
    OVER = "over"


class Conduct:
    """One answered call. Not thread-safe: the call's thread alone."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._answering = Answering()
        self._offset_ms = 0
        self._now_ms = 0
        self._has_introduced = False
        self.wants_no_calls = False
        """The person has asked for it, for certain."""
        self._wished_ms: int | None = None
        """When the words so far first meant: never again."""
        self._is_left = self._is_answered = False
        self._turns = 0
        self.phase = Phase.LISTENING
        self.answerer: Answerer | None = None

    def __repr__(self) -> str:
        return f"Conduct({self.phase.value}, {self.answerer})"

    def answered(self) -> None:
        """The call is answered: who or what spoke before it tells nothing. Again: nothing happens."""
        if not self._is_answered:
            self._is_answered, self._answering, self._wished_ms = True, Answering(), None

    def window(self, window: Window) -> tuple[Action, ...]:
        """The next 32 ms of the line; also before the answer, with negative times."""
        self._now_ms = window.end_ms
        if self.phase in (Phase.OVER, Phase.LEFT, Phase.SCREENED):
            return ()
        if window.start_ms >= 0:
            self.answered()
        shifted = Window(window.start_ms - self._offset_ms, window.voice, window.tones_hz)
        actions = self._on(self._answering.step(shifted))
        if self._is_wish_certain():
            return self._opt_out()
        if self.phase is Phase.LEAVING and not actions and self._must_not_wait():
            return self._leave()
        if self.phase is Phase.ASKED and self._answering.silent_ms >= _HAS_ASKED_MS:
            self.phase = Phase.SCREENED
            return (*actions, Say(self._script.introduction))
        return actions

    def heard(self, text: str) -> tuple[Action, ...]:
        """The words so far; in the talk those of the person's turn."""
        if self.phase is Phase.OVER:
            return ()
        if self.phase in (Phase.LEFT, Phase.SCREENED):
            return self.overheard(text)
        self._wished_ms = (self._wished_ms or self._now_ms) if self._is_wish(text) else None
        if self._wished_ms is not None:
            return ()
        if self.phase is Phase.TALKING and not is_recording(text):
            return ()
        return self._on(self._answering.heard(text))

    def overheard(self, text: str) -> tuple[Action, ...]:
        """Words that come too late to tell anything else, or the last before they hang up."""
        return self._opt_out() if self.phase is not Phase.OVER and self._is_wish(text) else ()

    def caller_said(self, text: str) -> tuple[Action, ...]:
        """A turn of the person's in the talk."""
        self._turns += 1
        self._wished_ms = None
        return self.overheard(text)

    def key_pressed(self, digit: str) -> tuple[Action, ...]:
        """A key, whenever."""
        return self._opt_out() if digit == self._script.opt_out_key and self.phase is not Phase.OVER else ()

    def said(self) -> tuple[Action, ...]:
        """A ``Say`` was said to its end."""
        match self.phase:
            case Phase.LEFT:
                self._is_left = True
                return self._over()
            case Phase.SCREENED:
                self.phase, self._answering, self._offset_ms = Phase.LISTENING, Answering(), self._now_ms
        return ()

    def ending(self, sip_status: int, talk_ms: int, results: Iterable[FlowResult] = ()) -> Ending:
        """How the call ended, whoever hung up.

        :param sip_status: the final answer to the INVITE.
        :param results: of the flow.
        """
        found = tuple(results)
        if self.wants_no_calls or self._wished_ms is not None:
            found = (*found, FlowResult(OPT_OUT))
        answerer = self.answerer.value if self.answerer else ""
        return Ending(self._outcome(found, sip_status), sip_status, answerer, talk_ms, found)

    def _is_wish(self, text: str) -> bool:
        """A person's; a greeting may say who else shall not call."""
        is_greeting = self.phase is not Phase.TALKING and speaks_as_greeting(text)
        return asks_to_stop(text) and not is_recording(text) and not is_greeting

    def _is_wish_certain(self) -> bool:
        if self._wished_ms is None:
            return False
        pause_ms = _WISH_PAUSE_MS if self.phase is Phase.TALKING else _WISH_FIRST_PAUSE_MS
        is_over = self._answering.silent_ms >= pause_ms
        return is_over or self._now_ms - self._wished_ms >= _WISH_LATEST_MS

    def _outcome(self, results: tuple[FlowResult, ...], sip_status: int) -> Outcome:
        if any(one.name == OPT_OUT for one in results):
            return Outcome.OPTED_OUT
        if not self._is_answered and self.answerer is None:
            return outcome_of_status(sip_status)
        match self.answerer:
            case Answerer.HUMAN:
                return Outcome.ANSWERED
            case Answerer.VOICEMAIL if self._is_left:
                return Outcome.VOICEMAIL
            case Answerer.FAX:
                return Outcome.FAX
            case Answerer.BUSY:
                return Outcome.BUSY
            case Answerer.CONGESTION:
                return Outcome.FAILED
            case Answerer.INVALID_NUMBER:
                return Outcome.INVALID_NUMBER
            case None:
                return Outcome.SILENT
        return Outcome.MACHINE

    def _on(self, findings: tuple[Finding, ...]) -> tuple[Action, ...]:
        actions: list[Action] = []
        for finding in findings:
            match finding:
                case AskText():
                    actions.append(Transcribe())
                case Decided(answerer) | Corrected(answerer) if self._turns < _CONVERSING_TURNS:
                    actions += self._turn_to(answerer)
                case OurTurn() if self.phase is Phase.LISTENING:
                    self.phase = Phase.TALKING
                    actions.append(StartFlow(self._script.announcement))
                case Beeped() if self.phase is Phase.LEAVING:
                    actions += self._leave()
        return tuple(actions)

    def _turn_to(self, answerer: Answerer) -> tuple[Action, ...]:
        was_talking = self.phase is Phase.TALKING
        self.answerer = answerer
        stop: tuple[Action, ...] = (StopFlow(),) if was_talking else ()
        match answerer:
            case Answerer.HUMAN:
                self.phase = Phase.LISTENING  # until it is our turn
                return ()
            case Answerer.VOICEMAIL if self._script.voicemail:
                self.phase = Phase.LEAVING
                return stop
            case Answerer.SCREENING if self._script.introduction and not self._has_introduced:
                self.phase, self._has_introduced = Phase.ASKED, True
                return stop
        return (*stop, *self._over())

    def _must_not_wait(self) -> bool:
        """The greeting is over and no beep has come."""
        return self._answering.silent_ms >= NO_BEEP_MS or self._now_ms >= LONGEST_GREETING_MS

    def _leave(self) -> tuple[Action, ...]:
        self.phase = Phase.LEFT
        return (Say(self._script.voicemail),)

    def _opt_out(self) -> tuple[Action, ...]:
        """At once: whatever is being said stops."""
        self.wants_no_calls = True
        return (StopFlow(), *self._over())

    def _over(self) -> tuple[Action, ...]:
        self.phase = Phase.OVER
        return (HangUp(),)
