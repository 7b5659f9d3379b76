"""A campaign's life: weeks in seconds, retries, lists, breaker, caps, two servers, leases."""

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sipagent.campaigns.dialler import CallOrder, NotPlaced, Tell
from sipagent.campaigns.outcomes import Ending, FlowResult, Follow, Outcome
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import LEASE_S, CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.config.campaign_load import load_campaign
from sipagent.errors import CampaignError
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import MONDAY, Life, life, write_campaign

pytestmark = pytest.mark.unit

BUSY, NO_ANSWER = Ending(Outcome.BUSY, 486), Ending(Outcome.NO_ANSWER, 480)
TALKED = Ending(Outcome.ANSWERED, 200, "human", 65_000, (FlowResult("confirmed"),))


def states(one: Life) -> Counter[str]:
    with closing(StoreViews(one.store.path)) as views:
        return Counter(dict(views.view("test").contacts))


def test_a_week_of_a_daily_schedule_calls_everybody_once_in_their_own_daytime(tmp_path: Path) -> None:
    zones = ["Asia/Kathmandu", "Pacific/Apia", "America/New_York", "Pacific/Pago_Pago", "Europe/London"]
    people = {f"+1555300{n:04d}": zones[n % 5] for n in range(60)}
    schedule = 'schedule: {cron: "0 9 * * 1-5", zone: America/New_York, open_for: 24h}\n'
    config = write_campaign(tmp_path, schedule, people=people)
    with life(tmp_path, config) as one:
        one.live(MONDAY - timedelta(days=1), MONDAY + timedelta(days=7))
        assert Counter(number for _, number in one.calls) == Counter(list(people))
        assert states(one) == {"done": 60}
        for at, number in one.calls:
            local = at.astimezone(ZoneInfo(people[number]))
            assert 9 <= local.hour < 19
            assert local.weekday() < 5
        assert min(at for at, _ in one.calls) >= MONDAY.replace(hour=14)


def test_retries_follow_the_outcome_and_their_number(tmp_path: Path) -> None:
    def ending(order: CallOrder, before: int) -> Ending:
        last = order.number[-1]
        return {"0": TALKED, "1": BUSY, "2": [BUSY, NO_ANSWER, TALKED][min(before, 2)]}.get(
            last, Ending(Outcome.INVALID_NUMBER, 404)
        )

    config = write_campaign(tmp_path, "retry: {attempts: 3, after: {busy: 10m}}\n", people=4)
    with life(tmp_path, config, FakeDialler(ending)) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=3))
        times = {number: [at for at, n in one.calls if n == number] for _, number in one.calls}
        assert [len(times[number]) for number in sorted(times)] == [1, 3, 3, 1]
        first, second, third = times["+15553000002"]
        assert second - first >= timedelta(minutes=10)
        assert third - second >= timedelta(hours=2)
        assert states(one) == {"done": 4}


def test_a_wish_to_be_called_back_is_kept_within_the_window(tmp_path: Path) -> None:
    wish = Ending(
        Outcome.ANSWERED, 200, "human", 9000, (FlowResult("call_back", {"at": "2026-11-24T22:00+00:00"}),)
    )
    config = write_campaign(tmp_path, people=1)
    with life(tmp_path, config, FakeDialler(lambda order, before: TALKED if before else wish)) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=4))
        assert [at for at, _ in one.calls][1] == datetime(
            2026, 11, 25, 9, tzinfo=UTC
        )  # not at ten in the night


def test_whoever_opts_out_is_never_called_again_by_any_campaign(tmp_path: Path) -> None:
    stop = Ending(Outcome.OPTED_OUT, 200, "human", 5000, (FlowResult("opt_out"),))
    config = write_campaign(tmp_path, "retry: {attempts: 5, after: {busy: 1h}}\n", people=2)
    with life(
        tmp_path, config, FakeDialler(lambda order, before: stop if order.number[-1] == "0" else BUSY)
    ) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=2))
        assert Counter(n for _, n in one.calls) == {"+15553000000": 1, "+15553000001": 5}
        assert [row[0] for row in one.store.opted_out()] == ["+15553000000"]
        other = read_list(config).contacts
        one.store.enrol("other", other, run_at=MONDAY, due=MONDAY)
        due = one.store.due("other", MONDAY + timedelta(days=2), 10)
        claims = [one.store.claim("other", waiting, MONDAY + timedelta(days=2)) for waiting in due]
        assert [claim.contact.number for claim in claims if claim] == ["+15553000001"]


def test_do_not_call_files_count_from_the_moment_they_change(tmp_path: Path) -> None:
    listed = tmp_path / "dnc.txt"
    listed.write_text("+15553000000  # a letter\n")
    config = write_campaign(tmp_path, "do_not_call: [dnc.txt]\nretry: {attempts: 5}\n", people=2)
    with life(tmp_path, config, FakeDialler(lambda order, before: BUSY)) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=9, minutes=5))
        assert [n for _, n in one.calls] == ["+15553000001"]
        listed.write_text("+15553000000\n+15553000001\n")
        one.live(MONDAY + timedelta(hours=9, minutes=6), MONDAY + timedelta(days=1))
        assert len(one.calls) == 1
    listed.write_text("not a number\n")
    listed_problem: list[str] = []
    (tmp_path / "state.sqlite").unlink()

    def note(campaign: str, decision: str, rule: str, personal: Mapping[str, str]) -> None:
        listed_problem.append(f"{decision} {rule}")

    with life(tmp_path, config, note=note) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=1))
        assert one.calls == []  # a list that cannot be understood: nobody is called
        assert any("dnc.txt:1" in text for text in listed_problem)


def test_the_breaker_pauses_and_resuming_starts_its_count_anew(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, "limits: {breaker_calls: 10, breaker_answered_pct: 20}\n", people=40)
    dialler = FakeDialler(lambda order, before: Ending(Outcome.FAILED, 503))
    with life(tmp_path, config, dialler) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
        state, why, _, _ = one.store.state("test")
        assert state == "paused"
        assert why.startswith("breaker: 0 of the last 10 calls")
        assert 10 <= len(one.calls) <= 10 + config.calls.concurrency
        one.store.set_state("test", "running", "")
        before = len(one.calls)
        one.live(MONDAY + timedelta(hours=12), MONDAY + timedelta(hours=13))
        assert len(one.calls) >= before + 10


def test_caps_of_calls_and_money_hold_for_each_day(tmp_path: Path) -> None:
    limits = "limits: {calls_per_day: 7, per_minute: 1, spend_per_day: 11}\n"
    config = write_campaign(tmp_path, limits.replace("}", ", breaker_answered_pct: 0}"), people=20)
    with life(tmp_path, config, FakeDialler(lambda order, before: TALKED)) as one:  # two minutes each
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=4, hours=23))
        days = Counter(at.date() for at, _ in one.calls)
        assert max(days.values()) <= 7
        with closing(StoreViews(one.store.path)) as views:
            spent = Counter[str]()
            for attempt in views.attempts("test"):
                spent[attempt.dialled_utc[:10]] += int(attempt.cost)
        assert 0 < max(spent.values()) <= 11
        assert len(days) == 5


def test_inbound_callers_come_first_and_rate_and_concurrency_hold(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=30)
    with life(tmp_path, config, FakeDialler(lines=0)) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=9, minutes=1))
        assert one.calls == []
        one.dialler.lines = 2
        now = MONDAY + timedelta(hours=10)
        one.runner.tick(now)
        one.runner.tick(now + timedelta(milliseconds=50))
        assert one.runner.calls == 1  # ten a second
        for step in range(2, 20):
            one.runner.tick(now + timedelta(milliseconds=100 * step))
        assert one.runner.calls == 2


def test_a_paused_campaign_waits_and_a_stopped_one_gives_up(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=5)
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.runner.tick(MONDAY)
        one.store.set_state("test", "paused", "lunch")
        one.live(MONDAY, MONDAY + timedelta(hours=12))
        assert one.calls == []
        one.store.set_state("test", "stopped", "")
        one.live(MONDAY + timedelta(hours=12), MONDAY + timedelta(hours=13))
        assert states(one) == {"expired": 5}
        one.store.set_state("test", "running", "")
        one.store.want_run("test", MONDAY + timedelta(hours=13))
        one.live(MONDAY + timedelta(hours=13), MONDAY + timedelta(hours=14))
        assert len(one.calls) == 5


def test_two_servers_on_one_store_never_call_the_same_person(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=40)
    diallers = [FakeDialler(lines=3), FakeDialler(lines=3)]
    stores = [CampaignStore(tmp_path / "state.sqlite", f"server-{n}") for n in range(2)]
    runners = [CampaignRunner((config,), s, d) for s, d in zip(stores, diallers, strict=True)]
    stores[0].want_run("test", MONDAY)
    now = MONDAY + timedelta(hours=10)
    for step in range(400):
        for index, runner in enumerate(runners):
            if index or step < 10:  # the first one dies in the middle
                runner.tick(now)
                diallers[index].finish(1)
        assert stores[0].running("test") <= config.calls.concurrency
        now += timedelta(milliseconds=400)
    numbers = [order.number for dialler in diallers for order in dialler.orders]
    assert len(numbers) == len(set(numbers)) == 40
    assert min(len(dialler.orders) for dialler in diallers) > 5
    began = [dialler.orders[0].attempt_id for dialler in diallers]
    assert began[0] + len(diallers[0].orders) == began[1]  # one after the other: the pace is one server's
    for store in stores:
        store.close()


def test_a_server_that_ends_hands_its_campaigns_on_at_once(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=2)
    now = MONDAY + timedelta(hours=10)
    with (
        closing(CampaignStore(tmp_path / "state.sqlite", "first")) as first,
        closing(CampaignStore(tmp_path / "state.sqlite", "second")) as second,
    ):
        assert first.lead("test", now, LEASE_S)
        assert not second.lead("test", now + timedelta(seconds=LEASE_S - 1), LEASE_S)
        stop = threading.Event()
        stop.set()
        CampaignRunner((config,), first, FakeDialler()).run(stop, lambda: now)
        assert second.lead("test", now, LEASE_S)
        assert not first.lead("test", now, LEASE_S)


class RefusingDialler(FakeDialler):
    """Places nothing, for the reason that the test names."""

    refusal: tuple[str, bool] = ("no room", False)

    def place(self, order: CallOrder, tell: Tell) -> None:
        self.orders.append(order)
        tell(NotPlaced(order.attempt_id, *self.refusal))


def test_a_call_that_could_not_be_placed_is_no_attempt(tmp_path: Path) -> None:
    config, dialler = write_campaign(tmp_path, people=1), RefusingDialler()
    with life(tmp_path, config, dialler) as one, closing(StoreViews(tmp_path / "state.sqlite")) as views:
        one.store.want_run("test", MONDAY)
        now = MONDAY + timedelta(hours=10)
        one.live(now, now + timedelta(seconds=70))
        (contact,) = views.contacts("test")
        assert (contact["state"], contact["attempts"], len(dialler.orders)) == ("waiting", 0, 2)
        assert {order.n for order in dialler.orders} == {1}
        dialler.refusal = ("limits.outbound.allow: no entry allows it", True)
        one.live(now + timedelta(seconds=70), now + timedelta(hours=2))
        (contact,) = views.contacts("test")
        assert (contact["state"], contact["attempts"], contact["why"]) == ("waiting", 0, dialler.refusal[0])
        assert one.store.state("test")[:2] == ("paused", f"refused: {dialler.refusal[0]}")
        assert len(dialler.orders) == 3


def test_a_reload_changes_campaigns_between_two_calls(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=3, calls_at_once=1)
    with life(tmp_path, config) as one, closing(StoreViews(tmp_path / "state.sqlite")) as views:
        one.store.want_run("test", MONDAY)
        now = MONDAY + timedelta(hours=10)
        one.runner.tick(now)
        (tmp_path / "test.yaml").write_text(
            (tmp_path / "test.yaml").read_text().replace('"+15550100"', '"+15550199"')
        )
        one.runner.use((load_campaign(tmp_path / "test.yaml"),))
        one.runner.tick(now + timedelta(seconds=1))
        assert one.runner.calls == 1  # the call in progress is still this runner's
        one.dialler.finish()
        one.runner.tick(now + timedelta(seconds=2))
        assert [order.caller_id for order in one.dialler.orders] == ["+15550100", "+15550199"]
        one.runner.use(())
        one.runner.tick(now + timedelta(seconds=3))
        one.dialler.finish()
        one.runner.tick(now + timedelta(seconds=4))
        one.runner.tick(now + timedelta(seconds=5))
        assert len(one.dialler.orders) == 2
        assert views.view("test").outcomes == {"answered": 2}


def test_a_server_that_lost_its_lease_may_not_dial_and_its_late_end_is_still_the_truth(
    tmp_path: Path,
) -> None:
    config = write_campaign(tmp_path, people=2)
    now = MONDAY + timedelta(hours=10)
    late = now + timedelta(seconds=LEASE_S + 1)
    with (
        closing(CampaignStore(tmp_path / "s.sqlite", "slow")) as slow,
        closing(CampaignStore(tmp_path / "s.sqlite", "other")) as other,
    ):
        slow.enrol("test", read_list(config).contacts, run_at=now, due=now)
        first, second = slow.due("test", now, 10)
        claimed, dialled = slow.claim("test", first, now), slow.claim("test", second, now)
        assert claimed is not None
        assert dialled is not None
        assert slow.dial(dialled, now)
        assert not slow.dial(dialled, now)  # never twice
        assert other.claim("test", first, now) is None
        swept = other.sweep(late)
        assert swept.released == 1
        assert swept.unsettled == (dialled.attempt_id,)
        assert not slow.dial(claimed, late)
        again = other.claim("test", other.due("test", late, 10)[0], late)
        assert again is not None
        assert again.attempt_id > claimed.attempt_id
        assert other.due("test", late, 10) == []  # the unsettled one is not called by itself

        assert not other.settle(dialled, TALKED, Follow(None, "answered"), cost=0, now=late)
        assert slow.settle(dialled, TALKED, Follow(None, "answered"), cost=0, now=late)
        assert not slow.settle(dialled, TALKED, Follow(None, "answered"), cost=0, now=late)


def test_one_person_on_two_campaigns_is_called_by_one_at_a_time(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=1)
    now = MONDAY + timedelta(hours=10)
    with closing(CampaignStore(tmp_path / "s.sqlite", "a")) as store:
        for name in ("one", "two"):
            store.enrol(name, read_list(config).contacts, run_at=now, due=now)
        first = store.claim("one", store.due("one", now, 1)[0], now)
        assert first is not None
        assert store.claim("two", store.due("two", now, 1)[0], now) is None
        store.release(first)
        assert store.claim("two", store.due("two", now, 1)[0], now) is not None


def test_an_end_that_the_disk_does_not_take_is_recorded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_campaign(tmp_path, people=1)
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        now = MONDAY + timedelta(hours=10)
        one.runner.tick(now)
        one.dialler.finish()

        def full(*_: object, **__: object) -> bool:
            raise CampaignError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(one.store, "settle", full)
            with pytest.raises(CampaignError):
                one.runner.tick(now)
        one.runner.tick(now)
        assert states(one) == {"done": 1}
        assert len(one.dialler.orders) == 1
