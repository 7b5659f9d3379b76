"""Arguments that several benchmarks share."""

import argparse


def at_least_one(text: str) -> int:
    """An argument that counts something."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, got {text!r}")
    return int(text)


def add_call_arguments(
    parser: argparse.ArgumentParser, *, counted: str, default: int, calls: int = 1
) -> None:
    """``-n``, ``--calls`` and ``--to``.

    :param counted: what ``-n`` counts, as ``turns``.
    """
    parser.add_argument(
        "-n", type=at_least_one, default=default, metavar="N", help=f"{counted} in all (default: {default})"
    )
    parser.add_argument(
        "--calls",
        type=at_least_one,
        default=calls,
        metavar="K",
        help=f"calls at the same time (default: {calls})",
    )
    parser.add_argument("--to", default="receptionist", metavar="NAME", help="who is called")


def add_speech_argument(parser: argparse.ArgumentParser, default: str) -> None:
    """``--speech``, as :func:`sipagent.bench.speech_set.speech_lines` takes it.

    :param default: what is said without it, for the help.
    """
    parser.add_argument(
        "--speech", metavar="DIR", help=f"WAV folder with manifest.json, or a scenario (default: {default})"
    )
