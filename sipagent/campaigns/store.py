"""What is known about every contact and attempt. SQLite; several servers may share one file.

::

    contact: waiting ──claim──▶ (attempt claimed ──dial──▶ dialling ──settle──▶ settled) ──▶ waiting | done
                 ▲                      │ lease ran out        │ lease ran out
                 └──────────────── released                unsettled: named, never silently called again

``dial`` is the point of no return: it is on the disk before the INVITE leaves, and it fails for a server
whose lease has run out. An attempt's id only grows and is the fencing token: whoever holds an older one can
change nothing any more.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.outcomes import Ending, FlowResult, Follow, Outcome
from sipagent.campaigns.pacing import Today
from sipagent.campaigns.store_wishes import WishStore, moment_of, seconds_of

LEASE_S = 60
"""A server that has not renewed for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contact whose time has come."""

    contact: Contact
    attempts: int
    due_s: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt."""

    attempt_id: int
    campaign: str
    contact: Contact
    n: int
    """This is the contact's n-th attempt."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What dead servers had left."""

    released: int
    unsettled: tuple[int, ...]
    """Attempts."""


class CampaignStore(WishStore):
    """One connection. One thread at a time; each process and thread opens its own."""

    # --- contacts ---

    def enrol(self, campaign: str, contacts: Iterable[Contact], *, run_at: datetime, due: datetime) -> int:
        """Take in a list for a run. Known keys keep their state; those given up unreached come again.

        :returns: contacts that wait now because of it.
        """
        run_s, due_s, changed = seconds_of(run_at), seconds_of(due), 0
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO campaign (name) VALUES (?)", (campaign,))
            for one in contacts:
                facts = json.dumps({"variables": dict(one.variables), "consent": one.consent})
                changed += database.execute(
                    "INSERT INTO contact (campaign, key, number, zones, facts, at, run_at, state, due_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT DO UPDATE SET "
                    "number=excluded.number, zones=excluded.zones, facts=excluded.facts, at=excluded.at, "
                    "run_at=excluded.run_at, attempts=CASE state WHEN 'expired' THEN 0 ELSE attempts END, "
                    "due_at=CASE state WHEN 'expired' THEN excluded.due_at ELSE due_at END, "
                    "state=CASE state WHEN 'expired' THEN 'waiting' ELSE state END "
                    "WHERE state IN ('waiting', 'expired')",
                    (campaign, one.key, one.number, json.dumps(one.zones), facts, one.at, run_s, due_s),
                ).rowcount
            database.execute("UPDATE campaign SET run_at=?, wanted_run=NULL WHERE name=?", (run_s, campaign))
        return changed

    def due(self, campaign: str, now: datetime, most: int) -> list[Waiting]:
        """Contacts whose time has come, the longest waiting first."""
        rows = self._database.execute(
            "SELECT * FROM contact WHERE campaign=? AND state='waiting' AND due_at<=? "
            "ORDER BY due_at, key LIMIT ?",
            (campaign, seconds_of(now), most),
        )
        return [Waiting(_contact(row), row["attempts"], row["due_at"]) for row in rows]

    def next_due(self, campaign: str) -> datetime | None:
        """When the next contact's time comes; None: nobody waits."""
        query = "SELECT min(due_at) FROM contact WHERE campaign=? AND state='waiting'"
        (due_s,) = self._database.execute(query, (campaign,)).fetchone()
        return None if due_s is None else moment_of(due_s)

    def postpone(self, campaign: str, key: str, due: datetime) -> None:
        """Wait until then: the window is closed."""
        with self._writing() as database:
            database.execute(
                "UPDATE contact SET due_at=? WHERE campaign=? AND key=? AND state='waiting'",
                (seconds_of(due), campaign, key),
            )

    def give_up(self, campaign: str, key: str, why: str) -> None:
        """Never call: on a list, or the window never opens again."""
        with self._writing() as database:
            database.execute(
                "UPDATE contact SET state='done', why=? WHERE campaign=? AND key=? AND state='waiting'",
                (why, campaign, key),
            )

    def expire(self, campaign: str, why: str) -> int:
        """The run is over: who still waits was not reached."""
        with self._writing() as database:
            return database.execute(
                "UPDATE contact SET state='expired', why=? WHERE campaign=? AND state='waiting'",
                (why, campaign),
            ).rowcount

    # --- attempts ---

    def claim(
        self, campaign: str, waiting: Waiting, now: datetime, has_room: Callable[[], bool] = lambda: True
    ) -> Claim | None:
        """The right to call this contact; None: somebody else has it, or the person wants no calls.

        :param has_room: asked while nobody else can claim, so that servers do not exceed limits together.
        """
        one, now_s = waiting.contact, seconds_of(now)
        with self._writing() as database:
            row = database.execute(
                "SELECT state, attempts, due_at, number FROM contact WHERE campaign=? AND key=?",
                (campaign, one.key),
            ).fetchone()
            if row is None or tuple(row) != ("waiting", waiting.attempts, waiting.due_s, one.number):
                return None
            if not has_room():
                return None
            if self._is_opted_out(one.number):
                database.execute(
                    "UPDATE contact SET state='done', why='opted out' WHERE campaign=? AND key=?",
                    (campaign, one.key),
                )
                return None
            n = waiting.attempts + 1
            cursor = database.execute(
                "INSERT OR IGNORE INTO attempt "
                "(campaign, key, number, n, state, server, lease_until, claimed_at) "
                "VALUES (?, ?, ?, ?, 'claimed', ?, ?, ?)",
                (campaign, one.key, one.number, n, self.server, now_s + LEASE_S, now_s),
            )
            if not cursor.rowcount or cursor.lastrowid is None:
                return None  # this number is being called already
            database.execute(
                "UPDATE contact SET state='calling' WHERE campaign=? AND key=?", (campaign, one.key)
            )
            return Claim(cursor.lastrowid, campaign, one, n)

    def dial(self, claim: Claim, now: datetime) -> bool:
        """Record that the INVITE is about to leave; False: the claim was lost, do not call."""
        now_s = seconds_of(now)
        with self._writing() as database:
            done = database.execute(
                "UPDATE attempt SET state='dialling', dialled_at=?, lease_until=? "
                "WHERE id=? AND state='claimed' AND lease_until>?",
                (now_s, now_s + LEASE_S, claim.attempt_id, now_s),
            )
            if not done.rowcount:
                return False
            database.execute(
                "UPDATE contact SET attempts=? WHERE campaign=? AND key=?",
                (claim.n, claim.campaign, claim.contact.key),
            )
            return True

    def take_back(self, claim: Claim, follow: Follow, now: datetime) -> None:
        """Nothing was dialled after all: the attempt never was."""
        now_s = seconds_of(now)
        state, due_s = ("waiting", seconds_of(follow.due_at)) if follow.due_at else ("done", now_s)
        with self._writing() as database:
            done = database.execute(
                "UPDATE attempt SET state='released', settled_at=? "
                "WHERE id=? AND server=? AND state='dialling'",
                (now_s, claim.attempt_id, self.server),
            )
            if done.rowcount:
                database.execute(
                    "UPDATE contact SET state=?, due_at=?, why=?, attempts=? WHERE campaign=? AND key=?",
                    (state, due_s, follow.why, claim.n - 1, claim.campaign, claim.contact.key),
                )

    def renew(self, now: datetime) -> None:
        """This server lives: keep its running attempts."""
        now_s = seconds_of(now)
        with self._writing() as database:
            database.execute(
                "UPDATE attempt SET lease_until=? WHERE server=? AND state IN ('claimed', 'dialling') "
                "AND lease_until>?",
                (now_s + LEASE_S, self.server, now_s),
            )

    def release(self, claim: Claim) -> None:
        """Give a claim back that was not dialled."""
        with self._writing() as database:
            self._release(database, claim.attempt_id)

    def settle(self, claim: Claim, ending: Ending, follow: Follow, *, cost: float, now: datetime) -> bool:
        """Record how the call ended, what follows, and a wish not to be called, all at once.

        :returns: False: nothing was recorded but the wish; the attempt is not this server's, or is settled.
        """
        now_s, results = seconds_of(now), _results_text(ending.results)
        with self._writing() as database:
            if ending.wants_no_more_calls:
                self._opt_out(database, claim.contact.number, "asked", claim.campaign, now_s)
            done = database.execute(
                "UPDATE attempt SET state='settled', settled_at=?, outcome=?, answerer=?, sip_status=?, "
                "talk_ms=?, cost=?, results=?, is_reported=0 "
                "WHERE id=? AND server=? AND state IN ('dialling', 'unsettled')",
                (now_s, ending.outcome.value, ending.answerer, ending.sip_status, ending.talk_ms, cost,
                 results, claim.attempt_id, self.server),
            )  # fmt: skip
            if not done.rowcount:
                return False
            state, due_s = ("waiting", seconds_of(follow.due_at)) if follow.due_at else ("done", now_s)
            database.execute(
                "UPDATE contact SET state=?, due_at=?, outcome=?, why=?, results=? "
                "WHERE campaign=? AND key=? AND state IN ('calling', 'unsettled') AND attempts=?",
                (state, due_s, ending.outcome.value, follow.why, results, claim.campaign, claim.contact.key,
                 claim.n),
            )  # fmt: skip
            return True

    def sweep(self, now: datetime) -> Swept:
        """Take over what servers left whose leases have run out."""
        now_s = seconds_of(now)
        with self._writing() as database:
            rows = database.execute(
                "SELECT id, state, campaign, key FROM attempt "
                "WHERE state IN ('claimed', 'dialling') AND lease_until<=?",
                (now_s,),
            ).fetchall()
            for row in rows:
                if row["state"] == "claimed":
                    self._release(database, row["id"])
                    continue
                database.execute(
                    "UPDATE attempt SET state='unsettled', outcome=?, settled_at=? WHERE id=?",
                    (Outcome.UNSETTLED.value, now_s, row["id"]),
                )
                database.execute(
                    "UPDATE contact SET state='unsettled', outcome=?, why='the server died during the call' "
                    "WHERE campaign=? AND key=?",
                    (Outcome.UNSETTLED.value, row["campaign"], row["key"]),
                )
        unsettled = tuple(row["id"] for row in rows if row["state"] == "dialling")
        return Swept(len(rows) - len(unsettled), unsettled)

    def resume_unsettled(self, campaign: str, due: datetime, most_attempts: int) -> int:
        """Let contacts with an unsettled attempt be called again, at ``due``, if attempts are left."""
        with self._writing() as database:
            return database.execute(
                "UPDATE contact SET state='waiting', due_at=? "
                "WHERE campaign=? AND state='unsettled' AND attempts<?",
                (seconds_of(due), campaign, most_attempts),
            ).rowcount

    def _release(self, database: sqlite3.Connection, attempt_id: int) -> None:
        done = database.execute(
            "UPDATE attempt SET state='released' WHERE id=? AND state='claimed' RETURNING campaign, key",
            (attempt_id,),
        ).fetchone()
        if done is not None:
            database.execute(
                "UPDATE contact SET state='waiting' WHERE campaign=? AND key=? AND state='calling'",
                tuple(done),
            )

    # --- pacing ---

    def today(self, campaign: str, now: datetime, price_of_running: float) -> Today:
        """What was used of the day (UTC).

        :param price_of_running: most that one running call may cost.
        """
        midnight_s = seconds_of(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
        calls, spent, running = self._database.execute(
            "SELECT count(*), coalesce(sum(cost), 0), "
            "coalesce(sum(state IN ('claimed', 'dialling', 'unsettled')), 0) "
            "FROM attempt WHERE campaign=? AND claimed_at>=? AND state<>'released'",
            (campaign, midnight_s),
        ).fetchone()
        return Today(calls, spent, running * price_of_running)

    def running(self, campaign: str) -> int:
        """Attempts that are being made now, by any server."""
        query = "SELECT count(*) FROM attempt WHERE campaign=? AND state IN ('claimed', 'dialling')"
        (count,) = self._database.execute(query, (campaign,)).fetchone()
        return int(count)

    def latest(self, campaign: str, most: int) -> list[Outcome]:
        """Outcomes of the latest calls since the campaign was last resumed."""
        rows = self._database.execute(
            "SELECT outcome FROM attempt WHERE campaign=? AND state='settled' "
            "AND id>(SELECT breaker_from FROM campaign WHERE name=?) "
            "ORDER BY settled_at DESC, id DESC LIMIT ?",
            (campaign, campaign, most),
        )
        return [Outcome(row["outcome"]) for row in rows]


def _results_text(results: Iterable[FlowResult]) -> str:
    return json.dumps([asdict(one) for one in results], ensure_ascii=False)


def _contact(row: sqlite3.Row) -> Contact:
    facts = json.loads(row["facts"])
    return Contact(
        row["key"],
        row["number"],
        tuple(json.loads(row["zones"])),
        facts["variables"],
        row["at"],
        facts["consent"],
    )
