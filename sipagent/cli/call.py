"""``sipagent call``: load the engines, call one number, hold the conversation, tell what became of it."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipagent import logs
from sipagent.call.dialling import Outcome
from sipagent.call.outbound import CallResult, OutboundCall, PlacedCall, checked
from sipagent.call.spend import OutboundRefused
from sipagent.cli.call_progress import ProgressLine
from sipagent.cli.check import environment_problems
from sipagent.cli.serve import as_config_error, configured
from sipagent.config.schema import AuthConfig, Config, HostPort, ListenConfig, TrunkConfig
from sipagent.config.secret import take_from_environment
from sipagent.config.variables import VariableError, fill
from sipagent.errors import ConfigError, LedgerBusy, SipAgentError

if TYPE_CHECKING:
    from sipagent.audit import Bookkeeper

STATUS = {
    Outcome.ANSWERED: 0,
    Outcome.BUSY: 10,
    Outcome.NO_ANSWER: 11,
    Outcome.REJECTED: 12,
    Outcome.FAILED: 13,
    Outcome.CANCELLED: 130,
}
STATUS_REFUSED = 14
"""Not dialled: ``limits.outbound``, the variables, or the order itself."""
_MOST_CHAINS = 16
_TABLE = """\
exit status:
  0   answered; the conversation is over
  10  busy
  11  no answer
  12  rejected by the called or the trunk
  13  failed: no trunk could carry the call
  14  not dialled: not allowed, a variable is missing, or no such persona or trunk
  1   the agent failed    2  usage    78  bad configuration    130  cancelled
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "call",
        help="call a number and hold the conversation",
        epilog=_TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("number", help="as +15550100123, or an extension of the peer")
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.add_argument("--persona", required=True, metavar="NAME", help="who calls")
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="for {name} in the persona's texts; may be repeated",
    )
    parser.add_argument("--trunk", default="", metavar="NAME", help="only this one")
    parser.add_argument("--caller-id", default="", metavar="NUMBER", help="instead of the trunk's caller_id")
    parser.add_argument("--ring-s", type=int, metavar="N", help="instead of limits.outbound.ring_s")
    parser.add_argument("--json", action="store_true", help="the outcome as a JSON object on standard output")
    parser.add_argument("--listen-udp", metavar="HOST:PORT", help="instead of a free port")
    parser.add_argument("--rtp-ports", metavar="A-B", help="instead of rtp.port_range")
    parser.add_argument("--llm", metavar="NAME", help="instead of llm.model")
    parser.add_argument("--ledger-dir", type=Path, metavar="DIR", help="instead of ledger.dir")
    parser.add_argument("--no-ledger", action="store_true", help="the call leaves no record")
    parser.add_argument("--log-format", choices=("auto", "json", "console"))
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="warning")
    parser.add_argument("--log-pii", action="store_true", help="show what is said and dialled")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Call, talk, tell.

    :returns: see ``_TABLE``; does not return once the engines are loaded.
    :raises ConfigError: the configuration or the environment is not usable; nothing was dialled.
    """
    call = OutboundCall(
        to=args.number,
        persona=args.persona,
        variables=_variables(args.var),
        trunk=args.trunk,
        caller_id=args.caller_id,
        ring_s=args.ring_s,
    )
    listen_udp, args.listen_udp = args.listen_udp, None
    args.console = "off"  # a server on this machine may have it
    config = configured(args)
    try:
        checked(config, call)
    except (OutboundRefused, VariableError) as error:
        return _refused(error, args)
    config = for_one_call(config, call, listen_udp)
    problems = environment_problems(config)
    if problems:
        raise ConfigError(problems)
    try:
        status, told = _call(config, replace(call, variables={}), ProgressLine(sys.stderr, args.number))
        if args.json:
            print(json.dumps(told, ensure_ascii=False))
    except OutboundRefused as error:  # the day's calls or money are used up
        status = _refused(error, args)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # native threads of the engines may linger


def _refused(error: SipAgentError, args: argparse.Namespace) -> int:
    print(f"sipagent: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps({"outcome": "refused", "number": args.number, "reason": str(error)}))
    return STATUS_REFUSED


def for_one_call(config: Config, call: OutboundCall, listen_udp: str | None = None) -> Config:
    """What one call needs of the configuration: free ports, the persona with its variables filled in.

    It registers nowhere, for that would take the running server's place, and it takes no calls.
    """
    persona = fill(config.personas[call.persona], call.variables)
    trunks = tuple(_for_calling(trunk) for trunk in config.trunks if call.trunk in ("", trunk.name))
    binds = {name: replace(bind, port=0) for name, bind in config.listen.binds.items()}
    if listen_udp is not None:
        with as_config_error("--listen-udp"):
            binds["udp"] = HostPort.parse(listen_udp)
    tls = config.listen.tls
    needs_tls = any(trunk.transport == "tls" for trunk in trunks)
    listen = ListenConfig(
        udp=binds.get("udp"),
        tcp=binds.get("tcp"),
        tls=replace(tls, bind=binds["tls"]) if tls is not None and needs_tls else None,
    )
    return replace(config, listen=listen, trunks=trunks, numbers=(), personas={call.persona: persona})


def _for_calling(trunk: TrunkConfig) -> TrunkConfig:
    account = trunk.register
    if account is None:
        return replace(trunk, options_s=0)
    auth = AuthConfig(
        username=account.username,
        password_env=account.password_env,
        password_file=account.password_file,
        password_credential=account.password_credential,
        password=account.password,
    )
    caller_id = trunk.caller_id or account.username
    return replace(trunk, register=None, auth=auth, caller_id=caller_id, options_s=0)


def _variables(pairs: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name in found:
            raise ConfigError([f"--var: expected name=text, each name once, got {pair!r}"])
        found[name] = value
    return found


def _call(config: Config, call: OutboundCall, line: ProgressLine) -> tuple[int, dict[str, Any]]:
    """Load, dial, wait for the end.

    :returns: the exit status and what ``--json`` prints.
    """
    take_from_environment(config)  # no program that is started from here gets a password
    logs.configure(format_=config.logging.format, level=config.logging.level, shows_pii=config.logging.pii)
    from sipagent.app import Worker  # the engines' libraries take a second to import

    log = logs.get_log().bind(instance=config.instance)
    sys.setswitchinterval(0.0005)  # the SIP thread must not wait 5 ms for a busy one
    keeper = _open_ledger(config, log)
    worker = Worker(config, log, keeper.ledger if keeper else None)
    placed: PlacedCall | None = None

    def on_signal(*_: object) -> None:
        if placed is None or line.is_ending:
            os._exit(STATUS[Outcome.CANCELLED])
        line.is_ending = True
        placed.end("cancelled by the operator")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    try:
        line.show("loading the models")
        worker.start()
        placed = worker.place(call, line.take)
        while (result := placed.wait(0.5)) is None:
            line.refresh()
        assert placed.session is not None
        placed.session.join(10)
    finally:
        line.close()
        worker.close()
        if keeper is not None:
            keeper.close("the call is over")
    line.tell(result)
    return STATUS[result.outcome], _as_json(placed, call, result)


def _open_ledger(config: Config, log: Any) -> "Bookkeeper | None":
    """A chain of our own: that of the running server is its own alone."""
    from sipagent.audit import Bookkeeper

    for index in range(1, _MOST_CHAINS):
        try:
            return Bookkeeper.open(config, log, chain=f"call-{index}")
        except ConfigError as error:
            if not isinstance(error.__cause__, LedgerBusy):
                raise
    raise ConfigError([f"ledger.dir: {_MOST_CHAINS} calls are under way already"])


def _as_json(placed: PlacedCall, call: OutboundCall, result: CallResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome.value,
        "number": placed.number,
        "persona": call.persona,
        "trunk": result.trunk,
        "sip_status": result.status,
        "reason": result.reason,
        "ring_ms": result.ring_ms,
        "talk_ms": result.talk_ms,
        "early_media": result.has_early_media,
        "call_id": placed.call_id,
        "attempts": [
            {"trunk": one.trunk, "sip_status": one.status, "reason": one.reason} for one in result.attempts
        ],
    }
