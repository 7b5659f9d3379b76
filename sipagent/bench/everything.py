"""``sipagent bench all``: every benchmark after the other, and one table of figures in Markdown."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from sipagent.bench import (
    answering,
    backchannel,
    barge,
    cutoff,
    echo,
    guard,
    knowledge,
    pace,
    quality,
    stt,
    turns,
    understanding,
)
from sipagent.bench.options import at_least_one
from sipagent.bench.report import Figure, markdown_summary
from sipagent.errors import SipAgentError
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments

NAME = "all"
HELP = "every benchmark after the other, and a summary in Markdown"
BENCHES: tuple[ModuleType, ...] = (
    turns,
    barge,
    backchannel,
    cutoff,
    echo,
    stt,
    understanding,
    answering,
    guard,
    knowledge,
    quality,
    pace,
)
"""Each has NAME, HELP, add_arguments(parser), run(args, agent, impairments, console) and figures(plain)."""
_AT_ONCE = "4"


@dataclass(frozen=True, slots=True)
class _Step:
    """One benchmark with its arguments."""

    folder: str
    bench: ModuleType
    arguments: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    parser.add_argument(
        "-n", type=at_least_one, metavar="N", help="measurements of each (default: as each does by itself)"
    )
    parser.add_argument(
        "--speech", metavar="DIR", help="recordings with manifest.json for stt and cutoff, besides their own"
    )


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Run all, print the summary and write it to ``summary.md``.

    :returns: 0: every benchmark ran and every call was answered; 1: not so. Figures beyond what was aimed
        at do not count.
    """
    figures: list[Figure] = []
    status = 0
    for step in _steps(args.speech):
        console.rule(f"bench {step.folder}")
        own = _arguments(step, args)
        own.out.mkdir(parents=True, exist_ok=True)
        try:
            status |= step.bench.run(own, agent, _for(step.bench, impairments), console)
        except SipAgentError as error:
            console.print(f"! {error}", style="yellow", markup=False)
            status = 1
            continue
        plain: dict[str, Any] = json.loads((own.out / f"{step.bench.NAME}.json").read_text())
        figures += step.bench.figures(plain)
    summary = markdown_summary(figures)
    path: Path = args.out / "summary.md"
    path.write_text(summary)
    if not args.json:
        print(summary)
    console.print(str(path), highlight=False)
    return status


def _steps(speech: str | None) -> list[_Step]:
    steps = [_Step("turns", turns), _Step(f"turns-{_AT_ONCE}", turns, ("--calls", _AT_ONCE))]
    for bench in BENCHES[1:]:
        takes_speech = speech is not None and bench in (stt, cutoff)
        steps.append(_Step(bench.NAME, bench, ("--speech", str(speech)) if takes_speech else ()))
    return steps


def _for(bench: ModuleType, impairments: Impairments) -> Impairments:
    """Without a call there is only noise."""
    has_no_call = bench in (stt, understanding, knowledge)
    return Impairments(noise_snr_db=impairments.noise_snr_db) if has_no_call else impairments


def _arguments(step: _Step, args: argparse.Namespace) -> argparse.Namespace:
    """What the benchmark's own parser makes of the step, with our ``-n``, ``--json`` and folder."""
    parser = argparse.ArgumentParser()
    step.bench.add_arguments(parser)
    own = parser.parse_args([*step.arguments, *(("-n", str(args.n)) if args.n else ())])
    own.json, own.out = args.json, args.out / step.folder
    return own
