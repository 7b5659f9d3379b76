"""``sipagent bench quality``: clicks, gaps and level of the agent's sound, also where it is cut."""

import argparse
import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.backchannel_sounds import sound_files
from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, plain_table, publish
from sipagent.bench.session import MeasuredCall, Session, in_rounds, measure_calls
from sipagent.bench.speech_set import scenario_by_all, speech_lines
from sipagent.errors import SipAgentError
from sipagent.lab.agent_config import talkative_config
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine, Trigger
from sipagent.lab.quality import NATURAL_GAP_MS, STEADY_DB

NAME = "quality"
HELP = "clicks, gaps and level of the agent's sound over whole calls"
_MURMUR_MS = (1200, 3000)
_INTERRUPT_MS = (2500, 5000)


@dataclass(frozen=True, slots=True)
class CallQuality:
    """The agent's sound in one call; see :class:`sipagent.lab.quality.Quality`."""

    call: str
    speech_s: float
    clicks_ms: list[float]
    gaps_ms: list[float]
    lost_packets: int
    late_packets: int
    clause_levels_dbov: list[float]
    level_dbov: float
    level_spread_db: float
    dc_dbov: float
    clipped_samples: int


@dataclass(frozen=True, slots=True)
class QualityResult:
    """Everything measured."""

    speech_s: float
    clicks: int
    gaps: int
    """Pauses inside an utterance, while the caller was silent, longer than natural."""
    longest_gap_ms: float
    lost_packets: int
    late_packets: int
    clauses: int
    unsteady_clauses: int
    """Further than ``STEADY_DB`` from the median of their call."""
    clipped_samples: int
    worst_dc_dbov: float
    failures: list[str]
    impairments: Impairments
    calls: list[CallQuality]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="calls", default=4)
    add_speech_argument(parser, "lab/bench.yaml")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``quality.json`` and ``quality.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    questions, interruptions = speech_lines(args.speech), scenario_by_all("bench-barge", console)
    plans = plan_calls(questions, interruptions, args.n, impairments)
    agent = dataclasses.replace(agent, config=talkative_config(agent.config, args.out))
    rounds = list(in_rounds(plans, args.calls))
    session = measure_calls(rounds, agent, args.out, console, uri_to=args.to, counts="line.ended")
    if not session.calls:
        raise SipAgentError(f"bench quality: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def plan_calls(
    questions: Sequence[PlannedLine],
    interruptions: Sequence[PlannedLine],
    count: int,
    impairments: Impairments,
) -> list[CallPlan]:
    """Calls with all that cuts into speech: a murmur, an interruption, a murmur, a question."""
    rng = random.Random(impairments.seed)
    murmurs = [PlannedLine(name, str(wav.absolute())) for name, wav in sound_files().items()]
    plans = []
    for index in range(count):
        lines = [
            _over(murmurs[2 * index % len(murmurs)], rng.randint(*_MURMUR_MS)),
            _over(rng.choice(interruptions), rng.randint(*_INTERRUPT_MS)),
            _over(murmurs[(2 * index + 1) % len(murmurs)], rng.randint(*_MURMUR_MS)),
            questions[index % len(questions)],
        ]
        plans.append(
            CallPlan(
                uri="",
                lines=tuple(lines),
                reply_silence_ms=2500,
                reply_timeout_ms=20_000,
                max_call_ms=240_000,
                impairments=dataclasses.replace(impairments, seed=impairments.seed + index),
            )
        )
    return plans


def _over(line: PlannedLine, delay_ms: int) -> PlannedLine:
    return dataclasses.replace(line, trigger=Trigger.BARGE_IN, delay_ms=delay_ms)


def quality_in(call: MeasuredCall) -> CallQuality:
    """What the caller's process measured, flat."""
    facts = dict(call.measured["quality"])
    gaps_ms = [gap["duration_ms"] for gap in facts.pop("gaps")]
    return CallQuality(call=call.name, gaps_ms=gaps_ms, **facts)


def summarize(session: Session, impairments: Impairments) -> QualityResult:
    """All calls in one result."""
    calls = [quality_in(call) for call in session.calls]
    return QualityResult(
        speech_s=round(sum(call.speech_s for call in calls), 1),
        clicks=sum(len(call.clicks_ms) for call in calls),
        gaps=sum(len(call.gaps_ms) for call in calls),
        longest_gap_ms=max((gap_ms for call in calls for gap_ms in call.gaps_ms), default=0.0),
        lost_packets=sum(call.lost_packets for call in calls),
        late_packets=sum(call.late_packets for call in calls),
        clauses=sum(len(call.clause_levels_dbov) for call in calls),
        unsteady_clauses=sum(
            abs(level - call.level_dbov) > STEADY_DB for call in calls for level in call.clause_levels_dbov
        ),
        clipped_samples=sum(call.clipped_samples for call in calls),
        worst_dc_dbov=max(call.dc_dbov for call in calls),
        failures=session.failures,
        impairments=impairments,
        calls=calls,
    )


def table_of(result: QualityResult) -> Table:
    """The result for people."""
    headings = (
        "call",
        "speech s",
        "clicks",
        "gaps",
        "lost",
        "late",
        "level dBov",
        "± dB",
        "DC dBov",
        "clipped",
    )
    rows = [
        (
            call.call,
            call.speech_s,
            len(call.clicks_ms),
            len(call.gaps_ms),
            call.lost_packets,
            call.late_packets,
            call.level_dbov,
            call.level_spread_db,
            call.dc_dbov,
            call.clipped_samples,
        )
        for call in result.calls
    ]
    caption = (
        f"gaps: longer than {NATURAL_GAP_MS:.0f} ms inside an utterance, the longest "
        f"{result.longest_gap_ms:.0f} ms; {result.unsteady_clauses} of {result.clauses} clauses further "
        f"than {STEADY_DB:.0f} dB from the rest"
    )
    return plain_table("The agent's sound", headings, rows, caption)


def draw(result: QualityResult, png: Path) -> None:
    """One row a call, one dot a clause, by its level."""
    from sipagent.bench.plots import draw_dots  # matplotlib takes half a second to import

    groups = {call.call: call.clause_levels_dbov for call in result.calls}
    title = f"{result.clicks} clicks and {result.gaps} gaps in {result.speech_s:.0f} s of speech"
    draw_dots(groups, png, title=title, subtitle="level of each clause", unit="dBov", starts_at_zero=False)


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``quality.json``."""
    speech = f"in {plain['speech_s']:.0f} s of speech"
    is_measured = plain["speech_s"] > 0
    unsteady, clauses = plain["unsteady_clauses"], plain["clauses"]
    return [
        _none(f"clicks {speech}", plain["clicks"], len(plain["calls"]), is_measured),
        _none(f"gaps inside utterances {speech}", plain["gaps"], len(plain["calls"]), is_measured),
        _none(f"clauses more than {STEADY_DB:.0f} dB off", unsteady, clauses, clauses > 0),
    ]


def _none(name: str, found: int, count: int, is_measured: bool) -> Figure:
    return Figure(name, str(found), count, "0", found == 0 if is_measured else None)
