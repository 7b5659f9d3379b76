"""Placing planned calls from processes of their own, and listening to everybody until they are over."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sipagent.errors import SipAgentError
from sipagent.lab.agent_process import AGENT, next_event
from sipagent.lab.child import EXITED, Child, ChildEvent, Events
from sipagent.lab.plan import CallPlan

_LAST_WORDS_S = 2.0
"""How long the agent may take to log the end of the last call."""
_GRACE_S = 30.0


@dataclass(slots=True)
class PlacedCall:
    """One call as its caller's process told it."""

    name: str
    folder: Path
    events: list[ChildEvent] = field(default_factory=list)
    measured: dict[str, Any] | None = None
    """``call.measured``; None where the process failed."""
    failure: str = ""

    @property
    def was_answered(self) -> bool:
        """True where there is something to measure."""
        return self.measured is not None and bool(self.measured["answered_ms"])


def place_calls(
    plans: Sequence[tuple[str, CallPlan]],
    events: Events,
    folder: Path,
    on_event: Callable[[ChildEvent], None],
    *,
    stagger_s: float = 0.0,
) -> tuple[list[PlacedCall], list[ChildEvent]]:
    """Place all calls at the same time, or one after the other's start by ``stagger_s``.

    :param plans: name and plan of each; the name is its folder inside ``folder`` ("" for itself).
    :returns: the calls, and the agent's events meanwhile.
    :raises SipAgentError: the agent ended before the calls did.
    """
    calls: dict[str, PlacedCall] = {}
    agent_events: list[ChildEvent] = []
    with ExitStack() as stack:
        for name, plan in plans:
            call = PlacedCall(name, folder / name)
            call.folder.mkdir(parents=True, exist_ok=True)
            plan_path = call.folder / "plan.json"
            plan.save(plan_path)
            command = [sys.executable, "-m", "sipagent.lab.caller", str(plan_path), "--out", str(call.folder)]
            calls[f"caller {name}"] = call
            child = stack.enter_context(Child(f"caller {name}", command, events))
            stack.callback(_note_failure, call, child)
            time.sleep(stagger_s)
        longest_s = max(plan.max_call_ms for _, plan in plans) / 1000 + _GRACE_S
        _listen(calls, events, agent_events, on_event, longest_s)
    _hear_last_words(events, agent_events, on_event, sum(call.was_answered for call in calls.values()))
    return list(calls.values()), agent_events


def _listen(
    calls: dict[str, PlacedCall],
    events: Events,
    agent_events: list[ChildEvent],
    on_event: Callable[[ChildEvent], None],
    longest_s: float,
) -> None:
    running = set(calls)
    deadline_s = time.monotonic() + longest_s
    while running and time.monotonic() < deadline_s:
        event = next_event(events, 1.0)
        if event is None:
            continue
        on_event(event)
        if event.source == AGENT:
            agent_events.append(event)
            if event.event == EXITED:
                raise SipAgentError(f"lab: the agent ended with status {event.facts['status']} during a call")
            continue
        call = calls[event.source]
        call.events.append(event)
        if event.event == "call.measured":
            call.measured = event.facts
        elif event.event == EXITED:
            running.discard(event.source)


def _note_failure(call: PlacedCall, child: Child) -> None:
    """After the process ended: why there is nothing to measure."""
    if call.was_answered:
        return
    told = {event.event: event.facts for event in call.events}
    if "caller.failed" in told:
        call.failure = str(told["caller.failed"]["reason"])
    elif "call.ended" in told:
        facts = told["call.ended"]
        call.failure = f"the call was not answered: {facts['by']}, {facts['status']} {facts['reason']}"
    else:
        call.failure = "; ".join(child.tail[-3:]) or "the caller's process ended without a word"


def _hear_last_words(
    events: Events, agent_events: list[ChildEvent], on_event: Callable[[ChildEvent], None], calls: int
) -> None:
    deadline_s = time.monotonic() + _LAST_WORDS_S
    while sum(event.event == "call.ended" for event in agent_events) < calls:
        event = next_event(events, max(deadline_s - time.monotonic(), 0.0))
        if event is None:
            return
        if event.source == AGENT:
            agent_events.append(event)
            on_event(event)
