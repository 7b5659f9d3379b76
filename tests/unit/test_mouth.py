"""Playing: order, holding without a click, resuming at a word boundary, what was really heard."""

import numpy as np
import pytest

from sipagent.call.mouth import Mouth
from sipagent.media.ring import AudioRings
from sipagent.units import FRAME_SAMPLES, Pcm16

pytestmark = pytest.mark.unit


def words(count: int, amplitude: int = 8000) -> Pcm16:
    """``count`` words of 200 ms tone with 100 ms of silence behind each."""
    tone = (amplitude * np.sin(2 * np.pi * 300 * np.arange(3200) / 16000)).astype(np.int16)
    return np.concatenate([np.concatenate((tone, np.zeros(1600, dtype=np.int16))) for _ in range(count)])


class Bench:
    """A mouth and the clock that reads from it."""

    def __init__(self) -> None:
        self.rings = AudioRings()
        self.rings.open()
        self.mouth = Mouth(self.rings)
        self.played: list[Pcm16] = []
        self.began = 0
        self.answered = 0
        self.ended = 0

    def tick(self, frames: int) -> Pcm16:
        done = []
        for _ in range(frames):
            done.append(self.rings.to_line.read_frame(FRAME_SAMPLES))
            pumped = self.mouth.pump()
            self.began += pumped.began_ms is not None
            self.answered += pumped.answered_ms is not None
            self.ended += pumped.ended_ms is not None
        self.played += done
        return np.concatenate(done)


def test_plays_all_once_and_says_when() -> None:
    bench = Bench()
    pcm = words(10)
    bench.mouth.begin()
    bench.mouth.add(pcm[:20000], "one two three")
    bench.mouth.add(pcm[20000:], "four five")
    bench.mouth.finish()
    heard = bench.tick(170)
    assert np.array_equal(heard[: len(pcm)], pcm)
    assert not heard[len(pcm) :].any()
    assert (bench.began, bench.ended) == (1, 1)
    assert bench.mouth.heard_text() == "one two three four five"
    assert bench.rings.to_line.underruns == 0


def test_filler_is_not_the_answer() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(words(1), "one moment", is_filler=True)
    bench.tick(60)
    assert (bench.began, bench.answered, bench.mouth.is_dry) == (1, 0, True)
    bench.mouth.add(words(1), "yes")
    assert not bench.mouth.is_dry
    bench.tick(2)
    assert (bench.began, bench.answered) == (1, 1)
    bench.mouth.finish()
    bench.tick(60)
    assert (bench.answered, bench.ended, bench.mouth.is_dry) == (1, 1, False)


def test_starved_utterance_goes_on_where_it_stopped_and_counts_underruns() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(words(1), "one")
    bench.tick(20)
    assert bench.rings.to_line.underruns > 0
    assert bench.ended == 0
    bench.mouth.add(words(1), "two")
    bench.mouth.finish()
    bench.tick(30)
    assert bench.ended == 1


def test_a_beginning_is_told_even_where_more_sound_comes_before_anybody_asks() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(words(1), "one")
    for _ in range(3):
        bench.rings.to_line.read_frame(FRAME_SAMPLES)  # the clock runs while the call's thread is busy
    bench.mouth.add(words(1), "two")
    bench.mouth.finish()
    bench.tick(40)
    assert (bench.began, bench.ended) == (1, 1)


def test_hold_falls_silent_within_three_frames_without_a_click() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(np.full(48000, 8000, dtype=np.int16), "a b c d e f")
    bench.mouth.finish()
    bench.tick(25)
    bench.mouth.hold()
    after = bench.tick(10)
    assert not after[3 * FRAME_SAMPLES :].any()
    assert np.abs(np.diff(after.astype(int))).max() < 400
    assert bench.ended == 0


def test_resume_repeats_at_most_half_a_second_and_loses_nothing() -> None:
    bench = Bench()
    pcm = words(10)
    bench.mouth.begin()
    bench.mouth.add(pcm, "a b c d e f g h i j")
    bench.mouth.finish()
    before = bench.tick(50)
    bench.mouth.hold()
    cut = np.concatenate((before, bench.tick(20)))
    bench.mouth.resume()
    rest = bench.tick(200)
    rest = rest[: np.flatnonzero(rest)[-1] + 1]
    tail = pcm[: np.flatnonzero(pcm)[-1] + 1]
    assert np.array_equal(rest[-16000:], tail[-16000:])
    repeated = np.flatnonzero(cut)[-1] + len(rest) - len(tail)
    assert 0 <= repeated <= 0.55 * 16000
    assert bench.ended == 1


def test_dropped_utterance_tells_what_was_heard() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(words(4), "We are open")
    bench.mouth.add(words(10), "every day from eight to five and on Friday until noon")
    bench.tick(60 + 75)
    assert bench.mouth.drop() == "We are open every day from eight to"
    assert not bench.mouth.is_active
    assert not bench.tick(10)[3 * FRAME_SAMPLES :].any()


def test_nothing_heard_is_an_empty_text() -> None:
    bench = Bench()
    bench.mouth.begin()
    assert bench.mouth.drop() == ""
    bench.mouth.begin()
    bench.mouth.add(words(3), "one two three")
    assert bench.mouth.drop() == ""


def test_utterance_without_sound_ends_at_once() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.finish()
    bench.tick(1)
    assert bench.ended == 1


def test_pause_between_clauses_is_left_out_after_a_starved_one() -> None:
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(words(1), "one")
    bench.mouth.add(words(1), "two", 200)
    first = bench.tick(50)
    assert np.flatnonzero(first)[-1] > 4800 + 3200
    bench.mouth.add(words(1), "three", 200)
    assert bench.tick(2).any()


def test_a_dropped_utterance_fell_silent_when_it_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = 1000
    monkeypatch.setattr("sipagent.call.mouth.monotonic_ms", lambda: now_ms)
    bench = Bench()
    bench.mouth.begin()
    bench.mouth.add(words(10), "one two three")
    bench.tick(20)
    bench.mouth.hold()
    now_ms = 1700
    bench.mouth.drop()
    assert bench.mouth.held_since_ms == 1000
