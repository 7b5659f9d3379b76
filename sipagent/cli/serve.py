"""``sipagent serve``: answer calls until told to stop. The parent of the workers."""

import argparse
import contextlib
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import structlog

from sipagent import logs
from sipagent.audit import Bookkeeper
from sipagent.cli.check import environment_problems
from sipagent.cli.check_models import libraries_of
from sipagent.config.load import load_config
from sipagent.config.rules import problems_across
from sipagent.config.schema import Config, ConsoleConfig, HostPort, PortRange, for_worker
from sipagent.config.secret import take_from_environment
from sipagent.egress.guard import install_audit_hook
from sipagent.errors import ConfigError
from sipagent.modelstore.store import ModelStore
from sipagent.supervision.changes import Changes, RestartNeeded, compare
from sipagent.supervision.crashes import CrashReports
from sipagent.supervision.notify import Notifier
from sipagent.supervision.places import control_path, state_dir
from sipagent.supervision.slot import ENTRY
from sipagent.supervision.supervisor import Supervisor
from sipagent.web.events import EventPipe
from sipagent.web.server import open_console

CHAIN = "supervisor"
"""The parent's own in the ledger."""
WORKER_MODULES = ("sipagent.worker_process", "sipagent.brain.llama")
"""What the fork server imports beside the native libraries that the configuration needs."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help="answer calls until told to stop")
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.add_argument("--listen-udp", metavar="HOST:PORT", help="instead of listen.udp; tcp is not opened")
    parser.add_argument("--rtp-ports", metavar="A-B", help="instead of rtp.port_range")
    parser.add_argument("--console", metavar="HOST:PORT", help="instead of console.bind; off: none")
    parser.add_argument("--llm", metavar="NAME", help="instead of llm.model")
    parser.add_argument("--ledger-dir", type=Path, metavar="DIR", help="instead of ledger.dir")
    parser.add_argument("--no-ledger", action="store_true", help="calls leave no record: for measurements")
    parser.add_argument("--log-format", choices=("auto", "json", "console"))
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-pii", action="store_true", help="show what callers say and dial")
    parser.add_argument(
        "--no-supervisor", action="store_true", help="one process that nobody restarts: for measurements"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; a second one ends everything at once.

    :raises ConfigError: the configuration or the environment is not usable; nothing was started.
    """
    config = configured(args)
    problems = environment_problems(config)
    if problems:
        raise ConfigError(problems)
    take_from_environment(config)  # no program that is started from here gets a password
    return serve_alone(config) if args.no_supervisor else supervise(args, config)


def supervise(args: argparse.Namespace, config: Config, *, entry: str = ENTRY) -> int:
    """Be the parent of the workers.

    :param args: by which the file is read again for a reload. :param entry: what a worker's process runs.
    """
    settings = config.supervision
    events = EventPipe()
    log = _configure_log(config, events, CHAIN)
    keeper = Bookkeeper.open(config, log, chain=CHAIN, salvages=False, tells=False)
    supervisor = Supervisor(
        config,
        log,
        imports=[*WORKER_MODULES, *libraries_of(config, ModelStore(config.models_dir))],
        read_config=lambda running: checked_again(args, running),
        crashes=CrashReports(state_dir(settings, args.config) / "crashes", settings.crash_reports),
        control=control_path(settings, args.config),
        ledger=keeper.ledger if keeper else None,
        notifier=Notifier.from_environment(),
        entry=entry,
        events_fd=events.fd,
    )
    console = None
    try:
        console = open_console(config, events, log, status=supervisor.status)
        return supervisor.run()
    finally:
        if console is not None:
            console.close()
        if keeper is not None:
            keeper.close(supervisor.stop_reason or "no worker can start")
        log.info("server.stopped")


def checked_again(args: argparse.Namespace, running: Config) -> Changes:
    """What the file as it is now changes in a server that runs, whose ports are ours already.

    :raises ConfigError: with every problem of the file and of the machine.
    :raises RestartNeeded: the file is right, but what it changes at once does not go with what has to wait
        for the next start.
    """
    config = configured(args)
    problems = environment_problems(config, checks_ports=False)
    if problems:
        raise ConfigError(problems)
    changes = compare(running, config)
    if changes.waiting:
        mixed = changes.config
        problems = [*problems_across(mixed), *environment_problems(mixed, checks_ports=False)]
        if problems:
            waiting = ", ".join(changes.waiting)
            raise RestartNeeded([*problems, f"this goes with {waiting}, which needs a restart of the server"])
    return changes


def _configure_log(config: Config, events: EventPipe, name: str) -> structlog.stdlib.BoundLogger:
    """The log of this process, whose events the metrics are made of; and the lock on what it sends."""
    logging = config.logging
    logs.configure(
        format_=logging.format,
        level=logging.level,
        shows_pii=logging.pii,
        observers=[events.sender(name)],
    )
    log = logs.get_log().bind(instance=config.instance)
    install_audit_hook(config, log)
    return log


def serve_alone(config: Config) -> int:
    """Take the calls in this very process: one worker, nobody who begins it again."""
    from sipagent.app import Worker  # the engines' libraries take a second to import

    events = EventPipe()
    log = _configure_log(config, events, "main")
    console = open_console(config, events, log)
    sys.setswitchinterval(0.0005)  # the SIP thread must not wait 5 ms for a busy one
    keeper = Bookkeeper.open(config, log)
    worker = Worker(for_worker(config, 0), log, keeper.ledger if keeper else None)
    stop = threading.Event()
    reason = "failed to start"

    def on_signal(number: int, _: object) -> None:
        nonlocal reason
        if stop.is_set():
            os._exit(130)
        reason = signal.Signals(number).name
        log.info("agent.stopping", signal=reason)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    try:
        worker.start()
        stop.wait()
        worker.drain(config.supervision.drain_s)
    finally:
        worker.close()
        if console is not None:
            console.close()
        if keeper is not None:
            keeper.close(reason)
        log.info("agent.stopped")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # native threads of the engines may linger


def configured(args: argparse.Namespace) -> Config:
    """The configuration with the command line's overrides."""
    config = load_config(args.config)
    if args.listen_udp:
        with as_config_error("--listen-udp"):
            config = replace(
                config, listen=replace(config.listen, udp=HostPort.parse(args.listen_udp), tcp=None)
            )
    if args.rtp_ports:
        with as_config_error("--rtp-ports"):
            config = replace(config, rtp=replace(config.rtp, port_range=PortRange.parse(args.rtp_ports)))
    if args.console:
        with as_config_error("--console"):
            bind = None if args.console == "off" else HostPort.parse(args.console)
        config = replace(config, console=ConsoleConfig(bind=bind) if bind else None)
    if args.llm:
        config = replace(config, llm=replace(config.llm, model=args.llm))
    if args.ledger_dir:
        config = replace(config, ledger=replace(config.ledger, dir=args.ledger_dir.absolute()))
    if args.no_ledger:
        config = replace(config, ledger=replace(config.ledger, enabled=False))
    log = config.logging
    log = replace(
        log,
        format=args.log_format or log.format,
        level=args.log_level or log.level,
        pii=args.log_pii or log.pii,
    )
    return replace(config, logging=log)


@contextlib.contextmanager
def as_config_error(option: str):  # type: ignore[no-untyped-def]
    """A value that cannot be read becomes one line that names the option."""
    try:
        yield
    except ValueError as error:
        raise ConfigError([f"{option}: {error}"]) from error
