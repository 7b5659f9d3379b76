"""Calling windows in the callee's time zone, and schedules over clock changes and leap days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.campaigns.schedule import Schedule
from sipagent.campaigns.window import Window
from sipagent.campaigns.zones import NotCallable, e164, zones_of
from sipagent.config.campaign_values import Hours

pytestmark = pytest.mark.unit

DAILY = Window(tuple([Hours.parse("09:00-12:00, 13:00-19:00")] * 7))
ZONES = ("America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe", "Europe/London",
         "America/St_Johns", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Casablanca")  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zones", "moment", "obstacle"),
    [
        (("Asia/Kathmandu",), "2026-11-23T03:14", "outside the window"),  # 08:59
        (("Asia/Kathmandu",), "2026-11-23T03:15", ""),  # 09:00, +05:45
        (("Asia/Kathmandu",), "2026-11-23T06:15", "outside the window"),  # 12:00
        (("Pacific/Apia",), "2026-11-22T20:00", ""),  # 09:00 on Monday there, Sunday in UTC
        (("America/New_York",), "2026-07-01T13:00", ""),  # 09:00 EDT
        (("America/New_York",), "2026-12-01T13:00", "outside the window"),  # 08:00 EST
        (("America/New_York", "America/Los_Angeles"), "2026-11-23T14:30", "quiet hours"),  # 06:30 in the west
        (("America/New_York", "America/Los_Angeles"), "2026-11-23T18:30", ""),
        ((), "2026-11-23T18:30", "no time zone"),
    ],
)
def test_everybody_is_called_by_their_own_clock(zones: tuple[str, ...], moment: str, obstacle: str) -> None:
    assert DAILY.obstacle(zones, at(moment)) == obstacle


def test_holidays_and_the_last_day_are_the_callees() -> None:
    window = Window(DAILY.hours, frozenset({date(2026, 12, 25)}), date(2026, 12, 31))
    assert window.obstacle(("Pacific/Apia",), at("2026-12-24T20:00")) == "holiday"  # the 25th there
    assert window.obstacle(("Pacific/Pago_Pago",), at("2026-12-24T20:00")) == ""
    assert window.obstacle(("Pacific/Pago_Pago",), at("2027-01-01T01:00")) == ""  # the 31st there
    assert window.obstacle(("Europe/London",), at("2027-01-01T10:00")) == "expired"
    assert window.next_open(("Europe/London",), at("2027-01-01T10:00")) is None


def test_the_quiet_hours_hold_where_the_window_is_wider() -> None:
    wide = tuple([Hours.parse("00:00-24:00")] * 7)
    assert Window(wide).obstacle(("Europe/London",), at("2026-11-23T07:59")) == "quiet hours"
    assert Window(wide).next_open(("Europe/London",), at("2026-11-23T21:00")) == at("2026-11-24T08:00")
    assert Window(wide, quiet=None).obstacle(("Europe/London",), at("2026-11-23T03:00")) == ""


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2032, 12, 31)),
    st.sampled_from(["09:00-12:00, 13:00-19:00", "01:30-03:00", "08:00-08:30", "23:00-24:00"]),
)
@settings(max_examples=300, deadline=None)
def test_the_next_opening_is_open_and_nothing_before_it_is(zone: str, moment: datetime, hours: str) -> None:
    window = Window(tuple([Hours.parse(hours)] * 7), quiet=None)
    start = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    opens = window.next_open((zone,), start)
    assert opens is not None
    assert not window.obstacle((zone,), opens)
    assert opens - start <= timedelta(hours=49)
    local = opens.astimezone(ZoneInfo(zone))
    assert window.hours[0] is not None
    assert window.hours[0].covers(local.hour * 60 + local.minute)
    probe = start
    while probe < opens - timedelta(hours=1):  # an hour at a change of clocks may be passed over
        assert window.obstacle((zone,), probe), f"{probe} was open already"
        probe += timedelta(minutes=7)


def test_a_schedule_keeps_its_clock_over_changes_and_leap_days() -> None:
    nine = Schedule("0 9 * * *", "America/New_York", timedelta(hours=4))
    assert nine.next_start(at("2026-03-07T15:00")) == at("2026-03-08T13:00")  # the day the clocks go ahead
    assert nine.next_start(at("2026-03-06T15:00")) == at("2026-03-07T14:00")
    skipped = Schedule("30 2 * * *", "America/New_York", timedelta(hours=4))
    assert skipped.next_start(at("2026-03-08T00:00")) == at("2026-03-08T07:00")  # right after the gap
    twice = Schedule("30 1 * * *", "America/New_York", timedelta(hours=4))
    first = twice.next_start(at("2026-11-01T00:00"))
    assert first is not None
    second = twice.next_start(first)
    assert second == at("2026-11-02T06:30")  # the hour that comes twice has one run
    leap = Schedule("0 9 29 2 *", "Asia/Kathmandu", timedelta(hours=4))
    assert leap.next_start(at("2026-03-01T00:00")) == at("2028-02-29T03:15")
    apia = Schedule("0 9 * * 1", "Pacific/Apia", timedelta(hours=4))
    assert apia.next_start(at("2026-11-21T00:00")) == at("2026-11-22T20:00")  # Monday there


def test_a_run_that_was_slept_through_is_opened_late_but_not_after_its_end() -> None:
    nine = Schedule("0 9 * * *", "Europe/London", timedelta(hours=4))
    assert nine.open_run(at("2026-11-23T08:59")) is None
    assert nine.open_run(at("2026-11-23T09:00")) == at("2026-11-23T09:00")
    assert nine.open_run(at("2026-11-23T12:59")) == at("2026-11-23T09:00")
    assert nine.open_run(at("2026-11-23T13:00:01")) is None


def test_numbers_tell_their_zones_and_unknown_ones_tell_none() -> None:
    assert zones_of("+97714123456") == ("Asia/Katmandu",)
    assert len(zones_of("+18005551234")) > 10
    assert zones_of("+88312345678") == ()
    assert e164("(212) 555-1234", "US") == "+12125551234"
    for text in ("2125551234", "", "+1", "hello", "+15551234567890123"):
        with pytest.raises(NotCallable):
            e164(text)


@given(
    st.sampled_from(["0 9 * * *", "30 2 * * *", "*/7 * * * *", "0 9 29 2 *", "15 1 * * 0"]),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)),
)
@settings(max_examples=150, deadline=None)
def test_the_open_run_is_the_last_start_before_now(cron: str, zone: str, moment: datetime) -> None:
    schedule = Schedule(cron, zone, timedelta(hours=26))
    now = moment.replace(microsecond=0, tzinfo=UTC)
    latest, start = None, schedule.next_start(now - timedelta(hours=26, seconds=1))
    while start is not None and start <= now:
        latest, start = start, schedule.next_start(start)
    assert schedule.open_run(now) == latest
