"""What calls in progress tell, recorded in the order in which it came. The base of ``CampaignRunner``."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sipagent.campaigns.dialler import CallEvent, Finished, NotPlaced, WantsNoCalls
from sipagent.campaigns.outcomes import follow_up
from sipagent.campaigns.pacing import price_of
from sipagent.campaigns.running import Running
from sipagent.campaigns.store import CampaignStore, Claim
from sipagent.errors import SipAgentError

Note = Callable[[str, str, str, Mapping[str, str]], None]
"""(campaign, decision, rule, personal facts): for log and ledger."""
TRY_AGAIN = timedelta(seconds=30)


class Settling:
    """The calls of one server. Its thread alone, but for ``_tell``."""

    def __init__(self, store: CampaignStore, note: Note) -> None:
        self._store, self._note = store, note
        self._running: dict[str, Running] = {}
        self._wake = threading.Event()
        self._mailbox: queue.SimpleQueue[CallEvent] = queue.SimpleQueue()
        self._unsettled: deque[CallEvent] = deque()
        """Taken from the mailbox, and not on the disk yet."""

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return sum(len(one.calls) for one in self._running.values())

    def _tell(self, event: CallEvent) -> None:
        """Any thread."""
        self._mailbox.put(event)
        self._wake.set()

    def _settle_all(self, now: datetime) -> None:
        """In the order in which it came. What the disk does not take stays, and is tried again."""
        while not self._mailbox.empty():
            self._unsettled.append(self._mailbox.get_nowait())
        while self._unsettled:
            event = self._unsettled[0]
            one = next((r for r in self._running.values() if event.attempt_id in r.calls), None)
            try:
                if one is not None:
                    self._settle(one, event, now)
            except SipAgentError:
                raise
            except Exception:  # a fault of ours, with this one: the others must not wait for it
                self._unsettled.rotate(-1)
                raise
            self._unsettled.popleft()

    def _settle(self, one: Running, event: CallEvent, now: datetime) -> None:
        match event:
            case WantsNoCalls():
                self._opt_out(one, one.calls[event.attempt_id], now)
            case NotPlaced():
                self._take_back(one, event, now)
            case Finished():
                self._finish(one, event, now)

    def _opt_out(self, one: Running, claim: Claim, now: datetime) -> None:
        """At once: the server may die before the call is over."""
        self._store.opt_out(claim.contact.number, "asked", one.config.name, now)
        one.opted_out.add(claim.attempt_id)
        self._decide(one, "opted_out", "asked", claim.contact.number)

    def _finish(self, one: Running, event: Finished, now: datetime) -> None:
        claim, ending = one.calls[event.attempt_id], event.ending
        follow = follow_up(ending, one.config.retry, claim.tries, now)
        cost = price_of(one.config.limits, ending.talk_ms)
        self._store.settle(claim, ending, follow, cost=cost, now=now)
        del one.calls[event.attempt_id]
        names = ", ".join(result.name for result in ending.results)
        rule = f"{ending.outcome.value}{': ' if names else ''}{names}; {follow.why}"
        self._decide(one, "ended", rule, claim.contact.number)
        if ending.wants_no_more_calls and event.attempt_id not in one.opted_out:
            self._decide(one, "opted_out", "asked", claim.contact.number)
        one.opted_out.discard(event.attempt_id)

    def _take_back(self, one: Running, event: NotPlaced, now: datetime) -> None:
        """The contact waits on. A refusal for good pauses the campaign: the next contact would fare alike."""
        claim = one.calls[event.attempt_id]
        why = event.why.replace(claim.contact.number, "the number")  # it is entered sealed
        due = now if event.is_lasting else now + TRY_AGAIN
        self._store.take_back(claim, due, why, now)
        del one.calls[event.attempt_id]
        if event.is_lasting:
            self._decide(one, "not_called", why, claim.contact.number)
            self._pause(one, f"refused: {why}")
        else:
            one.held_until = due
            self._hold(one, why)

    def _pause(self, one: Running, why: str) -> None:
        """The campaign pauses itself until somebody has looked why."""
        if self._store.pause(one.config.name, why):
            self._decide(one, "paused", why)

    def _hold(self, one: Running, why: str) -> None:
        if why != one.told:
            one.told = why
            self._decide(one, "held", why)

    def _decide(self, one: Running, decision: str, rule: str, number: str = "") -> None:
        self._note(one.config.name, decision, rule, {"contact": number} if number else {})


def words_of(error: Exception) -> str:
    """Of a fault, for log and ledger."""
    return str(error) if isinstance(error, SipAgentError) else repr(error)


def note_nothing(campaign: str, decision: str, rule: str, personal: Mapping[str, str]) -> None:
    """The ``Note`` of a runner that keeps no records."""
