"""``sipagent egress``: what may leave this machine, the system's rules for it, proof that they hold."""

import argparse
import json
import os
import pwd
import sys
from functools import reduce
from pathlib import Path

from sipagent import logs
from sipagent.config.load import load_config
from sipagent.egress.allow import AllowList, work_out
from sipagent.egress.guard import EgressGuard
from sipagent.egress.proof import prove
from sipagent.egress.rules import NO_DROP_IN, NO_TABLE, nft_table, systemd_drop_in
from sipagent.errors import SipAgentError

EXIT_DONE, EXIT_FAILED, EXIT_KEPT = 0, 1, os.EX_TEMPFAIL
SERVICE_USER = "sipagent"
_REMEDY = (
    "the lock does not hold for this user: install the system's rules with `sipagent egress nft -o FILE` and "
    "`nft -f FILE`, and run this as the service's user (--user)"
)


class EgressError(SipAgentError):
    """The lock cannot be written or tried."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "egress", help="what may leave this machine, and proof that nothing else does"
    )
    commands = parser.add_subparsers(
        dest="egress_command", metavar="show | nft | systemd | test", required=True
    )
    show = commands.add_parser("show", help="the list that sip.yaml comes to, with the reasons")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    nft = commands.add_parser("nft", help="the nftables table that binds the service's user to it")
    unit = commands.add_parser("systemd", help="the same as a drop-in of the unit")
    test = commands.add_parser(
        "test", help="try allowed and forbidden addresses, from Python and native code"
    )
    for command in (nft, test):
        command.add_argument(
            "--user", metavar="NAME", help="the service's user (nft: sipagent; test: oneself)"
        )
    for command in (nft, unit):
        command.add_argument(
            "-o", "--out", type=Path, metavar="FILE", help="instead of standard output; kept if DNS fails"
        )
    for command in (show, nft, unit, test):
        command.add_argument(
            "-c",
            "--config",
            type=Path,
            action="append",
            metavar="FILE",
            help="sip.yaml; again for each further instance of the same user",
        )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    :returns: 0; 1 where the lock does not hold; 75 where a file was kept because DNS fails.
    :raises ConfigError: a configuration is not usable. :raises EgressError: no such user, no such file.
    """
    configs = [load_config(path) for path in args.config or [Path("sip.yaml")]]
    allowed = reduce(AllowList.__add__, (work_out(config) for config in configs))
    for name in allowed.unresolved:
        print(f"sipagent egress: {name}: DNS knows no address, so it cannot be reached", file=sys.stderr)
    is_locked = all(config.egress.enforce for config in configs)
    match args.egress_command:
        case "show":
            _show(allowed, as_json=args.json)
        case "nft":
            uid = _uid(args.user or SERVICE_USER)
            return _write(nft_table(allowed, uid=uid) if is_locked else NO_TABLE, args.out, allowed)
        case "systemd":
            return _write(systemd_drop_in(allowed) if is_locked else NO_DROP_IN, args.out, allowed)
        case "test":
            return _test(allowed, args.user)
    return EXIT_DONE


def _show(allowed: AllowList, *, as_json: bool) -> None:
    for entry in allowed.entries:
        if as_json:
            print(json.dumps({"network": str(entry.network), "port": entry.port, "why": entry.why}))
        else:
            port = f"port {entry.port}" if entry.port else ""
            print(f"{entry.network!s:<19} {port:<8} {entry.why}")


def _write(text: str, out: Path | None, allowed: AllowList) -> int:
    """A file that is there stays as it is while DNS fails: it may know what DNS does not tell today."""
    if out is None:
        print(text, end="")
        return EXIT_DONE
    if allowed.unresolved and out.exists():
        print(f"sipagent egress: {out} stays as it is until every name is resolved", file=sys.stderr)
        return EXIT_KEPT
    fresh = out.with_name(f"{out.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(out)
    except OSError as error:
        raise EgressError(f"{out}: cannot be written: {error.strerror}") from error
    return EXIT_DONE


def _test(allowed: AllowList, user: str | None) -> int:
    if user is not None:
        _become(user)
    logs.configure(level="error", format_="console", stream=open(os.devnull, "w"))  # noqa: SIM115
    EgressGuard(allowed, logs.get_log()).install()
    lines = []
    for line in prove(allowed):
        lines.append(line)
        print(f"{'ok  ' if line.is_good else 'FAIL'} {line.text}", flush=True)
    if all(line.is_good for line in lines):
        print(f"the lock holds: {len(lines)} attempts went as they must")
        return EXIT_DONE
    print(f"sipagent egress: {_REMEDY}", file=sys.stderr)
    return EXIT_FAILED


def _become(user: str) -> None:
    uid = _uid(user)
    try:
        os.setgroups([])
        os.setgid(uid if user.isdigit() else pwd.getpwnam(user).pw_gid)
        os.setuid(uid)
    except PermissionError:
        if os.geteuid() != uid:
            raise EgressError(f"--user {user}: only root can try as another user; use sudo") from None


def _uid(user: str) -> int:
    if user.isdigit():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise EgressError(
            f"no user {user!r} here; scripts/install makes it, or name one with --user"
        ) from None
