"""What becomes of the agent's speech when a caller speaks into it, from made-up wires and logs."""

from typing import Any

import pytest

from sipagent.bench.barge_reaction import Outcome, reaction_to
from sipagent.lab.child import ChildEvent
from sipagent.lab.wire import Span

pytestmark = pytest.mark.unit

LINE = Span(2000, 3000)


def event(name: str, at_ms: float, **facts: Any) -> ChildEvent:
    return ChildEvent("agent", name, {"at_ms": at_ms, **facts})


def spoken(at_ms: float, *, interrupted: bool) -> ChildEvent:
    return event("turn.spoken", at_ms, interrupted=interrupted, pii_text="…")


def acted(at_ms: float, action: str) -> ChildEvent:
    return event("turn.acted", at_ms, action=action)


def test_an_agent_that_yields_and_answers() -> None:
    events = [
        acted(2150, "HoldSpeech"),
        spoken(2900, interrupted=True),
        event("turn.heard", 3400, pii_text="Wait"),
    ]
    reaction = reaction_to(LINE, [Span(0, 2180), Span(3500, 5000)], events)
    assert reaction.outcome is Outcome.LOST
    assert (reaction.silent_ms, reaction.answered_ms, reaction.spoke_over) == (180, 500, False)
    assert reaction.heard == "Wait"
    assert reaction.log == ("+150 HoldSpeech", "+900 turn.spoken (interrupted)", "+1400 turn.heard 'Wait'")


def test_an_agent_that_begins_again_while_the_caller_speaks() -> None:
    spans = [Span(0, 2180), Span(2700, 2950), Span(3500, 5000)]
    reaction = reaction_to(LINE, spans, [spoken(2960, interrupted=True)])
    assert reaction.spoke_over
    assert (reaction.silent_ms, reaction.answered_ms) == (180, 500)


def test_an_agent_that_pauses_and_goes_on() -> None:
    events = [acted(2150, "HoldSpeech"), acted(3100, "ResumeSpeech"), spoken(9000, interrupted=False)]
    reaction = reaction_to(LINE, [Span(0, 2180), Span(3120, 9000)], events)
    assert reaction.outcome is Outcome.KEPT
    assert (reaction.silent_ms, reaction.gap_ms, reaction.answered_ms) == (180, 940, None)


def test_an_agent_that_talks_on() -> None:
    reaction = reaction_to(LINE, [Span(0, 9000)], [spoken(9000, interrupted=False)])
    assert (reaction.outcome, reaction.silent_ms, reaction.gap_ms) == (Outcome.KEPT, None, 0)


def test_the_longest_of_several_pauses_counts_and_those_of_later_words_do_not() -> None:
    spans = [Span(0, 2100), Span(2400, 2600), Span(3300, 6000), Span(8000, 9000)]
    assert reaction_to(LINE, spans, []).gap_ms == 700


def test_an_utterance_that_was_over_anyway_is_not_lost() -> None:
    reaction = reaction_to(LINE, [Span(0, 2300), Span(3500, 5000)], [spoken(2310, interrupted=False)])
    assert reaction.outcome is Outcome.FINISHED


def test_a_line_into_silence_tells_nothing() -> None:
    assert reaction_to(LINE, [Span(0, 1500)], []).outcome is Outcome.MISSED
    assert reaction_to(LINE, [], []).outcome is Outcome.MISSED
    begins_later = reaction_to(LINE, [Span(2500, 4000)], [])
    assert begins_later.outcome is Outcome.MISSED


def test_a_line_between_two_words_of_an_utterance_counts_without_a_time_to_silence() -> None:
    cut = reaction_to(LINE, [Span(0, 1800)], [spoken(2900, interrupted=True)])
    assert (cut.outcome, cut.silent_ms) == (Outcome.LOST, None)
    held = reaction_to(LINE, [Span(0, 1800), Span(3300, 6000)], [acted(2150, "HoldSpeech")])
    assert (held.outcome, held.gap_ms) == (Outcome.KEPT, 1500)


def test_without_a_log_an_agent_that_never_goes_on_has_lost_its_turn() -> None:
    assert reaction_to(LINE, [Span(0, 2180), Span(9000, 9500)], []).outcome is Outcome.LOST
    assert reaction_to(LINE, [Span(0, 2180), Span(3000, 9500)], []).outcome is Outcome.KEPT


def test_what_comes_after_the_next_line_is_not_this_ones_doing() -> None:
    events = [spoken(7000, interrupted=True), event("turn.heard", 7500, pii_text="later")]
    reaction = reaction_to(LINE, [Span(0, 6900), Span(8000, 9000)], events, until_ms=6500)
    assert (reaction.outcome, reaction.heard, reaction.log) == (Outcome.KEPT, "", ())
