"""``sipagent bench``: benchmarks that place real calls to an agent of their own. One module each."""

import argparse
import time
from pathlib import Path

from rich.console import Console

from sipagent.bench import everything, ledger
from sipagent.cli.lab import add_impairments, impairments_of
from sipagent.lab.agent_process import AgentOptions

_BENCHES = (*everything.BENCHES, ledger, everything)
"""Each has NAME, HELP, add_arguments(parser) and run(args, agent, impairments, console)."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its benchmarks."""
    parser = subparsers.add_parser("bench", help="measure the agent over real calls")
    benches = parser.add_subparsers(dest="bench", metavar="BENCH", required=True)
    for bench in _BENCHES:
        own = benches.add_parser(bench.NAME, help=bench.HELP, description=bench.HELP)
        bench.add_arguments(own)
        own.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
        own.add_argument("--out", type=Path, metavar="DIR", help="folder (default: out/bench-NAME-TIME)")
        own.add_argument("--llm", metavar="NAME", help="instead of the configured model")
        own.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
        own.add_argument("--no-ledger", action="store_true", help="an agent without the audit ledger")
        add_impairments(own)
        own.set_defaults(run=run, module=bench)


def run(args: argparse.Namespace) -> int:
    """Run one benchmark; its own status."""
    args.out = args.out or Path("out") / time.strftime(f"bench-{args.module.NAME}-%Y%m%d-%H%M%S")
    args.out.mkdir(parents=True, exist_ok=True)
    agent = AgentOptions(config=args.config, llm=args.llm, has_ledger=not args.no_ledger)
    status: int = args.module.run(args, agent, impairments_of(args), Console(stderr=True))
    return status
