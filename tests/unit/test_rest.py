"""The conversation rests: nothing is heard, speech waits, time does not pass."""

from dataclasses import fields

import numpy as np
import pytest

from sipagent.call.ear import Ear
from sipagent.call.mouth import Mouth
from sipagent.call.rest import Rest
from sipagent.call.turn import Agent, Caller, Turn, step
from sipagent.call.turn_events import Tick
from sipagent.call.turn_rules import TurnRules
from sipagent.media.ring import AudioRings, PcmRing

pytestmark = pytest.mark.unit


class DeafEar(Ear):
    def __init__(self) -> None:
        self.passed_over: list[PcmRing | None] = []

    def pass_over(self, beside: PcmRing | None = None) -> None:
        self.passed_over.append(beside)


def speaking_mouth() -> Mouth:
    rings = AudioRings()
    rings.open()
    mouth = Mouth(rings)
    mouth.begin()
    mouth.add(np.full(16_000, 1000, dtype=np.int16), "one second")
    return mouth


def test_speech_waits_and_goes_on() -> None:
    mouth, ear = speaking_mouth(), DeafEar()
    rest = Rest(ear, mouth)
    rest.go_on(1000)
    rest.go_on(2000)
    assert (mouth.is_held, rest.is_on, len(ear.passed_over)) == (True, True, 2)
    assert rest.end(4500) == 3500
    assert (mouth.is_held, mouth.is_active, rest.is_on) == (False, True, False)


def test_speech_that_waited_already_waits_on() -> None:
    mouth = speaking_mouth()
    mouth.hold()  # the caller was speaking over it
    rest = Rest(DeafEar(), mouth)
    rest.go_on(1000)
    rest.end(2000)
    assert mouth.is_held, "the caller's words decide, not the end of the rest"


def test_the_turn_machine_does_not_see_the_time_pass() -> None:
    rules = TurnRules(no_input_after_ms=8000)
    turn = Turn(Caller.SILENT, Agent.IDLE, idle_since_ms=1000, last_voice_ms=500)
    assert step(turn.delayed(60_000), Tick(61_000 + 7999), rules)[1] == ()
    assert step(turn.delayed(60_000), Tick(61_000 + 8000), rules)[1] != ()
    assert turn.delayed(0) == turn
    moved = Turn().delayed(5)
    times = [
        one.name for one in fields(Turn) if one.name.endswith("_since_ms") or one.name == "last_voice_ms"
    ]
    assert [getattr(moved, name) for name in times] == [5] * len(times), "a time that stood still"
