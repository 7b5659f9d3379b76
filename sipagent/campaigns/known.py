"""What the state file knows of a campaign, read beside a running server. Nothing is written, nothing made."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.outcomes import Owed
from sipagent.campaigns.pacing import LOOK_BACK, NumberCall
from sipagent.campaigns.store import call_of
from sipagent.campaigns.store_contacts import contact_of
from sipagent.campaigns.store_open import StateDatabase, open_copy
from sipagent.campaigns.store_wishes import moment_of, seconds_of


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact of an earlier or the present run."""

    contact: Contact
    """As the list had it when the run began."""
    row: Mapping[str, Any]
    """As the state has it (``standing_of``)."""

    @property
    def state(self) -> str:
        """waiting, calling, done, expired or unsettled."""
        return str(self.row["state"])

    @property
    def why(self) -> str:
        """Why it is in that state."""
        return str(self.row["why"])

    @property
    def due(self) -> datetime:
        """When its time comes, where it waits."""
        return moment_of(self.row["due_at"])

    @property
    def owed(self) -> Owed:
        """What was promised to the person."""
        return Owed(self.row["owed"])

    @property
    def run_at(self) -> datetime:
        """Beginning of the latest run whose list had it."""
        return moment_of(self.row["run_at"])


@dataclass(frozen=True, slots=True)
class Known:
    """One campaign at one moment; nothing where no server has run it."""

    state: str = "running"
    why: str = ""
    run_at: datetime | None = None
    """Beginning of the latest run."""
    is_wanted: bool = False
    """A run was asked for."""
    contacts: Mapping[str, KnownContact] = field(default_factory=dict)
    opted_out: frozenset[str] = frozenset()
    """Numbers, of any campaign."""
    calls: Mapping[str, tuple[NumberCall, ...]] = field(default_factory=dict)
    """Number → its calls of late, by any campaign."""
    calls_today: int = 0
    spent_today: float = 0.0


def known_of(state_file: Path, campaign: str, now: datetime) -> Known:
    """Everything that decides who is called.

    :raises CampaignError: the file is there and cannot be read.
    """
    if not state_file.exists():
        return Known()
    with closing(open_copy(state_file)) as database:
        row = database.execute("SELECT * FROM campaign WHERE name=?", (campaign,)).fetchone()
        state = dict(row) if row is not None else {}
        rows = database.execute("SELECT * FROM contact WHERE campaign=?", (campaign,)).fetchall()
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        calls_today, spent_today = database.execute(
            "SELECT count(*), coalesce(sum(cost), 0.0) FROM attempt "
            "WHERE campaign=? AND claimed_at>=? AND state<>'released'",
            (campaign, seconds_of(midnight)),
        ).fetchone()
        return Known(
            state=state.get("state", "running"),
            why=state.get("why", ""),
            run_at=None if state.get("run_at") is None else moment_of(state["run_at"]),
            is_wanted=state.get("wanted_run") is not None,
            contacts={row["key"]: KnownContact(contact_of(row), dict(row)) for row in rows},
            opted_out=frozenset(row["number"] for row in database.execute("SELECT number FROM opt_out")),
            calls=_calls(database, seconds_of(now)),
            calls_today=calls_today,
            spent_today=spent_today,
        )


def _calls(database: StateDatabase, now_s: int) -> dict[str, tuple[NumberCall, ...]]:
    """A call in progress counts as if it ended now: it is not over before."""
    found: defaultdict[str, list[NumberCall]] = defaultdict(list)
    rows = database.execute(
        "SELECT number, state, dialled_at, over_at, CASE state WHEN 'dialling' THEN ? "
        "ELSE coalesce(settled_at, dialled_at) END ended_at "
        "FROM attempt WHERE state<>'released' AND dialled_at>? ORDER BY dialled_at, id",
        (now_s, now_s - int(LOOK_BACK.total_seconds())),
    )
    for row in rows:
        found[row["number"]].append(call_of(row))
    return {number: tuple(calls) for number, calls in found.items()}
