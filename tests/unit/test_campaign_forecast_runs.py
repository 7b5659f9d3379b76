"""What is told of a campaign in the middle of its life is what the runner then does."""

import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sipagent.campaigns.dialler import CallOrder
from sipagent.campaigns.forecast import Forecast, forecast
from sipagent.campaigns.known import known_of
from sipagent.campaigns.outcomes import Ending, FlowResult, Outcome
from sipagent.campaigns.pacing import CallFloor
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store_open import MIGRATIONS
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_load import load_campaign
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import BASE, MONDAY, Life, life, write_campaign

pytestmark = pytest.mark.unit

BUSY, NO_ANSWER = Ending(Outcome.BUSY, 486), Ending(Outcome.NO_ANSWER, 480)
TALKED = Ending(Outcome.ANSWERED, 200, "human", 20_000)
NO_BREAKER = "limits: {breaker_answered_pct: 0, breaker_failed_pct: 100}\n"
MORNINGS = 'schedule: {cron: "0 9 * * 1-5", zone: Europe/London, open_for: 3h}\n'
ZONES = ("Asia/Kathmandu", "Pacific/Apia", "America/New_York", "Europe/London")
PEOPLE = {f"+1555300{n:04d}": ZONES[n % 4] for n in range(16)}


def write(folder: Path, extra: str, *, again: str = "never") -> CampaignConfig:
    write_campaign(folder, people=PEOPLE)
    base = BASE.replace("zone: zone}", f"zone: zone, again: {again}}}")
    (folder / "test.yaml").write_text(base + extra)
    return load_campaign(folder / "test.yaml")


def told(
    folder: Path, config: CampaignConfig, now: datetime, floor: CallFloor | None = None
) -> list[Forecast]:
    known = known_of(folder / "state.sqlite", config.name, now)
    return forecast(config, read_list(config).contacts, known, now, floor)


def people_of_all_kinds(order: CallOrder, before: int) -> Ending:
    """Always the same; each kind among them."""
    rng = random.Random(f"{order.number}/{before}")
    day = 23 + rng.randrange(2, 9)
    at = f"2026-{11 if day < 31 else 12}-{day if day < 31 else day - 30:02d}T{rng.randrange(24):02d}:10+00:00"
    wish = Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("call_back", {"at": at}),))
    vague = Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("call_back"),))
    wrong = Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("wrong_person"),))
    never = Ending(Outcome.OPTED_OUT, 200, "human", 9000)
    fax = Ending(Outcome.FAX, 200, "fax", 900)
    return rng.choice((BUSY, BUSY, NO_ANSWER, NO_ANSWER, TALKED, wish, wish, vague, wrong, never, fax))


def next_calls(one: Life, now: datetime, days: int) -> Mapping[str, datetime]:
    """Number → its first call from ``now`` on."""
    before = len(one.calls)
    one.live(now, now + timedelta(days=days))
    found: dict[str, datetime] = {}
    for at, number in one.calls[before:]:
        found.setdefault(number, at)
    return found


def live_until(one: Life, end: datetime, start: datetime = MONDAY) -> None:
    """No call is in progress then."""
    one.live(start, end)
    while one.runner.calls:
        one.dialler.finish()
        one.runner.tick(end)


@pytest.mark.parametrize("hours", [0, 9.2, 12.6, 33.1, 58, 60.4, 85, 110])
@pytest.mark.parametrize(
    ("extra", "again", "floor"),
    [
        ("", "never", None),
        ("", "each_run", None),
        (MORNINGS, "never", None),
        (MORNINGS, "each_run", None),
        (MORNINGS + "retry: {unanswered: 2}\n", "each_run", None),
        (MORNINGS.replace("3h", "26h"), "each_run", CallFloor(timedelta(days=1), 1)),
        (MORNINGS, "never", CallFloor(timedelta(hours=5), 2)),
        ("retry: {after: {busy: 5m, no_answer: 5m}}\n", "never", CallFloor(timedelta(hours=2), 2)),
    ],
)  # fmt: skip
def test_whoever_is_told_a_time_in_the_middle_of_a_life_is_called_then_and_nobody_else(
    tmp_path: Path, extra: str, again: str, floor: CallFloor | None, hours: float
) -> None:
    config = write(tmp_path, extra + NO_BREAKER, again=again)
    now = MONDAY + timedelta(hours=hours)
    with life(tmp_path, config, FakeDialler(people_of_all_kinds)) as one:
        one.store.floor = floor or one.store.floor
        if not config.schedule:
            one.store.want_run("test", MONDAY)
        live_until(one, now)
        if not config.schedule and again == "each_run":
            one.store.want_run("test", now)
        forecasts = {each.contact.number: each for each in told(tmp_path, config, now, floor)}
        called = next_calls(one, now, 14)
    assert set(called) == {number for number, each in forecasts.items() if each.at is not None}
    for number, at in called.items():
        due = forecasts[number].at
        assert due is not None
        assert timedelta() <= at - due < timedelta(minutes=20), (number, due, at)


def test_two_contacts_with_one_number_are_told_a_pause_apart(tmp_path: Path) -> None:
    config = write(tmp_path, NO_BREAKER)
    text = (tmp_path / "test.yaml").read_text().replace("zone: zone,", "zone: zone, key: key,")
    (tmp_path / "test.yaml").write_text(text)
    rows = [f"{key},+15553000000,Europe/London" for key in "ABCD"]
    (tmp_path / "list.csv").write_text("\n".join(["key,number,zone", *rows]))
    config = load_campaign(tmp_path / "test.yaml")
    nine = MONDAY + timedelta(hours=9)
    forecasts = told(tmp_path, config, MONDAY)
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=3))
    pauses = [at - (each.at or MONDAY) for (at, _), each in zip(one.calls, forecasts, strict=True)]
    assert all(timedelta() <= pause < timedelta(minutes=5) for pause in pauses)
    assert [each.at for each in forecasts][:2] == [nine, nine + timedelta(minutes=15)]
    assert forecasts[3].at == nine + timedelta(days=1)  # three in 24 hours


def test_who_waits_and_is_no_longer_on_the_list_is_told_as_called_until_it_is_read_again(
    tmp_path: Path,
) -> None:
    config = write(tmp_path, MORNINGS.replace("3h", "6h") + NO_BREAKER)
    nine = MONDAY + timedelta(hours=9)
    with life(tmp_path, config, FakeDialler(lambda order, before: BUSY)) as one:
        one.live(nine, nine + timedelta(minutes=5))
        (tmp_path / "list.csv").write_text("number,zone\n+15553000003,Europe/London\n")
        now = nine + timedelta(minutes=6)
        found = {each.contact.number: each for each in told(tmp_path, config, now)}
        again = found["+15553000007"].at
        assert again is not None
        assert now < again < now + timedelta(minutes=15)
        assert found["+15553000001"].why == "no longer on the list"  # of Samoa: tonight, when no run is open
        one.live(now, nine + timedelta(minutes=21))
        assert "+15553000007" in [number for at, number in one.calls if at >= now]
        late = nine + timedelta(hours=8)
        one.live(nine + timedelta(minutes=21), late)
        assert [each.contact.number for each in told(tmp_path, config, late)] == ["+15553000003"]


def test_a_run_that_was_asked_for_goes_on_beside_the_schedule(tmp_path: Path) -> None:
    config = write(tmp_path, MORNINGS + NO_BREAKER)
    evening = MONDAY + timedelta(hours=16)
    with life(tmp_path, config, FakeDialler(lambda order, before: BUSY)) as one:
        one.store.set_state("test", "paused", "")
        one.live(MONDAY, evening)
        one.store.set_state("test", "running", "")
        one.store.want_run("test", evening)
        live_until(one, evening + timedelta(minutes=3), evening)
        now = evening + timedelta(minutes=4)
        forecasts = {each.contact.number: each.at for each in told(tmp_path, config, now)}
        called = next_calls(one, now, 1)
    of_new_york = [number for number, zone in PEOPLE.items() if zone == "America/New_York"]
    for number in of_new_york:
        due = forecasts[number]
        assert due is not None
        assert due.date() == evening.date()
        assert timedelta() <= called[number] - due < timedelta(minutes=20)


def test_who_was_promised_a_call_gets_what_is_left_of_the_day(tmp_path: Path) -> None:
    config = write(tmp_path, "limits: {calls_per_day: 2, breaker_answered_pct: 0}\n")
    at = (MONDAY + timedelta(days=1, hours=12)).isoformat()
    wish = Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("call_back", {"at": at}),))
    dialler = FakeDialler(lambda order, before: TALKED if before else wish)
    with life(tmp_path, config, dialler) as one:
        one.store.want_run("test", MONDAY)
        now = MONDAY + timedelta(hours=23)
        live_until(one, now)
        promised = {number for _, number in one.calls}
        forecasts = {each.contact.number: each.at for each in told(tmp_path, config, now)}
        called = next_calls(one, now, 3)
    assert len(promised) == 2
    days = {number: due.date() for number, due in forecasts.items() if due}
    assert {number: day for number, day in days.items() if number in called} == {
        number: moment.date() for number, moment in called.items()
    }


def test_a_state_file_of_an_older_version_is_understood_and_left_as_it_is(tmp_path: Path) -> None:
    config = write(tmp_path, NO_BREAKER)
    file = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as old:
        for _, script in MIGRATIONS[:2]:
            old.executescript(script)
        old.execute("PRAGMA user_version=2")
        number, facts = "+15553000003", '{"variables": {}, "consent": ""}'
        old.execute(
            "INSERT INTO contact VALUES ('test', ?, ?, '[\"Europe/London\"]', ?, '', 0, 'done', 'answered', "
            "1, 7, 'answered', '[]')",
            (number, number, facts),
        )
    before = file.read_bytes()
    found = {each.contact.number: each.why for each in told(tmp_path, config, MONDAY)}
    assert found[number] == "done: answered"
    assert file.read_bytes() == before
