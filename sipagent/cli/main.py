"""The ``sipagent`` command."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from sipagent import __version__
from sipagent.errors import ConfigError, SipAgentError

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG = 0, 1, 2, 78
_COMMANDS = (
    "serve", "status", "reload", "drain", "call", "campaign", "check", "egress", "firewall", "flow", "ledger",
    "messages", "lab", "talk", "models", "bench",
)  # fmt: skip
"""Each is a module here with ``register(subparsers)``, and imported only when it is wanted: a server shall be
small, and who asks for its status shall not wait for the laboratory.
"""


def build_parser(command: str = "") -> argparse.ArgumentParser:
    """The parser with every command, or with ``command`` alone where there is one of that name."""
    parser = argparse.ArgumentParser(
        prog="sipagent", description="Answers phone calls over SIP, with local models only."
    )
    parser.add_argument("--version", action="version", version=f"sipagent {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in [command] if command in _COMMANDS else _COMMANDS:
        importlib.import_module(f"sipagent.cli.{name}").register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :returns: 0 done, 1 failed, 2 usage, 78 bad configuration or environment.
    """
    words = sys.argv[1:] if argv is None else argv
    args = build_parser(words[0] if words else "").parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
        return EXIT_DONE
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    except SipAgentError as error:
        print(f"sipagent: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
