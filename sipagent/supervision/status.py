"""What a server says of itself: the answer of ``sipagent status`` and of whoever else asks."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from sipagent import __version__
from sipagent.supervision.policy import Phase
from sipagent.supervision.slot import Slot

Status = dict[str, Any]


class StatusSource(Protocol):
    """Something that knows how the server does. Any thread; never waits."""

    def status(self) -> Status:
        """``ready`` (bool), ``reason`` (why not), ``workers``, ``calls`` and more; JSON."""


def why_not_ready(slots: Sequence[Slot], *, is_stopping: bool) -> str:
    """Why no call can be taken now; empty: one can."""
    if is_stopping:
        return "the server is stopping"
    answering = [slot for slot in slots if slot.is_answering]
    if not answering:
        states = ", ".join(f"{slot.name} is {slot.watch.phase.value}" for slot in slots)
        return f"no worker answers: {states}"
    reasons = [_busy(slot) for slot in answering]
    return "" if "" in reasons else reasons[0]


def _busy(slot: Slot) -> str:
    """Why this worker, which answers, takes no call."""
    told = slot.process.status if slot.process else {}
    most = int(told.get("max_calls") or 0)
    if told.get("why_not_ready"):
        return str(told["why_not_ready"])
    return f"all {most} places are taken" if most and len(slot.calls) >= most else ""


def last_crash(slots: Sequence[Slot], earlier: Status | None) -> Status | None:
    """The newest of all workers', or of an earlier server."""
    crashes = [slot.last_crash for slot in slots if slot.last_crash is not None]
    return max(crashes, key=lambda crash: str(crash["at_utc"]), default=earlier)


def summary(slots: Sequence[Slot], reason: str) -> str:
    """A line for ``systemctl status``."""
    calls = sum(len(slot.calls) for slot in slots)
    answering = sum(slot.is_answering for slot in slots)
    state = reason or "taking calls"
    return f"{state}; {answering} of {len(slots)} workers, {calls} calls"


def whole_status(
    slots: Sequence[Slot], *, is_stopping: bool, earlier_crash: Status | None, facts: Status
) -> Status:
    """Everything. ``facts``: what the supervisor itself adds."""
    reason = why_not_ready(slots, is_stopping=is_stopping)
    return {
        "version": __version__,
        "ready": not reason,
        "reason": reason,
        **facts,
        "at_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "calls": sum(len(slot.calls) for slot in slots),
        "workers": [slot.status() for slot in slots],
        "last_crash": last_crash(slots, earlier_crash),
    }


def are_given_up(slots: Sequence[Slot]) -> bool:
    """No worker will ever answer by itself."""
    return all(slot.watch.phase is Phase.GIVEN_UP for slot in slots)


def problems_of(slots: Sequence[Slot]) -> Sequence[str]:
    """Why workers were given up, each reason once."""
    told = [one for slot in slots for one in slot.problems or (f"{slot.name}: {slot.watch.reason}",)]
    return list(dict.fromkeys(told))


def are_gone(slots: Sequence[Slot]) -> bool:
    """Every worker has ended as it was told to."""
    return all(slot.watch.phase is Phase.STOPPED for slot in slots)
