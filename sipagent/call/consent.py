"""May this call be recorded? One pure state machine. The time is in the events.

::

    announced   TELLING ──told to its end──▶ GRANTED
    asked       TELLING ──told──▶ WAITING ──yes──▶ GIVEN ──thanked, other words──▶ GRANTED
                   └──────yes, no──────┤ ├──no───▶ REFUSED  └──"yes… no, wait"─┐     │
                        (also keyed)   │ └──unclear, silence──▶ TELLING again, │     │ "stop recording"
                                       │                  the second time ▶ REFUSED  ▼
                                                                               └▶ WITHDRAWN

Without a clear yes the call goes on and is not recorded, and a yes may be taken back at any time. A late or
repeated event is ignored.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

from sipagent.config.recording import ConsentMode

YES_DIGIT, NO_DIGIT = "1", "2"
_MOST_QUESTIONS = 2
_WORD = re.compile(r"[\w']+")


class Phase(Enum):
    """How far the matter is."""

    TELLING = "telling"
    WAITING = "waiting"
    GIVEN = "given"
    """A yes that the agent has not thanked for yet: a no in the same breath takes it back."""
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class How(Enum):
    """What decided."""

    ANNOUNCED = "announced"
    SPOKEN = "spoken"
    KEYED = "keyed"
    SILENCE = "silence"
    UNCLEAR = "unclear"


class Answer(Enum):
    """What words say to a yes-or-no question."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """What the operator may set."""

    mode: ConsentMode
    yes: frozenset[str]
    """Words and phrases in lower case."""
    no: frozenset[str]
    stop: frozenset[str] = frozenset()
    """Phrases that take a yes back, or object to an announced recording, at any time."""
    delete: frozenset[str] = frozenset()
    """Those after which nothing may stay of what was recorded before."""
    answer_ms: int = 6_000
    """Silence after the question that counts as no answer."""


# --- events ---


@dataclass(frozen=True, slots=True)
class Told:
    """The announcement or question has been said to its end."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Said:
    """The caller's turn is over."""

    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller's turn so far, while the announcement is being said."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    digit: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Neither side speaks."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody speaks: the wait for an answer begins anew."""

    now_ms: int


Event = Told | Said | Heard | Pressed | Quiet | Busy

# --- actions ---


@dataclass(frozen=True, slots=True)
class AskAgain:
    pass


@dataclass(frozen=True, slots=True)
class Record:
    how: How


@dataclass(frozen=True, slots=True)
class DoNotRecord:
    how: How


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Record no more. ``keeps``: what came before this turn was allowed and stays."""

    how: How
    keeps: bool


Action = AskAgain | Record | DoNotRecord | Withdraw


@dataclass(frozen=True, slots=True)
class Consent:
    """The whole state."""

    phase: Phase = Phase.TELLING
    questions: int = 1
    since_ms: int = 0
    """Since when an answer is waited for."""
    has_objected: bool = False
    """While the announcement was being said."""
    has_kept: bool = False
    """Something of a recording that was ended is still there."""

    @property
    def is_open(self) -> bool:
        """Nothing is decided yet."""
        return self.phase in (Phase.TELLING, Phase.WAITING)


def step(consent: Consent, event: Event, rules: ConsentRules) -> tuple[Consent, tuple[Action, ...]]:
    """Advance the machine. The caller performs the actions in order."""
    if not consent.is_open:
        return _reconsidered(consent, event, rules)
    if rules.mode == "announced":
        return _announced(consent, event, rules)
    match event:
        case Told(now_ms) if consent.phase is Phase.TELLING:
            return replace(consent, phase=Phase.WAITING, since_ms=now_ms), ()
        case Pressed(digit):
            return _answered(consent, _of_digit(digit), How.KEYED)
        case Said(text):
            return _answered(consent, answer_of(text, rules), How.SPOKEN)
        case Busy(now_ms) if consent.phase is Phase.WAITING:
            return replace(consent, since_ms=now_ms), ()
        case Quiet(now_ms) if consent.phase is Phase.WAITING:
            if now_ms - consent.since_ms >= rules.answer_ms:
                return _unclear(consent, How.SILENCE)
    return consent, ()


def answer_of(text: str, rules: ConsentRules) -> Answer:
    """What the words say. Where only keys count a spoken yes decides nothing, a spoken no does."""
    found = _answers_in(text, rules)
    if Answer.NO in found:
        return Answer.NO if found == {Answer.NO} else Answer.UNCLEAR
    is_yes = Answer.YES in found and rules.mode != "keyed"
    return Answer.YES if is_yes else Answer.UNCLEAR


def _answers_in(text: str, rules: ConsentRules) -> set[Answer]:
    """The longest phrases are taken first, so that "no problem" may stand among those for yes."""
    rest = _plain(text)
    found: set[Answer] = set()
    marked = [(phrase, Answer.YES) for phrase in rules.yes]
    marked += [(phrase, Answer.NO) for phrase in (*rules.no, *rules.stop, *rules.delete)]
    for phrase, answer in sorted(marked, key=lambda one: (-len(one[0].split()), one[0])):
        while f" {phrase} " in rest:
            rest = rest.replace(f" {phrase} ", " | ", 1)
            found.add(answer)
    return found


def _plain(text: str) -> str:
    """Lower case, words alone, a space at both ends."""
    return " " + " ".join(_WORD.findall(text.lower().replace("’", "'"))) + " "


def _has(text: str, phrases: frozenset[str]) -> bool:
    plain = _plain(text)
    return any(f" {phrase} " in plain for phrase in phrases)


def _announced(consent: Consent, event: Event, rules: ConsentRules) -> tuple[Consent, tuple[Action, ...]]:
    match event:
        case Heard(text) if _has(text, rules.stop):
            return replace(consent, has_objected=True), ()
        case Told() if consent.has_objected:
            return replace(consent, phase=Phase.REFUSED), (DoNotRecord(How.SPOKEN),)
        case Told():
            return replace(consent, phase=Phase.GRANTED), (Record(How.ANNOUNCED),)
    return consent, ()


def _reconsidered(consent: Consent, event: Event, rules: ConsentRules) -> tuple[Consent, tuple[Action, ...]]:
    """Of a caller who never said yes, takes it back in the same breath or wants it deleted, nothing stays."""
    is_fresh, is_recording = consent.phase is Phase.GIVEN, consent.phase in (Phase.GIVEN, Phase.GRANTED)
    match event:
        case Pressed(digit) if is_fresh and digit == NO_DIGIT:
            return _withdrawn(consent, How.KEYED, keeps=False)
        case Said(text) if is_fresh and Answer.NO in _answers_in(text, rules):
            return _withdrawn(consent, How.SPOKEN, keeps=False)
        case Said(text) if (is_recording or consent.has_kept) and _has(text, rules.delete):
            return _withdrawn(consent, How.SPOKEN, keeps=False)
        case Said(text) if is_recording and _has(text, rules.stop):
            return _withdrawn(consent, How.SPOKEN, keeps=rules.mode in ("spoken", "keyed"))
        case Told() if is_fresh:
            return replace(consent, phase=Phase.GRANTED), ()
        case Said(text) if is_fresh and Answer.YES not in _answers_in(text, rules):
            return replace(consent, phase=Phase.GRANTED), ()
    return consent, ()


def _withdrawn(consent: Consent, how: How, *, keeps: bool) -> tuple[Consent, tuple[Action, ...]]:
    return replace(consent, phase=Phase.WITHDRAWN, has_kept=keeps), (Withdraw(how, keeps),)


def _of_digit(digit: str) -> Answer:
    return {YES_DIGIT: Answer.YES, NO_DIGIT: Answer.NO}.get(digit, Answer.UNCLEAR)


def _answered(consent: Consent, answer: Answer, how: How) -> tuple[Consent, tuple[Action, ...]]:
    match answer:
        case Answer.YES:
            return replace(consent, phase=Phase.GIVEN), (Record(how),)
        case Answer.NO:
            return replace(consent, phase=Phase.REFUSED), (DoNotRecord(how),)
        case Answer.UNCLEAR:
            return _unclear(consent, How.UNCLEAR)


def _unclear(consent: Consent, how: How) -> tuple[Consent, tuple[Action, ...]]:
    if consent.questions >= _MOST_QUESTIONS:
        return replace(consent, phase=Phase.REFUSED), (DoNotRecord(how),)
    return replace(consent, phase=Phase.TELLING, questions=consent.questions + 1), (AskAgain(),)
