"""Who is called, and when: lists taken in, contacts that wait. The middle of ``CampaignStore``."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.outcomes import OPTED_OUT, WRONG_PERSON, Outcome, Owed, nobody_answers
from sipagent.campaigns.store_wishes import (
    NOT_LISTED,
    WishStore,
    leave_untold,
    moment_of,
    seconds_of,
)

_NEVER_AGAIN = frozenset({Outcome.INVALID_NUMBER.value, Outcome.FAX.value, Outcome.OPTED_OUT.value})
"""Outcomes after which a number is not called by any later run of the campaign."""
_TAKE_IN = (
    "INSERT INTO contact (campaign, key, number, zones, facts, at, run_at, state, due_at, attempts, "
    "unanswered, owed, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "number=excluded.number, zones=excluded.zones, facts=excluded.facts, at=excluded.at, "
    "run_at=excluded.run_at, state=excluded.state, due_at=excluded.due_at, attempts=excluded.attempts, "
    "unanswered=excluded.unanswered, owed=excluded.owed, why=excluded.why"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contact whose time has come."""

    contact: Contact
    attempts: int
    """In this run."""
    due_s: int
    unanswered: int
    """In a row and over all runs."""
    owed: Owed


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contact stands when a run begins."""

    state: str
    due_s: int
    attempts: int = 0
    unanswered: int = 0
    owed: int = 0
    why: str = ""


class ContactStore(WishStore):
    """One connection. One thread at a time; each process and thread opens its own."""

    def enrol(
        self,
        campaign: str,
        contacts: Iterable[Contact],
        *,
        run_at: datetime,
        due: datetime,
        is_each_run: bool = False,
        most_unanswered: int = 1000,
    ) -> int:
        """Take in a list for a run. Those given up unreached come again; who is not on it is not called.

        :param is_each_run: so do those who were reached. :param most_unanswered: calls in a row that reached
            nobody, after which somebody is given up for good.
        :returns: contacts that wait now because of it.
        """
        run_s, due_s, changed = seconds_of(run_at), seconds_of(due), 0
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO campaign (name) VALUES (?)", (campaign,))
            rows = database.execute("SELECT * FROM contact WHERE campaign=?", (campaign,)).fetchall()
            known = {row["key"]: dict(row) for row in rows}
            for one in contacts:
                row = known.pop(one.key, None)
                standing = standing_of(row, one.number, due_s, is_each_run, most_unanswered)
                if standing is None:
                    database.execute(
                        "UPDATE contact SET run_at=? WHERE campaign=? AND key=?", (run_s, campaign, one.key)
                    )
                    continue
                changed += standing.state == "waiting" and (row is None or row["state"] != "waiting")
                if standing.state == "done":
                    leave_untold(database, campaign, "not_called", standing.why, one.number)
                facts = json.dumps({"variables": dict(one.variables), "consent": one.consent})
                database.execute(
                    _TAKE_IN,
                    (campaign, one.key, one.number, json.dumps(one.zones), facts, one.at, run_s,
                     standing.state, standing.due_s, standing.attempts, standing.unanswered, standing.owed,
                     standing.why),
                )  # fmt: skip
            for key, row in known.items():
                if row["state"] == "waiting":
                    _give_up(database, campaign, key, "expired", NOT_LISTED)
                    leave_untold(database, campaign, "not_called", NOT_LISTED, row["number"])
            database.execute("UPDATE campaign SET run_at=?, wanted_run=NULL WHERE name=?", (run_s, campaign))
        return changed

    def due(self, campaign: str, now: datetime, most: int) -> list[Waiting]:
        """Contacts whose time has come: those who were promised a call, then the longest waiting."""
        rows = self._database.execute(
            "SELECT * FROM contact WHERE campaign=? AND state='waiting' AND due_at<=? "
            "ORDER BY owed>0 DESC, due_at, key LIMIT ?",
            (campaign, seconds_of(now), most),
        ).fetchall()
        return [
            Waiting(contact_of(row), row["attempts"], row["due_at"], row["unanswered"], Owed(row["owed"]))
            for row in rows
        ]

    def next_due(self, campaign: str) -> datetime | None:
        """When the next contact's time comes; None: nobody waits."""
        query = "SELECT min(due_at) FROM contact WHERE campaign=? AND state='waiting'"
        (due_s,) = self._database.execute(query, (campaign,)).fetchone()
        return None if due_s is None else moment_of(due_s)

    def waits_for_run(self, campaign: str) -> bool:
        """Somebody waits to whom nothing was promised."""
        query = "SELECT 1 FROM contact WHERE campaign=? AND state='waiting' AND owed=0 LIMIT 1"
        return self._database.execute(query, (campaign,)).fetchone() is not None

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
            _give_up(database, campaign, key, "done", why)

    def expire(self, campaign: str, why: str, *, with_promises: bool = False) -> int:
        """The run is over: who still waits was not reached.

        :param with_promises: give up those too who were promised a call.
        """
        with self._writing() as database:
            return database.execute(
                "UPDATE contact SET state='expired', why=?, owed=0 "
                "WHERE campaign=? AND state='waiting' AND owed<=?",
                (why, campaign, max(Owed) if with_promises else Owed.NOTHING),
            ).rowcount


def standing_of(
    row: Mapping[str, Any] | None, number: str, due_s: int, is_each_run: bool, most_unanswered: int
) -> Standing | None:
    """How somebody on the list stands in the run that begins; None: as before.

    :param row: what is known of the contact; None: nothing.
    """
    if row is None:
        return Standing("waiting", due_s)
    is_other_number = row["number"] != number
    unanswered = 0 if is_other_number else row["unanswered"]
    match row["state"]:
        case "waiting":
            return Standing("waiting", row["due_at"], row["attempts"], unanswered, row["owed"], row["why"])
        case "done":
            if not is_each_run or (_is_final(row) and not is_other_number):
                return None
        case "expired":
            pass
        case _:
            return None
    if unanswered < most_unanswered:
        return Standing("waiting", due_s, unanswered=unanswered)
    if row["state"] == "done":
        return None
    return Standing("done", due_s, row["attempts"], unanswered, why=nobody_answers(unanswered))


def _is_final(row: Mapping[str, Any]) -> bool:
    """No later run may call this number."""
    if row["outcome"] in _NEVER_AGAIN or row["why"] == OPTED_OUT:
        return True
    return any(result["name"] == WRONG_PERSON for result in json.loads(row["results"]))


def _give_up(database: sqlite3.Connection, campaign: str, key: str, state: str, why: str) -> None:
    database.execute(
        "UPDATE contact SET state=?, why=?, owed=0 WHERE campaign=? AND key=? AND state='waiting'",
        (state, why, campaign, key),
    )


def contact_of(row: Mapping[str, Any]) -> Contact:
    """As the list had it when the row was taken in."""
    facts = json.loads(row["facts"])
    return Contact(
        row["key"],
        row["number"],
        tuple(json.loads(row["zones"])),
        facts["variables"],
        row["at"],
        facts["consent"],
    )
