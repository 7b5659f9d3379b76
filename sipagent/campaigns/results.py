"""Hands each attempt's outcome on: CSV, JSON Lines, a command. At least once; ``id`` tells repetitions."""

import csv
import fcntl
import io
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from sipagent.campaigns.store_views import AttemptRow, StoreViews
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import CampaignError

_COMMAND_TIMEOUT_S = 30
_COLUMNS = (
    "id", "campaign", "key", "number", "n", "state", "dialled_utc", "settled_utc", "outcome", "answerer",
    "sip_status", "talk_ms", "cost", "results",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def hand_on(campaign: CampaignConfig, views: StoreViews, failed: Callable[[str], None]) -> int:
    """Hand on what is new. What fails is kept and tried again the next time.

    :param failed: is told why.
    :returns: attempts handed on.
    """
    done = 0
    for attempt in views.unreported(campaign.name):
        try:
            _write(campaign, attempt)
        except (CampaignError, OSError, subprocess.TimeoutExpired) as error:
            failed(f"campaign {campaign.name}: attempt {attempt.id} was not handed on: {error}")
            return done
        views.mark_reported(attempt)
        done += 1
    return done


def _write(campaign: CampaignConfig, attempt: AttemptRow) -> None:
    """The command goes first: it may fail, and then no file says it twice."""
    results = campaign.results
    text = json.dumps(attempt.as_row(), ensure_ascii=False)
    if results.command:
        folder = Path(campaign.source.path).absolute().parent
        done = subprocess.run(
            shlex.split(results.command), input=text.encode(), capture_output=True, check=False,
            timeout=_COMMAND_TIMEOUT_S, cwd=folder,
        )  # fmt: skip
        if done.returncode:
            raise CampaignError(f"results.command ended with status {done.returncode}")
    if results.jsonl is not None:
        _append(results.jsonl, "", text + "\n")
    if results.csv is not None:
        _append(results.csv, csv_line(_COLUMNS), csv_line(_cells(attempt)))


def _cells(attempt: AttemptRow) -> list[str]:
    row = attempt.as_row() | {"results": json.dumps(attempt.as_row()["results"], ensure_ascii=False)}
    cells = [str(row[name]) for name in _COLUMNS]
    return [f"'{cell}" if cell.startswith(_FORMULA) and not cell[1:].isdigit() else cell for cell in cells]


def csv_line(cells: "tuple[str, ...] | list[str]") -> str:
    """One line; a spreadsheet must not take what people said for a formula, so callers quote that."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _append(path: Path, header: str, line: str) -> None:
    """On the disk when it returns; a line that a crash tore is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
        is_torn = size > 0 and file.read(1) != b"\n"
        file.write((("\n" if is_torn else "") + ("" if size else header) + line).encode())
        file.flush()
        os.fsync(file.fileno())
