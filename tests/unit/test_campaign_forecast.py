"""Who will be called when, or why not: by the same rules as the runner, and told before the first call."""

from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sipagent.campaigns.checks import notes_of, problems_of
from sipagent.campaigns.forecast import Forecast, forecast
from sipagent.campaigns.known import Known, known_of
from sipagent.campaigns.outcomes import Ending, Outcome
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.window import Window
from sipagent.campaigns.zones import zones_of
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_values import Hours
from sipagent.flows.load import load_flow
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import MONDAY, life, write_campaign

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
NINE = MONDAY + timedelta(hours=9)


def forecasts(folder: Path, config: CampaignConfig, now: datetime = NINE) -> list[Forecast]:
    known = known_of(folder / "state.sqlite", config.name, now)
    return forecast(config, read_list(config).contacts, known, now)


@pytest.mark.parametrize(
    "extra",
    [
        "",
        'schedule: {cron: "0 9 * * 1-5", zone: America/New_York, open_for: 24h}\n',
        'schedule: {cron: "0 9 * * 1-5", zone: America/New_York, open_for: 3h}\n',
        "limits: {calls_per_day: 7}\n",
        "limits: {spend_per_day: 10, per_minute: 1}\n",
    ],
)
def test_the_runner_calls_on_the_days_that_were_told(tmp_path: Path, extra: str) -> None:
    zones = ["Asia/Kathmandu", "Pacific/Apia", "America/New_York", "Pacific/Pago_Pago", "Europe/London"]
    people = {f"+1555300{n:04d}": zones[n % 5] for n in range(20)}
    config = write_campaign(tmp_path, extra, people=people)
    told = forecasts(tmp_path, config, MONDAY)
    talk = FakeDialler(lambda order, before: Ending(Outcome.ANSWERED, 200, "human", 20_000))
    with life(tmp_path, config, talk) as one:
        if not extra.startswith("schedule"):
            one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=12))
    called = {number: at for at, number in one.calls}
    assert set(called) == {each.contact.number for each in told if each.at is not None}
    for each in told:
        if each.at is not None:
            assert called[each.contact.number] >= each.at
    by_day = Counter(each.at.date() for each in told if each.at)
    assert by_day == Counter(at.date() for at in called.values())


def test_whom_lists_wishes_and_earlier_calls_keep_out_is_told_with_the_reason(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, "do_not_call: [no.txt]\n", people=5)
    numbers = [one.number for one in read_list(config).contacts]
    (tmp_path / "no.txt").write_text(numbers[0])
    assert [one.why for one in forecasts(tmp_path, config)] == ["on a do-not-call list", "", "", "", ""]
    assert not (tmp_path / "state.sqlite").exists()
    with life(tmp_path, config) as one:
        one.store.want_run("test", NINE)
        one.runner.tick(NINE)
        one.dialler.finish(1)
        one.runner.tick(NINE + timedelta(milliseconds=300))
        one.store.opt_out(numbers[4], "operator", "", NINE)
        before = (tmp_path / "state.sqlite").read_bytes()
        told = {each.contact.number: each.why for each in forecasts(tmp_path, config)}
        assert (tmp_path / "state.sqlite").read_bytes() == before
    assert told[numbers[1]] == "done: answered"
    assert told[numbers[4]] == "opted out"
    with closing(CampaignStore(tmp_path / "state.sqlite", "operator")) as store:
        store.set_state("test", "paused", "by the operator")
    assert "the campaign is paused: by the operator" in {each.why for each in forecasts(tmp_path, config)}


@pytest.mark.parametrize(
    ("extra", "people", "why"),
    [
        ("", {"+18005551234": ""}, "no hour of the window is one in all of its"),
        ('expires: "2026-11-20"\n', {"+442071838750": ""}, "the campaign expires on 2026-11-20"),
        ('expires: "2026-11-23"\n', {"+442071838750": "Pacific/Apia"}, "the campaign expires on 2026-11-23"),
        (
            'schedule: {cron: "0 20 * * *", zone: Europe/London, open_for: 2h}\n',
            {"+442071838750": ""},
            "no run is open (schedule.open_for: 2h) at its hours",
        ),
        ("limits: {spend_per_day: 4, per_minute: 1}\n", {"+442071838750": ""}, "spend_per_day"),
    ],
)
def test_who_can_never_be_called_is_named(
    tmp_path: Path, extra: str, people: dict[str, str], why: str
) -> None:
    config = write_campaign(tmp_path, extra, people=people)
    (one,) = forecasts(tmp_path, config, MONDAY + timedelta(hours=20))
    assert one.at is None
    assert one.is_fault
    assert why in one.why
    notes = list(notes_of(config, [one.contact], [one]))
    assert notes[0].startswith(f"{tmp_path}/list.csv:2: {one.contact.number} will not be called: ")


def test_a_long_list_of_free_numbers_is_judged_once() -> None:
    window = Window((Hours.parse("09:00-19:00"),) * 5 + (None, None))
    zones = zones_of("+18005551234")
    for minutes in range(0, 60 * 24, 3):
        assert window.next_open(zones, MONDAY + timedelta(minutes=minutes)) is None
    earlier = window.next_open(("Europe/London",), MONDAY)
    assert window.next_open(("Europe/London",), MONDAY - timedelta(days=7)) == NINE - timedelta(days=7)
    assert window.next_open(("Europe/London",), MONDAY) == earlier == NINE


def test_a_zone_that_the_number_contradicts_is_told(tmp_path: Path) -> None:
    people = {
        "+12125551234": "Asia/Tokyo",
        "+12125551235": "America/Detroit",
        "+442071838750": "Europe/London",
    }
    config = write_campaign(tmp_path, people=people)
    contacts = read_list(config).contacts
    (note,) = notes_of(config, contacts, [])
    where = "Asia/Tokyo, but +12125551234 is of America/New_York"
    assert note == f"{tmp_path}/list.csv:2: {where}; the zone of the list counts"


def test_a_flow_that_uses_the_opt_out_key_is_named(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, 'consent: {opt_out_key: "2"}\n')
    (problem,) = problems_of(config, load_flow(ROOT / "flows" / "appointment.yaml"))
    assert problem.startswith(
        f"{tmp_path}/test.yaml:6: consent.opt_out_key: key 2 ends the call for good and is used by"
    )
    assert "appointment.yaml: remind;" in problem
    assert list(problems_of(write_campaign(tmp_path), load_flow(ROOT / "flows" / "appointment.yaml"))) == []


def test_results_that_could_not_be_written_are_told_before_the_first_call(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, "results: {csv: list.csv/r.csv, jsonl: .}\n")
    problems = [line.removeprefix(f"{tmp_path}/") for line in problems_of(config, None)]
    assert problems[0].startswith("test.yaml:6: ")
    assert problems[0].endswith("list.csv is no folder")
    assert problems[1].endswith("it is a folder")
    assert list(problems_of(write_campaign(tmp_path, "results: {csv: new/r.csv}\n"), None)) == []


def test_nothing_is_known_of_a_campaign_that_never_ran(tmp_path: Path) -> None:
    assert known_of(tmp_path / "no.sqlite", "test", NINE) == Known()
