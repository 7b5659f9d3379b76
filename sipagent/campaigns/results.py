"""Hands each attempt's outcome on: CSV, JSON Lines, a command. At least once; ``id`` tells repetitions."""

import csv
import fcntl
import io
import json
import os
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sipagent.campaigns.store_views import AttemptRow, StoreViews
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import CampaignError

_COMMAND_TIMEOUT_S = 30
_FIRST_WAIT_S, _LONGEST_WAIT_S = 30, 3600
"""Between two tries of one attempt and sink; each wait is twice the one before."""
_MOST_FAILURES = 3
"""In a row and in one round, after which a sink is left alone until the next."""
_COLUMNS = (
    "id", "campaign", "key", "number", "n", "state", "dialled_utc", "settled_utc", "outcome", "answerer",
    "sip_status", "talk_ms", "cost", "results", "consent",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class _Round:
    """One pass over what is to be handed on."""

    campaign: CampaignConfig
    now_s: int
    failed: Callable[[str], None]
    failures: Counter[str] = field(default_factory=Counter)
    """Sink → failures in a row."""

    def hand_on(self, attempt: AttemptRow) -> dict[str, dict[str, int]]:
        """Hand one attempt to every sink that does not have it and may be tried.

        :returns: sink → ``{}`` where it has it, else how often it has failed and when it is tried again.
        """
        told = {name: dict(state) for name, state in attempt.sinks.items()}
        text = json.dumps(attempt.as_row(), ensure_ascii=False)
        for name, write in _sinks(self.campaign):
            state = told.get(name)
            if state == {} or (state is not None and state["again_s"] > self.now_s):
                continue
            tries = state["tries"] if state else 0
            if self.failures[name] >= _MOST_FAILURES:  # it is down, presumably: its time-outs add up
                told[name] = {"tries": tries, "again_s": self.now_s + _FIRST_WAIT_S}
                continue
            try:
                write(attempt, text)
            except (CampaignError, OSError, ValueError, subprocess.TimeoutExpired) as error:
                self.failures[name] += 1
                wait_s = min(_FIRST_WAIT_S << min(tries, 16), _LONGEST_WAIT_S)
                told[name] = {"tries": tries + 1, "again_s": self.now_s + wait_s}
                if not tries:
                    self.failed(
                        f"campaign {self.campaign.name}: attempt {attempt.id} was not handed on to {name} "
                        f"and is tried again: {error}"
                    )
            else:
                self.failures[name] = 0
                told[name] = {}
        return told


def hand_on(
    campaign: CampaignConfig, views: StoreViews, failed: Callable[[str], None], now: datetime | None = None
) -> int:
    """Hand on what is new, to each sink by itself. What one does not take is kept for it, and blocks nothing.

    :param failed: is told why, once for each attempt and sink.
    :param now: None: this moment.
    :returns: attempts that every sink has now.
    """
    now_s = int((now or datetime.now(UTC)).timestamp())
    done, this = 0, _Round(campaign, now_s, failed)
    for attempt in views.unreported(campaign.name, now_s):
        sinks = this.hand_on(attempt)
        left = [state["again_s"] for state in sinks.values() if state]
        views.mark_reported(attempt, sinks, min(left, default=None))
        done += not left
    return done


def _sinks(campaign: CampaignConfig) -> Iterator[tuple[str, Callable[[AttemptRow, str], None]]]:
    results = campaign.results
    if (csv_file := results.csv) is not None:
        yield "csv", lambda attempt, _: _append(csv_file, csv_line(_COLUMNS), csv_line(_cells(attempt)))
    if (jsonl_file := results.jsonl) is not None:
        yield "jsonl", lambda _, text: _append(jsonl_file, "", text + "\n")
    if results.command:
        yield "command", lambda _, text: _run(campaign, text)


def _run(campaign: CampaignConfig, text: str) -> None:
    done = subprocess.run(
        shlex.split(campaign.results.command), input=text.encode(), capture_output=True, check=False,
        timeout=_COMMAND_TIMEOUT_S, cwd=Path(campaign.source.path).absolute().parent,
    )  # fmt: skip
    if done.returncode:
        raise CampaignError(f"results.command ended with status {done.returncode}")


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
