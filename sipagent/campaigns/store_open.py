"""Opens SQLite databases: the campaigns' own with its tables, other people's for reading."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sipagent.errors import CampaignError, CampaignStateError

_T = TypeVar("_T")
MIGRATIONS: tuple[tuple[str, str], ...] = (  # (what it brings, statements); a file has the first N
    (
        "first tables",
        """
CREATE TABLE campaign (
  name TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'running', why TEXT NOT NULL DEFAULT '',
  run_at INTEGER, breaker_from INTEGER NOT NULL DEFAULT 0, wanted_run INTEGER);
CREATE TABLE contact (
  campaign TEXT NOT NULL, key TEXT NOT NULL, number TEXT NOT NULL, zones TEXT NOT NULL,
  facts TEXT NOT NULL,
  at TEXT NOT NULL, run_at INTEGER NOT NULL, state TEXT NOT NULL,
  why TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0, due_at INTEGER NOT NULL, outcome TEXT NOT NULL DEFAULT '',
  results TEXT NOT NULL DEFAULT '[]', PRIMARY KEY (campaign, key));
CREATE INDEX contact_due ON contact (campaign, state, due_at);
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY AUTOINCREMENT, campaign TEXT NOT NULL, key TEXT NOT NULL, number TEXT NOT NULL,
  n INTEGER NOT NULL, state TEXT NOT NULL, server TEXT NOT NULL, lease_until INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL, dialled_at INTEGER, settled_at INTEGER, outcome TEXT NOT NULL DEFAULT '',
  answerer TEXT NOT NULL DEFAULT '', sip_status INTEGER NOT NULL DEFAULT 0,
  talk_ms INTEGER NOT NULL DEFAULT 0,
  cost REAL NOT NULL DEFAULT 0, results TEXT NOT NULL DEFAULT '[]', is_reported INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX attempt_once ON attempt (campaign, key, n) WHERE state <> 'released';
CREATE UNIQUE INDEX attempt_live ON attempt (number) WHERE state IN ('claimed', 'dialling');
CREATE INDEX attempt_report ON attempt (is_reported, state);
CREATE INDEX attempt_day ON attempt (campaign, claimed_at);
CREATE TABLE opt_out (
  number TEXT PRIMARY KEY, at INTEGER NOT NULL, how TEXT NOT NULL, campaign TEXT NOT NULL);
""",
    ),
    (
        "one server for each campaign",
        """
ALTER TABLE campaign ADD COLUMN leader TEXT NOT NULL DEFAULT '';
ALTER TABLE campaign ADD COLUMN leads_until INTEGER NOT NULL DEFAULT 0;
""",
    ),
    (
        "attempts of a run apart from those of ever, call-backs that outlive their run",
        """
ALTER TABLE contact ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN unanswered INTEGER NOT NULL DEFAULT 0;
UPDATE contact SET run_at=(SELECT run_at FROM campaign WHERE name=contact.campaign)
  WHERE state IN ('calling', 'unsettled')
  AND (SELECT run_at FROM campaign WHERE name=contact.campaign) IS NOT NULL;
UPDATE contact SET owed=2 WHERE state='waiting' AND why='call back';
UPDATE contact SET unanswered=(SELECT count(*) FROM attempt
  WHERE attempt.campaign=contact.campaign AND attempt.key=contact.key AND dialled_at IS NOT NULL
  AND attempt.state='settled' AND attempt.outcome NOT IN ('answered', 'opted_out', 'voicemail'));
""",
    ),
    (
        "calls to a number over all campaigns, servers that live, decisions for the ledger",
        """
CREATE TABLE server (name TEXT PRIMARY KEY, lives_until INTEGER NOT NULL);
ALTER TABLE attempt ADD COLUMN over_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX attempt_number ON attempt (number, dialled_at);
CREATE TABLE untold (
  id INTEGER PRIMARY KEY AUTOINCREMENT, campaign TEXT NOT NULL, decision TEXT NOT NULL,
  rule TEXT NOT NULL, number TEXT NOT NULL);
""",
    ),
    (
        "each sink is handed results by itself",
        """
ALTER TABLE attempt ADD COLUMN sinks TEXT NOT NULL DEFAULT '{}';
ALTER TABLE attempt ADD COLUMN report_at INTEGER NOT NULL DEFAULT 0;
""",
    ),
    (
        "the evidence of consent with each call",
        "ALTER TABLE attempt ADD COLUMN consent TEXT NOT NULL DEFAULT ''",
    ),
    (
        "wishes that were none, taken back",
        """
CREATE TABLE IF NOT EXISTS opt_in (
  number TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, opted_out_at INTEGER NOT NULL,
  how TEXT NOT NULL);
""",
    ),
)


class _Cursor(sqlite3.Cursor):
    """Rows may fail to come, too."""

    def fetchone(self) -> Any:
        return _told(super().fetchone)

    def fetchall(self) -> list[Any]:
        return _told(super().fetchall)

    def __next__(self) -> Any:
        return _told(super().__next__)


class StateDatabase(sqlite3.Connection):
    """A connection all of whose faults are ``CampaignStateError``."""

    path = Path()

    def cursor(self, *_: Any, **__: Any) -> Any:
        """As of ``sqlite3``."""
        return super().cursor(_Cursor)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """:raises CampaignStateError: the file cannot be read or written; nothing has changed."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as exc:
            raise CampaignStateError(f"{self.path}: {exc}") from exc


def _told(fetch: Callable[[], _T]) -> _T:
    try:
        return fetch()
    except sqlite3.Error as exc:
        raise CampaignStateError(f"campaigns' state: {exc}") from exc


def open_store(path: Path) -> StateDatabase:
    """The campaigns' database, made where it does not exist; every commit is on the disk when it returns.

    :raises CampaignError: it cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            path, timeout=30.0, isolation_level=None, check_same_thread=False, factory=StateDatabase
        )
        database.path = path
        path.chmod(0o600)  # it holds numbers and what people said
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        _migrate(database)
    except (OSError, sqlite3.Error, CampaignStateError) as exc:
        raise CampaignError(f"{path}: cannot be used as the campaigns' state: {exc}") from exc
    return database


def _migrate(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        database.execute("ROLLBACK")
        raise CampaignError("campaigns' state: made by a newer sipagent; use that one")
    for number, (_, script) in enumerate(MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            if statement.strip():
                database.execute(statement)
        database.execute(f"PRAGMA user_version={number}")
    database.execute("COMMIT")


def open_copy(path: Path) -> StateDatabase:
    """The campaigns' database at this moment, in memory and with the present tables; the file stays as it is.

    :raises CampaignError: it cannot be read.
    """
    try:
        copy = sqlite3.connect(":memory:", isolation_level=None, factory=StateDatabase)
        copy.path = path
        copy.row_factory = sqlite3.Row
        with closing(open_to_read(path)) as file:
            file.backup(copy)
        _migrate(copy)
    except (ValueError, sqlite3.Error, CampaignStateError) as exc:
        raise CampaignError(f"{path}: cannot be read as the campaigns' state: {exc}") from exc
    return copy


def open_to_read(path: Path) -> sqlite3.Connection:
    """Somebody else's database.

    :raises ValueError: it cannot be opened.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there")
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)
    except sqlite3.Error as exc:
        raise ValueError(f"{path}: {exc}") from exc


def read_query(database: sqlite3.Connection, query: str) -> Iterator[dict[str, object]]:
    """Rows of a SELECT as column → value.

    :raises ValueError: the query is wrong, or two columns have one name.
    """
    try:
        cursor = database.execute(query)
        names = [column[0] for column in cursor.description or ()]
        if len(set(names)) < len(names) or not names:
            raise ValueError(
                f"expected a SELECT with distinct column names, got {', '.join(names) or 'none'}"
            )
        for row in cursor:
            yield dict(zip(names, row, strict=True))
    except sqlite3.Error as exc:
        raise ValueError(str(exc)) from exc
