"""The ``sipagent`` command."""

import argparse
import sys
from collections.abc import Sequence

from sipagent import __version__
from sipagent.cli import bench, call, check, egress, firewall, lab, ledger, models, serve, talk
from sipagent.errors import ConfigError, SipAgentError

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG = 0, 1, 2, 78
_COMMANDS = (serve, call, check, egress, firewall, ledger, lab, talk, models, bench)


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = argparse.ArgumentParser(
        prog="sipagent", description="Answers phone calls over SIP, with local models only."
    )
    parser.add_argument("--version", action="version", version=f"sipagent {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :returns: 0 done, 1 failed, 2 usage, 78 bad configuration or environment.
    """
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
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
