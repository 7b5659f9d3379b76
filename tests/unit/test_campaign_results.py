"""Outcomes handed on, reported and entered in the ledger; the commands that steer a campaign."""

import csv
import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from sipagent.campaigns.outcomes import Ending, FlowResult, Outcome
from sipagent.campaigns.records import noting
from sipagent.campaigns.report import html_report
from sipagent.campaigns.results import hand_on
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.config.campaign_load import load_campaign
from sipagent.ledger import Kind, Ledger, LedgerLimits, LedgerReader
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import BASE, MONDAY, life, run_command, write_campaign, write_site

pytestmark = pytest.mark.unit

EVIL = Ending(
    Outcome.ANSWERED, 200, "human", 65_000, (FlowResult("rescheduled", {"to": '=HYPERLINK("x")<script>'}),)
)


def test_results_are_handed_on_once_and_again_where_the_command_fails(tmp_path: Path) -> None:
    command = tmp_path / "hook"
    command.write_text("#!/bin/sh\ntest -e ready && cat >> told.jsonl && echo >> told.jsonl\n")
    command.chmod(0o755)
    config = write_campaign(
        tmp_path, f"results: {{csv: r.csv, jsonl: r.jsonl, command: {command}}}\n", people=3
    )
    failures: list[str] = []
    with life(tmp_path, config, FakeDialler(lambda order, before: EVIL)) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
    with closing(StoreViews(tmp_path / "state.sqlite")) as views:
        assert hand_on(config, views, failures.append) == 0
        assert "status 1" in failures[0]
        assert (
            len((tmp_path / "r.csv").read_text().splitlines()) == 4
        )  # the files do not wait for the command
        (tmp_path / "ready").touch()
        assert hand_on(config, views, failures.append) == 0  # nor is it asked all the time
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert hand_on(config, views, failures.append, later) == 3
        assert hand_on(config, views, failures.append, later) == 0
        assert len(failures) == 3  # each told once
        page = html_report(views.view("test"), list(views.attempts("test")), list(views.contacts("test")))
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert [row["outcome"] for row in rows] == ["answered"] * 3
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert lines == [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert lines[0]["results"] == [{"name": "rescheduled", "data": {"to": '=HYPERLINK("x")<script>'}}]
    assert "<svg" in page
    assert "Calls by hour (UTC)" in page
    assert "2026-11-23 09:00: 3 answered" in page
    assert "<script>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert os.stat(tmp_path / "r.csv").st_mode & 0o077 == 0


def test_the_evidence_of_consent_that_allowed_a_call_is_handed_on_with_it(tmp_path: Path) -> None:
    command = tmp_path / "hook"
    command.write_text("#!/bin/sh\ncat >> told.jsonl\n")
    command.chmod(0o755)
    extra = f"results: {{csv: r.csv, jsonl: r.jsonl, command: {command}}}\nconsent: {{column: consent}}\n"
    write_campaign(tmp_path)
    row = "+15553000000,Europe/London"
    (tmp_path / "list.csv").write_text(f"number,zone,consent\n{row},=web form of 1 March\n")
    (tmp_path / "test.yaml").write_text(BASE + extra)
    config = load_campaign(tmp_path / "test.yaml")
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
        (tmp_path / "list.csv").write_text(f"number,zone,consent\n{row},a letter of May\n")
        one.store.want_run("test", MONDAY + timedelta(hours=12))
        one.live(MONDAY + timedelta(hours=12), MONDAY + timedelta(hours=13))
    with closing(StoreViews(tmp_path / "state.sqlite")) as views:
        assert hand_on(config, views, pytest.fail) == 1
    assert json.loads((tmp_path / "r.jsonl").read_text())["consent"] == "=web form of 1 March"
    assert json.loads((tmp_path / "told.jsonl").read_text())["consent"] == "=web form of 1 March"
    (cells,) = csv.DictReader((tmp_path / "r.csv").open())
    assert cells["consent"] == "'=web form of 1 March"


def test_a_torn_line_is_ended_before_the_next(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, "results: {jsonl: r.jsonl}\n", people=1)
    (tmp_path / "r.jsonl").write_text('{"id": 1, "camp')
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
    with closing(StoreViews(tmp_path / "state.sqlite")) as views:
        hand_on(config, views, pytest.fail)
    assert json.loads((tmp_path / "r.jsonl").read_text().splitlines()[1])["outcome"] == "answered"


def test_decisions_and_overrides_are_in_the_ledger(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", "test", limits=LedgerLimits(min_free_bytes=0)) as ledger:
        extra = 'quiet_hours: {override: true, reason: "night shift"}\n'
        note = noting(structlog.get_logger(), ledger)
        with life(tmp_path, write_campaign(tmp_path, extra, people=1), note=note) as one:
            one.store.want_run("test", MONDAY)
            one.live(MONDAY, MONDAY + timedelta(hours=12))
    entries = [found.entry for found in LedgerReader.open(tmp_path / "ledger").entries()]
    decided = [entry.body for entry in entries if entry.kind == Kind.CAMPAIGN_DECIDED]
    days = "mon 09:00-19:00; tue 09:00-19:00; wed 09:00-19:00; thu 09:00-19:00; fri 09:00-19:00"
    rule = f"night shift; {days}"
    assert decided[0] == {"campaign": "test", "decision": "quiet_hours_overridden", "rule": rule}
    assert [body["decision"] for body in decided[1:]] == ["run_opened", "called", "ended"]
    files = [path for path in (tmp_path / "ledger").rglob("*") if path.is_file()]
    assert len(files) > 2
    assert not any(b"+15553000000" in path.read_bytes() for path in files)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path)


def test_the_commands_steer_a_campaign(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(site, "check") == 0
    assert "test: 2 contacts can be called" in capsys.readouterr().out
    assert run_command(site, "dry-run", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2
    assert not (site / "campaigns.sqlite").exists()
    html = str(site / "r.html")
    commands = ["pause test", "list --json", "resume test --unsettled", "now test", "optout +15553000000"]
    commands += ["optout --json", "stop test", "status --json", "report --json", f"report --html {html} test"]
    for words in (command.split() for command in [*commands, "status"]):
        assert run_command(site, *words) == 0, words
    out = capsys.readouterr().out
    assert '"state": "paused"' in out
    assert '"number": "+15553000000"' in out
    assert '"state": "stopped"' in out
    assert "<svg" in (site / "r.html").read_text()


def test_the_evidence_of_consent_is_noted_with_each_call(tmp_path: Path) -> None:
    noted: list[dict[str, str]] = []
    config = write_campaign(tmp_path, "consent: {column: agreed}\n")
    (tmp_path / "list.csv").write_text("number,zone,agreed\n+12125551234,,form of 2026-10-02\n")
    with life(tmp_path, config, note=lambda *told: noted.append(dict(told[3]))) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=20))
    assert {"contact": "+12125551234", "consent": "form of 2026-10-02"} in noted


def test_an_opt_out_that_was_none_is_taken_back_with_its_reason(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = "+15553000000"
    assert run_command(site, "optin", number, "--reason", "misheard") == 1
    assert "has not opted out" in capsys.readouterr().err
    with Ledger.open(site / "ledger", "test", limits=LedgerLimits(min_free_bytes=0)):
        pass
    with closing(CampaignStore(site / "campaigns.sqlite", "operator")) as store:
        config = load_campaign(site / "campaigns" / "test.yaml")
        store.enrol("test", read_list(config).contacts, run_at=MONDAY, due=MONDAY)
        store.opt_out(number, "asked", "test", MONDAY)
        assert [one.contact.number for one in store.due("test", MONDAY, 9)] == ["+15553000001"]
    assert run_command(site, "optin", number, "--reason", " ") == 1
    assert run_command(site, "optin", number, "--reason", "misheard: she stopped at the bank") == 0
    assert run_command(site, "optout", "--json") == 0
    assert f'"{number}"' not in capsys.readouterr().out
    with closing(CampaignStore(site / "campaigns.sqlite", "operator")) as store:
        later = datetime.now(UTC) + timedelta(days=9999)
        assert {one.contact.number for one in store.due("test", later, 9)} == {number, "+15553000001"}
    entries = [found.entry for found in LedgerReader.open(site / "ledger").entries()]
    (body,) = [entry.body for entry in entries if entry.kind == Kind.CAMPAIGN_DECIDED]
    assert body["decision"] == "opted_in"
    assert body["rule"] == "misheard: she stopped at the bank"


def test_what_is_wrong_is_told_with_status_78_and_nothing_runs(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "campaigns" / "list.csv").write_text("number,zone\n555,\n+15553000001,Nowhere/City\n")
    assert run_command(site, "check") == 78
    err = capsys.readouterr().err
    assert "list.csv:2: number: " in err
    assert "list.csv:3: zone: no time zone 'Nowhere/City'" in err
    assert run_command(site, "run", "--lab") == 78
    (site / "campaigns" / "test.yaml").write_text(BASE.replace("receptionist", "nobody"))
    assert run_command(site, "list") == 78
    assert run_command(site, "optout", "hello") == 1
    assert run_command(site, "optout", "5551234") == 1
