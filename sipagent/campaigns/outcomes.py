"""What became of an attempt, and what follows from it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

from sipagent.config.campaign import RetryConfig


class Outcome(StrEnum):
    """What became of one attempt."""

    ANSWERED = "answered"
    """By a person who listened."""
    OPTED_OUT = "opted_out"
    VOICEMAIL = "voicemail"
    """Our text was left."""
    MACHINE = "machine"
    """A voicemail, screening service or menu; nothing was left."""
    SILENT = "silent"
    """Answered, and nobody ever spoke."""
    FAX = "fax"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    INVALID_NUMBER = "invalid_number"
    REJECTED = "rejected"
    FAILED = "failed"
    """The network or trunk could not carry it."""
    UNSETTLED = "unsettled"
    """The server died during the call: it may have reached the person, or not."""


REACHED = frozenset({Outcome.ANSWERED, Outcome.OPTED_OUT, Outcome.VOICEMAIL, Outcome.MACHINE, Outcome.SILENT,
                     Outcome.FAX})  # fmt: skip
"""Somebody or something answered."""
NOT_CARRIED = frozenset({Outcome.FAILED, Outcome.INVALID_NUMBER, Outcome.REJECTED})
"""The call did not come to anybody: a bad list, a bad caller id, a trunk that does not carry it."""
_AFTER = {
    Outcome.BUSY: timedelta(minutes=15),
    Outcome.NO_ANSWER: timedelta(hours=2),
    Outcome.MACHINE: timedelta(hours=4),
    Outcome.SILENT: timedelta(hours=2),
    Outcome.FAILED: timedelta(minutes=30),
}
_NEXT_TRY_OF_A_CALL_BACK = Outcome.NO_ANSWER
"""Whose wait counts where the moment was not understood."""
_LATEST_CALL_BACK = timedelta(days=90)
SPOKEN_TO = frozenset({Outcome.ANSWERED, Outcome.OPTED_OUT, Outcome.VOICEMAIL})
"""The person has heard us, or will hear our message."""
CALL_BACK = "call_back"
"""Result of a flow with ``at``, an ISO time: the person wants to be called then."""
WRONG_PERSON = "wrong_person"
OPT_OUT = "opt_out"
OPTED_OUT = "opted out"
"""Why such a contact is not called."""


@dataclass(frozen=True, slots=True)
class FlowResult:
    """What a conversation came to, as ``rescheduled`` with ``{"to": "2026-12-01T09:00"}``."""

    name: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """How one call ended."""

    outcome: Outcome
    sip_status: int = 0
    answerer: str = ""
    talk_ms: int = 0
    results: tuple[FlowResult, ...] = ()

    @property
    def wants_no_more_calls(self) -> bool:
        """The person asked for it, in words, by key, or by 607 (RFC 8197)."""
        return self.outcome is Outcome.OPTED_OUT or any(one.name == OPT_OUT for one in self.results)


class Owed(IntEnum):
    """What was promised to the person. A promise outlives the run in which it was made."""

    NOTHING = 0
    CALL_BACK = 1
    """A call by the retry rules: the moment was not understood, or the call at that moment reached nobody."""
    AT_MOMENT = 2
    """A call at the moment that the person has named."""


@dataclass(frozen=True, slots=True)
class Follow:
    """What follows: another attempt at ``due_at``, or none."""

    due_at: datetime | None
    why: str
    owed: Owed = Owed.NOTHING


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a contact has been called, the attempt in question among them."""

    in_run: int
    unanswered: int = 0
    """In a row and over all runs: no person spoke with us, and no message was left."""
    owed: Owed = Owed.NOTHING
    """What this attempt was to keep."""


def outcome_of_status(status: int) -> Outcome:
    """What the final answer of a call that was not answered means (RFC 3261 §21, RFC 8197)."""
    if status in (486, 600):
        return Outcome.BUSY
    if status in (408, 480, 487):
        return Outcome.NO_ANSWER
    if status in (404, 410, 484, 604):
        return Outcome.INVALID_NUMBER
    if status == 607:
        return Outcome.OPTED_OUT
    return Outcome.FAILED if status // 100 == 5 or status in (401, 407) else Outcome.REJECTED


def follow_up(ending: Ending, retry: RetryConfig, tries: Tries, now: datetime) -> Follow:
    """Another attempt or none; a wish to be called back counts even beyond ``retry.attempts``, once."""
    if ending.wants_no_more_calls:
        return Follow(None, OPTED_OUT)
    wish = next((one for one in ending.results if one.name == CALL_BACK), None)
    if wish is not None and tries.in_run <= retry.attempts:
        at = _moment(wish.data.get("at", ""))
        if at is not None and now < at <= now + _LATEST_CALL_BACK:
            return Follow(at, "call back", Owed.AT_MOMENT)
        why = "call back at a time that is not understood"
        return _again(retry, tries, now, _NEXT_TRY_OF_A_CALL_BACK, why, Owed.CALL_BACK)
    owed = Owed.CALL_BACK if tries.owed else Owed.NOTHING
    return _again(retry, tries, now, ending.outcome, ending.outcome.value, owed)


def _again(retry: RetryConfig, tries: Tries, now: datetime, outcome: Outcome, why: str, owed: Owed) -> Follow:
    """Another attempt where the outcome asks for one and some are left."""
    named = retry.after.get(outcome.value)
    wait = timedelta(seconds=named.seconds) if named else _AFTER.get(outcome)
    if wait is None:
        return Follow(None, why)
    if tries.in_run >= retry.attempts:
        return Follow(None, f"{why}, {tries.in_run} attempts")
    if tries.unanswered >= retry.unanswered:
        return Follow(None, f"{why}, {nobody_answers(tries.unanswered)}")
    return Follow(now + wait, why, owed)


def nobody_answers(calls: int) -> str:
    """Why somebody is given up for good."""
    return f"{calls} calls in a row reached nobody"


def _moment(text: str) -> datetime | None:
    """An ISO time with its offset from UTC; without one it is not known when."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
