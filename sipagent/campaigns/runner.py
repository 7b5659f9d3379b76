"""Runs campaigns: opens runs, picks who is called next, places calls, settles them. One thread.

::

    tick ── mailbox ─▶ settle ── sweep, renew ── runs ─▶ enrol ── pick ─▶ claim ─▶ dial ─▶ Dialler.place
                                                            window, lists, pacing ┘

``tick`` is told the time and never waits, so that a week passes in seconds where nobody talks. A fault costs
the campaign that has it a pause, never the calls in progress: their ends and wishes are recorded as soon as
that can be done.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sipagent.campaigns.dialler import Dialler, Finished
from sipagent.campaigns.do_not_call import ON_LIST
from sipagent.campaigns.list_reader import ListReader, ReadAtOnce
from sipagent.campaigns.outcomes import Ending, Outcome
from sipagent.campaigns.pacing import CallFloor, breaker_reason, day_obstacle, price_of
from sipagent.campaigns.running import IDLE, Running, next_run, order_of
from sipagent.campaigns.settling import TRY_AGAIN, Note, Settling, note_nothing, words_of
from sipagent.campaigns.store import LEASE_S, CampaignStore, Claim
from sipagent.campaigns.store_contacts import Waiting
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import CampaignError, CampaignStateError, ConfigError

_RENEW = timedelta(seconds=15)
_HELD = timedelta(minutes=1)
_PICK = 50
_LAST_CALLS = timedelta(seconds=10)
_SOON = timedelta(seconds=1)


class CampaignRunner(Settling):
    """All campaigns of one server."""

    def __init__(
        self,
        campaigns: tuple[CampaignConfig, ...],
        store: CampaignStore,
        dialler: Dialler,
        note: Note = note_nothing,
        reader: ListReader | None = None,
    ) -> None:
        """:param reader: reads lists; None: they are read within ``tick``."""
        super().__init__(store, note)
        self._running = {config.name: Running.of(config) for config in campaigns}
        self._dialler = dialler
        self._reader = reader or ReadAtOnce()
        self._undialled: list[Claim] = []
        """Claims that could neither be dialled nor given back."""
        self._told_fault = ""
        self._renewed: datetime | None = None
        self._next_campaigns: tuple[CampaignConfig, ...] | None = None
        self._note_overrides()

    def __repr__(self) -> str:
        return f"CampaignRunner({len(self._running)} campaigns, {self.calls} calls)"

    def use(self, campaigns: tuple[CampaignConfig, ...], floor: CallFloor | None = None) -> None:
        """Run these from the next tick on. Calls in progress end as they began. Any thread.

        :param floor: what no number is called beyond; None: as before.
        """
        self._next_campaigns = campaigns
        self._store.floor = floor or self._store.floor
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
        try:
            self._store.resign()
        except CampaignStateError as error:  # another server takes over when the lease has run out
            self._fault(error)

    def _round(self, clock: Callable[[], datetime], work: Callable[[datetime], datetime]) -> None:
        try:
            next_at = work(clock())
            self._told_fault = ""
        except Exception as error:  # what cannot be recorded is not done; calls in progress go on
            self._fault(error)
            next_at = clock() + _SOON
        self._wake.wait(min(1.0, max(0.02, (next_at - clock()).total_seconds())))
        self._wake.clear()

    def _fault(self, error: Exception) -> None:
        text = words_of(error)
        if text != self._told_fault:
            self._told_fault = text
            self._note("", "not_recorded", text, {})

    def tick(self, now: datetime) -> datetime:
        """Do what is due.

        :param now: UTC.
        :returns: when there is something to do again, if no call ends before.
        """
        self._keep(now)
        self._take_campaigns()
        return min([now + IDLE, *(self._advance_alone(one, now) for one in self._running.values())])

    def _keep(self, now: datetime) -> datetime:
        """What calls in progress need: their ends are recorded, their leases renewed."""
        self._settle_all(now)
        while self._undialled:
            self._store.take_back(self._undialled[-1], now, "not dialled", now)
            self._undialled.pop()
        self._enter_untold()
        if self._renewed is None or now - self._renewed >= _RENEW:
            self._store.renew(now)
            for attempt_id in self._store.sweep(now).unsettled:
                self._note("", "attempt_unsettled", str(attempt_id), {})
            self._renewed = now
        return now + _RENEW

    def _enter_untold(self) -> None:
        """What others have decided: the operator at the command line, the store within a transaction."""
        if decisions := self._store.untold():
            for one in decisions:
                self._note(
                    one.campaign, one.decision, one.rule, {"contact": one.number} if one.number else {}
                )
            self._store.told(decisions)

    def _take_campaigns(self) -> None:
        """What ``use`` has brought; a campaign that is gone stays as long as it has calls."""
        campaigns, self._next_campaigns = self._next_campaigns, None
        if campaigns is None:
            return
        kept = {name: one for name, one in self._running.items() if one.calls}
        running = {config.name: Running.of(config) for config in campaigns}
        for name, one in kept.items():
            if name in running:
                running[name].calls, running[name].opted_out = one.calls, one.opted_out
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

    def _advance_alone(self, one: Running, now: datetime) -> datetime:
        """One campaign; its fault is not the others'."""
        if one.rests_until is not None and now < one.rests_until:
            return one.rests_until
        one.rests_until = None
        try:
            next_at = self._advance(one, now)
            one.told_fault = ""
            return next_at
        except Exception as error:
            text = words_of(error)
            if text != one.told_fault:
                one.told_fault = text
                self._decide(one, "not_recorded" if isinstance(error, CampaignStateError) else "failed", text)
            one.rests_until = now + (_SOON if isinstance(error, CampaignStateError) else TRY_AGAIN)
            return one.rests_until

    def _advance(self, one: Running, now: datetime) -> datetime:
        """One campaign."""
        if one.is_gone:
            return now + IDLE
        if not self._leads(one, now):
            return now + _RENEW
        state, _, run_at, wanted = self._store.state(one.config.name)
        if state != "running":
            if state == "stopped" and self._store.next_due(one.config.name) is not None:
                self._store.expire(one.config.name, "stopped", with_promises=True)
            return now + IDLE
        is_reading = self._open_run(one, now, run_at, wanted)
        soon = now + _SOON if is_reading else now + IDLE
        return min(self._place_calls(one, now), next_run(one, now), soon)

    # --- runs ---

    def _open_run(
        self, one: Running, now: datetime, run_at: datetime | None, wanted: datetime | None
    ) -> bool:
        """:returns: True: the list is being read."""
        name, begin = one.config.name, wanted
        if begin is None and one.schedule is not None:
            begin = one.schedule.open_run(now)
            is_over = run_at is not None and now - run_at >= one.schedule.open_for
            if begin is None and is_over and self._store.waits_for_run(name):
                count = self._store.expire(name, "the run is over")
                self._decide(one, "run_closed", f"{count} contacts were not reached")
            if begin is not None and run_at is not None and begin <= run_at:
                begin = None
        if begin is None:
            return False
        try:
            found = self._reader.read(one.config, begin, self._wake.set)
        except ConfigError as error:
            self._pause(one, f"list: {error.problems[0]}")
            return False
        if found is None:
            return True
        if one.schedule is not None and run_at is not None:
            self._store.expire(name, "the next run has begun")
        count = self._store.enrol(
            name, found.contacts, run_at=begin, due=now, is_each_run=one.config.contacts.again == "each_run",
            most_unanswered=one.config.retry.unanswered,
        )  # fmt: skip
        self._decide(one, "run_opened", f"{count} contacts, {len(found.problems)} left out")
        return False

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
            if not self._call(one, waiting, now):
                return now + IDLE
            if self._obstacle(one, now):
                return now + timedelta(milliseconds=20)
        one.told = ""
        due = self._store.next_due(name)
        return max(now + timedelta(milliseconds=20), due) if due else now + IDLE

    def _obstacle(self, one: Running, now: datetime) -> str:
        """Why the campaign as a whole must not call now."""
        limits, name = one.config.limits, one.config.name
        if reason := breaker_reason(limits, self._store.latest(name, limits.breaker_calls)):
            self._pause(one, reason)
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
            self._store.give_up(name, contact.key, ON_LIST)
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

    def _call(self, one: Running, waiting: Waiting, now: datetime) -> bool:
        """:returns: False: nobody of this campaign can be called; it has paused itself."""
        try:
            order = order_of(one.config, waiting.contact)
        except CampaignError as error:
            self._pause(one, str(error))
            return False
        claim = self._store.claim(
            one.config.name,
            waiting,
            now,
            lambda: not self._has_no_room(one) and not self._day_obstacle(one, now),
        )
        if claim is None:
            return True
        longest_s = one.config.calls.ring_s + one.config.calls.max_call_s
        try:
            if not self._store.dial(claim, now, longest_s=longest_s):  # on the disk: this attempt is used up
                return True
        except CampaignStateError:
            self._undialled.append(claim)
            raise
        one.calls[claim.attempt_id] = claim
        evidence = {"consent": claim.contact.consent} if claim.contact.consent else {}
        personal = {"contact": claim.contact.number} | evidence
        self._note(one.config.name, "called", f"attempt {claim.n}", personal)
        try:
            self._dialler.place(replace(order, attempt_id=claim.attempt_id, n=claim.n), self._tell)
        except Exception:  # nobody knows whether it has left
            self._tell(Finished(claim.attempt_id, Ending(Outcome.FAILED)))
            raise
        return True
