"""Who will be called when, or why not, by the runner's own rules. Pure: the list, what is known, the time.

::

    do-not-call files ─┐
    opt-outs, states ──┤
    calls of late ─────┼─▶ forecast ─▶ for each contact: the first time at which it may be called, or why not
    run, window, caps ─┘
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.do_not_call import ON_LIST
from sipagent.campaigns.known import Known, KnownContact
from sipagent.campaigns.outcomes import OPTED_OUT, Owed
from sipagent.campaigns.pacing import CallFloor, NumberCall, Today, day_obstacle, number_free_from, price_of
from sipagent.campaigns.running import Running
from sipagent.campaigns.store_contacts import standing_of
from sipagent.campaigns.store_wishes import NOT_LISTED, moment_of, seconds_of
from sipagent.campaigns.zones import zone
from sipagent.config.campaign import CampaignConfig

_MOST_RUNS = 60


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
class _Plan:
    """The next call of a contact that may be called."""

    contact: Contact
    start: datetime
    """Not before."""
    ends: datetime | None
    """When its run is over for it; None: it is not."""
    owed: Owed = Owed.NOTHING
    is_enrolled: bool = False
    """In the run that goes on, with the facts that the list had then."""


def forecast(
    config: CampaignConfig,
    contacts: Iterable[Contact],
    known: Known,
    now: datetime,
    floor: CallFloor | None = None,
) -> list[Forecast]:
    """One for each contact, in order; then those who wait although the list has them no more.

    Nobody is called before the time that is told; the calls of others may make it later.

    :param floor: what no number is called beyond; None: as where sip.yaml says nothing.
    :raises ConfigError: a do-not-call file cannot be read.
    """
    listed = {contact.key: contact for contact in contacts}
    gone = [key for key, one in known.contacts.items() if key not in listed and one.state == "waiting"]
    plans = _Plans(config, listed, known, now, floor or CallFloor())
    return _give_out(plans, _Caps(config, known, now), [*listed, *gone])


class _Plans:
    """What the runner would do with one contact, the others apart."""

    def __init__(
        self,
        config: CampaignConfig,
        listed: Mapping[str, Contact],
        known: Known,
        now: datetime,
        floor: CallFloor,
    ) -> None:
        self.one = Running.of(config)
        self._listed, self._known, self.now, self._floor = listed, known, now, floor
        self._on_lists = self.one.lists.numbers()
        self._calls = defaultdict(list, {number: list(calls) for number, calls in known.calls.items()})
        schedule = self.one.schedule
        opened = schedule.open_run(now) if schedule else None
        is_due = opened is not None and (known.run_at is None or known.run_at < opened)
        self._over: datetime | None = None
        """When the run that goes on is over."""
        if schedule is not None and known.run_at is not None:
            self._over = known.run_at + schedule.open_for
        self._read_at: datetime | None = None
        """When the list is taken in, again; None: not by itself."""
        self._read_over: datetime | None = None
        """When the run of that list is over; None: when everybody was called."""
        if known.is_wanted or schedule is None:
            self._read_at = now if known.is_wanted else None
            self._read_over = now + schedule.open_for if schedule else None
        else:
            start = opened if is_due else schedule.next_start(now)
            if start is not None:
                self._read_at, self._read_over = max(start, now), start + schedule.open_for

    def first(self, key: str) -> "_Plan | Forecast":
        """Of the run that goes on, else of the next."""
        before = self._known.contacts.get(key)
        if before is None or before.state != "waiting" or not self._is_enrolled(before):
            return self.next_run(key)
        ends = self._read_at if before.owed else _earlier(self._read_at, self._over)
        start = max(self.now, before.due)
        return self._allowed(_Plan(before.contact, start, ends, before.owed, is_enrolled=True))

    def next_run(self, key: str) -> "_Plan | Forecast":
        """What it comes to when the list is read."""
        contact, before = self._listed.get(key), self._known.contacts.get(key)
        if contact is None:
            return Forecast(self._known.contacts[key].contact, why=NOT_LISTED)
        begins = self._read_at
        if begins is None and self.one.schedule is None:
            begins = self.now  # as if somebody asked for a run
        standing = standing_of(
            self._when_read(before), contact.number, seconds_of(begins or self.now),
            self.one.config.contacts.again == "each_run", self.one.config.retry.unanswered,
        )  # fmt: skip
        if standing is None:
            return self._barred(contact) or Forecast(contact, why=_words_of(before))
        if standing.state == "done":
            return self._barred(contact) or Forecast(contact, why=standing.why)
        if begins is None:
            return self._barred(contact) or Forecast(contact, why="no run begins any more", is_fault=True)
        ends = None if standing.owed else self._read_over
        start = max(begins, moment_of(standing.due_s))
        return self._allowed(_Plan(contact, start, ends, Owed(standing.owed)))

    def next_call(self, plan: _Plan | Forecast, start: datetime) -> tuple[_Plan, datetime] | Forecast:
        """The first moment from ``start`` on, in this run or a later one; else why there is none."""
        if isinstance(plan, _Plan) and plan.is_enrolled and self._is_over(plan, max(start, plan.start)):
            plan = self.next_run(plan.contact.key)
            start = self.now  # the run begins everything anew
        if isinstance(plan, Forecast):
            return plan
        contact, start = plan.contact, max(start, plan.start, self.free(plan))
        at = self.one.window.next_open(contact.zones, start)
        if at is None:
            return Forecast(contact, why=_never(self.one, contact, start), is_fault=True)
        if plan.ends is None or at < plan.ends:
            return plan, at
        later = self._in_later_run(contact, at)
        if later is None:
            return Forecast(contact, why=_not_in_a_run(self.one, contact, at), is_fault=True)
        return plan, later

    def free(self, plan: _Plan) -> datetime:
        """When its number may be called, by whomever."""
        calls = self._calls.get(plan.contact.number, ())
        is_agreed = plan.owed is Owed.AT_MOMENT
        return moment_of(number_free_from(self._floor, calls, is_moment_agreed=is_agreed))

    def note_call(self, plan: _Plan, at: datetime) -> None:
        """It is called then; others may have the same number."""
        at_s = seconds_of(at)
        self._calls[plan.contact.number].append(NumberCall(at_s, at_s))

    def _is_over(self, plan: _Plan, start: datetime) -> bool:
        """Its run is, before it may be called from ``start`` on."""
        at = self.one.window.next_open(plan.contact.zones, max(start, self.free(plan)))
        return at is None or (plan.ends is not None and at >= plan.ends)

    def _in_later_run(self, contact: Contact, at: datetime | None) -> datetime | None:
        """The first time from ``at`` on at which a run is open as well; None: no run of the next many is."""
        schedule = self.one.schedule
        assert schedule is not None
        for _ in range(_MOST_RUNS):
            if at is None or schedule.open_run(at) is not None:
                return at
            start = schedule.next_start(at)
            at = self.one.window.next_open(contact.zones, start) if start is not None else None
        return None

    def _is_enrolled(self, before: KnownContact) -> bool:
        """Its list is that of the latest run: it was not being called when that one was read without it."""
        return self._known.run_at is not None and before.run_at >= self._known.run_at

    def _when_read(self, before: KnownContact | None) -> dict[str, object] | None:
        """The row as it is when the next run takes it in: whoever was promised nothing is given up before."""
        if before is None:
            return None
        is_given_up = self.one.schedule is not None and self._known.run_at is not None and not before.owed
        return (
            {**before.row, "state": "expired"}
            if before.state == "waiting" and is_given_up
            else {**before.row}
        )

    def _allowed(self, plan: _Plan) -> "_Plan | Forecast":
        if (barred := self._barred(plan.contact)) is not None:
            return barred
        if self._known.state != "running":
            return Forecast(plan.contact, why=f"the campaign is {self._known.state}: {self._known.why}")
        return plan

    def _barred(self, contact: Contact) -> Forecast | None:
        if contact.number in self._on_lists:
            return Forecast(contact, why=ON_LIST)
        return Forecast(contact, why=OPTED_OUT) if contact.number in self._known.opted_out else None


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _words_of(before: KnownContact | None) -> str:
    """Why nothing more is done."""
    assert before is not None  # whoever is not known is called
    match before.state:
        case "unsettled":
            return "a crash cut its call off; sipagent campaign resume --unsettled"
        case "calling":
            return "is being called"
    return f"done: {before.why}" if before.why else "done"


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


def _give_out(plans: _Plans, caps: _Caps, keys: Sequence[str]) -> list[Forecast]:
    """Times in their order, those who were promised a call first, no more of a day than the caps allow."""
    found: dict[str, Forecast] = {}
    heap: list[tuple[datetime, bool, str, _Plan]] = []

    def wait(key: str, plan: _Plan | Forecast, start: datetime) -> None:
        call = plans.next_call(plan, start)
        if isinstance(call, Forecast):
            found[key] = call
        else:
            heapq.heappush(heap, (call[1], not call[0].owed, key, call[0]))

    for key in keys:
        wait(key, plans.first(key), plans.now)
    while heap:
        at, _, key, plan = heapq.heappop(heap)
        if plans.free(plan) > at:  # another contact with its number was faster
            wait(key, plan, at)
        elif caps.never:
            found[key] = Forecast(plan.contact, why=caps.never, is_fault=True)
        elif caps.take(at.date()):
            found[key] = Forecast(plan.contact, at)
            plans.note_call(plan, at)
        else:
            wait(key, plan, datetime.combine(caps.free_day(at.date()), time(), UTC))
    return [found[key] for key in keys]


def _not_in_a_run(one: Running, contact: Contact, at: datetime) -> str:
    assert one.config.schedule is not None
    local = at.astimezone(zone(contact.zones[0]))
    open_for = one.config.schedule.open_for
    return f"no run is open (schedule.open_for: {open_for}) at its hours, first {local:%Y-%m-%d %H:%M%z}"
