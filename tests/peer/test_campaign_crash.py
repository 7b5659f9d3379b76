"""Servers are killed at random moments: nobody is called twice for an attempt, nobody is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import LEASE_S, CampaignStore
from sipagent.campaigns.store_views import StoreViews
from tests.fakes.campaign_server import NEVER_ANSWERS
from tests.unit.campaign_fixtures import ALL_DAY, write_campaign

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("SIPAGENT_CAMPAIGN_KILLS", "8"))
PEOPLE = 20 * KILLS
IN_PROGRESS = ("waiting", "calling", "expired")  # who was given up comes again in the next run


def start(folder: Path, skew_s: float, seed: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(ROOT / "tests/fakes/campaign_server.py"), str(folder / "test.yaml")]
    command += [str(folder / "state.sqlite"), str(folder / "calls.log"), str(skew_s), str(seed)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_at_any_moment_nobody_is_called_twice_and_nobody_is_lost(tmp_path: Path) -> None:
    rng = random.Random(7)
    extra = "limits: {calls_per_day: 99999, breaker_answered_pct: 0}\n"
    extra += "retry: {attempts: 2, unanswered: 3, after: {busy: 30s, no_answer: 45s}}\n"
    extra += 'schedule: {cron: "*/20 * * * *", zone: UTC, open_for: 20m}\n'
    write_campaign(tmp_path, extra, people=PEOPLE, window=ALL_DAY)
    text = (tmp_path / "test.yaml").read_text()
    (tmp_path / "test.yaml").write_text(text.replace("per_second: 10", "per_second: 100"))
    state = tmp_path / "state.sqlite"
    with closing(CampaignStore(state, "operator")) as store:
        store.want_run("test", datetime.now(UTC))
    skew_s = 0.0
    for kill in range(KILLS):
        process = start(tmp_path, skew_s, kill)
        time.sleep(rng.uniform(0.0, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
        skew_s += LEASE_S + 1
    last = start(tmp_path, skew_s, KILLS)
    assert last.stdout is not None
    try:
        with closing(StoreViews(state)) as views:
            deadline_s = time.monotonic() + 120 + 6 * KILLS
            while any((view := views.view("test")).contacts.get(state) for state in IN_PROGRESS):
                assert time.monotonic() < deadline_s, view
                time.sleep(0.2)
                if view.contacts.get("calling", 0) == 0 and view.due_s is not None:
                    ahead_s = view.due_s - (time.time() + skew_s)
                    if ahead_s > 2:  # all that is left waits for its second attempt: let time pass
                        last.send_signal(signal.SIGKILL)
                        last.wait(10)
                        last.stdout.close()
                        skew_s += ahead_s + LEASE_S
                        last = start(tmp_path, skew_s, random.randrange(10**9))
            check(tmp_path, views)
    finally:
        last.send_signal(signal.SIGKILL)
        last.wait(10)
        assert last.stdout is not None
        last.stdout.close()


def check(folder: Path, views: StoreViews) -> None:
    lines = [line.split() for line in (folder / "calls.log").read_text().splitlines()]
    dialled = Counter(int(attempt_id) for attempt_id, _ in lines)
    assert max(dialled.values()) == 1, "an attempt was dialled twice"
    attempts = {one.id: one for one in views.attempts("test")}
    assert set(dialled) <= set(attempts), "a call left that nobody had recorded"
    tries = Counter((one.key, one.n) for one in attempts.values())
    assert max(tries.values()) == 1
    contacts = list(views.contacts("test"))
    assert len(contacts) == PEOPLE
    assert {one["state"] for one in contacts} <= {"done", "unsettled"}
    called = {number for _, number in lines}
    unsettled = {one.number for one in attempts.values() if one.state == "unsettled"}
    for one in contacts:
        assert one["number"] in called | unsettled, f"{one['number']} was lost"
        assert one["state"] != "unsettled" or one["number"] in unsettled
    reached = {one.number for one in attempts.values() if one.outcome == "answered"}
    calls = Counter(one.number for one in attempts.values())
    for one in contacts:
        if one["state"] == "done" and one["number"] not in reached:
            assert calls[one["number"]] >= 2, f"{one['number']} was given up too soon"
    assert max(calls.values()) <= 3, "somebody was called too often"
    assert max(calls[number] for number in calls if number[-1] in NEVER_ANSWERS) >= 2
    assert len(unsettled) <= KILLS * 4 + 40, "more are unsettled than lines were busy at the kills"


def test_the_next_server_takes_over_what_a_dead_one_claimed(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=1)
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    with closing(CampaignStore(tmp_path / "s.sqlite", "dead")) as dead:
        dead.enrol("test", read_list(config).contacts, run_at=now, due=now)
        assert dead.claim("test", dead.due("test", now, 1)[0], now) is not None
    with closing(CampaignStore(tmp_path / "s.sqlite", "next")) as heir:
        assert heir.due("test", now, 1) == []
        assert heir.sweep(now + timedelta(seconds=LEASE_S - 1)).released == 0
        assert heir.sweep(now + timedelta(seconds=LEASE_S)).released == 1
        assert len(heir.due("test", now + timedelta(seconds=LEASE_S), 1)) == 1
