"""One outgoing call from the first INVITE to the answer or the last refusal. Pure: the time is in the events.

::

    CALLING ──18x──▶ RINGING ──200──▶ UP
       │ 5xx, 408, silence: the next trunk     └─ too long: cancelled, no answer
       └─ none left, or a refusal that another trunk would repeat ──▶ OVER
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum

_RINGING, _PROGRESS = 180, 183


class Outcome(StrEnum):
    """What became of a call."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    """By the called or by the trunk, for good."""
    FAILED = "failed"
    """No trunk could carry it."""
    CANCELLED = "cancelled"
    """By us, before the answer."""


class Phase(Enum):
    """Where the call stands."""

    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One trunk's part, once it is over."""

    trunk: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class DialRules:
    """How long to wait for what."""

    routes: tuple[tuple[str, int], ...]
    """Trunks in order, each with the silence after which the next one is tried, ms."""
    ring_ms: int


@dataclass(frozen=True, slots=True)
class Dialling:
    """The state."""

    phase: Phase = Phase.CALLING
    route: int = 0
    """Index into the rules' routes."""
    began_ms: int | None = None
    """The first INVITE went out."""
    sent_ms: int | None = None
    """The INVITE to this trunk went out; None: not yet."""
    is_heard: bool = False
    """This trunk has said anything at all."""
    ringing_ms: int | None = None
    has_early_media: bool = False
    failures: tuple[Attempt, ...] = ()


# --- events ---


@dataclass(frozen=True, slots=True)
class Sent:
    """The INVITE to the present trunk is on its way."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Provisional:
    """A 1xx has come."""

    status: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """Sound flows before the answer."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """200 and our ACK."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The present attempt is over: its final answer, 408 for none, 503 for a connection that failed."""

    status: int
    reason: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """We want it no more."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes."""

    now_ms: int


Event = Sent | Provisional | EarlyMedia | Accepted | Ended | GiveUp | Tick


# --- actions ---


@dataclass(frozen=True, slots=True)
class DropAttempt:
    """Cancel the present attempt; what comes of it is of no interest."""


@dataclass(frozen=True, slots=True)
class TryNext:
    """Send an INVITE to the trunk of the new state."""


@dataclass(frozen=True, slots=True)
class Tell:
    """``ringing`` or ``early_media``, once each; ``attempt_failed`` for each."""

    what: str
    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """It comes to nothing."""

    outcome: Outcome
    status: int
    reason: str


Action = DropAttempt | TryNext | Tell | Finish


def step(dial: Dialling, event: Event, rules: DialRules) -> tuple[Dialling, tuple[Action, ...]]:
    """Advance. What comes late or twice is ignored."""
    match dial.phase, event:
        case Phase.CALLING, Sent(now_ms):
            began_ms = now_ms if dial.began_ms is None else dial.began_ms
            return replace(dial, sent_ms=now_ms, began_ms=began_ms), ()
        case Phase.CALLING | Phase.RINGING, Provisional(status, now_ms):
            return _provisional(dial, status, now_ms)
        case Phase.CALLING | Phase.RINGING, EarlyMedia(now_ms) if not dial.has_early_media:
            ringing_ms = now_ms if dial.ringing_ms is None else dial.ringing_ms
            dial = replace(
                dial, phase=Phase.RINGING, is_heard=True, ringing_ms=ringing_ms, has_early_media=True
            )
            return dial, (Tell("early_media", _PROGRESS),)
        case Phase.CALLING | Phase.RINGING, Accepted():
            return replace(dial, phase=Phase.UP), ()
        case Phase.CALLING | Phase.RINGING, Ended(status, reason):
            return _failed(dial, status, reason, rules)
        case Phase.CALLING | Phase.RINGING, GiveUp():
            dial = replace(dial, phase=Phase.OVER)
            return dial, (DropAttempt(), Finish(Outcome.CANCELLED, 487, "cancelled"))
        case Phase.CALLING | Phase.RINGING, Tick(now_ms):
            return _waited(dial, now_ms, rules)
        case _:
            return dial, ()


def _provisional(dial: Dialling, status: int, now_ms: int) -> tuple[Dialling, tuple[Action, ...]]:
    dial = replace(dial, is_heard=True)
    if status < _RINGING or dial.phase is Phase.RINGING:
        return dial, ()
    return replace(dial, phase=Phase.RINGING, ringing_ms=now_ms), (Tell("ringing", status),)


def _failed(
    dial: Dialling, status: int, reason: str, rules: DialRules
) -> tuple[Dialling, tuple[Action, ...]]:
    trunk = rules.routes[dial.route][0]
    dial = replace(dial, failures=(*dial.failures, Attempt(trunk, status, reason)))
    told = Tell("attempt_failed", status, reason)
    is_theirs = dial.phase is Phase.CALLING and is_trunks_fault(status)
    if is_theirs and dial.route + 1 < len(rules.routes):
        return replace(dial, route=dial.route + 1, sent_ms=None, is_heard=False), (told, TryNext())
    outcome = outcome_of(status, has_rung=dial.phase is Phase.RINGING)
    return replace(dial, phase=Phase.OVER), (told, Finish(outcome, status, reason))


def _waited(dial: Dialling, now_ms: int, rules: DialRules) -> tuple[Dialling, tuple[Action, ...]]:
    reply_ms = rules.routes[dial.route][1]
    if dial.sent_ms is not None and not dial.is_heard and now_ms - dial.sent_ms >= reply_ms:
        dial, actions = _failed(dial, 408, f"no reply within {reply_ms} ms", rules)
        return dial, (DropAttempt(), *actions)
    if dial.began_ms is not None and now_ms - dial.began_ms >= rules.ring_ms:
        reason = f"no answer within {rules.ring_ms // 1000} s"
        has_rung = dial.phase is Phase.RINGING
        trunk = rules.routes[dial.route][0]
        dial = replace(dial, phase=Phase.OVER, failures=(*dial.failures, Attempt(trunk, 408, reason)))
        return dial, (DropAttempt(), Finish(outcome_of(408, has_rung=has_rung), 408, reason))
    return dial, ()


def is_trunks_fault(status: int) -> bool:
    """True where another trunk may do better: server errors, time-outs, refused credentials."""
    return status // 100 == 5 or status in (401, 407, 408)


def outcome_of(status: int, *, has_rung: bool) -> Outcome:
    """What a final answer that is no 2xx means (RFC 3261 §21)."""
    if status in (486, 600):
        return Outcome.BUSY
    if status in (480, 487) or (status == 408 and has_rung):
        return Outcome.NO_ANSWER
    return Outcome.FAILED if is_trunks_fault(status) else Outcome.REJECTED
