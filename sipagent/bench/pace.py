"""``sipagent bench pace``: how evenly RTP is sent while several calls talk and every core is busy."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, ms_figure, plain_table, publish
from sipagent.bench.session import Session, measure_calls
from sipagent.bench.speech_set import speech_lines
from sipagent.bench.stats import Distribution
from sipagent.bench.turns import plan_rounds
from sipagent.errors import SipAgentError
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments

NAME = "pace"
HELP = "evenness of the sent RTP with several calls and busy cores"
P99_MS = 22.0
"""Wanted."""
_LONGEST_LOAD_S = 3600
_BURN = (
    "import os, sys, time\n"
    "end_s, parent = time.monotonic() + float(sys.argv[1]), int(sys.argv[2])\n"
    "while time.monotonic() < end_s and os.getppid() == parent:\n"
    "    sum(range(100_000))\n"
)
"""Ends by itself when nobody is left to end it."""


@dataclass(frozen=True, slots=True)
class PaceResult:
    """Everything measured."""

    calls: int
    calls_at_once: int
    busy_processes: int
    interval: Distribution
    """Between two packets of a call, at the caller, by the kernel's clock."""
    over_25_ms: int
    lost: int
    late: int
    """Packets more than 60 ms behind their timestamps."""
    failures: list[str]
    impairments: Impairments
    intervals_ms: list[float] = field(repr=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="turns", default=16, calls=4)
    add_speech_argument(parser, "lab/bench.yaml")
    parser.add_argument("--busy", type=int, metavar="P", help="busy processes (default: one for each core)")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``pace.json`` and ``pace.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    busy = len(os.sched_getaffinity(0)) if args.busy is None else args.busy
    rounds = plan_rounds(speech_lines(args.speech), args.n, args.calls, impairments)
    session = measure_calls(
        rounds, agent, args.out, console, uri_to=args.to, meanwhile=lambda: busy_cores(busy)
    )
    if not session.calls:
        raise SipAgentError(f"bench pace: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, args.calls, busy, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


@contextmanager
def busy_cores(processes: int) -> Iterator[list[int]]:
    """So many processes that do nothing but compute; their ids. Ended on the way out."""
    command = [sys.executable, "-c", _BURN, str(_LONGEST_LOAD_S), str(os.getpid())]
    with ExitStack() as stack:
        pids = []
        for _ in range(processes):
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield pids


def summarize(session: Session, calls_at_once: int, busy: int, impairments: Impairments) -> PaceResult:
    """All calls in one result."""
    intervals_ms = [round(value, 3) for value in session.rtp_intervals_ms]
    return PaceResult(
        calls=len(session.calls),
        calls_at_once=calls_at_once,
        busy_processes=busy,
        interval=Distribution.of(intervals_ms),
        over_25_ms=sum(value > 25 for value in intervals_ms),
        lost=sum(call.measured["rtp"]["lost"] for call in session.calls),
        late=sum(call.measured["quality"]["late_packets"] for call in session.calls),
        failures=session.failures,
        impairments=impairments,
        intervals_ms=intervals_ms,
    )


def table_of(result: PaceResult) -> Table:
    """The result for people."""
    d = result.interval
    caption = (
        f"{result.over_25_ms} above 25 ms, {result.lost} packets lost, {result.late} late by more than 60 ms"
    )
    return plain_table(
        f"Sent RTP, {result.calls_at_once} calls at a time, {result.busy_processes} busy processes",
        ("ms", "n", "p50", "p95", "p99", "max"),
        [("between packets", d.count, d.p50, d.p95, d.p99, d.max)],
        caption,
    )


def draw(result: PaceResult, png: Path) -> None:
    """A histogram whose counts are logarithmic, as the rare ones matter."""
    from sipagent.bench.plots import draw_histogram  # matplotlib takes half a second to import

    title = f"Between sent RTP packets: p50 {result.interval.p50:.1f} ms, p99 {result.interval.p99:.1f} ms"
    subtitle = f"{result.calls_at_once} calls at a time, {result.busy_processes} busy processes"
    draw_histogram(result.intervals_ms, png, title=title, subtitle=subtitle, bin_ms=0.5, limit_ms=P99_MS)


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``pace.json``."""
    interval = plain["interval"]
    name = f"sent RTP p99 between packets, {plain['calls_at_once']} calls, busy cores"
    return [ms_figure(name, (interval["p99"],), (P99_MS,), interval["count"])]
