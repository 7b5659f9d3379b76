"""The real agent calls simulated people: it talks, leaves messages, and the reports say what came of it.

``SIPAGENT_CAMPAIGN_PEOPLE=60`` calls everybody of the example campaign; by default one of each kind below.
"""

import csv
import os
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from sipagent.campaigns.store_views import AttemptRow, StoreViews
from sipagent.lab.campaign import kind_among
from tests.unit.campaign_fixtures import BASE_WINDOW

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[2]
EVERYBODY = os.environ.get("SIPAGENT_CAMPAIGN_PEOPLE", "") == "60"
KINDS = ("confirms", "opts out", "voicemail", "busy", "dead, tones", "fax", "wrong person", "screens")
TIMEOUT_S = 900 if EVERYBODY else 240
WANTED: dict[str, tuple[str, set[str]]] = {
    "confirms": ("answered", {"confirmed"}),
    "cancels": ("answered", {"cancelled"}),
    "another time": ("answered", {"rescheduled"}),
    "opts out": ("opted_out", {"opt_out"}),
    "says nothing": ("answered", set()),
    "voicemail": ("voicemail", set()),
    "busy": ("busy", set()),
    "busy once": ("answered", {"confirmed"}),
    "no answer once": ("answered", {"confirmed"}),
    "dead": ("invalid_number", set()),
    "dead, tones": ("invalid_number", set()),
    "rejects": ("rejected", set()),
    "fax": ("fax", set()),
    "wrong person": ("answered", {"wrong_person"}),
    "calls back": ("answered", {"call_back"}),
    "screens": ("answered", {"confirmed"}),
}
"""Kind → outcome of the last attempt, results of all."""


def one_of_each() -> list[tuple[str, str]]:
    numbers = (f"+1555{n:07d}" for n in range(4_000_000, 4_010_000))
    found: dict[str, str] = {}
    for number in numbers:
        kind = kind_among(number, speaks=True)
        if kind in KINDS:
            found.setdefault(kind, number)
        if len(found) == len(KINDS):
            break
    return [(number, "America/New_York") for number in found.values()]


def everybody() -> list[tuple[str, str]]:
    with (ROOT / "campaigns/contacts.csv").open() as file:
        return [(row["phone"], row["zone"]) for row in csv.DictReader(file)]


def write_site(folder: Path, people: list[tuple[str, str]]) -> None:
    text = (ROOT / "sip-campaigns.yaml").read_text()
    for name in ("prompts", "flows", "models"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "sip.yaml").write_text(text)
    campaign = folder / "campaigns"
    campaign.mkdir()
    rows = "".join(f"{number},{zone},Sarah,Tuesday at ten\n" for number, zone in people)
    (campaign / "list.csv").write_text(f"number,zone,name,appointment\n{rows}")
    (campaign / "test.yaml").write_text(
        "name: test\npersona: reminder\n"
        "contacts: {file: list.csv, zone: zone}\n"
        "variables: {name: name, appointment: appointment}\n"
        'calls: {caller_id: "+15550100", concurrency: 4, calls_per_second: 4}\n'
        f"{BASE_WINDOW}"
        "retry: {attempts: 2}\n"
        "limits: {breaker_answered_pct: 0}\n"
        'consent: {announcement: "This is an automated call."}\n'
        'voicemail: "Please call us."\n'
        "results: {csv: out.csv}\n"
    )


def test_the_agent_calls_people_talks_and_reports(tmp_path: Path) -> None:
    people = everybody() if EVERYBODY else one_of_each()
    write_site(tmp_path, people)
    command = [sys.executable, "-m", "sipagent", "campaign", "run", "--lab", "test"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    done = subprocess.run(
        [*command, "-c", str(tmp_path / "sip.yaml"), "--out", str(tmp_path / "out")],
        cwd=ROOT, env=environ, timeout=TIMEOUT_S, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    attempts: dict[str, list[AttemptRow]] = defaultdict(list)
    with closing(StoreViews(tmp_path / "out/campaigns.sqlite")) as views:
        for attempt in views.attempts("test"):
            attempts[attempt.number].append(attempt)
    assert set(attempts) == {number for number, _ in people}
    wrong, kinds = {}, Counter[str]()
    for number, made in attempts.items():
        kind = kind_among(number, speaks=True)
        kinds[kind] += 1
        results = {result["name"] for one in made for result in one.results}
        if (made[-1].outcome, results) != WANTED[kind]:
            wrong[f"{kind} {number}"] = (made[-1].outcome, results)
        assert Counter(one.n for one in made).most_common(1)[0][1] == 1
    print(
        f"{len(people)} people, {sum(map(len, attempts.values()))} calls, kinds {dict(kinds)}, wrong {wrong}"
    )
    assert len(wrong) <= max(1, len(people) // 15), wrong  # speech to text on a busy machine may slip
    assert len((tmp_path / "campaigns/out.csv").read_text().splitlines()) == 1 + sum(
        map(len, attempts.values())
    )
    log = (tmp_path / "out/agent.log").read_text()
    assert '"level": "error"' not in log
