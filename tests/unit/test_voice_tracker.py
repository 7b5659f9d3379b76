"""Voice and silence out of probabilities, as a script."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.speech.vad import (
    WINDOW_SAMPLES,
    VoiceEvent,
    VoiceRule,
    VoiceStarted,
    VoiceStopped,
    VoiceTracker,
)

pytestmark = pytest.mark.unit

W = WINDOW_SAMPLES
RULE = VoiceRule(min_voice_ms=64, min_silence_ms=96)


def _run(probabilities: Sequence[float], rule: VoiceRule = RULE) -> list[VoiceEvent]:
    tracker = VoiceTracker(rule)
    events = (tracker.step(p, i * W) for i, p in enumerate(probabilities))
    return [event for event in events if event is not None]


@pytest.mark.parametrize(
    ("probabilities", "events"),
    [
        ([0.1] * 20, []),
        ([0.1, 0.9, 0.1, 0.1], []),  # a click
        ([0.1, 0.9, 0.1, 0.9, 0.1], []),  # two of them
        ([0.1, 0.9, 0.9], [VoiceStarted(W)]),
        ([0.1, 0.5, 0.5], [VoiceStarted(W)]),
        ([0.1, 0.49, 0.49, 0.49], []),
        ([0.9, 0.9, 0.4, 0.4, 0.4, 0.4], [VoiceStarted(0)]),  # doubt keeps what is
        ([0.9, 0.9, 0.1, 0.1, 0.1], [VoiceStarted(0), VoiceStopped(2 * W)]),
        ([0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1], [VoiceStarted(0)]),  # a gap inside a word
        ([0.9, 0.9, 0.1, 0.4, 0.1, 0.1, 0.1], [VoiceStarted(0), VoiceStopped(4 * W)]),
        (
            [0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9],
            [VoiceStarted(0), VoiceStopped(2 * W), VoiceStarted(5 * W)],
        ),
    ],
)
def test_events(probabilities: list[float], events: list[VoiceEvent]) -> None:
    assert _run(probabilities) == events


def test_min_voice_ms_is_obeyed() -> None:
    assert _run([0.9] * 4, VoiceRule(min_voice_ms=160)) == []
    assert _run([0.9] * 5, VoiceRule(min_voice_ms=160)) == [VoiceStarted(0)]


def test_silence_runs_from_the_last_voiced_sample() -> None:
    tracker = VoiceTracker(RULE)
    seen = []
    for i, p in enumerate([0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1]):
        tracker.step(p, i * W)
        seen.append(tracker.silence_ms)
    # nothing yet, a click perhaps, voice, then silence counts at once, and a click does not end it
    assert seen == [32, 64, 0, 32, 64, 96, 128, 160]


def test_voice_ms_counts_from_its_start() -> None:
    tracker = VoiceTracker(RULE)
    for i, p in enumerate([0.1, 0.9, 0.9, 0.1, 0.9]):
        tracker.step(p, i * W)
    assert tracker.voice_ms == 4 * 32
    for i in range(5, 8):
        tracker.step(0.0, i * W)
    assert tracker.voice_ms == 0


def test_windows_that_were_never_fed_count_as_time() -> None:
    tracker = VoiceTracker(RULE)
    tracker.step(0.9, 0)
    tracker.step(0.9, W)
    assert tracker.step(0.0, 100 * W) == VoiceStopped(2 * W)
    assert tracker.silence_ms == 99 * 32


@given(st.lists(st.floats(0, 1), max_size=200))
def test_starts_and_stops_alternate_in_order(probabilities: list[float]) -> None:
    events = _run(probabilities)
    assert [type(event) for event in events] == [VoiceStarted, VoiceStopped] * (len(events) // 2) + (
        [VoiceStarted] if len(events) % 2 else []
    )
    times = [event.at_sample for event in events]
    assert times == sorted(times)
    for start, stop in zip(events[::2], events[1::2], strict=False):
        assert stop.at_sample - start.at_sample >= 2 * W
