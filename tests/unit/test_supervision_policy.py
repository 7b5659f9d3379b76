"""What is done about a worker, step by step on a clock of our own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.supervision.policy import (
    FAREWELL_MS,
    LONGEST_PAUSE_MS,
    STUCK_CALL_MS,
    Answers,
    Drain,
    Event,
    Exited,
    Heard,
    Kill,
    Launch,
    Launched,
    Leaves,
    Phase,
    Retry,
    Rules,
    Settled,
    StopAsked,
    Tick,
    Vitals,
    Watch,
    pause_ms,
    step,
)

pytestmark = pytest.mark.unit

RULES = Rules(hang_ms=1000, drain_ms=30_000)


def run(*events: Event, rules: Rules = RULES, watch: Watch | None = None) -> tuple[Watch, list[object]]:
    """The state after the events, and every action on the way."""
    watch = watch or Watch()
    done: list[object] = []
    for event in events:
        watch, actions = step(watch, event, rules)
        done += actions
    return watch, done


ANSWERING, _ = run(Tick(0), Launched(5), Answers(400), Settled(1000))


def test_a_new_worker_is_launched_and_answers() -> None:
    watch, done = run(Tick(0), Launched(5), Heard(Vitals(), 100), Answers(400))
    assert (watch.phase, done) == (Phase.ANSWERING, [Launch()])


@pytest.mark.parametrize("status", [-9, -11, -6, 0, 1, None])
def test_a_death_is_followed_by_a_launch_in_the_same_moment(status: int | None) -> None:
    watch, done = run(Exited(status, 5000), Tick(5000), watch=ANSWERING)
    assert (watch.phase, watch.deaths, done) == (Phase.STARTING, 1, [Launch()])


def test_only_starts_that_fail_in_a_row_are_slowed_down() -> None:
    watch, now_ms, pauses = Watch(), 0, []
    for _ in range(12):
        watch, actions = step(watch, Tick(now_ms), RULES)
        assert actions == (Launch(),)
        watch, _ = step(watch, Exited(1, now_ms), RULES)
        pauses.append(watch.due_ms - now_ms)
        assert step(watch, Tick(watch.due_ms - 1), RULES)[1] == () or not pauses[-1]
        now_ms = watch.due_ms
    assert pauses[:6] == [0, 0, 1000, 2000, 4000, 8000]
    assert pauses[-1] == LONGEST_PAUSE_MS
    watch, done = run(
        Tick(now_ms), Answers(now_ms + 1), Exited(-11, now_ms + 2), Tick(now_ms + 2), watch=watch
    )
    assert done == [Launch(), Launch()]


def test_one_that_answers_but_cannot_load_the_rest_is_slowed_down_too() -> None:
    """A language model that is torn: each try would take a caller and drop them."""
    watch, now_ms, pauses = Watch(), 0, []
    for _ in range(5):
        watch, _ = run(Tick(now_ms), Launched(now_ms), Answers(now_ms), Exited(1, now_ms), watch=watch)
        pauses.append(watch.due_ms - now_ms)
        now_ms = watch.due_ms
    assert pauses == [0, 0, 1000, 2000, 4000]
    loaded, _ = run(Tick(now_ms), Answers(now_ms), Settled(900), Exited(1, now_ms), watch=watch)
    killed, _ = run(Tick(now_ms), Answers(now_ms), Exited(-11, now_ms), watch=watch)
    assert loaded.due_ms == killed.due_ms == now_ms, "whoever has served, or was killed, comes back at once"


def test_a_configuration_error_is_never_tried_again_until_the_operator_says_so() -> None:
    watch, done = run(Tick(0), Exited(78, 10), *(Tick(ms) for ms in range(0, 10**6, 10**4)))
    assert (watch.phase, done) == (Phase.GIVEN_UP, [Launch()])
    watch, done = run(Retry(10**6), Tick(10**6), watch=watch)
    assert (watch.phase, done) == (Phase.STARTING, [Launch()])


@pytest.mark.parametrize(
    ("vitals", "heard_ms", "reason"),
    [
        (Vitals(), 3000, "no heartbeat"),
        (Vitals(sip_age_ms=1001), 4001, "the SIP thread hangs"),
        (Vitals(clock_age_ms=1001), 4001, "the media clock stands still"),
        (Vitals(call_ages_ms={"a": STUCK_CALL_MS + 1}), 4001, "every call is stuck"),
    ],
)
def test_a_hang_is_ended_once(vitals: Vitals, heard_ms: int, reason: str) -> None:
    watch, done = run(Heard(vitals, heard_ms), Tick(4001), Tick(4100), Tick(9000), watch=ANSWERING)
    assert done == [Kill(reason)]
    assert run(Exited(-9, 9001), Tick(9001), watch=watch)[1] == [Launch()]


def test_a_worker_that_shows_life_is_left_alone() -> None:
    vitals = Vitals(sip_age_ms=1000, clock_age_ms=1000, call_ages_ms={"a": STUCK_CALL_MS})
    watch, done = run(Heard(vitals, 4000), Tick(5000, rss_mib=2024), watch=ANSWERING)
    assert (watch.phase, done) == (Phase.ANSWERING, [])


def test_silence_while_the_supervisor_itself_stood_still_does_not_count() -> None:
    watch, done = run(Heard(Vitals(), 1000), Tick(61_000, stalled_ms=59_900), watch=ANSWERING)
    assert done == []
    assert run(Tick(62_101), watch=watch)[1] == [Kill("no heartbeat")]


def test_one_stuck_call_among_others_lets_them_end_first() -> None:
    stuck = Vitals(call_ages_ms={"a": STUCK_CALL_MS + 1, "b": 3})
    watch, done = run(Heard(stuck, 5000), Tick(5100), watch=ANSWERING)
    assert (watch.phase, done) == (Phase.DRAINING, [Drain()])
    late_ms = 5100 + RULES.drain_ms + FAREWELL_MS + 1
    _, done = run(Heard(stuck, late_ms), Tick(late_ms), watch=watch)
    assert done == [Kill("did not end in time")]
    assert run(Exited(0, 9000), Tick(9000), watch=watch)[1] == [Launch()]


@pytest.mark.parametrize(("memory_mib", "limit"), [(None, 2024), (1500, 1500)])
def test_a_worker_that_outgrows_its_memory_is_ended(memory_mib: int | None, limit: int) -> None:
    rules = Rules(memory_mib=memory_mib)
    events = Heard(Vitals(), 4000), Tick(4000, rss_mib=limit)
    assert run(*events, rules=rules, watch=ANSWERING)[1] == []
    _, done = run(*events, Tick(4001, rss_mib=limit + 1), rules=rules, watch=ANSWERING)
    assert done == [Kill(f"memory beyond {limit} MiB")]


def test_stopping_drains_and_does_not_begin_again() -> None:
    watch, done = run(StopAsked(5000), Exited(0, 6000), Tick(7000), watch=ANSWERING)
    assert (watch.phase, done) == (Phase.STOPPED, [Drain()])
    watch, done = run(Tick(0), Exited(1, 5), StopAsked(6), Tick(9000))
    assert (watch.phase, done) == (Phase.STOPPED, [Launch()])


def test_one_that_leaves_by_itself_is_no_hang_and_comes_back() -> None:
    watch, done = run(Leaves(5000), Heard(Vitals(sip_age_ms=4000), 9000), Tick(9001), watch=ANSWERING)
    assert (watch.phase, done) == (Phase.DRAINING, [])
    assert run(Exited(0, 9500), Tick(9500), watch=watch)[1] == [Launch()]


def test_starting_has_time_but_not_for_ever() -> None:
    started, _ = run(Tick(0), Launched(1))
    assert run(Heard(Vitals(), 1000), Tick(10_900), watch=started)[1] == []
    assert run(Tick(10_002), watch=started)[1] == [Kill("no heartbeat")]
    assert run(Tick(0), Tick(60_000))[1] == [Launch()]
    assert run(Tick(0), Tick(60_001))[1] == [Launch(), Kill("no process")]
    assert run(Heard(Vitals(), 120_000), Tick(120_001), watch=started)[1] == [Kill("not ready in time")]


@given(
    st.lists(
        st.one_of(
            st.sampled_from([-11, -9, 0, 1, 78, None]).map(lambda status: Exited(status, 0)),
            st.builds(Tick, st.just(0), st.integers(0, 5000), st.integers(0, 100)),
            st.builds(Heard, st.builds(Vitals, st.integers(0, 3000), st.integers(0, 3000)), st.just(0)),
            st.sampled_from([Launched(0), Answers(0), Leaves(0), Settled(900), StopAsked(0), Retry(0)]),
        ),
        max_size=60,
    ),
    st.integers(0, 5000),
)
def test_there_is_never_more_than_one_process_and_none_after_the_stop(events: list[Event], gap: int) -> None:
    watch, alive, is_stopping, now_ms = Watch(), False, False, 0
    for event in events:
        now_ms += gap
        if not isinstance(event, Settled):
            event = replace(event, now_ms=now_ms)
        if isinstance(event, Exited) and not alive:
            continue
        watch, actions = step(watch, event, RULES)
        alive = alive and not isinstance(event, Exited)
        is_stopping = is_stopping or isinstance(event, StopAsked)
        for action in actions:
            if isinstance(action, Launch):
                assert not alive
                assert not is_stopping
                alive = True
            else:
                assert alive


def test_pauses_grow_and_end() -> None:
    pauses = [pause_ms(failed) for failed in range(100)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_MS
