"""Health of a trunk as a script of answers and silences, and the pauses between registrations."""

import random

import pytest

from sipagent.call.trunks import Health
from sipagent.config.trunk import TrunkConfig
from sipagent.sip.account import LONGEST_REFUSED_S, LONGEST_UNANSWERED_S, retry_pause_ms
from sipagent.sip.trunk_health import QUICK_PAUSE_MS, Probe, answered, is_due, is_overdue, missed

pytestmark = pytest.mark.unit

TRUNK = TrunkConfig(name="a", domain="192.0.2.1", options_s=30, reply_ms=4000)


def up(since_ms: int = 1000) -> Probe:
    return answered(Probe(sent_ms=since_ms - 20), 200, "OK", since_ms, TRUNK)


def test_an_answer_is_life_with_its_round_trip() -> None:
    probe = up(1000)
    assert (probe.health, probe.since_ms, probe.round_trip_ms, probe.reason) == (
        Health.UP,
        1000,
        20,
        "answers",
    )
    assert probe.next_ms == 31_000
    later = answered(Probe(Health.UP, 1000, sent_ms=31_000), 200, "OK", 31_050, TRUNK)
    assert (later.since_ms, later.round_trip_ms) == (1000, 50), "since when does not move"


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 501, 603])
def test_whoever_refuses_lives(status: int) -> None:
    probe = answered(Probe(sent_ms=0), status, "No", 10, TRUNK)
    assert (probe.health, probe.reason) == (Health.UP, f"answers ({status} No)")


@pytest.mark.parametrize("status", [408, 480, 500, 502, 503, 504])
def test_whoever_answers_for_a_dead_one_is_no_life(status: int) -> None:
    probe = answered(Probe(sent_ms=0), status, "Away", 10, TRUNK)
    assert (probe.health, probe.reason) == (Health.DOWN, f"answers {status} Away")


def test_one_miss_is_no_alarm_two_are_and_one_answer_ends_it() -> None:
    once = missed(up(), "silence", 40_000, TRUNK)
    assert (once.health, once.since_ms, once.misses) == (Health.UP, 1000, 1)
    assert once.next_ms == 40_000 + QUICK_PAUSE_MS, "the doubt is settled soon"
    twice = missed(once, "silence", 46_000, TRUNK)
    assert (twice.health, twice.since_ms, twice.reason) == (Health.DOWN, 46_000, "silence")
    assert twice.round_trip_ms == 20, "of the last answer"
    back = answered(twice, 200, "OK", 50_000, TRUNK)
    assert (back.health, back.since_ms, back.misses) == (Health.UP, 50_000, 0)


def test_who_was_never_heard_is_down_at_once() -> None:
    assert missed(Probe(), "silence", 5, TRUNK).health is Health.DOWN


def test_when_to_ask_and_when_to_give_up() -> None:
    probe = up(1000)
    assert not is_due(probe, 30_999)
    assert is_due(probe, 31_000)
    asked = Probe(Health.UP, 1000, sent_ms=31_000)
    assert not is_due(asked, 99_000), "one at a time"
    assert not is_overdue(asked, 34_999, TRUNK)
    assert is_overdue(asked, 35_000, TRUNK)
    assert not is_overdue(probe, 99_000, TRUNK), "nothing is on its way"


def pauses(status: int, failures: int, *, retry_s: int = 30, wait_s: int = 0) -> list[int]:
    return [retry_pause_ms(retry_s, status, failures, wait_s, random.Random(seed)) for seed in range(200)]


def test_registration_is_retried_more_and_more_rarely_and_never_in_step() -> None:
    for status, first_s, longest_s in ((403, 30, LONGEST_REFUSED_S), (503, 5, LONGEST_UNANSWERED_S)):
        for failures in (0, 1, 2, 5, 12, 500):
            full_ms = 1000 * min(first_s << min(failures, 12), longest_s)
            found = pauses(status, failures)
            assert full_ms // 2 <= min(found) < max(found) <= full_ms
            assert len(set(found)) > 100, "everybody has another pause"


def test_registrar_says_when_to_come_back() -> None:
    assert min(pauses(503, 0, wait_s=60)) >= 60_000
    assert max(pauses(503, 0, wait_s=10**6)) <= 1000 * (LONGEST_REFUSED_S + 5), "but not for ever"
