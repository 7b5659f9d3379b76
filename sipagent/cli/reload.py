"""``sipagent reload``: have the running server use the ``sip.yaml`` as it is now."""

import argparse
import sys

from sipagent.cli.status import add_server, ask
from sipagent.config.load import load_config
from sipagent.errors import ConfigError

EXIT_FAILED = 1
_UNCHANGED = "nothing has changed in the running server"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("reload", help="have the running server use the sip.yaml as it is now")
    add_server(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reload; what must wait for a restart is named.

    :returns: 0; 1 where the file is right but the server cannot use it, and goes on with what it has.
    :raises ConfigError: the file is not right; the server goes on with what it has.
    """
    try:
        load_config(args.config)  # a broken file need not be sent anywhere, and cannot say where
    except ConfigError as error:
        raise ConfigError([*error.problems, _UNCHANGED]) from error
    answer = ask(args, "reload")
    if not answer["ok"]:
        problems = [*answer["problems"], _UNCHANGED]
        if answer.get("is_file_wrong", True):
            raise ConfigError(problems)
        print("\n".join(problems), file=sys.stderr)
        return EXIT_FAILED
    at_once, waiting = answer["at_once"], answer["waiting_for_restart"]
    print(f"for new calls from now on: {', '.join(at_once)}" if at_once else "nothing changes for new calls")
    for key in waiting:
        print(f"{key} changed: takes effect at the next restart", file=sys.stderr)
    for name in answer.get("late", ()):
        print(f"{name} is still busy and takes it as soon as it can; see sipagent status", file=sys.stderr)
    return 0
