"""Runs campaigns: opens runs, picks who is called next, places calls, settles them. One thread.

::

    tick ── mailbox ─▶ settle ── sweep, renew ── runs ─▶ enrol ── pick ─▶ claim ─▶ dial ─▶ Dialler.place
                                                            window, lists, pacing ┘

``tick`` is told the time and never waits, so that a week passes in seconds where nobody talks.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from sipagent.campaigns.dialler import CallEvent, Dialler, Finished, Moved, NotPlaced
from sipagent.campaigns.outcomes import Follow, follow_up
from sipagent.campaigns.pacing import breaker_reason, day_obstacle, price_of
from sipagent.campaigns.running import IDLE, Running, next_run, order_of, read_list
from sipagent.campaigns.store import LEASE_S, CampaignStore, Waiting
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import CampaignError, ConfigError

Note = Callable[[str, str, str, Mapping[str, str]], None]
"""(campaign, decision, rule, personal facts): for log and ledger."""
_RENEW = timedelta(seconds=15)
_HELD = timedelta(minutes=1)
_PICK = 50
_LAST_CALLS = timedelta(seconds=10)
_TRY_AGAIN = timedelta(seconds=30)


def note_nothing(campaign: str, decision: str, rule: str, personal: Mapping[str, str]) -> None:
    """The ``Note`` of a runner that keeps no records."""


class CampaignRunner:
    """All campaigns of one server."""

    def __init__(
        self,
        campaigns: tuple[CampaignConfig, ...],
        store: CampaignStore,
        dialler: Dialler,
        note: Note = note_nothing,
    ) -> None:
        self._running = {config.name: Running.of(config) for config in campaigns}
        self._store, self._dialler, self._note = store, dialler, note
        self._mailbox: queue.SimpleQueue[CallEvent] = queue.SimpleQueue()
        self._renewed: datetime | None = None
        self._wake = threading.Event()
        self._next_campaigns: tuple[CampaignConfig, ...] | None = None
        self._note_overrides()

    def __repr__(self) -> str:
        return f"CampaignRunner({len(self._running)} campaigns, {self.calls} calls)"

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return sum(len(one.calls) for one in self._running.values())

    def use(self, campaigns: tuple[CampaignConfig, ...]) -> None:
        """Run these from the next tick on. Calls in progress end as they began. Any thread."""
        self._next_campaigns = campaigns
        self._wake.set()

    def run(
        self, stop: threading.Event, clock: Callable[[], datetime], ends: threading.Event | None = None
    ) -> None:
        """Tick until ``stop``; then no new call is placed, and those in progress are settled as they end.

        :param ends: calls that are still in progress then are hung up; None: at ``stop``.
        """
        while not stop.is_set():
            self._round(clock, self.tick)
        while self.calls and not (ends or stop).is_set():
            self._round(clock, self._keep)
        self._dialler.hang_up_all()
        deadline = clock() + _LAST_CALLS
        while self.calls and clock() < deadline:
            self._round(clock, self._keep)
        self._store.resign()

    def _round(self, clock: Callable[[], datetime], work: Callable[[datetime], datetime]) -> None:
        try:
            next_at = work(clock())
        except CampaignError as error:  # what cannot be recorded is not done
            self._note("", "not_recorded", str(error), {})
            next_at = clock() + timedelta(seconds=1)
        self._wake.wait(min(1.0, max(0.02, (next_at - clock()).total_seconds())))
        self._wake.clear()

    def tick(self, now: datetime) -> datetime:
        """Do what is due.

        :param now: UTC.
        :returns: when there is something to do again, if no call ends before.
        """
        self._keep(now)
        self._take_campaigns()
        return min([now + IDLE, *(self._advance(one, now) for one in self._running.values())])

    def _keep(self, now: datetime) -> datetime:
        """What calls in progress need: their ends are recorded, their leases renewed."""
        self._settle_all(now)
        if self._renewed is None or now - self._renewed >= _RENEW:
            self._store.renew(now)
            for attempt_id in self._store.sweep(now).unsettled:
                self._note("", "attempt_unsettled", str(attempt_id), {})
            self._renewed = now
        return now + _RENEW

    def _take_campaigns(self) -> None:
        """What ``use`` has brought; a campaign that is gone stays as long as it has calls."""
        campaigns, self._next_campaigns = self._next_campaigns, None
        if campaigns is None:
            return
        kept = {name: one for name, one in self._running.items() if one.calls}
        running = {config.name: Running.of(config) for config in campaigns}
        for name, one in kept.items():
            if name in running:
                running[name].calls = one.calls
            else:
                one.is_gone = True
                running[name] = one
        self._running = running
        self._note_overrides()

    def _note_overrides(self) -> None:
        for one in self._running.values():
            if one.config.quiet_hours.override and not one.is_gone:
                self._decide(one, "quiet_hours_overridden", one.config.override)

    def _leads(self, one: Running, now: datetime) -> bool:
        """Whether this server runs the campaign: pace and caps are one server's to keep."""
        if one.asks_again is None or now >= one.asks_again:
            leads = self._store.lead(one.config.name, now, LEASE_S)
            one.leads_until = now + timedelta(seconds=LEASE_S) if leads else None
            one.asks_again = now + _RENEW
        return one.leads_until is not None and now < one.leads_until

    def _advance(self, one: Running, now: datetime) -> datetime:
        """One campaign."""
        if one.is_gone:
            return now + IDLE
        if not self._leads(one, now):
            return now + _RENEW
        state, _, run_at, wanted = self._store.state(one.config.name)
        if state != "running":
            if state == "stopped" and self._store.next_due(one.config.name) is not None:
                self._store.expire(one.config.name, "stopped")
            return now + IDLE
        self._open_run(one, now, run_at, wanted)
        return min(self._place_calls(one, now), next_run(one, now))

    # --- runs ---

    def _open_run(
        self, one: Running, now: datetime, run_at: datetime | None, wanted: datetime | None
    ) -> None:
        begin = wanted
        if begin is None and one.schedule is not None:
            begin = one.schedule.open_run(now)
            is_over = run_at is not None and now - run_at >= one.schedule.open_for
            if begin is None and is_over and self._store.next_due(one.config.name) is not None:
                count = self._store.expire(one.config.name, "the run is over")
                self._decide(one, "run_closed", f"{count} contacts were not reached")
            if begin is not None and run_at is not None and begin <= run_at:
                begin = None
        if begin is None:
            return
        try:
            found = read_list(one.config)
        except ConfigError as error:
            self._store.set_state(one.config.name, "paused", f"list: {error.problems[0]}")
            self._decide(one, "paused", error.problems[0])
            return
        if one.schedule is not None and run_at is not None:
            self._store.expire(one.config.name, "the next run has begun")
        count = self._store.enrol(one.config.name, found.contacts, run_at=begin, due=now)
        self._decide(one, "run_opened", f"{count} contacts, {len(found.problems)} left out")

    # --- calls ---

    def _place_calls(self, one: Running, now: datetime) -> datetime:
        """As many as may go now. A person is called when every rule says so, and only then."""
        name = one.config.name
        if self._store.next_due(name) is None:
            return now + IDLE
        if one.held_until is not None and now < one.held_until:
            return one.held_until
        if why := self._obstacle(one, now):
            self._hold(one, why)
            return now + _HELD
        for waiting in self._store.due(name, now, _PICK):
            if not self._may_call(one, waiting, now):
                continue
            if self._has_no_room(one):
                return now + timedelta(seconds=1)
            if not one.rate.take(now.timestamp()):
                return max(now, datetime.fromtimestamp(one.rate.next_s, UTC))
            self._call(one, waiting, now)
            if self._obstacle(one, now):
                return now + timedelta(milliseconds=20)
        one.told = ""
        due = self._store.next_due(name)
        return max(now + timedelta(milliseconds=20), due) if due else now + IDLE

    def _hold(self, one: Running, why: str) -> None:
        if why != one.told:
            one.told = why
            self._decide(one, "held", why)

    def _obstacle(self, one: Running, now: datetime) -> str:
        """Why the campaign as a whole must not call now."""
        limits, name = one.config.limits, one.config.name
        if reason := breaker_reason(limits, self._store.latest(name, limits.breaker_calls)):
            self._store.set_state(name, "paused", reason)
            return reason
        if why := self._day_obstacle(one, now):
            return why
        try:
            one.lists.numbers()
        except ConfigError as error:
            return error.problems[0]
        return ""

    def _day_obstacle(self, one: Running, now: datetime) -> str:
        limits, longest_s = one.config.limits, one.config.calls.max_call_s
        today = self._store.today(one.config.name, now, price_of(limits, longest_s * 1000))
        return day_obstacle(limits, today, longest_s)

    def _has_no_room(self, one: Running) -> bool:
        is_full = self._store.running(one.config.name) >= one.config.calls.concurrency
        return is_full or self._dialler.free_lines() < 1

    def _may_call(self, one: Running, waiting: Waiting, now: datetime) -> bool:
        contact, name = waiting.contact, one.config.name
        if contact.number in one.lists.numbers():
            self._store.give_up(name, contact.key, "on a do-not-call list")
            self._decide(one, "not_called", "do_not_call", contact.number)
            return False
        if not one.window.obstacle(contact.zones, now):
            return True
        opens = one.window.next_open(contact.zones, now)
        if opens is None:
            self._store.give_up(name, contact.key, "the window never opens again")
            self._decide(one, "not_called", "window", contact.number)
        else:
            self._store.postpone(name, contact.key, opens)
        return False

    def _call(self, one: Running, waiting: Waiting, now: datetime) -> None:
        claim = self._store.claim(
            one.config.name,
            waiting,
            now,
            lambda: not self._has_no_room(one) and not self._day_obstacle(one, now),
        )
        if claim is None:
            return
        order = order_of(one.config, claim)
        if not self._store.dial(claim, now):  # on the disk; from here on this attempt is used up
            return
        one.calls[claim.attempt_id] = claim
        evidence = {"consent": claim.contact.consent} if claim.contact.consent else {}
        personal = {"contact": claim.contact.number} | evidence
        self._note(one.config.name, "called", f"attempt {claim.n}", personal)
        self._dialler.place(order, self._tell)

    def _tell(self, event: CallEvent) -> None:
        """Any thread."""
        self._mailbox.put(event)
        self._wake.set()

    def _settle_all(self, now: datetime) -> None:
        while True:
            try:
                event = self._mailbox.get_nowait()
            except queue.Empty:
                return
            match event:
                case Finished() | NotPlaced():
                    try:
                        self._settle(event, now)
                    except CampaignError:
                        self._mailbox.put(event)  # the disk is full, perhaps: not lost, tried again
                        raise
                case Moved():
                    pass

    def _settle(self, event: Finished | NotPlaced, now: datetime) -> None:
        one = next((r for r in self._running.values() if event.attempt_id in r.calls), None)
        if one is None:
            return
        if isinstance(event, NotPlaced):
            self._take_back(one, event, now)
            return
        claim, ending = one.calls[event.attempt_id], event.ending
        follow = follow_up(ending, one.config.retry, attempts=claim.n, now=now)
        cost = price_of(one.config.limits, ending.talk_ms)
        self._store.settle(claim, ending, follow, cost=cost, now=now)
        del one.calls[event.attempt_id]
        names = ", ".join(result.name for result in ending.results)
        rule = f"{ending.outcome.value}{': ' if names else ''}{names}; {follow.why}"
        self._decide(one, "ended", rule, claim.contact.number)
        if ending.wants_no_more_calls:
            self._decide(one, "opted_out", "asked", claim.contact.number)

    def _take_back(self, one: Running, event: NotPlaced, now: datetime) -> None:
        claim = one.calls[event.attempt_id]
        due = None if event.is_lasting else now + _TRY_AGAIN
        why = event.why.replace(claim.contact.number, "the number")  # it is entered sealed
        self._store.take_back(claim, Follow(due, why), now)
        del one.calls[event.attempt_id]
        if event.is_lasting:
            self._decide(one, "not_called", why, claim.contact.number)
        else:
            one.held_until = due
            self._hold(one, why)

    def _decide(self, one: Running, decision: str, rule: str, number: str = "") -> None:
        self._note(one.config.name, decision, rule, {"contact": number} if number else {})
