"""``sipagent reload``: have the running server use the ``sip.yaml`` as it is now."""

import argparse
import sys

from sipagent.cli.status import add_server, ask
from sipagent.config.load import load_config
from sipagent.errors import ConfigError

_UNCHANGED = "nothing has changed in the running server"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("reload", help="have the running server use the sip.yaml as it is now")
    add_server(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reload; what must wait for a restart is named.

    :raises ConfigError: the file is not right; the server goes on with what it has.
    """
    try:
        load_config(args.config)  # a broken file need not be sent anywhere, and cannot say where
    except ConfigError as error:
        raise ConfigError([*error.problems, _UNCHANGED]) from error
    answer = ask(args, "reload")
    if not answer["ok"]:
        raise ConfigError([*answer["problems"], _UNCHANGED])
    at_once, waiting = answer["at_once"], answer["waiting_for_restart"]
    print(f"for new calls from now on: {', '.join(at_once)}" if at_once else "nothing changes for new calls")
    for key in waiting:
        print(f"{key} changed: takes effect at the next restart", file=sys.stderr)
    return 0
