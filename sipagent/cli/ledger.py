"""``sipagent ledger``: look into the audit ledger, verify it, and make it forget."""

import argparse
import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sipagent.cli import ledger_change
from sipagent.cli.ledger_recording import export_recording
from sipagent.config.load import load_config
from sipagent.errors import LedgerError
from sipagent.ledger import ChainEntry, Kind, LedgerReader
from sipagent.ledger.clock import utc_of, utc_text
from sipagent.ledger.export import calls, entry_json, write_csv, write_json
from sipagent.ledger.journal import heads_path
from sipagent.ledger.keystore import normal_number
from sipagent.ledger.recover import read_heads, segment_numbers
from sipagent.ledger.report import html_report
from sipagent.ledger.story import CallStory, personal_of, tell
from sipagent.ledger.verify import chain_folders

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
_FORMATS = ("csv", "json", "html", "recording")
DIR_VARIABLE = "SIPAGENT_LEDGER_DIR"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("ledger", help="look into the audit ledger, verify it, make it forget")
    commands = parser.add_subparsers(dest="ledger_command", metavar="COMMAND", required=True)
    tail = commands.add_parser("tail", help="the newest entries")
    tail.add_argument("-n", type=int, default=20, metavar="N", help="how many (default: 20)")
    tail.add_argument("-f", "--follow", action="store_true", help="go on with what is written from now on")
    tail.add_argument("--chain", metavar="NAME", help="of this chain only")
    tail.add_argument("--personal", action="store_true", help="show personal fields, too")
    show = commands.add_parser("show", help="one call: who said what, and how fast")
    show.add_argument("call", metavar="CALL", help="its id")
    search = commands.add_parser("search", help="find calls")
    search.add_argument("text", nargs="?", default="", help="words that somebody said in it")
    search.add_argument("--caller", metavar="NUMBER", help="of this caller")
    search.add_argument("--trunk", metavar="NAME", help="over this trunk")
    search.add_argument(
        "--kind", choices=[kind.value for kind in Kind], metavar="KIND", help="with this entry"
    )
    export = commands.add_parser("export", help="calls as CSV or JSON, or one as HTML or its recording")
    export.add_argument("call", nargs="?", metavar="CALL", help="one call only")
    export.add_argument(
        "--format", choices=_FORMATS, required=True, help="html and recording (with -o): of one CALL"
    )
    export.add_argument("-o", "--out", type=Path, metavar="FILE", help="instead of standard output")
    head = commands.add_parser("head", help="the newest signed heads, to keep somewhere else")
    head.add_argument("--chain", metavar="NAME", help="of this chain only")
    for command in (search, export):
        command.add_argument(
            "--since", default="", metavar="UTC", help="began then or later: 2026-11-22T16:00Z"
        )
        command.add_argument("--until", default="", metavar="UTC", help="began before then")
    for command in (tail, show, search, head):
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    changing = ledger_change.register(commands)
    for command in (tail, show, search, export, head, *changing):
        command.add_argument(
            "--dir", type=Path, metavar="DIR", help=f"the ledger, instead of {DIR_VARIABLE} or ledger.dir"
        )
        command.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    :returns: 0 done, 1 nothing found or a verification failed, 2 usage.
    :raises LedgerError: no ledger there, or it cannot be read or written.
    :raises ConfigError: the ledger is not named and ``sip.yaml`` is not usable.
    """
    try:
        return _run(_folder(args), args)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE


def _folder(args: argparse.Namespace) -> Path:
    """Where the ledger is."""
    named: Path | None = getattr(args, "copy", None) or args.dir
    if named is None and os.environ.get(DIR_VARIABLE):
        named = Path(os.environ[DIR_VARIABLE])
    if named is not None:
        return named
    config = load_config(args.config)
    if args.ledger_command == "retain":
        args.days = _days(args.days, config.ledger.keep_days)
        args.recordings_days = _days(args.recordings_days, config.recording.keep_days)
    return config.ledger.dir


def _days(asked: int | None, configured: str | int) -> int | None:
    """What the command line asks for, else the configuration's; None: for ever."""
    return configured if asked is None and isinstance(configured, int) else asked


def _run(folder: Path, args: argparse.Namespace) -> int:
    match args.ledger_command:
        case "tail":
            return _tail(folder, args)
        case "show":
            return _show(folder, args)
        case "search":
            return _search(folder, args)
        case "export":
            return _export(folder, args)
        case "head":
            return _head(folder, args)
        case _:
            return ledger_change.run(folder, args)


def _tail(folder: Path, args: argparse.Namespace) -> int:
    reader = LedgerReader.open(folder)
    shown = reader if args.personal else None
    for one in deque(reader.entries(chain=args.chain), maxlen=max(0, args.n)):
        _print_entry(one, shown, as_json=args.json)
    if args.follow:
        for one in reader.follow(lambda: False):
            if args.chain in (None, one.chain):
                _print_entry(one, shown, as_json=args.json)
                sys.stdout.flush()
    return EXIT_DONE


def _print_entry(one: ChainEntry, reader: LedgerReader | None, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(entry_json(one, reader), ensure_ascii=False))
        return
    entry = one.entry
    fields = dict(entry.body)
    if entry.personal is not None:
        fields |= {"personal": "[sealed]"} if reader is None else personal_of(one, reader)
    about = " ".join(f"{key}={_brief(value)}" for key, value in fields.items())
    where = f" {entry.call_id}" if entry.call_id else ""
    print(f"{entry.at_utc} {one.chain}/{entry.seq} {entry.kind}{where}  {about}")


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _show(folder: Path, args: argparse.Namespace) -> int:
    reader = LedgerReader.open(folder)
    entries = reader.of_call(args.call)
    if not entries:
        raise LedgerError(f"{folder}: no call {args.call}; sipagent ledger search lists the calls")
    if args.json:
        for one in entries:
            _print_entry(one, reader, as_json=True)
        return EXIT_DONE
    story = tell(entries, reader)
    for key, value in story.as_row().items():
        if value not in (None, ""):
            print(f"{key:>13}  {value}")
    lines = [(turn.began_ms, f"{turn.who}: {turn.text}{_timing(turn.v2v_ms)}") for turn in story.turns]
    lines += [(event.at_ms, f"[{event.kind}] {_brief(event.text)}") for event in story.events]
    print()
    for at_ms, text in sorted(lines, key=lambda line: line[0]):
        print(f"{at_ms / 1000:9.1f} s  {text}")
    return EXIT_DONE


def _timing(v2v_ms: int | None) -> str:
    return "" if v2v_ms is None else f"  ({v2v_ms} ms)"


def _search(folder: Path, args: argparse.Namespace) -> int:
    reader = LedgerReader.open(folder)
    count = 0
    since, until = _span(args)
    for story, entries in calls(reader, since=since, until=until):
        if args.kind and not any(one.entry.kind == args.kind for one in entries):
            continue
        if not _fits(story, args):
            continue
        count += 1
        if args.json:
            print(json.dumps(story.as_row(), ensure_ascii=False))
        else:
            length = f"{story.duration_ms / 1000:.0f} s" if story.is_ended else "not ended"
            print(f"{story.began_utc}  {story.call_id}  {story.caller}  {length}  {story.cause}")
    return EXIT_DONE if count else EXIT_FAILED


def _fits(story: CallStory, args: argparse.Namespace) -> bool:
    if args.caller and normal_number(args.caller) != normal_number(story.caller):
        return False
    if args.trunk and args.trunk != story.trunk:
        return False
    wanted = args.text.casefold()
    return not wanted or any(wanted in turn.text.casefold() for turn in story.turns)


def _span(args: argparse.Namespace) -> tuple[str, str]:
    try:
        since = utc_text(utc_of(args.since)) if args.since else ""
        until = utc_text(utc_of(args.until)) if args.until else "~"
    except ValueError as exc:
        raise LedgerError(f"--since, --until: expected a time such as 2026-11-22T16:00Z: {exc}") from exc
    return since, until


def _export(folder: Path, args: argparse.Namespace) -> int:
    if args.format in ("html", "recording") and not args.call:
        print(f"sipagent ledger export: --format {args.format} is of one call: name it", file=sys.stderr)
        return EXIT_USAGE
    if args.format == "recording":
        if args.out is None:
            print("sipagent ledger export: name a file for the recording with -o", file=sys.stderr)
            return EXIT_USAGE
        return export_recording(folder, args.call, args.out)
    reader = LedgerReader.open(folder)
    since, until = _span(args)
    if args.call:
        entries = reader.of_call(args.call)
        if not entries:
            raise LedgerError(f"{folder}: no call {args.call}; sipagent ledger search lists the calls")
        since = until = entries[0].entry.at_utc
        if args.format == "html":
            with _output(args.out) as out:
                out.write(html_report(tell(entries, reader), entries))
            return EXIT_DONE
    with _output(args.out) as out:
        write = write_csv if args.format == "csv" else write_json
        count = write(reader, out, since=since, until=until, call_id=args.call)
    print(f"{count} calls", file=sys.stderr)
    return EXIT_DONE


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that only its owner may read: it holds what callers said."""
    if path is None:
        yield sys.stdout
        return
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as exc:
        raise LedgerError(f"{path}: cannot be written: {exc.strerror}") from exc
    with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
        yield file


def _head(folder: Path, args: argparse.Namespace) -> int:
    count = 0
    for path in chain_folders(folder):
        if args.chain not in (None, path.name):
            continue
        found = [
            head for n in segment_numbers(path)[-2:] for _, head in read_heads(heads_path(path, n)) if head
        ]
        if not found:
            continue
        head = max(found, key=lambda one: one.seq)
        count += 1
        if args.json:
            fields = ("chain", "chain_id", "seq", "sha256", "key", "signature")
            print(json.dumps({name: getattr(head, name) for name in fields} | {"head": str(head)}))
        else:
            print(head)
    return EXIT_DONE if count else EXIT_FAILED
