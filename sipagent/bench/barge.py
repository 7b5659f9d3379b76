"""``sipagent bench barge``: callers who interrupt, at varied moments; how soon the agent falls silent."""

import argparse
import dataclasses
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.barge_reaction import Outcome, Reaction, reaction_to
from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, ms_figure, plain_table, publish, share_figure
from sipagent.bench.session import MeasuredCall, Session, in_rounds, measure_calls
from sipagent.bench.speech_set import scenario_by_all, speech_lines
from sipagent.bench.stats import Distribution
from sipagent.errors import SipAgentError
from sipagent.lab.agent_config import talkative_config
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine, Trigger

NAME = "barge"
HELP = "from an interrupting caller's first sound to the agent's silence"
SILENT_P50_MS, SILENT_P95_MS = 180.0, 300.0
"""Wanted."""
_SCENARIO = "bench-barge"
_LINES_A_CALL = 3
_INTO_GREETING_MS = (500, 8000)
_INTO_REPLY_MS = (400, 3500)


@dataclass(frozen=True, slots=True)
class BargeCase:
    """One interruption."""

    call: str
    text: str
    voice: str
    into_ms: int
    """When it was due, from the beginning of the agent's speech."""
    reaction: Reaction


@dataclass(frozen=True, slots=True)
class BargeResult:
    """Everything measured."""

    interruptions: int
    """Of those that were spoken, those that met the agent's speech."""
    missed: int
    """Spoken when the agent was silent: not counted anywhere else."""
    silent: Distribution
    """First voiced sample to the end of the last audible packet, where the agent yielded."""
    answer: Distribution
    """Last voiced sample to the answer, where the agent yielded."""
    not_yielded: int
    """The agent went on with what it was saying."""
    spoke_over: int
    """It fell silent and began again while the caller still spoke."""
    unanswered: int
    """It yielded and then had not understood, or said nothing."""
    failures: list[str]
    impairments: Impairments
    cases: list[BargeCase]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="interruptions", default=24)
    add_speech_argument(parser, f"lab/{_SCENARIO}.yaml in several voices")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``barge.json`` and ``barge.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    lines = speech_lines(args.speech) if args.speech else scenario_by_all(_SCENARIO, console)
    plans = plan_calls(lines, args.n, impairments)
    agent = dataclasses.replace(agent, config=talkative_config(agent.config, args.out))
    rounds = list(in_rounds(plans, args.calls))
    session = measure_calls(rounds, agent, args.out, console, uri_to=args.to, counts="line.ended")
    if not session.calls:
        raise SipAgentError(f"bench barge: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def plan_calls(lines: Sequence[PlannedLine], count: int, impairments: Impairments) -> list[CallPlan]:
    """``count`` interruptions in calls of a few: the first into the greeting, then into each reply."""
    rng = random.Random(impairments.seed)
    shuffled = list(lines)
    rng.shuffle(shuffled)
    endless = itertools.cycle(shuffled)
    plans = []
    for first in range(0, count, _LINES_A_CALL):
        spoken = []
        for place in range(min(_LINES_A_CALL, count - first)):
            delay_ms = rng.randint(*(_INTO_REPLY_MS if place else _INTO_GREETING_MS))
            spoken.append(dataclasses.replace(next(endless), trigger=Trigger.BARGE_IN, delay_ms=delay_ms))
        plans.append(
            over_speech_plan(spoken, dataclasses.replace(impairments, seed=impairments.seed + first))
        )
    return plans


def over_speech_plan(lines: Sequence[PlannedLine], impairments: Impairments) -> CallPlan:
    """A call whose lines are spoken into the agent's speech, and that ends soon after the last one."""
    return CallPlan(
        uri="",
        lines=tuple(lines),
        leaves_after_ms=1500,
        reply_silence_ms=2500,
        reply_timeout_ms=20_000,
        max_call_ms=60_000 + 25_000 * len(lines),
        impairments=impairments,
    )


def cases_of(call: MeasuredCall) -> list[BargeCase]:
    """The interruptions of one call."""
    return [
        BargeCase(
            call.name,
            line.planned.text,
            line.planned.tag,
            line.planned.delay_ms,
            reaction_to(line.span, call.agent_spans, call.events, line.until_ms),
        )
        for line in call.lines
    ]


def summarize(session: Session, impairments: Impairments) -> BargeResult:
    """All calls in one result."""
    cases = [case for call in session.calls for case in cases_of(call)]
    met = [c.reaction for c in cases if c.reaction.outcome in (Outcome.KEPT, Outcome.LOST)]
    yielded = [r for r in met if r.outcome is Outcome.LOST]
    answered = [r for r in yielded if r.heard and r.answered_ms is not None]
    return BargeResult(
        interruptions=len(met),
        missed=len(cases) - len(met),
        silent=Distribution.of([r.silent_ms for r in yielded if r.silent_ms is not None]),
        answer=Distribution.of([r.answered_ms for r in answered if r.answered_ms is not None]),
        not_yielded=sum(r.outcome is Outcome.KEPT for r in met),
        spoke_over=sum(r.spoke_over for r in met),
        unanswered=len(yielded) - len(answered),
        failures=session.failures,
        impairments=impairments,
        cases=cases,
    )


def table_of(result: BargeResult) -> Table:
    """The result for people."""
    rows = [
        (name, d.count, d.p50, d.p95, d.max)
        for name, d in (("voice onset to silence", result.silent), ("end of line to answer", result.answer))
    ]
    caption = (
        f"of {result.interruptions} interruptions: {result.not_yielded} not yielded to, {result.spoke_over} "
        f"spoken over, {result.unanswered} unanswered; {result.missed} missed the agent's speech"
    )
    return plain_table("Interruptions", ("ms", "n", "p50", "p95", "max"), rows, caption)


def draw(result: BargeResult, png: Path) -> None:
    """One row a voice."""
    from sipagent.bench.plots import draw_dots  # matplotlib takes half a second to import

    voices = sorted({case.voice for case in result.cases})
    groups = {
        voice or "caller": [
            case.reaction.silent_ms
            for case in result.cases
            if case.voice == voice
            and case.reaction.outcome is Outcome.LOST
            and case.reaction.silent_ms is not None
        ]
        for voice in voices
    }
    title = (
        f"Voice onset to the agent's silence: p50 {result.silent.p50:.0f} ms, p95 {result.silent.p95:.0f} ms"
    )
    subtitle = (
        f"{result.silent.count} interruptions, {result.not_yielded} more that the agent did not yield to"
    )
    draw_dots(groups, png, title=title, subtitle=subtitle, limits=(SILENT_P50_MS, SILENT_P95_MS))


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``barge.json``."""
    silent = plain["silent"]
    wanted = (SILENT_P50_MS, SILENT_P95_MS)
    measured = (silent["p50"], silent["p95"])
    return [
        ms_figure("voice onset → agent silent, p50 / p95", measured, wanted, silent["count"]),
        share_figure("interruptions not yielded to", plain["not_yielded"], plain["interruptions"], 0),
    ]
