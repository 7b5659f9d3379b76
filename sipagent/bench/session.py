"""One agent and many measured calls: what every benchmark that calls is built on."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sipagent.lab.agent_process import AgentOptions, resident_kb
from sipagent.lab.child import ChildEvent, Events
from sipagent.lab.conversation import Conversation, join
from sipagent.lab.place_call import PlacedCall, place_calls
from sipagent.lab.plan import CallPlan, PlannedLine
from sipagent.lab.run import started_agent, terminating
from sipagent.lab.wire import Span

AGENT_LOG = "agent.jsonl"
"""What the agent logged about a call, in the call's folder."""
_STAGGER_S = 0.35
"""Calls at the same time do not begin in the same instant."""


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """One line of a measured call."""

    planned: PlannedLine
    span: Span
    """First to last voiced sample."""
    until_ms: float
    """When the next line began, or the caller hung up."""
    facts: dict[str, Any]
    """The line's entry in ``call.measured``."""


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """One answered call: what was planned, what the wire told, what the agent logged."""

    name: str
    folder: Path
    plan: CallPlan
    measured: dict[str, Any]
    events: tuple[ChildEvent, ...]
    """The agent's, about this call."""

    @property
    def agent_spans(self) -> list[Span]:
        """The agent's stretches of speech."""
        return [Span(**span) for span in self.measured["agent_spans"]]

    @property
    def lines(self) -> list[SpokenLine]:
        """Those that were spoken to their end."""
        spoken = self.measured["lines"]
        ends = [line["start_ms"] for line in spoken[1:]] + [self.measured["left_ms"]]
        return [
            SpokenLine(planned, Span(facts["start_ms"], facts["end_ms"]), until_ms, facts)
            for planned, facts, until_ms in zip(self.plan.lines, spoken, ends, strict=False)
        ]


@dataclass(slots=True)
class Session:
    """What came of it."""

    ready_ms: float = 0.0
    resident_mb: float = 0.0
    """Largest seen after a round of calls, the agent and its workers together."""
    calls: list[MeasuredCall] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    """Of each of ``calls``."""
    failures: list[str] = field(default_factory=list)
    """Calls that were not answered, each with the reason."""
    rtp_intervals_ms: list[float] = field(default_factory=list)
    """Between the agent's packets, of all calls, by the kernel's clock at the caller."""


def measure_calls(
    rounds: Sequence[Sequence[CallPlan]],
    agent: AgentOptions,
    out_dir: Path,
    console: Console,
    *,
    uri_to: str,
    counts: str = "line.answered",
    meanwhile: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Session:
    """Start the agent, place the rounds one after the other, the calls of a round at the same time.

    :param rounds: plans whose ``uri`` is still open; ``uri_to`` is dialled.
    :param counts: the event of a caller's line that moves the progress bar.
    :param meanwhile: entered when the agent is ready, left when the last call is over.
    :raises SipAgentError: the agent did not come up, or ended during a call.
    """
    session = Session()
    events: Events = Events()
    lines = sum(len(plan.lines) for plans in rounds for plan in plans)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with terminating(), started_agent(agent, events, console) as running:
        session.ready_ms = running.ready_ms
        with meanwhile(), Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("lines", total=lines)

            def on_event(event: ChildEvent) -> None:
                if event.event == counts:
                    progress.advance(task)

            for index, plans in enumerate(rounds):
                named = [
                    (f"call-{index + 1}-{place + 1}", plan.dialling(f"sip:{uri_to}@{running.udp}"))
                    for place, plan in enumerate(plans)
                ]
                calls, agent_events = place_calls(named, events, out_dir, on_event, stagger_s=_STAGGER_S)
                session.resident_mb = max(session.resident_mb, resident_kb(running.pid) / 1024)
                for call, plan in zip(calls, plans, strict=True):
                    _keep(session, call, plan, agent_events)
    return session


def in_rounds(plans: Sequence[CallPlan], calls_at_once: int) -> Iterator[list[CallPlan]]:
    """Calls by the number that are placed at the same time."""
    for start in range(0, len(plans), calls_at_once):
        yield list(plans[start : start + calls_at_once])


def _keep(session: Session, call: PlacedCall, plan: CallPlan, agent_events: list[ChildEvent]) -> None:
    if not call.was_answered or call.measured is None:
        session.failures.append(f"{call.name}: {call.failure}")
        return
    own = _of_call(call, agent_events)
    log = "".join(json.dumps({"event": e.event, **e.facts}, ensure_ascii=False) + "\n" for e in own)
    (call.folder / AGENT_LOG).write_text(log, encoding="utf-8")
    session.calls.append(MeasuredCall(call.name, call.folder, plan, call.measured, tuple(own)))
    session.conversations.append(join(call.measured, own))
    session.rtp_intervals_ms += intervals_of(call.folder / "packets.csv")


def _of_call(call: PlacedCall, agent_events: list[ChildEvent]) -> list[ChildEvent]:
    """The agent's events about one of several calls: those of the call whose answer is nearest in time."""
    assert call.measured is not None
    answered_ms = float(call.measured["answered_ms"])
    starts = {
        e.facts["call_id"]: abs(float(e.facts["at_ms"]) - answered_ms)
        for e in agent_events
        if e.event == "call.connected"
    } or {
        e.facts["call_id"]: abs(float(e.facts["at_ms"]) - answered_ms)
        for e in agent_events
        if e.event == "call.started"
    }
    if not starts:
        return []
    call_id = min(starts, key=lambda key: starts[key])
    return [e for e in agent_events if e.facts.get("call_id") == call_id]


def intervals_of(packets_csv: Path) -> list[float]:
    """Milliseconds between the packets of a call, in the order of their arrival."""
    with packets_csv.open(newline="") as file:
        arrivals_ms = [float(row["arrival_ms"]) for row in csv.DictReader(file)]
    intervals: list[float] = np.diff(arrivals_ms).tolist()
    return intervals
