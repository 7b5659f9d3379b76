"""What operators and callees wish: pause, run now, never call me again. The base of ``CampaignStore``.

Whoever writes a decision here that the audit ledger must have puts it into ``untold``, in the same
transaction; a server enters it (``CampaignStore.untold``), the next one where this one dies before.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sipagent.campaigns.outcomes import OPTED_OUT, Outcome, Owed
from sipagent.campaigns.store_open import open_store
from sipagent.errors import CampaignStateError

NOT_LISTED = "no longer on the list"
"""Why such a contact is not called, unless it comes back."""
CUT_OFF = "the server died during the call"
"""Why nobody knows how a contact's call ended."""


@dataclass(frozen=True, slots=True)
class Untold:
    """A decision that the ledger does not have yet."""

    id: int
    campaign: str
    decision: str
    rule: str
    number: str


class WishStore:
    """One connection. One thread at a time; each process and thread opens its own."""

    def __init__(self, path: Path, server: str) -> None:
        """:param server: names this server in claims.

        :raises CampaignError: the file cannot be used.
        """
        self.path, self.server = path, server
        self._database = open_store(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path}, {self.server})"

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk when it returns.

        :raises CampaignStateError: the disk does not take it; nothing has changed.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as exc:
            raise CampaignStateError(f"{self.path}: {exc}") from exc

    # --- the operator's wishes ---

    def set_state(self, campaign: str, state: str, why: str, *, is_wish: bool = False) -> None:
        """``running``, ``paused`` or ``stopped``; running begins a new count of failures.

        :param is_wish: of the operator's; for the ledger.
        """
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO campaign (name) VALUES (?)", (campaign,))
            database.execute("UPDATE campaign SET state=?, why=? WHERE name=?", (state, why, campaign))
            if state == "running":
                database.execute(
                    "UPDATE campaign SET breaker_from=(SELECT coalesce(max(id), 0) FROM attempt) "
                    "WHERE name=?",
                    (campaign,),
                )
            if is_wish:
                decision = "resumed" if state == "running" else state
                leave_untold(database, campaign, decision, "by the operator")

    def pause(self, campaign: str, why: str) -> bool:
        """The campaign pauses itself; False: the operator was faster."""
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO campaign (name) VALUES (?)", (campaign,))
            return bool(
                database.execute(
                    "UPDATE campaign SET state='paused', why=? WHERE name=? AND state='running'",
                    (why, campaign),
                ).rowcount
            )

    def want_run(self, campaign: str, now: datetime, *, is_wish: bool = False) -> None:
        """Begin a run as soon as a server sees it. :param is_wish: of the operator's; for the ledger."""
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO campaign (name) VALUES (?)", (campaign,))
            database.execute("UPDATE campaign SET wanted_run=? WHERE name=?", (seconds_of(now), campaign))
            if is_wish:
                leave_untold(database, campaign, "run_wanted", "by the operator")

    def state(self, campaign: str) -> tuple[str, str, datetime | None, datetime | None]:
        """(state, why, beginning of the latest run, run that is asked for)."""
        row = self._database.execute("SELECT * FROM campaign WHERE name=?", (campaign,)).fetchone()
        if row is None:
            return "running", "", None, None
        run_s, wanted_s = row["run_at"], row["wanted_run"]
        return (
            row["state"],
            row["why"],
            None if run_s is None else moment_of(run_s),
            None if wanted_s is None else moment_of(wanted_s),
        )

    # --- one server for each campaign ---

    def lead(self, campaign: str, now: datetime, for_s: int) -> bool:
        """True where this server runs the campaign, from now on for ``for_s``; False: another one does."""
        now_s = seconds_of(now)
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO campaign (name) VALUES (?)", (campaign,))
            return bool(
                database.execute(
                    "UPDATE campaign SET leader=?, leads_until=? "
                    "WHERE name=? AND (leader=? OR leads_until<=?)",
                    (self.server, now_s + for_s, campaign, self.server, now_s),
                ).rowcount
            )

    def resign(self) -> None:
        """Another server may run what this one did."""
        with self._writing() as database:
            database.execute("UPDATE campaign SET leads_until=0 WHERE leader=?", (self.server,))
            database.execute("DELETE FROM server WHERE name=?", (self.server,))

    # --- opting out ---

    def opt_out(self, number: str, how: str, campaign: str, now: datetime, *, is_wish: bool = False) -> None:
        """Never call this number again, in any campaign.

        :param is_wish: of the operator's; for the ledger.
        """
        with self._writing() as database:
            self._opt_out(database, number, how, campaign, seconds_of(now))
            if is_wish:
                leave_untold(database, campaign, "opted_out", "by the operator", number)

    def opt_in(self, number: str, reason: str, now: datetime) -> bool:
        """Take a wish back that was none. It stays known, with the reason; whoever was given up for it is
        called again by each campaign that still has them. A call that a crash cut off stays unsettled.

        :returns: False: there was no such wish.
        """
        now_s = seconds_of(now)
        with self._writing() as database:
            row = database.execute(
                "DELETE FROM opt_out WHERE number=? RETURNING number, at, how", (number,)
            ).fetchone()
            if row is None:
                return False
            database.execute(
                "INSERT INTO opt_in VALUES (?, ?, ?, ?, ?)", (number, now_s, reason, row["at"], row["how"])
            )
            _call_again(database, number, f"opted in: {reason}", now_s)
            return True

    def opted_out(self) -> list[tuple[str, str, str, str]]:
        """(number, UTC time, how, campaign) of everybody who wants no calls."""
        rows = self._database.execute("SELECT * FROM opt_out ORDER BY at, number").fetchall()
        return [(r["number"], moment_of(r["at"]).isoformat(), r["how"], r["campaign"]) for r in rows]

    def _is_opted_out(self, number: str) -> bool:
        return (
            self._database.execute("SELECT 1 FROM opt_out WHERE number=?", (number,)).fetchone() is not None
        )

    def _opt_out(
        self, database: sqlite3.Connection, number: str, how: str, campaign: str, now_s: int
    ) -> None:
        database.execute(
            "INSERT OR IGNORE INTO opt_out (number, at, how, campaign) VALUES (?, ?, ?, ?)",
            (number, now_s, how, campaign),
        )
        skipped = database.execute(
            "UPDATE contact SET state='done', why=? "
            "WHERE number=? AND state IN ('waiting', 'expired', 'unsettled') RETURNING campaign",
            (OPTED_OUT, number),
        ).fetchall()
        for row in skipped:
            leave_untold(database, row["campaign"], "not_called", OPTED_OUT, number)

    # --- for the ledger ---

    def untold(self) -> list[Untold]:
        """Decisions that a server must enter in the ledger, then tell ``told``."""
        return [Untold(*row) for row in self._database.execute("SELECT * FROM untold ORDER BY id LIMIT 500")]

    def told(self, decisions: Iterable[Untold]) -> None:
        """They are entered."""
        with self._writing() as database:
            for one in decisions:
                database.execute("DELETE FROM untold WHERE id=?", (one.id,))


def _call_again(database: sqlite3.Connection, number: str, why: str, now_s: int) -> None:
    """Whoever was given up for an opt-out stands as if it had not been."""
    database.execute(
        "UPDATE contact SET state='waiting', why=?, due_at=max(due_at, ?), "
        "owed=CASE WHEN due_at<? THEN min(owed, ?) ELSE owed END, "  # the agreed moment has passed
        "outcome=CASE outcome WHEN ? THEN '' ELSE outcome END WHERE number=? AND state='done' AND why=?",
        (why, now_s, now_s, Owed.CALL_BACK, Outcome.OPTED_OUT.value, number, OPTED_OUT),
    )
    database.execute(
        "UPDATE contact SET state='unsettled', why=? WHERE number=? AND state='waiting' AND why=? AND "
        "(SELECT state FROM attempt WHERE campaign=contact.campaign AND key=contact.key "
        "AND state<>'released' ORDER BY id DESC LIMIT 1)='unsettled'",
        (CUT_OFF, number, why),
    )
    database.execute(
        "UPDATE contact SET state='expired', why=?, owed=0 WHERE number=? AND state='waiting' AND why=? "
        "AND run_at<(SELECT run_at FROM campaign WHERE name=contact.campaign)",
        (NOT_LISTED, number, why),
    )


def leave_untold(
    database: sqlite3.Connection, campaign: str, decision: str, rule: str, number: str = ""
) -> None:
    database.execute(
        "INSERT INTO untold (campaign, decision, rule, number) VALUES (?, ?, ?, ?)",
        (campaign, decision, rule, number),
    )


def seconds_of(at: datetime) -> int:
    """As the file has times: whole seconds since 1970, UTC."""
    return int(at.timestamp())


def moment_of(seconds: int) -> datetime:
    """The reverse."""
    return datetime.fromtimestamp(seconds, UTC)
