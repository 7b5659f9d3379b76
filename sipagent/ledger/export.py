"""Calls out of the ledger: a table (CSV), everything (JSON, one object a line), one call (HTML)."""

import csv
import json
from collections.abc import Iterator
from typing import TextIO

from sipagent.ledger.kinds import Kind
from sipagent.ledger.read import ChainEntry, LedgerReader
from sipagent.ledger.story import CallStory, personal_of, tell

_ENDS = (Kind.CALL_ENDED, Kind.CALL_REFUSED)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def calls(
    reader: LedgerReader, *, since: str = "", until: str = "~", call_id: str | None = None
) -> Iterator[tuple[CallStory, list[ChainEntry]]]:
    """Calls that began between two UTC texts, each when it is over; those that never ended come last.

    :param call_id: this one only.
    :raises LedgerError: a file cannot be read.
    """
    open_calls: dict[str, list[ChainEntry]] = {}
    over: set[str] = set()
    for one in reader.entries():
        name = one.entry.call_id
        if name is None or name in over or call_id not in (None, name):
            continue
        open_calls.setdefault(name, []).append(one)
        if one.entry.kind in _ENDS:
            over.add(name)
            entries = open_calls.pop(name)
            if since <= entries[0].entry.at_utc <= until:
                yield tell(entries, reader), entries
    for entries in open_calls.values():
        if since <= entries[0].entry.at_utc <= until:
            yield tell(entries, reader), entries


def entry_json(one: ChainEntry, reader: LedgerReader | None) -> dict[str, object]:
    """An entry as an object; with a reader its sealed fields stand under ``personal``."""
    entry = one.entry
    found: dict[str, object] = {
        "chain": one.chain,
        "seq": entry.seq,
        "at_utc": entry.at_utc,
        "at_ms": entry.at_ms,
        "kind": entry.kind,
        "call_id": entry.call_id,
        "body": entry.body,
        "sha256": entry.sha256,
    }
    if entry.personal is not None:
        found["personal"] = "[sealed]" if reader is None else personal_of(one, reader)
    return found


def write_csv(
    reader: LedgerReader, out: TextIO, *, since: str = "", until: str = "~", call_id: str | None = None
) -> int:
    """One row a call. Texts that a spreadsheet would run as a formula get an apostrophe before them.

    :returns: how many calls.
    """
    writer: csv.DictWriter[str] | None = None
    count = 0
    for story, _ in calls(reader, since=since, until=until, call_id=call_id):
        row = story.as_row()
        if writer is None:
            writer = csv.DictWriter(out, list(row))
            writer.writeheader()
        writer.writerow({key: _harmless(value) for key, value in row.items()})
        count += 1
    return count


def write_json(
    reader: LedgerReader, out: TextIO, *, since: str = "", until: str = "~", call_id: str | None = None
) -> int:
    """One object a call, with its entries.

    :returns: how many calls.
    """
    count = 0
    for story, entries in calls(reader, since=since, until=until, call_id=call_id):
        row = story.as_row() | {"entries": [entry_json(one, reader) for one in entries]}
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count


def _harmless(value: object) -> object:
    text = value if isinstance(value, str) else ""
    is_number = text.startswith("+") and text[1:].isdecimal()
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else value
