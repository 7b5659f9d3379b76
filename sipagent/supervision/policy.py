"""What to do about one worker: a pure state machine. The caller passes the time and performs the actions.

::

    WAITING ──due──▶ STARTING ──answers──▶ ANSWERING ──told──▶ DRAINING ──exit──▶ STOPPED
       ▲                 │ exit, too slow      │ exit, hang, memory   │ exit of one that was sick
       └─────────────────┴─────────────────────┴─────────────────────┘
    exit 78 (the configuration) from anywhere ──▶ GIVEN_UP: another try would fail the same way
"""

import os
from dataclasses import dataclass, field, replace
from enum import Enum

FREE_TRIES = 3
"""Starts that may fail one after the other before there is a pause: no call could be taken, or it ended by
itself before everything was loaded."""
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 1_000, 60_000
START_LIMIT_MS = 120_000
"""A model of half a gigabyte from a cold disk takes a while."""
FORK_LIMIT_MS = 60_000
"""For the fork server to import everything from a cold disk and to make the process."""
START_SILENCE_MS = 10_000
"""A worker that loads models may be still for longer than one that answers."""
STUCK_CALL_MS = 15_000
"""Past this a call's thread does not come back: a slow disk holds it for ten seconds at most."""
FAREWELL_MS = 20_000
"""For goodbyes, BYE and the ledger, behind the time that calls may go on."""


class Phase(Enum):
    """Where a worker is."""

    WAITING = "waiting"
    """To be started when ``due_ms`` comes."""
    STARTING = "starting"
    ANSWERING = "answering"
    DRAINING = "draining"
    """Takes no calls and will end."""
    STOPPED = "stopped"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of one server."""

    hang_ms: int = 800
    drain_ms: int = 30_000
    memory_mib: int | None = None
    """None: twice what it had when it was ready, and at least 1024 more."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One heartbeat. Ages are of its sending."""

    sip_age_ms: int = 0
    """Since the SIP thread last went round."""
    clock_age_ms: int = 0
    """Since the media clock last ticked."""
    call_ages_ms: dict[str, int] = field(default_factory=dict)
    """Call → since its thread last went round."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The whole state."""

    phase: Phase = Phase.WAITING
    since_ms: int = 0
    """When the phase began."""
    due_ms: int = 0
    heard_ms: int = 0
    """When the process was last heard of; 0: it does not exist yet."""
    vitals: Vitals = field(default_factory=Vitals)
    failed_starts: int = 0
    """In a row."""
    deaths: int = 0
    ready_mib: int | None = None
    limit_ms: int = 0
    """When a draining worker is ended."""
    reason: str = ""
    """Why it was ended, or is to end, or was given up."""
    is_killed: bool = False
    """Waiting for the kernel to bury it."""
    is_wanted: bool = True
    """False: not begun again."""


@dataclass(frozen=True, slots=True)
class Launched:
    """Its process exists."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A heartbeat has come."""

    vitals: Vitals
    now_ms: int


@dataclass(frozen=True, slots=True)
class Answers:
    """It takes calls."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Leaves:
    """It ends by itself: somebody sent it SIGTERM."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Everything is loaded."""

    rss_mib: int


@dataclass(frozen=True, slots=True)
class Exited:
    """Its process is gone."""

    status: int | None
    """Exit status, or minus the signal; None: nobody knows."""
    now_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes."""

    now_ms: int
    rss_mib: int = 0
    stalled_ms: int = 0
    """For so long the supervisor itself did not run: no silence of that time counts."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The server is to end."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Retry:
    """The operator has mended something: one that was given up may try again."""

    now_ms: int


Event = Launched | Heard | Answers | Leaves | Settled | Exited | Tick | StopAsked | Retry


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a process."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Tell it to take no more calls and to end."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End its process now."""

    reason: str


Action = Launch | Drain | Kill


def step(watch: Watch, event: Event, rules: Rules) -> tuple[Watch, tuple[Action, ...]]:
    """Advance. Events that do not belong to the phase are late and change nothing."""
    has_process = watch.phase in (Phase.STARTING, Phase.ANSWERING, Phase.DRAINING)
    match event:
        case Launched(now_ms) if watch.phase is Phase.STARTING:
            return replace(watch, heard_ms=now_ms), ()
        case Heard(vitals, now_ms) if has_process:
            return replace(watch, vitals=vitals, heard_ms=now_ms), ()
        case Answers(now_ms) if watch.phase is Phase.STARTING:
            return _to(replace(watch, heard_ms=now_ms), Phase.ANSWERING, now_ms), ()
        case Leaves(now_ms) if watch.phase in (Phase.STARTING, Phase.ANSWERING):
            return _draining(watch, "it was told to end", now_ms, rules), ()
        case Settled(rss_mib):
            return replace(watch, ready_mib=rss_mib, failed_starts=0), ()
        case Exited(status, now_ms) if has_process:
            return _exited(watch, status, now_ms), ()
        case StopAsked(now_ms):
            return _stop(watch, now_ms, rules)
        case Retry(now_ms) if watch.phase is Phase.GIVEN_UP:
            return replace(_to(watch, Phase.WAITING, now_ms), due_ms=now_ms, failed_starts=0), ()
        case Tick():
            return _tick(watch, event, rules)
    return watch, ()


def _to(watch: Watch, phase: Phase, now_ms: int) -> Watch:
    return replace(watch, phase=phase, since_ms=now_ms)


def _exited(watch: Watch, status: int | None, now_ms: int) -> Watch:
    died = replace(watch, vitals=Vitals(), ready_mib=None, is_killed=False)
    if not watch.is_wanted:
        return _to(died, Phase.STOPPED, now_ms)
    if status == os.EX_CONFIG:
        return _to(replace(died, reason="exit status 78: the configuration"), Phase.GIVEN_UP, now_ms)
    gave_up = watch.ready_mib is None and status is not None and status > 0
    failed = watch.failed_starts + 1 if watch.phase is Phase.STARTING or gave_up else 0
    died = replace(died, deaths=watch.deaths + 1, failed_starts=failed, reason="")
    return replace(_to(died, Phase.WAITING, now_ms), due_ms=now_ms + pause_ms(failed))


def pause_ms(failed_starts: int) -> int:
    """Before the next try, when so many in a row did not get as far as answering."""
    if failed_starts < FREE_TRIES:
        return 0
    return int(min(FIRST_PAUSE_MS << min(failed_starts - FREE_TRIES, 10), LONGEST_PAUSE_MS))


def _stop(watch: Watch, now_ms: int, rules: Rules) -> tuple[Watch, tuple[Action, ...]]:
    watch = replace(watch, is_wanted=False)
    if watch.phase in (Phase.WAITING, Phase.GIVEN_UP, Phase.STOPPED):
        return _to(watch, Phase.STOPPED, now_ms), ()
    return _draining(watch, "the server stops", now_ms, rules), (Drain(),)


def _draining(watch: Watch, reason: str, now_ms: int, rules: Rules) -> Watch:
    limit_ms = now_ms + rules.drain_ms + FAREWELL_MS
    return replace(_to(watch, Phase.DRAINING, now_ms), limit_ms=limit_ms, reason=reason)


def _tick(watch: Watch, tick: Tick, rules: Rules) -> tuple[Watch, tuple[Action, ...]]:
    now_ms = tick.now_ms
    if tick.stalled_ms and watch.heard_ms:
        watch = replace(watch, heard_ms=min(now_ms, watch.heard_ms + tick.stalled_ms))
    match watch.phase:
        case Phase.WAITING if now_ms >= watch.due_ms:
            return replace(_to(watch, Phase.STARTING, now_ms), heard_ms=0), (Launch(),)
        case Phase.STARTING | Phase.ANSWERING | Phase.DRAINING if reason := verdict(watch, tick, rules):
            return replace(watch, reason=reason, is_killed=True), (Kill(reason),)
        case Phase.ANSWERING if not watch.is_killed and (stuck := stuck_call(watch.vitals)):
            return _draining(watch, f"call {stuck} is stuck", now_ms, rules), (Drain(),)
    return watch, ()


def verdict(watch: Watch, tick: Tick, rules: Rules) -> str:
    """Why a process must be ended now; empty: let it live."""
    silent_ms, vitals = tick.now_ms - watch.heard_ms, watch.vitals
    if watch.is_killed:
        return ""
    limit_mib = memory_limit_mib(watch, rules)
    if limit_mib is not None and tick.rss_mib > limit_mib:
        return f"memory beyond {limit_mib} MiB"
    match watch.phase:
        case Phase.STARTING if watch.heard_ms and silent_ms > max(START_SILENCE_MS, rules.hang_ms):
            return "no heartbeat"
        case Phase.STARTING if not watch.heard_ms and tick.now_ms - watch.since_ms > FORK_LIMIT_MS:
            return "no process"
        case Phase.STARTING if tick.now_ms - watch.since_ms > START_LIMIT_MS:
            return "not ready in time"
        case Phase.DRAINING if silent_ms > max(START_SILENCE_MS, rules.hang_ms):
            return "no heartbeat"
        case Phase.DRAINING if tick.now_ms > watch.limit_ms:
            return "did not end in time"
        case Phase.ANSWERING:
            if silent_ms > rules.hang_ms:
                return "no heartbeat"
            if vitals.sip_age_ms > rules.hang_ms:
                return "the SIP thread hangs"
            if vitals.clock_age_ms > rules.hang_ms:
                return "the media clock stands still"
    ages_ms = vitals.call_ages_ms.values()
    return "every call is stuck" if ages_ms and min(ages_ms) > STUCK_CALL_MS else ""


def stuck_call(vitals: Vitals) -> str | None:
    """A call whose thread does not come back: that worker is to end when its other calls have."""
    return next((call for call, age in vitals.call_ages_ms.items() if age > STUCK_CALL_MS), None)


def memory_limit_mib(watch: Watch, rules: Rules) -> int | None:
    """None while nobody knows what is usual."""
    if rules.memory_mib is not None:
        return rules.memory_mib
    return None if watch.ready_mib is None else max(2 * watch.ready_mib, watch.ready_mib + 1024)
