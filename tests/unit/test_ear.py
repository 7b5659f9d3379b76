"""What the ear keeps of a turn: bounded, and less once it has been judged."""

import queue

import numpy as np
import pytest
import structlog

from sipagent.call.ear import Ear, HearingEngines
from sipagent.call.turn_events import TextHeard
from sipagent.call.work import Lane
from sipagent.media.ring import AudioRings
from sipagent.speech.types import Cancelled, Transcript
from sipagent.units import Pcm16, ms_to_samples

pytestmark = pytest.mark.unit

LOG = structlog.get_logger()
SECOND = ms_to_samples(1000)


class EverVoice:
    """Hears voice in everything."""

    def open(self) -> "EverVoice":
        return self

    def probability(self, window: Pcm16) -> float:
        return 0.9


class CountingStream:
    """Tells how much it was given since the last reset."""

    def __init__(self) -> None:
        self.samples = 0
        self.hint = ""

    def accept(self, pcm: Pcm16) -> None:
        self.samples += len(pcm)

    def partial(self, cancelled: Cancelled) -> Transcript:
        return Transcript("")

    def snapshot(self, cancelled: Cancelled, hint: str = "") -> Transcript:
        self.hint = hint
        return Transcript(str(self.samples))

    def reset(self) -> None:
        self.samples = 0

    def close(self) -> None:
        pass


class Hearing:
    """An ear, its line, and a lane that works when asked."""

    def __init__(self) -> None:
        self.rings = AudioRings()
        self.rings.open()
        self.posted: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.lane = Lane("stt", 1, LOG)
        engines = HearingEngines(EverVoice(), None, self.lane, self.lane, is_streaming=False)  # type: ignore[arg-type]  # a fake
        self.stream = CountingStream()
        self.ear = Ear(self.rings, engines, self.stream, self.posted.put, LOG)
        self.noise = np.random.default_rng(1)

    def hears(self, seconds: int) -> None:
        for _ in range(seconds * 50):
            frame = self.noise.integers(-3000, 3000, SECOND // 50).astype(np.int16)
            self.rings.from_line.write(frame)
            self.ear.listen()

    def heard_s(self) -> float:
        """How much sound the engine has of the turn."""
        self.lane.start()
        self.ear.transcribe(1, lambda: False, lambda lane, waited_ms: None, is_final=True, hint="555-0123.")
        event = self.posted.get(timeout=10)
        self.lane.close()
        assert isinstance(event, TextHeard)
        return int(event.text) / SECOND


def test_sound_that_goes_on_and_on_does_not_fill_the_memory() -> None:
    hearing = Hearing()
    hearing.hears(100)
    assert 85 <= hearing.heard_s() <= 91
    assert hearing.stream.hint == "555-0123."


def test_only_the_end_of_a_judged_sound_is_judged_again() -> None:
    hearing = Hearing()
    hearing.hears(6)
    hearing.ear.forget(1500)
    hearing.hears(1)
    assert 2.4 <= hearing.heard_s() <= 2.6


def test_a_forgotten_turn_leaves_nothing_but_the_moment_before_the_next() -> None:
    hearing = Hearing()
    hearing.hears(6)
    hearing.ear.forget()
    hearing.hears(1)
    assert 0.9 <= hearing.heard_s() <= 1.1
