"""What the state file tells: counts, unsettled attempts, a report's rows, results to be handed on."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sipagent.campaigns.store_open import open_store


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt, as results and reports have it."""

    id: int
    campaign: str
    key: str
    number: str
    n: int
    state: str
    server: str
    dialled_utc: str
    settled_utc: str
    outcome: str
    answerer: str
    sip_status: int
    talk_ms: int
    cost: float
    results: tuple[Mapping[str, Any], ...]
    consent: str
    """The evidence that the list had when the call was placed."""
    sinks: Mapping[str, Mapping[str, int]]
    """Sink → how far handing it on has come (``results.hand_on``)."""

    def as_row(self) -> dict[str, Any]:
        """Plain values; ``results`` as a list."""
        row = {name: getattr(self, name) for name in self.__slots__ if name != "sinks"}
        return row | {"results": [dict(one) for one in self.results]}


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign at one moment."""

    name: str
    state: str
    why: str
    contacts: Mapping[str, int]
    """waiting, calling, done, expired, unsettled → count."""
    outcomes: Mapping[str, int]
    """Of settled and unsettled attempts."""
    due_s: int | None
    """When the next waiting contact's time comes."""

    @property
    def total(self) -> int:
        """Contacts."""
        return sum(self.contacts.values())

    def facts(self) -> dict[str, Any]:
        """For log, status and metrics: nothing of a person."""
        return {
            "state": self.state,
            "why": self.why,
            "contacts": dict(self.contacts),
            "outcomes": dict(self.outcomes),
        }


class StoreViews:
    """Reads beside a running server; only ``mark_reported`` writes. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """:raises CampaignError: the file cannot be used."""
        self._database = open_store(path)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._database.close()

    def view(self, name: str) -> CampaignView:
        """One campaign; all zero where nothing is known of it."""
        row = self._database.execute("SELECT state, why FROM campaign WHERE name=?", (name,)).fetchone()
        count = "SELECT state, count(*) FROM contact WHERE campaign=? GROUP BY state"
        outcome = "SELECT outcome, count(*) FROM attempt WHERE campaign=? AND outcome<>'' GROUP BY outcome"
        due = "SELECT min(due_at) FROM contact WHERE campaign=? AND state='waiting'"
        return CampaignView(
            name,
            row["state"] if row else "running",
            row["why"] if row else "",
            dict(tuple(r) for r in self._database.execute(count, (name,))),
            dict(tuple(r) for r in self._database.execute(outcome, (name,))),
            self._database.execute(due, (name,)).fetchone()[0],
        )

    def leader(self, name: str) -> str:
        """The server that runs it, or ran it last."""
        row = self._database.execute("SELECT leader FROM campaign WHERE name=?", (name,)).fetchone()
        return row["leader"] if row else ""

    def is_led(self, name: str, now: datetime) -> bool:
        """A server runs it at this moment."""
        query = "SELECT 1 FROM campaign WHERE name=? AND leads_until>?"
        return self._database.execute(query, (name, int(now.timestamp()))).fetchone() is not None

    def attempts(self, campaign: str, *, state: str = "") -> Iterator[AttemptRow]:
        """Attempts that were dialled, in order; those in one state where it is given."""
        rows = self._database.execute(
            "SELECT * FROM attempt "
            "WHERE campaign=? AND dialled_at IS NOT NULL AND (?='' OR state=?) ORDER BY id",
            (campaign, state, state),
        )
        return (_attempt(row) for row in rows)

    def unreported(self, campaign: str, now_s: int, most: int = 100) -> list[AttemptRow]:
        """Attempts whose end somebody was not told yet and may be told now."""
        rows = self._database.execute(
            "SELECT * FROM attempt WHERE campaign=? AND is_reported=0 AND state IN ('settled', 'unsettled') "
            "AND report_at<=? ORDER BY id LIMIT ?",
            (campaign, now_s, most),
        )
        return [_attempt(row) for row in rows]

    def mark_reported(
        self, attempt: AttemptRow, sinks: Mapping[str, Mapping[str, int]], again_s: int | None
    ) -> None:
        """It was handed on, in this state, to these sinks. :param again_s: one of them is tried then."""
        self._database.execute(
            "UPDATE attempt SET is_reported=?, sinks=?, report_at=? WHERE id=? AND state=?",
            (again_s is None, json.dumps(sinks), again_s or 0, attempt.id, attempt.state),
        )

    def contacts(self, campaign: str) -> Iterator[dict[str, Any]]:
        """Every contact, as plain values."""
        query = (
            "SELECT key, number, zones, at, state, why, attempts, due_at, outcome, results "
            "FROM contact WHERE campaign=? ORDER BY key"
        )
        for row in self._database.execute(query, (campaign,)):
            told = {"zones": json.loads(row["zones"]), "results": json.loads(row["results"])}
            yield dict(row) | told | {"due_at": _utc(row["due_at"])}


def _attempt(row: Any) -> AttemptRow:
    cells = dict(row)
    derived = {
        "dialled_utc": _utc(cells["dialled_at"]),
        "settled_utc": _utc(cells["settled_at"]),
        "results": tuple(json.loads(cells["results"])),
        "sinks": json.loads(cells["sinks"]),
    }
    return AttemptRow(**{name: (cells | derived)[name] for name in AttemptRow.__slots__})


def _utc(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
