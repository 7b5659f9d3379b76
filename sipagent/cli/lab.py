"""``sipagent lab``: a scripted call against the agent on this machine, heard, seen and measured."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from sipagent.errors import ConfigError
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.listen import run_listening
from sipagent.lab.run import LabOptions, run_lab

QUICK_LLM = "smollm2-135m-instruct"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "lab",
        help="call the agent on this machine with a scripted caller",
        description="Starts the agent and calls it with a scripted caller in another process. Shows the call "
        "live and leaves its recording, transcript and timeline.",
    )
    parser.add_argument(
        "scenario", nargs="?", metavar="SCENARIO", help="a name in lab/ or a file (default: receptionist)"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"the scenario quick with the small model {QUICK_LLM}"
    )
    parser.add_argument("--listen", action="store_true", help="no scripted caller: wait for your own phone")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the files (default: out/lab-TIME)")
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    add_impairments(parser)
    parser.set_defaults(run=run)


def add_impairments(parser: argparse.ArgumentParser) -> None:
    """The options that make the caller's line worse."""
    line = parser.add_argument_group("the caller's line")
    line.add_argument("--noise-snr-db", type=float, metavar="DB", help="noise this far below the speech")
    line.add_argument("--loss", type=float, default=0.0, metavar="PCT", help="packets lost")
    line.add_argument("--jitter", type=float, default=0.0, metavar="MS", help="packets late by 0..MS")
    line.add_argument("--echo-db", type=float, metavar="DB", help="line echo of the agent, such as -20")


def impairments_of(args: argparse.Namespace) -> Impairments:
    """What ``add_impairments`` read.

    :raises ConfigError: a value out of range.
    """
    impairments = Impairments(
        loss_pct=args.loss,
        jitter_ms=args.jitter,
        noise_snr_db=args.noise_snr_db,
        echo_gain_db=args.echo_db,
    )
    if problems := [f"{name}: {problem}" for name, problem in impairments.check()]:
        raise ConfigError(problems)
    return impairments


def run(args: argparse.Namespace) -> int:
    """Hold the call, or wait for calls.

    :returns: 0: the call was held; 1: it was not answered, or no reply was heard.
    """
    console = Console(stderr=True)
    agent = AgentOptions(config=args.config, llm=QUICK_LLM if args.quick else None)
    if args.listen:
        return run_listening(replace(agent, is_private=False), console)
    options = LabOptions(
        scenario=args.scenario or ("quick" if args.quick else "receptionist"),
        agent=agent,
        out_dir=args.out or Path("out") / time.strftime("lab-%Y%m%d-%H%M%S"),
        impairments=impairments_of(args),
    )
    return run_lab(options, console)
