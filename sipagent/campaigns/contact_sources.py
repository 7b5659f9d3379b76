"""Rows of a contact list, whatever it is kept in. Every row knows where it stands."""

import csv
import io
import json
import shlex
import subprocess
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sipagent.campaigns.store_open import open_to_read, read_query
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import ConfigError

_COMMAND_TIMEOUT_S = 120
_LARGEST_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the list."""

    at: str
    """``contacts.csv:7``, for messages."""
    cells: dict[str, str]


def read_rows(campaign: CampaignConfig) -> list[Row]:
    """The list, whole.

    :raises ConfigError: it cannot be read, is not what its format says, or is too long.
    """
    contacts = campaign.contacts
    if contacts.sqlite is not None:
        rows = _from_sqlite(campaign)
    else:
        text, name = _text(campaign)
        kind = contacts.format
        if kind == "auto":
            is_lines = contacts.file is not None and contacts.file.suffix in (".jsonl", ".ndjson")
            kind = "jsonl" if is_lines else "csv"
        rows = _from_jsonl(text, name) if kind == "jsonl" else _from_csv(text, name, campaign)
    found, problems = [], []
    for row in rows:
        if isinstance(row, str):
            problems.append(row)
        else:
            found.append(row)
        if len(found) > contacts.most:
            raise ConfigError([f"{campaign.source.at('contacts.most')}: the list has more rows than that"])
    if problems:
        raise ConfigError(problems)
    return found


def missing_columns(campaign: CampaignConfig, columns: Collection[str]) -> list[str]:
    """One line for each column that the campaign names and the list has not."""
    contacts = campaign.contacts
    named = {"contacts.number": contacts.number, "contacts.key": contacts.key, "contacts.zone": contacts.zone}
    named["consent.column"] = campaign.consent.column
    named |= {f"variables.{name}": column for name, column in campaign.variables.items()}
    there = ", ".join(name if name.isprintable() else repr(name) for name in columns)
    return [
        f"{campaign.source.at(key)}: the list has no column {column!r}; it has: {there}"
        for key, column in named.items()
        if column and column not in columns
    ]


def _text(campaign: CampaignConfig) -> tuple[str, str]:
    """The text of the list, and its name in messages."""
    contacts = campaign.contacts
    if contacts.file is not None:
        at = campaign.source.at("contacts.file")
        try:
            data = contacts.file.read_bytes()
        except OSError as exc:
            raise ConfigError([f"{at}: {contacts.file} cannot be read: {exc.strerror or exc}"]) from exc
        name = str(contacts.file)
    else:
        data, at, name = _output(campaign), campaign.source.at("contacts.command"), "contacts.command"
    if len(data) > _LARGEST_BYTES:
        raise ConfigError([f"{at}: larger than {_LARGEST_BYTES} bytes"])
    try:
        return data.decode("utf-8-sig"), name
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError([f"{name}:{line}: not UTF-8; save the list as UTF-8"]) from None


def _output(campaign: CampaignConfig) -> bytes:
    at = campaign.source.at("contacts.command")
    folder = Path(campaign.source.path).absolute().parent
    try:
        done = subprocess.run(
            shlex.split(campaign.contacts.command),
            capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=False, cwd=folder,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ConfigError([f"{at}: {exc}"]) from exc
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ConfigError(
            [f"{at}: ended with status {done.returncode}: {said[-1] if said else 'no message'}"]
        )
    return done.stdout


def _from_csv(text: str, name: str, campaign: CampaignConfig) -> Iterator[Row | str]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not header:
            raise ConfigError([f"{name}: is empty; its first line names the columns"])
        if len(set(header)) < len(header):
            raise ConfigError([f"{name}:1: a column appears twice: {', '.join(header)}"])
        line, is_empty = reader.line_num + 1, True
        for cells in reader:
            is_empty = False
            if len(cells) not in (0, len(header)):
                yield f"{name}:{line}: {len(cells)} cells, but the header has {len(header)}"
            elif any(cell.strip() for cell in cells):
                yield Row(f"{name}:{line}", dict(zip(header, (c.strip() for c in cells), strict=True)))
            line = reader.line_num + 1
        if is_empty and (missing := missing_columns(campaign, header)):
            raise ConfigError(missing)
    except csv.Error as exc:
        yield f"{name}:{reader.line_num}: not valid CSV: {exc}"


def _from_jsonl(text: str, name: str) -> Iterator[Row | str]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as exc:
            yield f"{name}:{number}: not valid JSON: {exc}"
            continue
        if not isinstance(entry, dict) or any(isinstance(v, dict | list) for v in entry.values()):
            yield f"{name}:{number}: expected an object of plain values"
            continue
        yield Row(f"{name}:{number}", {key: _cell(value) for key, value in entry.items()})


def _from_sqlite(campaign: CampaignConfig) -> Iterator[Row | str]:
    contacts = campaign.contacts
    assert contacts.sqlite is not None
    try:
        with closing(open_to_read(contacts.sqlite)) as database:
            for number, cells in enumerate(read_query(database, contacts.query), 1):
                yield Row(f"{contacts.sqlite}: row {number}", {k: _cell(v) for k, v in cells.items()})
    except ValueError as exc:
        raise ConfigError([f"{campaign.source.at('contacts.query')}: {exc}"]) from exc


def _cell(value: object) -> str:
    """As text; a number that a database keeps as 4930123456.0 is meant without its point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
