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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.outcomes import OPTED_OUT, SPOKEN_TO, Ending, FlowResult, Follow, Outcome, Owed, Tries
from sipagent.campaigns.pacing import LOOK_BACK, CallFloor, NumberCall, Today, number_free_from
from sipagent.campaigns.store_contacts import ContactStore, Waiting
from sipagent.campaigns.store_wishes import CUT_OFF, NOT_LISTED, leave_untold, seconds_of

LEASE_S = 60
"""A server that has not renewed for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt."""

    attempt_id: int
    campaign: str
    contact: Contact
    n: int
    """This is the contact's n-th attempt of ever."""
    tries: Tries


@dataclass(frozen=True, slots=True)
class Swept:
    """What dead servers had left."""

    released: int
    unsettled: tuple[int, ...]
    """Attempts."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of contacts with an unsettled attempt."""

    count: int
    """Are called again."""
    held: int
    """Are not: the server of their call lives, and will tell how it ended."""


class CampaignStore(ContactStore):
    """One connection. One thread at a time; each process and thread opens its own."""

    def __init__(self, path: Path, server: str, floor: CallFloor | None = None) -> None:
        """:param server: names this server in claims. :param floor: what no number is called beyond.

        :raises CampaignError: the file cannot be used.
        """
        super().__init__(path, server)
        self.floor = floor or CallFloor()

    # --- attempts ---

    def claim(
        self, campaign: str, waiting: Waiting, now: datetime, has_room: Callable[[], bool] = lambda: True
    ) -> Claim | None:
        """The right to call this contact; None: somebody else has it, or the person wants no calls.

        :param has_room: asked while nobody else can claim, so that servers do not exceed limits together.
        """
        one, now_s = waiting.contact, seconds_of(now)
        with self._writing() as database:
            self._drop_unlisted(database, campaign, one.key)
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
                    "UPDATE contact SET state='done', why=? WHERE campaign=? AND key=?",
                    (OPTED_OUT, campaign, one.key),
                )
                leave_untold(database, campaign, "not_called", OPTED_OUT, one.number)
                return None
            free_s = self._free_from(one.number, waiting.owed, now_s)
            if free_s is None:
                return None
            if free_s > now_s:
                database.execute(
                    "UPDATE contact SET due_at=? WHERE campaign=? AND key=?", (free_s, campaign, one.key)
                )
                return None
            (n,) = database.execute(
                "SELECT coalesce(max(n), 0) + 1 FROM attempt "
                "WHERE campaign=? AND key=? AND state<>'released'",
                (campaign, one.key),
            ).fetchone()
            cursor = database.execute(
                "INSERT INTO attempt (campaign, key, number, n, state, server, lease_until, claimed_at, "
                "consent) VALUES (?, ?, ?, ?, 'claimed', ?, ?, ?, ?)",
                (campaign, one.key, one.number, n, self.server, now_s + LEASE_S, now_s, one.consent),
            )
            database.execute(
                "UPDATE contact SET state='calling' WHERE campaign=? AND key=?", (campaign, one.key)
            )
            tries = Tries(waiting.attempts + 1, waiting.unanswered + 1, waiting.owed)
            return Claim(int(cursor.lastrowid or 0), campaign, one, n, tries)

    def _free_from(self, number: str, owed: Owed, now_s: int) -> int | None:
        """The first second at which this number may be called, by any campaign; in the past: now.

        None: it is about to be called.
        """
        rows = self._database.execute(
            "SELECT state, dialled_at, coalesce(settled_at, dialled_at) ended_at, over_at FROM attempt "
            "WHERE number=? AND state<>'released' "
            "AND (state='claimed' OR dialled_at>?) ORDER BY coalesce(dialled_at, claimed_at), id",
            (number, now_s - int(LOOK_BACK.total_seconds())),
        ).fetchall()
        states = {row["state"] for row in rows}
        if "claimed" in states:
            return None
        if "dialling" in states:
            return now_s + LEASE_S
        return number_free_from(
            self.floor, [call_of(row) for row in rows], is_moment_agreed=owed is Owed.AT_MOMENT
        )

    def dial(self, claim: Claim, now: datetime, *, longest_s: int = 0) -> bool:
        """Record that the INVITE is about to leave; False: the claim was lost, do not call.

        :param longest_s: the call is over by then, whatever happens.
        """
        now_s = seconds_of(now)
        with self._writing() as database:
            done = database.execute(
                "UPDATE attempt SET state='dialling', dialled_at=?, lease_until=?, over_at=? "
                "WHERE id=? AND state='claimed' AND lease_until>?",
                (now_s, now_s + LEASE_S, now_s + longest_s, claim.attempt_id, now_s),
            )
            if not done.rowcount:
                return False
            database.execute(
                "UPDATE contact SET attempts=?, unanswered=? WHERE campaign=? AND key=?",
                (claim.tries.in_run, claim.tries.unanswered, claim.campaign, claim.contact.key),
            )
            return True

    def take_back(self, claim: Claim, due: datetime, why: str, now: datetime) -> None:
        """Nothing was dialled after all: the attempt never was, and the contact waits until ``due``."""
        with self._writing() as database:
            done = database.execute(
                "UPDATE attempt SET state='released', settled_at=? "
                "WHERE id=? AND server=? AND state IN ('claimed', 'dialling')",
                (seconds_of(now), claim.attempt_id, self.server),
            )
            if done.rowcount:
                database.execute(
                    "UPDATE contact SET state='waiting', due_at=?, why=?, attempts=?, unanswered=? "
                    "WHERE campaign=? AND key=? AND state='calling'",
                    (seconds_of(due), why, claim.tries.in_run - 1, claim.tries.unanswered - 1,
                     claim.campaign, claim.contact.key),
                )  # fmt: skip

    def renew(self, now: datetime) -> None:
        """This server lives: keep its running attempts."""
        now_s = seconds_of(now)
        with self._writing() as database:
            database.execute("DELETE FROM server WHERE lives_until<?", (now_s - LEASE_S,))
            database.execute("INSERT OR REPLACE INTO server VALUES (?, ?)", (self.server, now_s + LEASE_S))
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
                "talk_ms=?, cost=?, results=?, is_reported=0, sinks='{}', report_at=0 "
                "WHERE id=? AND server=? AND state IN ('dialling', 'unsettled')",
                (now_s, ending.outcome.value, ending.answerer, ending.sip_status, ending.talk_ms, cost,
                 results, claim.attempt_id, self.server),
            )  # fmt: skip
            if not done.rowcount:
                return False
            state, due_s = ("waiting", seconds_of(follow.due_at)) if follow.due_at else ("done", now_s)
            database.execute(
                "UPDATE contact SET state=?, due_at=?, outcome=?, why=?, results=?, owed=?, "
                "unanswered=CASE ? WHEN 1 THEN 0 ELSE unanswered END "
                "WHERE campaign=? AND key=? AND state IN ('calling', 'unsettled', 'waiting') AND ?="
                "(SELECT max(id) FROM attempt WHERE campaign=? AND key=? AND state<>'released')",
                (state, due_s, ending.outcome.value, follow.why, results, follow.owed,
                 ending.outcome in SPOKEN_TO, claim.campaign, claim.contact.key, claim.attempt_id,
                 claim.campaign, claim.contact.key),
            )  # fmt: skip
            self._drop_unlisted(database, claim.campaign, claim.contact.key)
            return True

    def _drop_unlisted(self, database: sqlite3.Connection, campaign: str, key: str) -> None:
        """The list was read while the contact was being called, and did not have it."""
        row = database.execute(
            "UPDATE contact SET state='expired', why=?, owed=0 WHERE campaign=? AND key=? "
            "AND state='waiting' AND run_at<(SELECT run_at FROM campaign WHERE name=?) RETURNING number",
            (NOT_LISTED, campaign, key, campaign),
        ).fetchone()
        if row is not None:
            leave_untold(database, campaign, "not_called", NOT_LISTED, row["number"])

    def sweep(self, now: datetime) -> Swept:
        """Take over what servers left whose leases have run out."""
        now_s = seconds_of(now)
        with self._writing() as database:
            rows = database.execute(
                "SELECT id, state, campaign, key, number FROM attempt "
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
                is_out = self._is_opted_out(row["number"])  # asked for it before the server died
                database.execute(
                    "UPDATE contact SET state=?, outcome=?, why=? WHERE campaign=? AND key=?",
                    (
                        "done" if is_out else "unsettled",
                        Outcome.UNSETTLED.value,
                        OPTED_OUT if is_out else CUT_OFF,
                        row["campaign"],
                        row["key"],
                    ),
                )
        unsettled = tuple(row["id"] for row in rows if row["state"] == "dialling")
        return Swept(len(rows) - len(unsettled), unsettled)

    def resume_unsettled(self, campaign: str, due: datetime, most_attempts: int) -> Resumed:
        """Let contacts with an unsettled attempt be called again, at ``due``, if attempts are left."""
        is_held = (
            "EXISTS (SELECT 1 FROM attempt a JOIN server s ON s.name=a.server "
            "WHERE a.campaign=contact.campaign AND a.key=contact.key "
            "AND a.state='unsettled' AND s.lives_until>?)"
        )
        due_s = seconds_of(due)
        with self._writing() as database:
            (held,) = database.execute(
                f"SELECT count(*) FROM contact WHERE campaign=? AND state='unsettled' AND {is_held}",
                (campaign, due_s),
            ).fetchone()
            keys = database.execute(
                "UPDATE contact SET state='waiting', due_at=? WHERE campaign=? AND state='unsettled' "
                "AND (attempts<? OR owed>0) AND number NOT IN (SELECT number FROM opt_out) "
                f"AND NOT {is_held} RETURNING key",
                (due_s, campaign, most_attempts, due_s),
            ).fetchall()
            for row in keys:
                self._drop_unlisted(database, campaign, row["key"])
            return Resumed(len(keys), held)

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


def call_of(row: Mapping[str, Any]) -> NumberCall:
    """A row of ``attempt`` that was dialled, with ``ended_at``."""
    # the server of an unsettled attempt may live, and its call go on
    may_last_until_s = row["over_at"] if row["state"] == "unsettled" else 0
    return NumberCall(row["dialled_at"], row["ended_at"], may_last_until_s)


def _results_text(results: Iterable[FlowResult]) -> str:
    return json.dumps([asdict(one) for one in results], ensure_ascii=False)
