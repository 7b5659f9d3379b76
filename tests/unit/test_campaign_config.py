"""Campaign files and contact lists: every problem at once, each with file and line."""

import re
import sqlite3
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from sipagent.campaigns.contact_sources import read_rows
from sipagent.campaigns.contacts import Contact, contacts_of
from sipagent.campaigns.running import order_of, read_list
from sipagent.campaigns.voicemail import with_voicemails
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_load import load_campaign, load_campaigns
from sipagent.config.fields import DERIVED
from sipagent.config.load import load_config
from sipagent.errors import ConfigError
from tests.unit.campaign_fixtures import BASE, write_campaign

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


def problems_of(folder: Path, text: str) -> list[str]:
    (folder / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_campaign(folder / "bad.yaml", personas=["receptionist"], trunks=["carrier"])
    return [line.removeprefix(f"{folder}/") for line in caught.value.problems]


def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = """name: bad one
persona: nobody
contacts: {file: a.csv, command: b}
schedule: {cron: "0 25 * * *", zone: Europe/Atlantis}
calls: {caller_id: Bob, concurrency: 0, trunk: other}
window: {mon: 19:00-09:00, tue: 07:00-20:00, wed: nine}
holidays: ["2026-02-29"]
retry: {after: {busy: soon, sulking: 1h}}
limits: {spend_per_day: 5}
voicemail: "Hello {name}"
colour: red
"""
    found = problems_of(tmp_path, text)
    for part in (
        "bad.yaml:1: name: expected letters",
        "bad.yaml:3: contacts.file: expected one of",
        "bad.yaml:4: schedule.cron: ",
        "bad.yaml:4: schedule.zone: no time zone 'Europe/Atlantis'",
        "bad.yaml:5: calls.caller_id: expected a number",
        "bad.yaml:5: calls.concurrency: expected 1..1000",
        "bad.yaml:6: window.mon: expected hours",
        "bad.yaml:6: window.tue: 07:00-20:00 goes beyond 08:00-21:00",
        "bad.yaml:6: window.wed: expected hours",
        "bad.yaml:7: holidays[0]: expected a date in quotes",
        "bad.yaml:8: retry.after.busy: expected a length of time",
        "bad.yaml:8: retry.after.sulking: no such outcome",
        "bad.yaml:9: limits.spend_per_day: expected an amount above 0, with per_minute",
        "bad.yaml:11: colour: unknown key",
        "bad.yaml:2: persona: no persona 'nobody'",
        "bad.yaml:5: calls.trunk: no trunk 'other'",
        "bad.yaml:10: voicemail: {name} is none of the variables",
    ):
        assert any(line.startswith(part) for line in found), (part, found)


def test_quiet_hours_are_widened_only_with_a_reason(tmp_path: Path) -> None:
    night = BASE.replace("mon: 09:00-19:00", "mon: 03:00-23:00")
    assert any("goes beyond" in line for line in problems_of(tmp_path, night))
    no_reason = night + "quiet_hours: {override: true}\n"
    assert any("reason: required with override" in line for line in problems_of(tmp_path, no_reason))
    (tmp_path / "ok.yaml").write_text(night + 'quiet_hours: {override: true, reason: "night shift asked"}\n')
    assert load_campaign(tmp_path / "ok.yaml").quiet_hours.override


def test_bad_rows_stop_the_campaign_with_file_and_line(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, "consent: {column: agreed}\n")
    (tmp_path / "list.csv").write_text(
        "number,zone,agreed\n"
        "+12125551234,,yes\n"
        "5551234,,yes\n"
        "+97714123456,Mars/Base,yes\n"
        "+88312345678,,yes\n"
        '"+447911123456","Europe/London",""\n'
        "+12125551234,,yes\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_list(config)
    lines = [line.removeprefix(f"{tmp_path}/list.csv:") for line in caught.value.problems]
    assert [line.partition(":")[0] for line in lines] == ["3", "4", "5", "6", "7"]
    wanted = ["not a telephone number", "no time zone 'Mars/Base'", "no time zone is known"]
    wanted += ["no evidence of consent", "stands at"]
    for line, part in zip(lines, wanted, strict=True):
        assert part in line
    (tmp_path / "test.yaml").write_text(
        (tmp_path / "test.yaml").read_text().replace("zone: zone", "zone: zone, skip_bad: true")
    )
    assert [one.number for one in read_list(load_campaign(tmp_path / "test.yaml")).contacts] == [
        "+12125551234"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("number,number\n", "a column appears twice"),
        ("number\n+1212,x\n", ":2: 2 cells"),
        ('number\n"+1212', "not valid CSV"),
        ("phone\n+12125551234\n", "no column 'number'"),
    ],
)
def test_a_list_that_is_no_list_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    config = write_campaign(tmp_path)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        contacts_of(config, read_rows(config))


def test_every_source_gives_the_same_contacts(tmp_path: Path) -> None:
    people = {"+12125551234": "America/New_York", "+97714123456": "Asia/Kathmandu"}
    from_csv = read_list(write_campaign(tmp_path, people=people)).contacts
    lines = "".join(f'{{"number": "{n}", "zone": "{z}"}}\n' for n, z in people.items())
    (tmp_path / "list.jsonl").write_text(lines)
    with sqlite3.connect(tmp_path / "list.db") as database:
        database.execute("CREATE TABLE t (number TEXT, zone TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", people.items())
    database.close()
    for source in ("file: list.jsonl", "{sqlite: list.db, query: SELECT number, zone FROM t}",
                   "{command: cat list.csv}"):  # fmt: skip
        inner = source.strip("{}").replace("SELECT number, zone FROM t", '"SELECT number, zone FROM t"')
        (tmp_path / "other.yaml").write_text(BASE.replace("file: list.csv", inner))
        found = read_list(load_campaign(tmp_path / "other.yaml")).contacts
        assert [(one.number, one.zones) for one in found] == [(one.number, one.zones) for one in from_csv]


def test_two_campaigns_of_one_name_are_refused(tmp_path: Path) -> None:
    write_campaign(tmp_path)
    (tmp_path / "again.yaml").write_text(BASE)
    with pytest.raises(ConfigError, match="is the name of"):
        load_campaigns(tmp_path)


def test_the_example_is_right_and_its_list_can_be_called() -> None:
    (example,) = load_campaigns(ROOT / "campaigns", personas=["reminder"], trunks=["lab"])
    found = read_list(example)
    assert len(found.contacts) == 60
    assert {one.zones[0] for one in found.contacts} >= {"Asia/Kathmandu", "Pacific/Apia"}


def left_to(contact: Contact, campaign: CampaignConfig) -> str:
    return order_of(campaign, contact).script.voicemail


def test_campaign_without_a_voicemail_leaves_that_of_its_flow(tmp_path: Path) -> None:
    config = load_config(ROOT / "sip-flows.yaml")
    extra = "variables: {patient: number}\n"
    campaign = replace(write_campaign(tmp_path, extra), persona="reminder")
    contact = Contact("a", "+15553000000", ("Europe/London",), {"patient": "Ann Lee"})
    assert left_to(contact, campaign) == ""
    (with_text,) = with_voicemails([campaign], config)
    assert left_to(contact, with_text).startswith(
        "Hello Ann Lee, this is Maple Street Dental about your appointment on Tuesday at ten."
    )
    own = replace(write_campaign(tmp_path, f'{extra}voicemail: "Hi {{patient}}."\n'), persona="reminder")
    none = replace(write_campaign(tmp_path, f'{extra}voicemail: ""\n'), persona="reminder")
    assert [left_to(contact, one) for one in with_voicemails([own, none], config)] == ["Hi Ann Lee.", ""]
    assert with_voicemails([replace(campaign, persona="nobody")], config)[0].voicemail == ""


def test_variables_of_the_persona_go_before_the_flows_in_its_voicemail(tmp_path: Path) -> None:
    config = load_config(ROOT / "sip-flows.yaml")
    persona = replace(config.personas["reminder"], variables={"appointment": "the {first}", "patient": "Bo"})
    config = replace(config, personas={"reminder": persona})
    (campaign,) = with_voicemails([replace(write_campaign(tmp_path), persona="reminder")], config)
    contact = Contact("a", "+15553000000", ("Europe/London",))
    assert "Hello Bo, this is Maple Street Dental about your appointment on the {first}." in left_to(
        contact, campaign
    )


def test_the_page_has_every_key_and_the_example_as_it_stands() -> None:
    page = (ROOT / "docs" / "campaigns.md").read_text()
    assert (ROOT / "campaigns" / "reminders.yaml").read_text() in page
    tables = {part.partition("\n")[0].strip("`"): part for part in page.split("\n### ")[1:]}
    for name, cls in {"Top level": CampaignConfig, **sections(CampaignConfig)}.items():
        keys = {spec.name for spec in fields(cls) if DERIVED not in spec.metadata}
        own = tables[name].partition("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", own, re.MULTILINE)) == keys, name


def sections(cls: type) -> dict[str, type]:
    found = {}
    for name, hint in get_type_hints(cls).items():
        for kind in (hint, *get_args(hint)):
            if isinstance(kind, type) and is_dataclass(kind) and kind.__name__.endswith("Config"):
                found[name] = kind
    return found


@pytest.mark.parametrize(
    ("number", "region", "problem"),
    [
        ("4930123456.0", "DE", "decimal number"),
        ("6641234567.0", "AT", "decimal number"),
        ("4.930123456e+09", "DE", "decimal number"),
        ("112", "DE", "short or emergency number"),
        ("+49112", "", "short or emergency number"),
        ("030 123456 ext 5", "DE", "has an extension"),
        ("+1 212 555 1234 x5", "", "has an extension"),
        ("030 123456 private", "DE", "write its digits and nothing else"),
        ("1-800-FLOWERS", "US", "write its digits and nothing else"),
    ],
)
def test_a_number_that_would_be_another_is_refused_with_its_line(
    tmp_path: Path, number: str, region: str, problem: str
) -> None:
    config = replaced(tmp_path, "file: list.csv", f"file: list.csv, region: {region}" if region else "")
    (tmp_path / "list.csv").write_text(f"number,zone\n+12125551234,\n{number},Europe/Berlin\n")
    (line,) = contacts_of(config, read_rows(config)).problems
    assert line.startswith(f"{tmp_path}/list.csv:3: number: ")
    assert problem in line


def test_whole_numbers_of_databases_are_read_without_their_point(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "list.db") as database:
        database.execute("CREATE TABLE t (number REAL, zone TEXT)")
        database.execute("INSERT INTO t VALUES (2125551234.0, '')")
    database.close()
    source = 'sqlite: list.db, query: "SELECT * FROM t", region: US'
    config = replaced(tmp_path, "file: list.csv", source)
    assert [one.number for one in read_list(config).contacts] == ["+12125551234"]
    (tmp_path / "list.jsonl").write_text('{"number": 2125551234.0, "zone": ""}\n')
    config = replaced(tmp_path, "file: list.csv", "file: list.jsonl, region: US")
    assert [one.number for one in read_list(config).contacts] == ["+12125551234"]


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "EST", "MST", "Etc/GMT+5", "UTC"])
def test_a_zone_is_an_area_and_a_city(tmp_path: Path, zone: str) -> None:
    config = write_campaign(tmp_path, people={"+12125551234": zone})
    (line,) = contacts_of(config, read_rows(config)).problems
    assert f"no time zone {zone!r}; expected area and city" in line


def test_junk_is_refused_with_file_and_line(tmp_path: Path) -> None:
    for old, new, problem in (
        ('"+15550100"', '"²"', "bad.yaml:4: calls.caller_id: expected a number"),
        ('"+15550100"', '"+++1"', "bad.yaml:4: calls.caller_id: expected a number"),
        (
            "file: list.csv",
            "file: list.csv, region: Narnia",
            "bad.yaml:3: contacts.region: expected two letters",
        ),
    ):
        assert any(line.startswith(problem) for line in problems_of(tmp_path, BASE.replace(old, new))), (
            problem
        )
    for extra, problem in (
        ('schedule: {cron: "*/5 * * * * *", zone: UTC}', "schedule.cron: expected five fields"),
        ('schedule: {cron: "0 9 31 2 *", zone: UTC}', "schedule.cron: Bad day-of-month"),
        ("schedule: {cron: '@daily', zone: UTC}", "schedule.cron: expected five fields"),
        ('results: {command: "foo \'bar"}', "results.command: cannot be split into words"),
        (
            'variables: {name: name}\nvoicemail: "Hi {name:d}"',
            "voicemail: braces do not fit: {name} has more",
        ),
        ('variables: {name: name}\nvoicemail: "Hi {name:{x}}"', "voicemail: braces do not fit: {name} has"),
        (
            'variables: {name: name}\nvoicemail: "Hi {name!r}"',
            "voicemail: braces do not fit: {name} has more",
        ),
    ):
        found = problems_of(tmp_path, BASE + extra + "\n")
        assert any(problem in line for line in found), (problem, found)
        assert all(line.startswith("bad.yaml:") for line in found)


def test_a_list_of_no_row_must_have_the_columns_too(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    (tmp_path / "list.csv").write_text("phone,zone\n")
    with pytest.raises(ConfigError, match="no column 'number'"):
        read_rows(config)


def test_cells_that_would_be_heard_or_shown_wrongly_are_told(tmp_path: Path) -> None:
    extra = 'variables: {name: first}\nconsent: {column: agreed, announcement: "A call for {name}."}\n'
    config = replaced(tmp_path, "zone: zone", "zone: zone, key: id", extra)
    (tmp_path / "list.csv").write_text(
        "id,number,zone,first,agreed\n"
        "a,+12125551234,,,yes\n"
        "b\x1b[2J,+12125551235,,Ann,yes\n"
        "c,+12125551236,,An\x07n,yes\n"
        "d,+12125551237,,Ann,\x1byes\n"
    )
    problems = contacts_of(config, read_rows(config)).problems
    assert [line.removeprefix(f"{tmp_path}/") for line in problems] == [
        "list.csv:2: first: is empty, and the campaign's texts say {name}",
        "list.csv:3: id: has control characters",
        "list.csv:4: first: has control characters",
        "list.csv:5: agreed: has control characters",
    ]


def replaced(folder: Path, old: str, new: str, extra: str = "") -> CampaignConfig:
    """The small campaign with one part written otherwise."""
    write_campaign(folder)
    (folder / "test.yaml").write_text(BASE.replace(old, new or old) + extra)
    return load_campaign(folder / "test.yaml")
