"""A caller books by voice: heard by a real ear, done by a real tool, in the calendar and in the ledger."""

import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from sipagent.lab.scenario import LineConfig, VoiceConfig
from sipagent.lab.softphone import Softphone
from sipagent.lab.voices import line_files
from sipagent.ledger import Kind
from sipagent.media.wav import read_wav
from sipagent.units import monotonic_ms
from tests.peer.running_agent import ROOT, running_agent
from tests.peer.spoken_call import greeted
from tests.peer.test_ledger_calls import bodies, in_ledger

pytestmark = pytest.mark.peer

LONG_MS = 60_000
SLOW_S = 3.0
"""Longer than a caller waits without a word."""
SLOW_TOOL = f"""\
import time
import booking

def book_slot(arguments, call):
    time.sleep({SLOW_S})
    return booking.book_slot(arguments, call)
"""
LINES = (
    "Hi, my name is Sarah Miller. I would like to book an appointment for next Tuesday at half past ten.",
    "Five five five, zero one two three.",
    "Yes.",
    "Yes, please.",
)


def guided(folder: Path) -> dict[str, Any]:
    """The receptionist's flow, its tool made slow."""
    shutil.copy(ROOT / "flows" / "booking.py", folder / "booking.py")
    (folder / "slow.py").write_text(SLOW_TOOL)
    tool = yaml.safe_load((ROOT / "sip-flows.yaml").read_text())["tools"]["book_slot"]
    return {
        "tools": {"book_slot": {**tool, "python": "slow:book_slot", "timeout_ms": 10_000}},
        "personas.receptionist.greeting": "Maple Street Dental.",
        "personas.receptionist.flow": str(ROOT / "flows" / "receptionist.yaml"),
        "personas.receptionist.tools": ["book_slot"],
        "personas.receptionist.transfer": {"desk": "sip:desk@127.0.0.1"},
        "limits.outbound.allow": ["desk"],
    }


def say(phone: Softphone, wav: Path) -> None:
    """Speak, and hear the answer to its end."""
    spans = phone.line.spans
    before = len(spans.finished)
    phone.say(read_wav(wav))

    def is_answered() -> bool:
        if len(spans.finished) <= before or spans.speaking_since_ms is not None:
            return False
        return monotonic_ms() - spans.finished[-1].end_ms > 800

    assert phone.run(until=is_answered, timeout_ms=LONG_MS)


def test_booking_by_voice_is_in_the_calendar_and_in_the_ledger(tmp_path: Path) -> None:
    wavs = line_files([LineConfig(say=line) for line in LINES], VoiceConfig(engine="hibari"))
    with running_agent(tmp_path, guided(tmp_path)) as agent, Softphone() as phone:
        greeted(phone, agent)
        for wav in wavs[:-1]:
            say(phone, wav)
        asked = len(agent.drain())
        phone.say(read_wav(wavs[-1]))
        phone.run(
            until=lambda: any(e.event == "tool.returned" for e in agent.drain()[asked:]), timeout_ms=LONG_MS
        )
        returned = agent.wait_for("tool.returned", after=asked).facts
        assert (returned["tool"], returned["status"]) == ("book_slot", "ok")
        commit_ms = agent.wait_for("tool.called", after=asked).facts["at_ms"]
        began_ms = phone.line.spans.speaking_since_ms or phone.line.spans.finished[-1].start_ms
        assert commit_ms < began_ms < returned["at_ms"], "the caller waited in silence"
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=LONG_MS)
        call_id = agent.wait_for("call.ended").facts["call_id"]
    with sqlite3.connect(tmp_path / "bookings.sqlite") as database:
        rows = database.execute("SELECT slot, name, phone FROM booking").fetchall()
    assert rows == [(f"{next_tuesday()}T10:30:00", "Sarah Miller", "5550123")]
    assert [body["tool"] for body in bodies(tmp_path, Kind.TOOL_CALLED)] == ["book_slot"]
    noted = bodies(tmp_path, Kind.TOOL_RETURNED)[0]
    assert (noted["ok"], noted["tool_call_id"]) == (True, "t1")
    assert int(str(noted["took_ms"])) >= SLOW_S * 1000
    shown = in_ledger(tmp_path, "show", str(call_id), "--json").stdout
    assert "5550123" in shown, "whoever has the key reads what was booked"
    raw = b"".join(path.read_bytes() for path in (tmp_path / "ledger").rglob("*.jsonl"))
    assert b"book_slot" in raw
    assert b"5550123" not in raw
    assert b"Sarah" not in raw


def next_tuesday() -> str:
    """Tuesday of next week, where the practice is."""
    today = datetime.now(ZoneInfo("America/New_York")).date()
    return (today + timedelta(days=7 - today.weekday() + 1)).isoformat()
