"""Nobody is lost, nobody is pestered: attempts of ever, call-backs, lists that change, pauses."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sipagent.campaigns.dialler import CallOrder
from sipagent.campaigns.outcomes import Ending, FlowResult, Outcome, Owed, Tries, follow_up
from sipagent.campaigns.pacing import CallFloor, breaker_reason, free_from
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import LEASE_S, CampaignStore
from sipagent.campaigns.store_open import MIGRATIONS
from sipagent.campaigns.store_views import StoreViews
from sipagent.config.campaign import CampaignLimitsConfig, RetryConfig
from sipagent.config.campaign_load import load_campaign
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import MONDAY, life, write_campaign

pytestmark = pytest.mark.unit

BUSY, NO_ANSWER = Ending(Outcome.BUSY, 486), Ending(Outcome.NO_ANSWER, 480)
TALKED = Ending(Outcome.ANSWERED, 200, "human", 65_000, (FlowResult("confirmed"),))
MORNINGS = 'schedule: {cron: "0 9 * * 1-5", zone: Europe/London, open_for: 3h}\n'
NO_BREAKER = "limits: {breaker_answered_pct: 0, breaker_failed_pct: 100}\n"


def wish(at: str) -> Ending:
    return Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("call_back", {"at": at} if at else {}),))


def contacts(folder: Path, campaign: str = "test") -> dict[str, dict[str, object]]:
    with closing(StoreViews(folder / "state.sqlite")) as views:
        return {str(one["key"]): one for one in views.contacts(campaign)}


def test_who_does_not_answer_is_called_in_later_runs_too_and_given_up_in_the_end(tmp_path: Path) -> None:
    people = {f"+1555300{n:04d}": "Europe/London" for n in range(65)}
    silent = list(people)[:55]  # more than are looked at in one go
    config = write_campaign(tmp_path, MORNINGS + NO_BREAKER, people=people)
    dialler = FakeDialler(lambda order, before: NO_ANSWER if order.number in silent else TALKED)
    with life(tmp_path, config, dialler) as one:
        one.live(MONDAY - timedelta(days=1), MONDAY + timedelta(days=1))
        calls = Counter(number for _, number in one.calls)
        assert {calls[number] for number in silent} == {2}  # the run was over before the third
        one.live(MONDAY + timedelta(days=1), MONDAY + timedelta(days=14))
        calls = Counter(number for _, number in one.calls)
        assert {calls[number] for number in silent} == {config.retry.unanswered}
        assert {calls[number] for number in people if number not in silent} == {1}
        numbers = Counter((order.number, order.n) for order in dialler.orders)
        assert max(numbers.values()) == 1
        assert max(order.n for order in dialler.orders) == config.retry.unanswered
    found = contacts(tmp_path)
    assert {one["state"] for one in found.values()} == {"done"}
    assert {found[number]["why"] for number in silent} == {"no_answer, 9 calls in a row reached nobody"}


def test_contacts_that_an_older_version_could_never_call_again_are_called(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)) as old:
        for _, script in MIGRATIONS[:2]:
            old.executescript(script)
        old.execute("PRAGMA user_version=2")
        facts = '{"variables": {}, "consent": ""}'
        rows = [
            ("+15553000000", "expired", 0, "the run is over"),
            ("+15553000001", "waiting", 1, "call back"),
        ]
        for number, state, attempts, why in rows:
            old.execute(
                "INSERT INTO contact VALUES ('test', ?, ?, ?, ?, '', 0, ?, ?, ?, 7, '', '[]')",
                (number, number, '["Europe/London"]', facts, state, why, attempts),
            )
            old.execute(
                "INSERT INTO attempt (campaign, key, number, n, state, server, lease_until, claimed_at, "
                "dialled_at, settled_at, outcome) "
                "VALUES ('test', ?, ?, 1, 'settled', '', 0, 0, 1, 2, 'busy')",
                (number, number),
            )
    config = write_campaign(tmp_path, people=2)
    now = MONDAY + timedelta(hours=10)
    with closing(CampaignStore(tmp_path / "state.sqlite", "new")) as store:
        store.enrol("test", read_list(config).contacts, run_at=now, due=now)
        promised, other = store.due("test", now, 10)
        assert (promised.owed, promised.unanswered, other.owed) == (Owed.AT_MOMENT, 1, Owed.NOTHING)
        for waiting in (promised, other):
            claim = store.claim("test", waiting, now)
            assert claim is not None
            assert claim.n == 2
            assert store.dial(claim, now)


def test_an_agreed_call_back_outlives_its_run_and_new_runs_and_is_tried_again(tmp_path: Path) -> None:
    agreed = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)  # between two runs, after a new one has begun

    def ending(order: CallOrder, before: int) -> Ending:
        return [wish(agreed.isoformat()), BUSY, TALKED][min(before, 2)]

    config = write_campaign(tmp_path, MORNINGS + NO_BREAKER, people=1)
    with life(tmp_path, config, FakeDialler(ending)) as one:
        one.live(MONDAY, MONDAY + timedelta(days=5))
        moments = [at for at, _ in one.calls]
        assert moments[1] == agreed
        assert timedelta(minutes=15) <= moments[2] - agreed <= timedelta(minutes=17)
        assert len(moments) == 3
    assert {one["state"] for one in contacts(tmp_path).values()} == {"done"}


def test_a_call_back_at_a_time_that_is_not_understood_is_tried_by_the_rules(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, 'schedule: {cron: "0 9 * * 1", zone: Europe/London, open_for: 1h}\n',
                            people=1)  # fmt: skip
    with life(tmp_path, config, FakeDialler(lambda order, before: TALKED if before else wish(""))) as one:
        one.live(MONDAY, MONDAY + timedelta(days=1))
        first, second = (at for at, _ in one.calls)
        assert timedelta(hours=2) <= second - first < timedelta(hours=3)  # as if nobody had answered


@pytest.mark.parametrize(
    ("ending", "tries", "wait", "owed"),
    [
        (wish("2026-11-23T12:00+00:00"), Tries(1), 12, Owed.AT_MOMENT),
        (wish("2026-11-23T12:00+00:00"), Tries(3), 12, Owed.AT_MOMENT),
        (wish("2026-11-23T12:00+00:00"), Tries(4), None, Owed.NOTHING),  # beyond retry.attempts once
        (wish("2026-11-22T12:00+00:00"), Tries(1), 2, Owed.CALL_BACK),  # is over already
        (wish("tomorrow"), Tries(3), None, Owed.NOTHING),  # no attempt is left
        (NO_ANSWER, Tries(1), 2, Owed.NOTHING),
        (NO_ANSWER, Tries(2, 2, Owed.AT_MOMENT), 2, Owed.CALL_BACK),
        (NO_ANSWER, Tries(1, 9), None, Owed.NOTHING),
        (TALKED, Tries(1, 1, Owed.AT_MOMENT), None, Owed.NOTHING),
    ],
)
def test_what_follows_a_wish(ending: Ending, tries: Tries, wait: int | None, owed: Owed) -> None:
    follow = follow_up(ending, RetryConfig(), tries, MONDAY)
    assert follow.due_at == (None if wait is None else MONDAY + timedelta(hours=wait))
    assert follow.owed is owed


def test_who_was_promised_a_call_comes_first_and_only_the_operators_stop_forgets_it(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=60)
    now = MONDAY + timedelta(hours=10)
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        store.enrol("test", read_list(config).contacts, run_at=MONDAY, due=MONDAY)
        last = store.due("test", now, 100)[-1]
        claim = store.claim("test", last, now)
        assert claim is not None
        assert store.dial(claim, now)
        ending = wish((now + timedelta(hours=1)).isoformat())
        follow = follow_up(ending, config.retry, claim.tries, now)
        store.settle(claim, ending, follow, cost=0, now=now)
        later = now + timedelta(hours=1)
        assert store.due("test", later, 1)[0].contact.key == last.contact.key
        assert store.expire("test", "the run is over") == 59
        assert not store.waits_for_run("test")
        assert store.next_due("test") == later
        assert store.expire("test", "stopped", with_promises=True) == 1


def test_follow_ups_call_everybody_again_each_run_but_not_who_must_not_be(tmp_path: Path) -> None:
    endings = {
        "0": TALKED, "1": NO_ANSWER, "2": Ending(Outcome.INVALID_NUMBER, 404),
        "3": Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("wrong_person"),)),
        "4": Ending(Outcome.OPTED_OUT, 200, "human", 9000, (FlowResult("opt_out"),)),
    }  # fmt: skip
    tuesdays = 'schedule: {cron: "0 9 * * 2", zone: Europe/London, open_for: 8h}\nretry: {attempts: 1}\n'
    config = write_campaign(tmp_path, tuesdays, people=5)
    dialler = FakeDialler(lambda order, before: endings[order.number[-1]])
    with life(tmp_path, config, dialler) as one:
        one.live(MONDAY, MONDAY + timedelta(days=16))
        assert Counter(number[-1] for _, number in one.calls) == dict.fromkeys("01234", 1)
    (tmp_path / "state.sqlite").unlink()
    text = (tmp_path / "test.yaml").read_text().replace("zone: zone}", "zone: zone, again: each_run}")
    config = write_campaign(tmp_path, tuesdays, people=5)
    (tmp_path / "test.yaml").write_text(text)
    with life(tmp_path, load_campaign(tmp_path / "test.yaml"), FakeDialler(dialler.ending_of)) as one:
        one.live(MONDAY, MONDAY + timedelta(days=16))
        assert Counter(number[-1] for _, number in one.calls) == {"0": 3, "1": 3, "2": 1, "3": 1, "4": 1}


def test_who_is_no_longer_on_the_list_is_not_called_and_comes_back_with_it(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=2)
    told: list[tuple[str, str]] = []
    with life(
        tmp_path, config, FakeDialler(lambda order, before: BUSY),
        note=lambda name, decision, rule, personal: told.append((decision, rule)),
    ) as one:  # fmt: skip
        one.store.want_run("test", MONDAY)
        now = MONDAY + timedelta(hours=9)
        one.live(now, now + timedelta(minutes=2))
        assert len(one.calls) == 2
        whole = (tmp_path / "list.csv").read_text()
        (tmp_path / "list.csv").write_text("\n".join(whole.splitlines()[:2]) + "\n")
        one.store.want_run("test", now + timedelta(minutes=2))
        one.live(now + timedelta(minutes=2), now + timedelta(hours=1))
        assert Counter(number[-1] for _, number in one.calls) == {"0": 3, "1": 1}
        gone = contacts(tmp_path)["+15553000001"]
        assert (gone["state"], gone["why"]) == ("expired", "no longer on the list")
        assert ("not_called", "no longer on the list") in told
        (tmp_path / "list.csv").write_text(whole)
        one.store.want_run("test", now + timedelta(hours=1))
        one.live(now + timedelta(hours=1), now + timedelta(hours=2))
        assert Counter(number[-1] for _, number in one.calls)["1"] == 3  # three in 24 hours


def test_who_left_the_list_during_the_call_is_not_called_again(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=2)
    now = MONDAY + timedelta(hours=10)
    with life(tmp_path, config, FakeDialler(lambda order, before: BUSY)) as one:
        one.store.want_run("test", MONDAY)
        one.runner.tick(now)
        assert one.dialler.orders[0].number == "+15553000000"
        (tmp_path / "list.csv").write_text("number,zone\n+15553000001,Europe/London\n")
        one.store.want_run("test", now)
        one.runner.tick(now + timedelta(seconds=1))
        one.dialler.finish()
        one.runner.tick(now + timedelta(seconds=2))
        gone = contacts(tmp_path)["+15553000000"]
        assert (gone["state"], gone["why"]) == ("expired", "no longer on the list")


def test_who_left_the_list_while_a_server_died_over_the_claim_is_not_called(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=1)
    now = MONDAY + timedelta(hours=10)
    with closing(CampaignStore(tmp_path / "s.sqlite", "a")) as store:
        store.enrol("test", read_list(config).contacts, run_at=MONDAY, due=MONDAY)
        claim = store.claim("test", store.due("test", now, 1)[0], now)
        assert claim is not None
        store.enrol("test", [], run_at=now, due=now)
        store.release(claim)
        assert store.claim("test", store.due("test", now, 1)[0], now) is None
        assert store.next_due("test") is None
        assert [one.rule for one in store.untold()] == ["no longer on the list"]


def test_no_number_is_called_too_soon_or_too_often_whoever_wants_it(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, "retry: {attempts: 20, after: {busy: 0s}}\n" + NO_BREAKER, people=1)
    with life(tmp_path, config, FakeDialler(lambda order, before: BUSY)) as one:
        one.store.want_run("test", MONDAY)
        one.store.enrol("other", read_list(config).contacts, run_at=MONDAY, due=MONDAY)
        one.live(MONDAY, MONDAY + timedelta(days=1, hours=8))
        moments = [at for at, _ in one.calls]
        assert len(moments) == 3
        assert all(b - a >= timedelta(minutes=15) for a, b in pairwise(moments))
        now = moments[-1] + timedelta(hours=1)
        (waiting,) = one.store.due("other", now, 1)
        assert one.store.claim("other", waiting, now) is None
        due = one.store.next_due("other")
        assert due == moments[0] + timedelta(days=1)


def test_two_keys_with_one_number_are_not_called_one_after_the_other(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=1)
    text = (tmp_path / "test.yaml").read_text().replace("zone: zone}", "zone: zone, key: key}")
    (tmp_path / "test.yaml").write_text(text)
    rows = "A,+15553000000,Europe/London\nB,+15553000000,Europe/London\n"
    (tmp_path / "list.csv").write_text(f"key,number,zone\n{rows}")
    config = load_campaign(tmp_path / "test.yaml")
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
        (first, _), (second, _) = one.calls
        assert second - first >= timedelta(minutes=15)


def test_a_moment_that_the_person_has_named_is_kept_whatever_the_pause(tmp_path: Path) -> None:
    now = MONDAY + timedelta(hours=10)
    soon = (now + timedelta(minutes=5)).isoformat()
    config = write_campaign(tmp_path, people=1)
    with life(tmp_path, config, FakeDialler(lambda order, before: TALKED if before else wish(soon))) as one:
        one.store.want_run("test", MONDAY)
        one.live(now, now + timedelta(hours=1))
        assert [at for at, _ in one.calls][1] - now == timedelta(minutes=5)


def test_when_a_number_is_free_again() -> None:
    floor = CallFloor(timedelta(seconds=100), 2)
    assert free_from(floor, []) == 0
    assert free_from(floor, [(10, 20)]) == 120
    assert free_from(floor, [(10, 20), (200, 230)]) == 10 + 86_400
    assert free_from(floor, [(10, 20), (200, 230), (90_000, 90_010)]) == 90_110
    assert free_from(floor, [(10, 20), (86_400, 86_405)]) == 86_505


def test_an_unsettled_call_may_still_go_on_and_its_server_live(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=1)
    now = MONDAY + timedelta(hours=10)
    with (
        closing(CampaignStore(tmp_path / "s.sqlite", "slow")) as slow,
        closing(CampaignStore(tmp_path / "s.sqlite", "other")) as other,
    ):
        slow.enrol("test", read_list(config).contacts, run_at=now, due=now)
        claim = slow.claim("test", slow.due("test", now, 1)[0], now)
        assert claim is not None
        assert slow.dial(claim, now, longest_s=7200)
        late = now + timedelta(seconds=LEASE_S + 5)
        assert other.sweep(late).unsettled == (claim.attempt_id,)
        slow.renew(late)  # it was only slow
        resumed = other.resume_unsettled("test", late, 3)
        assert (resumed.count, resumed.held) == (0, 1)
        later = late + timedelta(seconds=LEASE_S + 5)  # now it is silent
        resumed = other.resume_unsettled("test", later, 3)
        assert (resumed.count, resumed.held) == (1, 0)
        assert other.claim("test", other.due("test", later, 1)[0], later) is None
        assert other.next_due("test") == now + timedelta(seconds=7200)
        assert slow.settle(
            claim, TALKED, follow_up(TALKED, config.retry, claim.tries, later), cost=0, now=later
        )
        assert other.next_due("test") is None  # the late end is the truth: nobody is called again


@pytest.mark.parametrize(
    ("latest", "trips"),
    [
        ([Outcome.FAILED] * 19 + [Outcome.FAX], True),
        ([Outcome.INVALID_NUMBER] * 11 + [Outcome.ANSWERED] * 9, True),
        ([Outcome.REJECTED] * 10 + [Outcome.ANSWERED] * 10, False),
        ([Outcome.BUSY] * 18 + [Outcome.VOICEMAIL] * 2, False),
        ([Outcome.NO_ANSWER] * 20, True),
        ([Outcome.FAILED] * 19, False),  # not enough to tell
    ],
)
def test_the_breaker_trips_when_most_calls_fail(latest: list[Outcome], trips: bool) -> None:
    assert bool(breaker_reason(CampaignLimitsConfig(), latest)) is trips


def test_a_wish_that_was_none_is_taken_back_with_all_that_followed_from_it(tmp_path: Path) -> None:
    again = "contacts: {file: list.csv, zone: zone}"
    write_campaign(tmp_path, MORNINGS.replace("3h", "9h") + NO_BREAKER, people=2)
    text = (tmp_path / "test.yaml").read_text().replace(again, again.replace("}", ", again: each_run}"))
    (tmp_path / "test.yaml").write_text(text)
    config = load_campaign(tmp_path / "test.yaml")
    misheard, waited = "+15553000000", "+15553000001"
    out = Ending(Outcome.OPTED_OUT, 200, "human", 9000, (FlowResult("opt_out"),))
    dialler = FakeDialler(
        lambda order, before: (
            out if order.number == misheard and not before else BUSY if not before else TALKED
        )
    )
    with life(tmp_path, config, dialler) as one:
        nine = MONDAY + timedelta(hours=9)
        one.live(nine, nine + timedelta(minutes=2))
        one.store.opt_out(waited, "operator", "", nine)
        one.live(nine + timedelta(minutes=2), nine + timedelta(hours=2))
        assert {each["why"] for each in contacts(tmp_path).values()} == {"opted out"}
        assert one.store.opt_in(misheard, "asked for the menu", nine + timedelta(hours=2))
        assert one.store.opt_in(waited, "a typing error", nine + timedelta(hours=2))
        assert not one.store.opt_in(waited, "again", nine + timedelta(hours=2))
        one.live(nine + timedelta(hours=2), nine + timedelta(hours=3))
        assert Counter(number for _, number in one.calls) == {misheard: 2, waited: 2}
        one.live(nine + timedelta(hours=3), nine + timedelta(hours=26))
        assert Counter(number for _, number in one.calls) == {misheard: 3, waited: 3}  # the next run's, too
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as file:
        reasons = [reason for (reason,) in file.execute("SELECT reason FROM opt_in")]
        assert reasons == ["asked for the menu", "a typing error"]


def test_taking_a_wish_back_calls_nobody_whom_something_else_keeps_from_being_called(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=4)
    now = MONDAY + timedelta(hours=10)
    gone, cut_off, reached, promised = (one.number for one in read_list(config).contacts)
    moment = now + timedelta(hours=5)
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        store.enrol("test", read_list(config).contacts, run_at=MONDAY, due=MONDAY)
        for waiting in store.due("test", now, 10)[1:]:
            claim = store.claim("test", waiting, now)
            assert claim is not None
            assert store.dial(claim, now)
            if claim.contact.number != cut_off:
                ending = TALKED if claim.contact.number == reached else wish(moment.isoformat())
                follow = follow_up(ending, config.retry, claim.tries, now)
                store.settle(claim, ending, follow, cost=0, now=now)
        later = now + timedelta(seconds=LEASE_S + 1)
        store.sweep(later)
        for number in (gone, cut_off, reached, promised):
            store.opt_out(number, "operator", "", later)
        rest = [one for one in read_list(config).contacts if one.number != gone]
        store.enrol("test", rest, run_at=now, due=now)
        for number in (gone, cut_off, reached, promised):
            assert store.opt_in(number, "the wrong person's", later)
        found = contacts(tmp_path)
        assert {number: found[number]["state"] for number in found} == {
            gone: "expired", cut_off: "unsettled", reached: "done", promised: "waiting",
        }  # fmt: skip
        assert found[gone]["why"] == "no longer on the list"
        assert store.next_due("test") == moment
