"""Who will be called when, or why not, by the runner's own rules. Pure: the list, what is known, the time.

::

    do-not-call files ─┐
    opt-outs, states ──┼─▶ forecast ─▶ for each contact: the first time at which it may be called, or why not
    run, window, caps ─┘
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.known import Known
from sipagent.campaigns.pacing import Today, day_obstacle, price_of
from sipagent.campaigns.running import Running
from sipagent.campaigns.zones import zone
from sipagent.config.campaign import CampaignConfig

_MOST_RUNS = 60
ON_LIST, OPTED_OUT = "on a do-not-call list", "opted out"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of one contact."""

    contact: Contact
    at: datetime | None = None
    """The first time at which it may be called; None: it is not."""
    why: str = ""
    """Why not."""
    is_fault: bool = False
    """By the campaign's own hours, dates and limits: nothing was done, and nobody wished it."""


@dataclass(frozen=True, slots=True)
class _Run:
    begins: datetime | None
    ends: datetime | None
    """None: when everybody was called."""

    @classmethod
    def at(cls, one: Running, start: datetime | None, now: datetime) -> "_Run":
        if one.schedule is None:
            return cls(now, None)
        return cls(max(start, now), start + one.schedule.open_for) if start else cls(None, None)


def forecast(
    config: CampaignConfig, contacts: Iterable[Contact], known: Known, now: datetime
) -> list[Forecast]:
    """One for each contact, in order. Nobody is called before the time that is told; the calls of others may
    make it later.

    :raises ConfigError: a do-not-call file cannot be read.
    """
    one = Running.of(config)
    listed = one.lists.numbers()
    present, coming = _runs(one, known, now)
    found: list[Forecast] = []
    waiting: list[tuple[datetime, int, _Run]] = []
    for index, contact in enumerate(contacts):
        why = _settled(contact, known, listed)
        before = known.contacts.get(contact.key)
        run = present if present and before and before.state == "waiting" else coming
        if not why and run.begins is not None:
            start = max(run.begins, before.due) if before and before.state == "waiting" else run.begins
            at = one.window.next_open(contact.zones, start)
            if at is not None:
                waiting.append((at, index, run))
                found.append(Forecast(contact))
                continue
            found.append(Forecast(contact, why=_never(one, contact, start), is_fault=True))
        else:
            found.append(Forecast(contact, why=why or "no run begins any more", is_fault=not why))
    _give_out(one, _Caps(config, known, now), waiting, found)
    return found


def _runs(one: Running, known: Known, now: datetime) -> tuple[_Run | None, _Run]:
    """The run that goes on, and the one that takes in the list (again)."""
    if one.schedule is None:
        return None, _Run(now, None)
    opened = one.schedule.open_run(now)
    goes_on = opened is not None and known.run_at is not None and known.run_at >= opened
    present = _Run.at(one, known.run_at, now) if goes_on else None
    start = opened if opened is not None and not goes_on else one.schedule.next_start(now)
    return present, _Run.at(one, now if known.is_wanted else start, now)


def _settled(contact: Contact, known: Known, listed: frozenset[str]) -> str:
    """Why nothing more is done."""
    if contact.number in listed:
        return ON_LIST
    if contact.number in known.opted_out:
        return OPTED_OUT
    before = known.contacts.get(contact.key)
    if before is not None and before.state == "done":
        return f"done: {before.why}" if before.why else "done"
    if before is not None and before.state == "unsettled":
        return "a crash cut its call off; sipagent campaign resume --unsettled"
    if before is not None and before.state == "calling":
        return "is being called"
    if known.state != "running":
        return f"the campaign is {known.state}: {known.why}"
    return ""


def _never(one: Running, contact: Contact, start: datetime) -> str:
    last_day = one.window.last_day
    if last_day is not None and replace(one.window, last_day=None).next_open(contact.zones, start):
        return f"the campaign expires on {last_day} before it may be called"
    if len(contact.zones) > 1:
        return (
            f"no hour of the window is one in all of its {len(contact.zones)} zones; "
            "name its zone in a column (contacts.zone)"
        )
    return "the window never opens"


class _Caps:
    """What a day (UTC) takes."""

    def __init__(self, config: CampaignConfig, known: Known, now: datetime) -> None:
        self._limits, self._longest_s = config.limits, config.calls.max_call_s
        today = now.astimezone(UTC).date()
        self._calls = Counter({today: known.calls_today})
        self._spent = {today: known.spent_today}
        self._least = price_of(config.limits, 1)
        self._full: set[date] = set()

    @property
    def never(self) -> str:
        """Why no day takes a call; empty: some do."""
        return day_obstacle(self._limits, Today(0, 0.0, 0.0), self._longest_s)

    def take(self, day: date) -> bool:
        """True where the day takes one more call, which is then counted."""
        if day in self._full:
            return False
        spent = self._spent.get(day, 0.0)
        if day_obstacle(self._limits, Today(self._calls[day], spent, 0.0), self._longest_s):
            self._full.add(day)
            return False
        self._calls[day] += 1
        self._spent[day] = spent + self._least
        return True

    def free_day(self, after: date) -> date:
        """The first day behind ``after`` that is not known to be full."""
        day = after + timedelta(days=1)
        while day in self._full:
            day += timedelta(days=1)
        return day


def _in_later_run(one: Running, contact: Contact, at: datetime | None) -> datetime | None:
    """The first time from ``at`` on at which a run is open as well; None: no run of the next many is."""
    assert one.schedule is not None
    for _ in range(_MOST_RUNS):
        if at is None or one.schedule.open_run(at) is not None:
            return at
        start = one.schedule.next_start(at)
        at = one.window.next_open(contact.zones, start) if start is not None else None
    return None


def _give_out(
    one: Running, caps: _Caps, waiting: list[tuple[datetime, int, _Run]], found: list[Forecast]
) -> None:
    """Times in their order, no more of a day than the caps allow."""
    runs = {index: run for _, index, run in waiting}
    heap = [(at, index) for at, index, _ in waiting]
    heapq.heapify(heap)
    while heap:
        at, index = heapq.heappop(heap)
        contact, ends = found[index].contact, runs[index].ends
        later: datetime | None = None
        if ends is not None and at >= ends:
            later, runs[index] = _in_later_run(one, contact, at), _Run(at, None)
            why = _not_in_a_run(one, contact, at)
        elif caps.never:
            why = caps.never
        elif caps.take(at.date()):
            found[index] = Forecast(contact, at)
            continue
        else:
            midnight = datetime.combine(caps.free_day(at.date()), time(), UTC)
            later = one.window.next_open(contact.zones, midnight)
            if later is not None and one.schedule is not None:
                later = _in_later_run(one, contact, later)
            why = _never(one, contact, midnight)
        if later is None:
            found[index] = Forecast(contact, why=why, is_fault=True)
        else:
            heapq.heappush(heap, (later, index))


def _not_in_a_run(one: Running, contact: Contact, at: datetime) -> str:
    assert one.config.schedule is not None
    local = at.astimezone(zone(contact.zones[0]))
    open_for = one.config.schedule.open_for
    return f"no run is open (schedule.open_for: {open_for}) at its hours, first {local:%Y-%m-%d %H:%M%z}"
