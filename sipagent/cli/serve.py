"""``sipagent serve``: answer calls until told to stop."""

import argparse
import contextlib
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from sipagent import logs
from sipagent.cli.check import environment_problems
from sipagent.config.load import load_config
from sipagent.config.schema import Config, ConsoleConfig, HostPort, PortRange
from sipagent.config.secret import take_from_environment
from sipagent.egress.guard import install_audit_hook
from sipagent.errors import ConfigError
from sipagent.web.events import EventPipe
from sipagent.web.server import open_console


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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once.

    :raises ConfigError: the configuration or the environment is not usable; nothing was started.
    """
    config = configured(args)
    problems = environment_problems(config)
    if problems:
        raise ConfigError(problems)
    take_from_environment(config)  # no program that is started from here gets a password
    events = EventPipe()
    logs.configure(
        format_=config.logging.format,
        level=config.logging.level,
        shows_pii=config.logging.pii,
        observers=[events.sender("main")],
    )
    from sipagent.app import Worker  # the engines' libraries take a second to import
    from sipagent.audit import Bookkeeper

    log = logs.get_log().bind(instance=config.instance)
    install_audit_hook(config, log)
    console = open_console(config, events, log)
    sys.setswitchinterval(0.0005)  # the SIP thread must not wait 5 ms for a busy one
    keeper = Bookkeeper.open(config, log)
    worker = Worker(config, log, keeper.ledger if keeper else None)
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
