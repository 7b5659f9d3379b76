"""May this call be recorded? One pure state machine. The time is in the events.

::

    announced   TELLING ──told to its end──▶ GRANTED
    asked       TELLING ──told──▶ WAITING ──yes──▶ GRANTED
                   └──────yes, no──────┤ ├──no───▶ REFUSED
                        (also keyed)   │ └──unclear, silence──▶ TELLING again, the second time ▶ REFUSED

Without a clear yes the call goes on and is not recorded. A late or repeated event is ignored.
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
    GRANTED = "granted"
    REFUSED = "refused"


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


Event = Told | Said | Pressed | Quiet | Busy

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


Action = AskAgain | Record | DoNotRecord


@dataclass(frozen=True, slots=True)
class Consent:
    """The whole state."""

    phase: Phase = Phase.TELLING
    questions: int = 1
    since_ms: int = 0
    """Since when an answer is waited for."""

    @property
    def is_open(self) -> bool:
        """Nothing is decided yet."""
        return self.phase in (Phase.TELLING, Phase.WAITING)


def step(consent: Consent, event: Event, rules: ConsentRules) -> tuple[Consent, tuple[Action, ...]]:
    """Advance the machine. The caller performs the actions in order."""
    if not consent.is_open:
        return consent, ()
    if rules.mode == "announced":
        if isinstance(event, Told):
            return replace(consent, phase=Phase.GRANTED), (Record(How.ANNOUNCED),)
        return consent, ()
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
    """What the words say. Where only keys count a spoken yes decides nothing, a spoken no does.

    The longest phrases are taken first, so that "no problem" may stand among those for yes.
    """
    rest = " " + " ".join(_WORD.findall(text.lower().replace("’", "'"))) + " "
    found: set[Answer] = set()
    marked = [(phrase, Answer.YES) for phrase in rules.yes] + [(phrase, Answer.NO) for phrase in rules.no]
    for phrase, answer in sorted(marked, key=lambda one: (-len(one[0].split()), one[0])):
        while f" {phrase} " in rest:
            rest = rest.replace(f" {phrase} ", " | ", 1)
            found.add(answer)
    if Answer.NO in found:
        return Answer.NO if found == {Answer.NO} else Answer.UNCLEAR
    is_yes = Answer.YES in found and rules.mode != "keyed"
    return Answer.YES if is_yes else Answer.UNCLEAR


def _of_digit(digit: str) -> Answer:
    return {YES_DIGIT: Answer.YES, NO_DIGIT: Answer.NO}.get(digit, Answer.UNCLEAR)


def _answered(consent: Consent, answer: Answer, how: How) -> tuple[Consent, tuple[Action, ...]]:
    match answer:
        case Answer.YES:
            return replace(consent, phase=Phase.GRANTED), (Record(how),)
        case Answer.NO:
            return replace(consent, phase=Phase.REFUSED), (DoNotRecord(how),)
        case Answer.UNCLEAR:
            return _unclear(consent, How.UNCLEAR)


def _unclear(consent: Consent, how: How) -> tuple[Consent, tuple[Action, ...]]:
    if consent.questions >= _MOST_QUESTIONS:
        return replace(consent, phase=Phase.REFUSED), (DoNotRecord(how),)
    return replace(consent, phase=Phase.TELLING, questions=consent.questions + 1), (AskAgain(),)
