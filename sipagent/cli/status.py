"""``sipagent status``: how the server does, asked over its control socket."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sipagent.config.load import load_config
from sipagent.config.supervision import SupervisionConfig
from sipagent.errors import ConfigError
from sipagent.supervision.control import Answer, ask_server
from sipagent.supervision.places import find_control

_ANSWER_LIMIT_S = 90.0
"""A reload looks at the whole machine first, and then every worker takes the file."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("status", help="how the running server does")
    add_server(parser)
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    parser.set_defaults(run=run)


def add_server(parser: argparse.ArgumentParser) -> None:
    """The options that say which server is meant."""
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.add_argument(
        "--socket", type=Path, metavar="FILE", help="its control socket, if not the usual one"
    )


def ask(args: argparse.Namespace, command: str) -> Answer:
    """Ask the server that was started with this file.

    :raises ControlError: there is none, or it does not answer.
    """
    if args.socket is not None:
        return ask_server(args.socket, command, _ANSWER_LIMIT_S)
    try:
        settings = load_config(args.config).supervision
    except ConfigError:  # a file in the middle of being edited: its server runs all the same
        settings = SupervisionConfig()
    return ask_server(find_control(settings, args.config), command, _ANSWER_LIMIT_S)


def run(args: argparse.Namespace) -> int:
    """Print the status.

    :returns: 0 where calls are taken, else 1.
    """
    status = ask(args, "status")["status"]
    if args.json:
        print(json.dumps(status, ensure_ascii=False))
    else:
        print("\n".join(_lines(status)))
    return 0 if status["ready"] else 1


def _lines(status: dict[str, Any]) -> Iterator[str]:
    state = "taking calls" if status["ready"] else f"NOT ready: {status['reason']}"
    yield f"{status['instance']}: {state}"
    yield (
        f"  sipagent {status['version']}, pid {status['pid']}, up {_time(status['uptime_s'])}, "
        f"{status['rss_mib']} MiB, configuration {status['config']} (generation {status['generation']})"
    )
    for worker in status["workers"]:
        yield from _worker_lines(worker)
    yield f"  ledger: {status['ledger']}"
    if status["waiting_for_restart"]:
        yield f"  changed, waiting for the next restart: {', '.join(status['waiting_for_restart'])}"
    crash = status["last_crash"]
    if crash is None:
        yield "  no crash on record"
    else:
        lost = len(crash["calls"] or ())
        yield f"  last crash: {crash['worker']}, {crash['cause']}, {crash['at_utc']}, {lost} calls lost"
        yield f"    {crash['report']}"


def _worker_lines(worker: dict[str, Any]) -> Iterator[str]:
    where = " ".join(f"{kind} {worker[kind]}" for kind in ("udp", "tcp") if worker[kind])
    line = f"  {worker['name']}: {worker['state']}, {worker['calls']} of {worker.get('max_calls', '?')} calls"
    if "pid" in worker:
        line += f", pid {worker['pid']}, up {_time(worker['uptime_s'])}, {worker['rss_mib']} MiB"
    yield f"{line}, {worker['restarts']} restarts, {where}"
    if reason := worker.get("reason") or worker.get("why_not_ready"):
        yield f"    {reason}"
    for trunk, told in (worker.get("trunks") or {}).items():
        registration = f"; registrar: {told['registration']}" if told["registration"] else ""
        yield f"    trunk {trunk}: {told['state']}, {told['reason']}{registration}"


def _time(seconds: int) -> str:
    """``3 d 4 h``, ``5 min 6 s``."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
