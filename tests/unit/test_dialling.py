"""An outgoing call as a script of events: failover, ringing, giving up, and what each end is called."""

import pytest

from sipagent.call.dialling import (
    Accepted,
    Dialling,
    DialRules,
    DropAttempt,
    EarlyMedia,
    Ended,
    Event,
    Finish,
    GiveUp,
    Outcome,
    Phase,
    Provisional,
    Sent,
    Tell,
    Tick,
    TryNext,
    outcome_of,
    step,
)

pytestmark = pytest.mark.unit

RULES = DialRules(routes=(("a", 4000), ("b", 2000)), ring_ms=30_000)


def play(*events: Event) -> tuple[Dialling, list[object]]:
    """The state and the actions after the events."""
    dial: Dialling = Dialling()
    done: list[object] = []
    for event in events:
        dial, actions = step(dial, event, RULES)
        done += actions
    return dial, done


def test_answered_after_ringing() -> None:
    dial, done = play(
        Sent(0), Provisional(100, 10), Provisional(180, 200), Provisional(180, 300), Accepted(5000)
    )
    assert (dial.phase, dial.ringing_ms, dial.began_ms) == (Phase.UP, 200, 0)
    assert done == [Tell("ringing", 180)], "once, however often it is repeated"


def test_early_media_counts_as_ringing() -> None:
    dial, done = play(Sent(0), EarlyMedia(300), EarlyMedia(400), Ended(503, "Gone", 900))
    assert dial.has_early_media
    assert Tell("early_media", 183) in done
    assert done[-1] == Finish(Outcome.FAILED, 503, "Gone"), "whoever has heard it ring is not rung twice"


def test_server_error_goes_to_the_next_trunk_and_the_last_one_ends_it() -> None:
    dial, done = play(Sent(0), Ended(503, "Full", 50))
    assert (dial.phase, dial.route, dial.sent_ms) == (Phase.CALLING, 1, None)
    assert done == [Tell("attempt_failed", 503, "Full"), TryNext()]
    dial, done = play(Sent(0), Ended(503, "Full", 50), Sent(60), Ended(500, "Oops", 90))
    assert dial.phase is Phase.OVER
    assert done[-1] == Finish(Outcome.FAILED, 500, "Oops")
    assert [(one.trunk, one.status) for one in dial.failures] == [("a", 503), ("b", 500)]


@pytest.mark.parametrize("status", [302, 403, 404, 480, 486, 488, 603])
def test_what_another_trunk_would_only_repeat_ends_it(status: int) -> None:
    dial, done = play(Sent(0), Provisional(100, 5), Ended(status, "No", 50))
    assert dial.phase is Phase.OVER
    assert TryNext() not in done


def test_silence_is_left_after_the_trunks_own_time() -> None:
    dial, done = play(Sent(0), Tick(3999))
    assert (dial.route, done) == (0, [])
    dial, done = play(Sent(0), Tick(4000))
    assert dial.route == 1
    reason = "no reply within 4000 ms"
    assert done == [DropAttempt(), Tell("attempt_failed", 408, reason), TryNext()]
    dial, done = play(Sent(0), Tick(4000), Sent(4000), Tick(5999))
    assert len(done) == 3
    dial, done = play(Sent(0), Tick(4000), Sent(4000), Tick(6000))
    assert done[-1] == Finish(Outcome.FAILED, 408, "no reply within 2000 ms")


def test_a_trunk_that_works_on_it_is_given_its_time() -> None:
    dial, done = play(Sent(0), Provisional(100, 20), Tick(29_999))
    assert (dial.phase, done) == (Phase.CALLING, [])
    dial, done = play(Sent(0), Provisional(100, 20), Tick(30_000))
    assert done == [DropAttempt(), Finish(Outcome.FAILED, 408, "no answer within 30 s")]


def test_nobody_answers() -> None:
    _, done = play(Sent(0), Provisional(180, 500), Tick(30_000))
    assert done[1:] == [DropAttempt(), Finish(Outcome.NO_ANSWER, 408, "no answer within 30 s")]


def test_the_wait_for_a_turn_is_no_silence() -> None:
    """The trunk takes so many calls in a second: before the INVITE has gone nothing runs out."""
    dial, done = play(Tick(100_000))
    assert (dial, done) == (Dialling(), [])


def test_given_up() -> None:
    dial, done = play(Sent(0), Provisional(180, 5), GiveUp(10))
    assert dial.phase is Phase.OVER
    assert done[1:] == [DropAttempt(), Finish(Outcome.CANCELLED, 487, "cancelled")]
    dial, _ = play(GiveUp(1))
    assert dial.phase is Phase.OVER, "also before anything was sent"


@pytest.mark.parametrize(
    "late", [Provisional(180, 9), EarlyMedia(9), Ended(500, "x", 9), GiveUp(9), Tick(99_999)]
)
@pytest.mark.parametrize("before", [(Sent(0), Accepted(5)), (Sent(0), Ended(486, "Busy", 5))])
def test_what_comes_late_is_ignored(before: tuple[Event, ...], late: Event) -> None:
    dial, done = play(*before)
    again, more = play(*before, late)
    assert (again, more) == (dial, done)


@pytest.mark.parametrize(
    ("status", "has_rung", "outcome"),
    [
        (486, True, Outcome.BUSY),
        (600, False, Outcome.BUSY),
        (480, True, Outcome.NO_ANSWER),
        (487, True, Outcome.NO_ANSWER),
        (408, True, Outcome.NO_ANSWER),
        (408, False, Outcome.FAILED),
        (404, False, Outcome.REJECTED),
        (603, True, Outcome.REJECTED),
        (407, False, Outcome.FAILED),
        (503, True, Outcome.FAILED),
    ],
)
def test_outcome_of(status: int, has_rung: bool, outcome: Outcome) -> None:
    assert outcome_of(status, has_rung=has_rung) is outcome
