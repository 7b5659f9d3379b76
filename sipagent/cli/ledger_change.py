"""The commands of ``sipagent ledger`` that write into it: verify, forget, retain, rotate-key."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sipagent.errors import LedgerBusy, LedgerError
from sipagent.ledger import (
    CallerMemory,
    Erased,
    Eraser,
    Head,
    Identity,
    Keep,
    Kind,
    Ledger,
    Report,
    parse_head,
    read_public_key,
    verify,
)
from sipagent.ledger.clock import SystemClock, utc_text
from sipagent.ledger.keystore import KeyStore
from sipagent.ledger.retention import retain
from sipagent.ledger.verify import chain_folders

ADMIN_CHAIN = "admin"
"""The chain of the command line; the servers' chains are theirs."""
_WAIT_S = 10.0
_DAY_MS = 24 * 3600 * 1000


def register(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> tuple[argparse.ArgumentParser, ...]:
    """Add the commands."""
    check = commands.add_parser("verify", help="is it what was written, and is all of it there?")
    check.add_argument(
        "--from", dest="copy", type=Path, metavar="DIR", help="a copy of a ledger; left as it is"
    )
    check.add_argument("--trusted-key", metavar="F", help="the instance's public key: a PEM file, or its hex")
    check.add_argument(
        "--head", action="append", default=[], metavar="H", help="a head that was kept elsewhere, or @FILE"
    )
    check.add_argument("--recordings", type=Path, metavar="DIR", help="instead of DIR/recordings")
    check.add_argument("--no-recordings", action="store_true", help="do not read the recordings")
    check.add_argument("--no-record", action="store_true", help="do not enter this check into the ledger")
    check.add_argument("--json", action="store_true", help="one JSON object")
    forget = commands.add_parser("forget", help="destroy what is kept of a caller or a call")
    whom = forget.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "--caller", metavar="NUMBER", help="every call with this party, and what is remembered of it"
    )
    whom.add_argument("--call", metavar="ID", help="this call")
    retain = commands.add_parser("retain", help="forget by age: run it daily")
    retain.add_argument("--days", type=int, metavar="N", help="instead of ledger.keep_days of sip.yaml")
    retain.add_argument(
        "--recordings-max-mib", type=int, metavar="M", help="delete the oldest recordings above"
    )
    retain.add_argument(
        "--recordings-days", type=int, metavar="N", help="instead of recording.keep_days of sip.yaml"
    )
    for command in (forget, retain):
        command.add_argument("--recordings", type=Path, metavar="DIR", help="instead of DIR/recordings")
        command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    rotate = commands.add_parser("rotate-key", help="sign with a new key from now on")
    return check, forget, retain, rotate


def run(folder: Path, args: argparse.Namespace) -> int:
    """Run one of them.

    :raises LedgerError: it cannot be done.
    """
    match args.ledger_command:
        case "verify":
            return _verify(folder, args)
        case "forget":
            return _forget(folder, args)
        case "retain":
            return _retain(folder, args)
        case _:
            return _rotate(folder)


def _verify(folder: Path, args: argparse.Namespace) -> int:
    report = verify(
        folder,
        trusted_key=_key(args.trusted_key),
        heads=_heads(args.head),
        recordings=args.recordings,
        skips_recordings=args.no_recordings,
        on_bytes=_progress if sys.stderr.isatty() else None,
    )
    if args.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _tell(report)
    if args.copy is None and not args.no_record:
        try:
            with admin_ledger(folder, None) as ledger:
                ledger.append(Kind.LEDGER_VERIFIED, report.summary(), durable=True)
        except LedgerError as exc:
            print(f"sipagent ledger: this check is not entered: {exc}", file=sys.stderr)
    return 0 if report.is_good else 1


def _key(text: str | None) -> str | None:
    if text is None:
        return None
    path = Path(text)
    try:
        return read_public_key(path.read_text(encoding="utf-8") if path.exists() else text)
    except (OSError, UnicodeDecodeError) as exc:
        raise LedgerError(f"--trusted-key {text}: cannot be read: {exc}") from exc


def _heads(texts: list[str]) -> list[Head]:
    lines: list[str] = []
    for text in texts:
        try:
            lines += (
                Path(text[1:]).read_text(encoding="utf-8").splitlines() if text.startswith("@") else [text]
            )
        except (OSError, UnicodeDecodeError) as exc:
            raise LedgerError(f"--head {text}: cannot be read: {exc}") from exc
    if texts and not any(line.strip() for line in lines):
        raise LedgerError(f"--head {' '.join(texts)}: there is no head in it")
    try:
        return [parse_head(line) for line in lines if line.strip()]
    except ValueError as exc:
        raise LedgerError(f"--head: {exc}") from exc


def _progress(bytes_: int) -> None:
    print(f"\r{bytes_ >> 20} MiB", end="", file=sys.stderr, flush=True)


def _tell(report: Report) -> None:
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    for chain in report.chains:
        print(
            f"{chain.chain}: {chain.entries} entries, {chain.calls} calls, "
            f"signed up to entry {chain.signed_seq} of {chain.last_seq}"
        )
        print(f"  key {chain.key}")
    for finding in report.findings:
        print(f"FOUND {finding}")
    for note in report.notes:
        print(f"note: {note}")
    mib = sum(chain.bytes_ for chain in report.chains) / (1 << 20)
    print(f"integrity:    {'intact' if report.is_intact else 'BROKEN'}")
    print(f"completeness: {'complete' if report.is_complete else 'BROKEN'}")
    print(f"{mib:.1f} MiB and {report.recordings_checked} recordings in {report.took_s:.1f} s")


def _forget(folder: Path, args: argparse.Namespace) -> int:
    if not (args.call or args.caller):
        raise LedgerError("forget: --caller and --call need a number or an id, got an empty text")
    names = [args.call] if args.call else _keys(folder).names_of(args.caller)
    if args.dry_run:
        is_known = bool(args.caller) and CallerMemory.of(folder, _keys(folder)).knows(args.caller)
        return _would([*names, *(["the notes on this caller"] if is_known else [])])
    with admin_ledger(folder, args.recordings) as ledger:
        eraser = Eraser(ledger)
        eraser.finish_interrupted()
        done = eraser.forget(names, reason="call" if args.call else "caller")
        if args.caller:
            done += eraser.forget_caller(args.caller)
    _tell_erased(done)
    if not (done.keys or done.recordings or done.callers):
        print("nothing was left to forget", file=sys.stderr)
        return 1
    return 0


def _retain(folder: Path, args: argparse.Namespace) -> int:
    for option, days in (("--days", args.days), ("--recordings-days", args.recordings_days)):
        if days is not None and days < 1:
            raise LedgerError(f"{option}: expected 1 or more, got {days}")
    if args.recordings_max_mib is not None and args.recordings_max_mib < 0:
        raise LedgerError(f"--recordings-max-mib: expected 0 or more, got {args.recordings_max_mib}")
    now_utc_ms = SystemClock().utc_ms()
    if args.dry_run:
        due = args.days is not None
        before = utc_text(now_utc_ms - (args.days or 0) * _DAY_MS)
        return _would(_keys(folder).names_before(before) if due else [])
    max_mib = args.recordings_max_mib
    keep = Keep(
        call_days=args.days,
        recording_days=args.recordings_days,
        recordings_max_bytes=None if max_mib is None else max_mib << 20,
        forgets_callers=True,
    )
    with admin_ledger(folder, args.recordings) as ledger:
        done = retain(ledger, keep, now_utc_ms, full_share=1.0)
    _tell_erased(done)
    return 0


def _keys(folder: Path) -> KeyStore:
    chain_folders(folder)
    return KeyStore.open(folder / "keys", folder / "identity")


def _would(names: list[str]) -> int:
    for name in names:
        print(name)
    print(f"{len(names)} would be forgotten", file=sys.stderr)
    return 0


def _tell_erased(done: Erased) -> None:
    notes = f", notes on {done.callers} callers" if done.callers else ""
    print(
        f"forgotten: {done.calls} calls, {done.keys} keys, {done.recordings} recordings{notes}",
        file=sys.stderr,
    )


def _rotate(folder: Path) -> int:
    chain_folders(folder)
    with admin_ledger(
        folder, None
    ):  # opened under the old key, closed under the new one: the entry ties them
        identity = Identity.open(folder / "identity").rotate()
    print(identity.key)
    print(
        f"give {folder / 'identity' / 'instance.pub'} to your auditors; servers that run take the new key at "
        "their next checkpoint",
        file=sys.stderr,
    )
    return 0


@contextmanager
def admin_ledger(folder: Path, recordings: Path | None) -> Iterator[Ledger]:
    """The command line's own chain; waits while another command holds it."""
    chain_folders(folder)
    deadline_s = time.monotonic() + _WAIT_S
    while True:
        try:
            ledger = Ledger.open(folder, "admin", chain=ADMIN_CHAIN, recordings=recordings)
            break
        except LedgerBusy:
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(0.1)
    try:
        yield ledger
    finally:
        is_done = ledger.close()
    if not is_done:
        raise LedgerError(f"{folder}: the disk did not take everything: {ledger.state.problem}")
