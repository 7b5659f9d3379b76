"""``sipagent bench turns``: scripted turns over real calls, every figure taken from the wire."""

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, ms_figure, publish
from sipagent.bench.session import Session, measure_calls
from sipagent.bench.speech_set import speech_lines
from sipagent.bench.stats import Distribution
from sipagent.call.stages import STAGE_NAMES
from sipagent.errors import SipAgentError
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine

NAME = "turns"
HELP = "voice-to-voice time of scripted turns, and where it goes"
WANTED_MS = (450.0, 800.0)
"""V2V p50 and p95 of one call at a time."""
WANTED_MANY_MS = 1000.0
"""V2V p50 of several calls at a time."""
TURNS_A_CALL = 8
"""Longer benchmarks hang up and call again."""
_REPLY_TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class TurnsResult:
    """Everything measured; milliseconds unless a name says otherwise."""

    turns: int
    calls_at_once: int
    v2v: Distribution
    stages: dict[str, Distribution]
    rtp_interval: Distribution
    setup: Distribution
    greeting: Distribution
    fillers: int
    """Answers that "one moment" had to bridge; their time runs to the answer itself."""
    cut_ins: int
    """Lines that the agent began to answer before they were over."""
    unanswered: int
    """Lines without an audible reply."""
    unspoken: int
    """Planned lines for which the call ended too early."""
    packets_lost: int
    agent_ready_ms: float
    agent_resident_mb: float
    failures: list[str]
    impairments: Impairments
    v2v_ms: list[float] = field(repr=False)
    """Every reply, for the plot."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="turns", default=16)
    add_speech_argument(parser, "lab/bench.yaml")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``turns.json`` and ``turns.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    lines = speech_lines(args.speech)
    rounds = plan_rounds(lines, args.n, args.calls, impairments)
    session = measure_calls(rounds, agent, args.out, console, uri_to=args.to)
    if not session.conversations:
        raise SipAgentError(f"bench turns: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, args.n, args.calls, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def plan_rounds(
    lines: list[PlannedLine], turns: int, calls_at_once: int, impairments: Impairments
) -> list[list[CallPlan]]:
    """``turns`` lines, taken round and round, as rounds of calls of at most ``TURNS_A_CALL`` lines."""
    endless = _repeat(lines)
    rounds: list[list[CallPlan]] = []
    left = turns
    while left > 0:
        plans = []
        for place in range(calls_at_once):
            share = min(TURNS_A_CALL, -(-left // (calls_at_once - place)))
            if share:
                seeded = dataclasses.replace(impairments, seed=impairments.seed + len(rounds) * 100 + place)
                plans.append(_plan([next(endless) for _ in range(share)], seeded))
                left -= share
        rounds.append(plans)
    return rounds


def _repeat(lines: list[PlannedLine]) -> Iterator[PlannedLine]:
    while True:
        yield from lines


def _plan(lines: list[PlannedLine], impairments: Impairments) -> CallPlan:
    return CallPlan(
        uri="",
        lines=tuple(lines),
        reply_timeout_ms=_REPLY_TIMEOUT_MS,
        max_call_ms=60_000 + 40_000 * len(lines),
        impairments=impairments,
    )


def summarize(
    session: Session, planned_turns: int, calls_at_once: int, impairments: Impairments
) -> TurnsResult:
    """All calls of a session in one result."""
    utterances = [u for c in session.conversations for u in c.utterances]
    lines = [line for c in session.conversations for line in c.measured["lines"]]
    v2v_ms = [round(u.v2v_ms, 1) for u in utterances if u.v2v_ms is not None]
    shares: dict[str, list[float]] = {name: [] for name in STAGE_NAMES}
    for utterance in utterances:
        for stage in utterance.stages:
            shares[stage.name].append(stage.duration_ms)
    return TurnsResult(
        turns=len(lines),
        calls_at_once=calls_at_once,
        v2v=Distribution.of(v2v_ms),
        stages={name: Distribution.of(values) for name, values in shares.items()},
        rtp_interval=Distribution.of(session.rtp_intervals_ms),
        setup=Distribution.of([c.setup_ms for c in session.conversations if c.setup_ms is not None]),
        greeting=Distribution.of([c.greeting_ms for c in session.conversations if c.greeting_ms is not None]),
        fillers=sum(u.filler_ms is not None for u in utterances),
        cut_ins=sum(line["cut_in_ms"] is not None for line in lines),
        unanswered=sum(line["v2v_ms"] is None for line in lines),
        unspoken=planned_turns - len(lines),
        packets_lost=sum(c.measured["rtp"]["lost"] for c in session.conversations),
        agent_ready_ms=round(session.ready_ms, 1),
        agent_resident_mb=round(session.resident_mb, 1),
        failures=session.failures,
        impairments=impairments,
        v2v_ms=v2v_ms,
    )


def table_of(result: TurnsResult) -> Table:
    """The result for people."""
    at_once = f"{result.calls_at_once} at a time" if result.calls_at_once > 1 else "one at a time"
    caption = (
        f"agent: ready after {result.agent_ready_ms / 1000:.1f} s, {result.agent_resident_mb:.0f} MB; "
        f"{result.unanswered} unanswered, {result.unspoken} unspoken, {result.cut_ins} cut in, "
        f"{result.fillers} behind a filler, "
        f"{result.packets_lost} RTP packets lost"
    )
    table = Table(title=f"{result.turns} turns, calls {at_once}", caption=caption)
    table.add_column("ms")
    for heading in ("n", "p50", "p95", "p99", "max"):
        table.add_column(heading, justify="right")
    rows = [("voice to voice (wire)", result.v2v, "bold")]
    rows += [(f"  {name}", shares, "") for name, shares in result.stages.items()]
    rows += [
        ("RTP between packets", result.rtp_interval, ""),
        ("setup: INVITE to 200", result.setup, ""),
        ("greeting: ACK to first sound", result.greeting, ""),
    ]
    for name, spread, style in rows:
        figures = (f"{value:.1f}" for value in (spread.p50, spread.p95, spread.p99, spread.max))
        table.add_row(name, str(spread.count), *figures, style=style)
    return table


def draw(result: TurnsResult, png: Path) -> None:
    """Histogram and waterfall."""
    from sipagent.bench.turns_plot import draw_turns  # matplotlib takes half a second to import

    draw_turns(result, png)


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``turns.json``."""
    v2v, calls = plain["v2v"], plain["calls_at_once"]
    if calls > 1:
        name = f"voice to voice p50, {calls} calls at once"
        return [ms_figure(name, (v2v["p50"],), (WANTED_MANY_MS,), v2v["count"])]
    return [
        ms_figure("voice to voice p50 / p95, one call", (v2v["p50"], v2v["p95"]), WANTED_MS, v2v["count"])
    ]
