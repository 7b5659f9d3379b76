"""How fast, how many, and when to stop. Pure; times are UTC seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sipagent.campaigns.outcomes import NOT_CARRIED, REACHED, Outcome
from sipagent.config.campaign import CampaignLimitsConfig
from sipagent.config.campaigns import CampaignsConfig

_DAY_S = 86_400


@dataclass(slots=True)
class CallRate:
    """Gives out the moments of calls, never two closer than ``1 / per_second``."""

    per_second: float
    _next_s: float = 0.0

    def take(self, now_s: float) -> bool:
        """True where a call may go now; its moment is then used."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + 1 / self.per_second
        return True

    @property
    def next_s(self) -> float:
        """When the next call may go."""
        return self._next_s


@dataclass(frozen=True, slots=True)
class Today:
    """What a campaign has used of its day (UTC)."""

    calls: int
    spent: float
    booked: float
    """Most that its running calls may still cost."""


def day_obstacle(limits: CampaignLimitsConfig, today: Today, longest_s: int) -> str:
    """Why no further call may be placed today; empty: one may."""
    if today.calls >= limits.calls_per_day:
        return f"calls_per_day: {today.calls} were placed"
    if limits.spend_per_day is None:
        return ""
    price = price_of(limits, longest_s * 1000)
    if today.spent + today.booked + price > limits.spend_per_day:
        return f"spend_per_day: {today.spent + today.booked:.2f} of {limits.spend_per_day:.2f} used or booked"
    return ""


def price_of(limits: CampaignLimitsConfig, talk_ms: int) -> float:
    """Of a conversation, by begun minutes."""
    return limits.per_minute * -(-talk_ms // 60_000)


def breaker_reason(limits: CampaignLimitsConfig, latest: Sequence[Outcome]) -> str:
    """Why the campaign must pause itself; empty: it goes on.

    :param latest: outcomes of the latest calls, as many as ``breaker_calls`` or fewer.
    """
    if len(latest) < limits.breaker_calls:
        return ""
    answered = sum(outcome in REACHED for outcome in latest)
    if 100 * answered < limits.breaker_answered_pct * len(latest):
        return f"breaker: {answered} of the last {len(latest)} calls were answered; look why, then resume"
    failed = sum(outcome in NOT_CARRIED for outcome in latest)
    if 100 * failed > limits.breaker_failed_pct * len(latest):
        return f"breaker: {failed} of the last {len(latest)} calls failed; look why, then resume"
    return ""


@dataclass(frozen=True, slots=True)
class CallFloor:
    """What no number is called beyond, whichever campaigns want it."""

    least_pause: timedelta = timedelta(minutes=15)
    """From the end of a call to the next."""
    most_a_day: int = 3
    """In any 24 hours."""

    @classmethod
    def of(cls, section: CampaignsConfig) -> "CallFloor":
        """As ``campaigns`` of sip.yaml has it."""
        return cls(timedelta(seconds=section.pause.seconds), section.calls_per_number)


LOOK_BACK = timedelta(days=2)
"""Calls that began before that long have no say: no pause is longer than a day."""


@dataclass(frozen=True, slots=True)
class NumberCall:
    """A call to a number, by whatever campaign."""

    began_s: int
    ended_s: int
    """The began while it is not known."""
    may_last_until_s: int = 0
    """Nobody knows how it ended, and until then it may go on; 0: it is over."""


def number_free_from(floor: CallFloor, calls: Sequence[NumberCall], *, is_moment_agreed: bool) -> int:
    """The first second at which a number may be called again; in the past: now.

    :param calls: of the last ``LOOK_BACK``, the latest last.
    :param is_moment_agreed: the person wants to be called then, whatever the floor.
    """
    free_s = max((call.may_last_until_s for call in calls), default=0)
    if is_moment_agreed:
        return free_s
    return max(free_s, free_from(floor, [(call.began_s, call.ended_s) for call in calls]))


def free_from(floor: CallFloor, calls: Sequence[tuple[int, int]]) -> int:
    """The first second at which a number may be called again.

    :param calls: (began, ended) of the number's latest calls, the latest last; the ended is the began while
        it is not known.
    """
    if not calls:
        return 0
    free_s = max(ended for _, ended in calls) + int(floor.least_pause.total_seconds())
    if len(calls) >= floor.most_a_day:
        free_s = max(free_s, calls[-floor.most_a_day][0] + _DAY_S)
    return free_s


def free_lines(*, lines: int, busy: int, kept_free: int) -> int:
    """Lines that campaigns may take: inbound callers come first.

    :param busy: in use now, by whomever. :param kept_free: never taken by campaigns.
    """
    return max(0, lines - busy - kept_free)
