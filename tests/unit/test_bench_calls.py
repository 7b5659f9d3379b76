"""From measured calls to results: interruptions, backchannels, pauses, echo, quality, pace."""

from collections.abc import Sequence

import pytest

from sipagent.bench import backchannel, barge, cutoff, echo, pace, quality
from sipagent.bench.barge_reaction import Outcome
from sipagent.bench.session import in_rounds
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine, Trigger
from tests.unit.bench_calls import call_of, event, line_facts, session_of

pytestmark = pytest.mark.unit

CLEAN = Impairments()
HELLO = PlannedLine("Hello?", "/hello.wav", tag="hibari")


def some(count: int) -> list[PlannedLine]:
    return [PlannedLine(f"line {n}", f"/{n}.wav", tag=f"kind {n % 2}") for n in range(count)]


def all_lines(plans: Sequence[CallPlan]) -> list[PlannedLine]:
    return [line for plan in plans for line in plan.lines]


def test_calls_are_placed_in_rounds() -> None:
    plans = barge.plan_calls(some(4), 10, CLEAN)
    assert [len(plans) for plans in in_rounds(plans, 3)] == [3, 1]


def test_interruptions_come_at_varied_moments_and_repeat_with_the_seed() -> None:
    plans = barge.plan_calls(some(8), 20, CLEAN)
    lines = all_lines(plans)
    assert len(lines) == 20
    assert {line.trigger for line in lines} == {Trigger.BARGE_IN}
    assert len({line.delay_ms for line in lines}) > 15
    assert lines == all_lines(barge.plan_calls(some(8), 20, CLEAN))
    assert lines != all_lines(barge.plan_calls(some(8), 20, Impairments(seed=2)))


def test_interruptions_are_summed_up_without_those_that_missed() -> None:
    call = call_of(
        [HELLO, HELLO, HELLO],
        [line_facts(2000, 3000), line_facts(10_000, 11_000), line_facts(30_000, 31_000)],
        [(0, 2200), (3600, 20_000), (31_500, 33_000)],
        [
            event("turn.spoken", 2700, interrupted=True),
            event("turn.heard", 3400, pii_text="Hello?"),
            event("turn.spoken", 20_000, interrupted=False),
        ],
    )
    result = barge.summarize(session_of(call), CLEAN)
    assert [case.reaction.outcome for case in result.cases] == [Outcome.LOST, Outcome.KEPT, Outcome.MISSED]
    assert (result.interruptions, result.missed, result.not_yielded, result.unanswered) == (2, 1, 1, 0)
    assert (result.silent.count, result.silent.p50, result.answer.p50) == (1, 200, 600)


def test_an_interruption_that_was_not_understood_is_unanswered() -> None:
    events = [event("turn.spoken", 2700, interrupted=True), event("turn.spoken", 12_000, interrupted=False)]
    call = call_of([HELLO], [line_facts(2000, 3000)], [(0, 2200), (11_000, 12_000)], events)
    result = barge.summarize(session_of(call), CLEAN)
    assert (result.unanswered, result.answer.count) == (1, 0)


def test_words_and_noises_take_turns() -> None:
    noises = [PlannedLine("cough", "/c.wav", tag="noise")]
    lines = all_lines(backchannel.plan_calls(some(3), noises, 9, CLEAN))
    assert [line.tag == "noise" for line in lines] == [False, True] * 4 + [False]


def test_backchannels_are_counted_by_sound() -> None:
    cough = PlannedLine("cough", "/c.wav", tag="noise")
    call = call_of(
        [cough, cough, HELLO],
        [line_facts(2000, 2300), line_facts(6000, 6300), line_facts(9000, 9300)],
        [(0, 2200), (3000, 9200), (11_000, 12_000)],
        [event("turn.spoken", 9800, interrupted=True), event("turn.heard", 10_000, pii_text="Hello")],
    )
    result = backchannel.summarize(session_of(call), CLEAN)
    assert (result.count, result.lost, result.paused, result.answered) == (3, 1, 1, 1)
    assert [(t.sound, t.count, t.lost, t.gap.max) for t in result.sounds] == [
        ("Hello?", 1, 1, 0.0),
        ("cough", 2, 0, 800.0),
    ]


def test_every_line_comes_once_before_any_comes_twice_and_sets_take_turns() -> None:
    own, recorded = some(4), [PlannedLine("recorded", "/r.wav", tag="pause")]
    lines = all_lines(cutoff.plan_calls([own, recorded], 8, CLEAN))
    assert [line.tag == "pause" for line in lines] == [False, True] * 4
    assert {line.text for line in lines} == {"line 0", "line 1", "line 2", "line 3", "recorded"}


def test_cut_off_callers_are_counted_by_kind_with_what_the_agent_took_for_a_turn() -> None:
    call = call_of(
        some(3),
        [
            line_facts(1000, 3000, cut_in_ms=-700.0, v2v_ms=900.0),
            line_facts(10_000, 12_000, v2v_ms=500.0),
            line_facts(20_000, 22_000, v2v_ms=700.0),
        ],
        [],
        [event("turn.heard", 2200, pii_text="I'd like to"), event("turn.heard", 12_400, pii_text="whole")],
    )
    result = cutoff.summarize(session_of(call), 4, CLEAN)
    assert (result.lines, result.cut_off, result.unspoken) == (3, 1, 1)
    assert (result.v2v.count, result.v2v.p50) == (2, 600)
    assert [(t.kind, t.lines, t.cut_off) for t in result.kinds] == [("kind 0", 2, 1), ("kind 1", 1, 0)]
    assert [case.heard for case in result.cases] == ["I'd like to", "", ""]


def test_echo_calls_cover_every_path() -> None:
    plans = echo.plan_calls(some(3), 24, CLEAN)
    paths = {(plan.impairments.echo_gain_db, plan.impairments.echo_delay_ms) for plan in plans}
    assert len(plans) == len(paths) == len(echo.GAINS_DB) * len(echo.DELAYS_MS)


def test_an_agent_that_hears_itself_is_told_from_one_that_hears_the_caller() -> None:
    call = call_of(
        [HELLO],
        [line_facts(21_000, 22_000)],
        [(0, 5000), (6000, 20_000), (22_600, 40_000)],
        [
            event("turn.acted", 5000, action="HoldSpeech"),
            event("turn.acted", 5900, action="ResumeSpeech"),
            event("turn.spoken", 20_000, interrupted=False, pii_text="Welcome."),
            event("turn.acted", 21_100, action="HoldSpeech"),
            event("turn.heard", 22_500, pii_text="Hello?"),
            event("turn.heard", 24_000, pii_text="my own words"),
            event("turn.spoken", 40_000, interrupted=True, pii_text="A reply"),
        ],
        Impairments(echo_gain_db=-12.0, echo_delay_ms=200),
        echo={"delay_ms": 203.0, "gain_db": -12.0},
    )
    first, second = echo.cases_of(call)
    assert (first.was_interrupted, first.holds, first.gaps_ms, first.heard) == (False, 1, (1000,), "")
    assert (second.was_interrupted, second.holds, second.heard) == (True, 0, "my own words")
    assert (first.found_gain_db, first.delay_ms) == (-12.0, 200)
    result = echo.summarize(session_of(call), CLEAN)
    assert (result.utterances, result.interrupted, result.disturbed, result.answered_itself) == (2, 1, 2, 1)
    assert [(t.gain_db, t.delay_ms, t.utterances) for t in result.paths] == [(-12.0, 200, 2)]


def test_quality_adds_up_over_calls() -> None:
    call = call_of([], [], [])
    result = quality.summarize(session_of(call, call), CLEAN)
    assert (result.speech_s, result.clicks, result.gaps, result.longest_gap_ms) == (20.0, 0, 2, 600.0)
    assert (result.clauses, result.unsteady_clauses, result.clipped_samples) == (4, 2, 6)


def test_pace_counts_what_is_late() -> None:
    session = session_of(call_of([], [], []))
    session.rtp_intervals_ms = [20.0] * 98 + [26.0, 14.0]
    result = pace.summarize(session, 4, 2, CLEAN)
    assert (result.over_25_ms, result.lost, result.late, result.interval.max) == (1, 1, 2, 26.0)


def test_a_line_lasts_until_the_next_one_or_until_the_caller_leaves() -> None:
    call = call_of([HELLO, HELLO], [line_facts(1000, 2000), line_facts(5000, 6000)], [])
    assert [line.until_ms for line in call.lines] == [5000, 60_000]
