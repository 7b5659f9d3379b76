"""The calendar of Maple Street Dental, an SQLite file: the tools that ``sip-flows.yaml`` names.

Each tool is a function of ``arguments`` and ``call`` that returns a JSON object. Whether a time is free is
settled by the database: two callers who want the same one at the same moment cannot both have it.
The file is ``bookings.sqlite`` in the folder of ``sip.yaml``.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta

FILE = "bookings.sqlite"
HOURS = {0: (8, 17), 1: (8, 17), 2: (8, 17), 3: (8, 17), 4: (8, 14)}
"""Weekday → opened from, to."""
SLOT_MINUTES = 30
_OFFERED = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS booking (
  slot TEXT PRIMARY KEY, name TEXT NOT NULL, phone TEXT NOT NULL, run TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS answer (
  run TEXT PRIMARY KEY, at TEXT NOT NULL, grade TEXT NOT NULL, wish TEXT NOT NULL);
"""


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """The open file, in one transaction: all of it is kept, on the disk, or nothing."""
    with closing(sqlite3.connect(FILE, timeout=2.0, isolation_level=None)) as db:
        db.executescript(_TABLES)
        db.execute("BEGIN IMMEDIATE")  # nobody else writes until we are done
        with db:
            yield db


def book_slot(arguments: dict[str, str], call: dict[str, str]) -> dict[str, str]:
    """Book ``day`` (2026-03-02) at ``time`` (14:30) for ``name``, ``phone``.

    ``status``: ``ok``, ``taken`` or ``closed``; ``free`` then tells what else there is.
    """
    with database() as db:
        return book(db, arguments, name=arguments["name"], phone=arguments["phone"], run=run_of(call))


def move_slot(arguments: dict[str, str], call: dict[str, str]) -> dict[str, str]:
    """Book ``day`` at ``time`` for ``patient`` instead of what ``patient_phone`` has; statuses as above."""
    run, phone = run_of(call), arguments["patient_phone"]
    with database() as db:
        answer = book(db, arguments, name=arguments["patient"], phone=phone, run=run)
        if answer["status"] == "ok":
            db.execute("DELETE FROM booking WHERE phone = ? AND run <> ?", (phone, run))
    return answer


def cancel_slot(arguments: dict[str, str], call: dict[str, str]) -> dict[str, str]:
    """Cancel what ``patient_phone`` has, which may be nothing."""
    with database() as db:
        db.execute("DELETE FROM booking WHERE phone = ?", (arguments["patient_phone"],))
    return {"status": "ok"}


def keep_answers(arguments: dict[str, str], call: dict[str, str]) -> dict[str, str]:
    """Keep a survey's ``grade`` and ``wish``; what was skipped is empty."""
    with database() as db:
        db.execute(
            "INSERT OR REPLACE INTO answer VALUES (?, datetime('now'), ?, ?)",
            (call["call_id"], arguments["grade"], arguments["wish"]),
        )
    return {"status": "ok"}


def run_of(call: dict[str, str]) -> str:
    """What is the same where a tool is tried again."""
    return f"{call['call_id']}/{call['tool_call_id']}"


def book(db: sqlite3.Connection, when: dict[str, str], *, name: str, phone: str, run: str) -> dict[str, str]:
    """Within a transaction: the time is free, or it is not."""
    wanted = datetime.fromisoformat(f"{when['day']}T{when['time']}")
    if db.execute("SELECT 1 FROM booking WHERE run = ?", (run,)).fetchone():
        return {"status": "ok", "free": ""}  # done already, and its answer was lost
    if not is_open(wanted):
        return {"status": "closed", "free": offer(db, wanted.date())}
    if wanted.isoformat() in taken(db):
        return {"status": "taken", "free": offer(db, wanted.date())}
    db.execute("INSERT INTO booking VALUES (?, ?, ?, ?)", (wanted.isoformat(), name, phone, run))
    return {"status": "ok", "free": ""}


def is_open(at: datetime) -> bool:
    """An appointment may begin then."""
    first, last = HOURS.get(at.weekday(), (0, 0))
    return first <= at.hour < last and at.minute % SLOT_MINUTES == 0


def taken(db: sqlite3.Connection) -> set[str]:
    """Times that are gone."""
    return {slot for (slot,) in db.execute("SELECT slot FROM booking")}


def offer(db: sqlite3.Connection, day: date) -> str:
    """A sentence about what is free that day; empty: nothing is."""
    gone = taken(db)
    first = datetime.combine(day, time())
    every = (first + timedelta(minutes=m) for m in range(0, 24 * 60, SLOT_MINUTES))
    free = [f"{at:%H:%M}" for at in every if is_open(at) and at.isoformat() not in gone]
    return f"I have {' or '.join(free[:_OFFERED])} that day." if free else "Nothing is free that day."
