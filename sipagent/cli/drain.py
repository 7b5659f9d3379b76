"""``sipagent drain``: end the running server politely."""

import argparse

from sipagent.cli.status import add_server, ask


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("drain", help="take no more calls, end the server when the last is over")
    add_server(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """As SIGTERM: the server ends by itself, after ``supervision.drain_s`` at the latest."""
    calls = ask(args, "drain")["calls"]
    print(f"no more calls are taken; the server ends when {calls} in progress are over")
    return 0
