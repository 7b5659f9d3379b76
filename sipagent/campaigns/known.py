"""What the state file knows of a campaign, read beside a running server. Nothing is written, nothing made."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sipagent.campaigns.store_open import open_to_read, read_query
from sipagent.campaigns.store_wishes import moment_of, seconds_of
from sipagent.errors import CampaignError


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact of an earlier or the present run."""

    state: str
    why: str
    due: datetime


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
    calls_today: int = 0
    spent_today: float = 0.0


def known_of(state_file: Path, campaign: str, now: datetime) -> Known:
    """Everything that decides who is called.

    :raises CampaignError: the file is there and cannot be read.
    """
    if not state_file.exists():
        return Known()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    queries = {
        "campaign": "SELECT name AS campaign, state, why, run_at, wanted_run FROM campaign",
        "contact": "SELECT campaign, key, state, why, due_at FROM contact",
        "attempt": "SELECT campaign, claimed_at, cost FROM attempt WHERE state<>'released'",
        "opt_out": "SELECT number FROM opt_out",
    }
    try:
        with closing(open_to_read(state_file)) as database:
            rows = {table: list(read_query(database, query)) for table, query in queries.items()}
    except ValueError as exc:
        raise CampaignError(f"{state_file}: cannot be read as the campaigns' state: {exc}") from exc
    own = {table: [row for row in found if row.get("campaign") == campaign] for table, found in rows.items()}
    today = [row for row in own["attempt"] if _int(row["claimed_at"]) >= seconds_of(midnight)]
    state = own["campaign"][0] if own["campaign"] else {}
    return Known(
        state=str(state.get("state", "running")),
        why=str(state.get("why", "")),
        run_at=None if state.get("run_at") is None else moment_of(_int(state["run_at"])),
        is_wanted=state.get("wanted_run") is not None,
        contacts={
            str(row["key"]): KnownContact(str(row["state"]), str(row["why"]), moment_of(_int(row["due_at"])))
            for row in own["contact"]
        },
        opted_out=frozenset(str(row["number"]) for row in rows["opt_out"]),
        calls_today=len(today),
        spent_today=sum(float(str(row["cost"])) for row in today),
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
