"""Measured calls made up for the tests of the benchmarks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sipagent.bench.session import MeasuredCall, Session
from sipagent.lab.child import ChildEvent
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine

QUALITY: dict[str, Any] = {
    "speech_s": 10.0,
    "clicks_ms": [],
    "gaps": [{"start_ms": 5000.0, "duration_ms": 600.0}],
    "lost_packets": 0,
    "late_packets": 2,
    "clause_levels_dbov": [-20.0, -25.0],
    "level_dbov": -21.0,
    "level_spread_db": 4.0,
    "dc_dbov": -70.0,
    "clipped_samples": 3,
}


def event(name: str, at_ms: float, **facts: Any) -> ChildEvent:
    return ChildEvent("agent", name, {"at_ms": at_ms, **facts})


def line_facts(start_ms: float, end_ms: float, **facts: Any) -> dict[str, Any]:
    """A line as the caller's process reports it."""
    unknown: dict[str, Any] = {"v2v_ms": None, "onset_ms": None, "cut_in_ms": None, "yielded_ms": None}
    return {**unknown, "text": "", "was_answered": True, "start_ms": start_ms, "end_ms": end_ms, **facts}


def call_of(
    planned: Sequence[PlannedLine],
    lines: Sequence[dict[str, Any]],
    spans: Sequence[tuple[float, float]],
    events: Sequence[ChildEvent] = (),
    impairments: Impairments | None = None,
    **measured: Any,
) -> MeasuredCall:
    """A call answered at 0 and left by the caller at 60 s."""
    plan = CallPlan(uri="sip:a@b", lines=tuple(planned), impairments=impairments or Impairments())
    facts = {
        "answered_ms": 0.0,
        "ended_ms": 60_050.0,
        "left_ms": 60_000.0,
        "lines": list(lines),
        "agent_spans": [{"start_ms": start, "end_ms": end} for start, end in spans],
        "quality": QUALITY,
        "echo": None,
        "rtp": {"lost": 1},
        **measured,
    }
    return MeasuredCall("call-1-1", Path("."), plan, facts, tuple(events))


def session_of(*calls: MeasuredCall) -> Session:
    """A session of these calls."""
    return Session(calls=list(calls))
