"""Keys, holds and transfers of one call, without a line."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import structlog

from sipagent.call.audit import CallAudit
from sipagent.call.controls import Controls
from sipagent.call.ear import Ear
from sipagent.call.keys import KeyRules
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts
from sipagent.call.ports import (
    ConsultDown,
    ConsultUp,
    DigitPressed,
    Held,
    Line,
    LineUp,
    Mailbox,
    Offer,
    ReferAnswered,
    Resumed,
    SendDigits,
    TransferCall,
    TransferMode,
)
from sipagent.call.record import CallRecord
from sipagent.call.rest import Rest
from sipagent.call.spend import OutboundRefused
from sipagent.codecs.tones import DtmfDetector, dtmf
from sipagent.config.keys import KeyConfig, KeypadConfig
from sipagent.media.ring import AudioRings, PcmRing
from sipagent.units import Pcm16

pytestmark = pytest.mark.unit

DESK = "sip:desk@192.0.2.7"
PERSONA = SimpleNamespace(
    transfer={"desk": DESK},
    keys={"0": KeyConfig(transfer="desk")},
    keypad=KeypadConfig(),
    max_call_s=600,
    connecting="One moment.",
)


class SecondLegs:
    """Whoever calls beside; what it is told to do is noted."""

    def __init__(self, did: list[object], *, is_allowed: bool) -> None:
        self._did, self._is_allowed = did, is_allowed
        self.audio = AudioRings()

    def allow(self, target: str) -> None:
        if not self._is_allowed:
            raise OutboundRefused(f"limits.outbound.allow: {target} is not among them")

    def is_reached_over(self, trunk: str, target: str) -> bool:
        return True

    def call_beside(self, target: str, mailbox: Mailbox, log: object, **how: object) -> "SecondLegs":
        self.allow(target)
        self._did.append(("calls", target, how))
        return self

    def abandon(self) -> None:
        self._did.append("abandons")


class Call:
    """Controls, and everything that they did to the line and the conversation."""

    def __init__(self, *, takes_refer: bool = True, is_allowed: bool = True) -> None:
        self.did: list[object] = []
        self.legs = SecondLegs(self.did, is_allowed=is_allowed)
        self.sent: list[Pcm16] = []
        self.posted: list[object] = []
        self.is_saying = False
        self.passed_over: list[PcmRing | None] = []
        log = structlog.get_logger()
        parts = SimpleNamespace(
            persona=PERSONA,
            keys=KeyRules(frozenset("0")),
            hold_s=60,
            speaking=None,
            conversation=None,
            limits=None,
            second_legs=self.legs,
        )
        ear = SimpleNamespace(pass_over=self.passed_over.append)
        self.controls = Controls(
            self,
            Offer("c", "t", "1", "2", "s", takes_refer=takes_refer),
            cast(Line, self),
            cast(SessionParts, parts),
            CallRecord(log, CallAudit(None, log)),
            Rest(cast(Ear, ear), Mouth(AudioRings())),
            self.posted.append,
        )

    def __getattr__(self, name: str) -> object:
        """Everything that a line does, noted."""
        return lambda *values: self.did.append((name, *values) if values else name)

    def say_aside(self, text: str, *, interruptible: bool) -> None:
        self.did.append((text, interruptible))

    def play(self, pcm: Pcm16) -> None:
        self.sent.append(pcm)

    def interrupt(self) -> None:
        self.did.append("interrupt")

    def keyed(self, text: str) -> None:
        self.did.append(text)

    def not_connected(self) -> None:
        self.did.append("not_connected")

    def rest_began(self) -> None:
        self.did.append("rests")

    def rest_ended(self, rested_ms: int) -> None:
        self.did.append("talks")

    def hang_up(self) -> None:
        self.did.append("hangs up")

    def news(self) -> list[object]:
        """What was done since last time."""
        did = self.did.copy()
        self.did.clear()
        return did


def test_keys_dictate_a_number_or_hand_the_call_over() -> None:
    call = Call()
    for digit in "42#":
        call.controls.pressed(digit, 1000)
    assert call.news() == ["interrupt", "interrupt", "interrupt", "I keyed in 4 2."]
    call.controls.pressed("0", 2000)
    assert call.news() == ["interrupt", ("One moment.", False)]


def test_a_hold_rests_and_ends_after_its_limit() -> None:
    call = Call()
    call.controls.take(Held(1000))
    assert [call.controls.pump(ms) for ms in (1000, 2000, 60_999)] == [True] * 3
    assert call.news() == ["rests"]
    call.controls.take(Resumed(61_000))
    assert call.controls.pump(61_000) is False
    assert call.news() == ["talks"]
    call.controls.take(Held(70_000))
    assert [call.controls.pump(ms) for ms in (70_000, 129_999, 130_000)] == [True] * 3
    assert call.news() == ["rests", "hangs up"]


def test_a_failed_transfer_is_told_once_the_conversation_goes_on() -> None:
    call = Call()
    call.controls.take(TransferCall("desk", "blind"))
    assert call.controls.pump(1000) is True
    assert call.news() == [("One moment.", False), ("refer", DESK), "rests"]
    call.controls.take(ReferAnswered(486, True, 2000))
    assert call.news() == []
    assert call.controls.pump(3000) is False
    assert call.controls.pump(3100) is False
    assert call.news() == ["talks", "not_connected"]


def test_nobody_is_rung_up_who_is_not_there() -> None:
    call = Call()
    call.controls.take(TransferCall("unknown", "blind"))
    call.controls.pump(1000)
    assert call.news() == ["not_connected"]


def test_bridged_sound_is_recorded_and_both_ends_end_together() -> None:
    call = Call(takes_refer=False)
    call.controls.take(TransferCall("desk", "blind"))
    call.controls.pump(1000)
    assert ("calls", DESK, {"trunk": "t", "is_bound": False, "longest_s": 600}) in call.news()
    call.controls.take(ConsultUp(2000))
    call.controls.pump(2000)
    assert call.news() == [("bridge", call.legs)]
    assert call.passed_over[-1] is call.legs.audio.from_line
    call.controls.take(ConsultDown(200, 3000))
    assert call.news() == ["hangs up", "abandons"]


@pytest.mark.parametrize("takes_refer", [True, False])
@pytest.mark.parametrize("mode", ["blind", "attended"])
def test_nobody_is_called_or_referred_to_who_may_not_be(mode: TransferMode, *, takes_refer: bool) -> None:
    call = Call(takes_refer=takes_refer, is_allowed=False)
    call.controls.take(TransferCall("desk", mode))
    for now_ms in (1000, 1100, 1200):
        call.controls.pump(now_ms)
    did = call.news()
    assert "not_connected" in did
    assert not [one for one in did if isinstance(one, tuple) and one[0] in ("refer", "calls")]
    assert ("hold" in did) == ("resume" in did) == (mode == "attended" and takes_refer)


def test_our_keys_are_tones_where_the_peer_takes_no_others() -> None:
    call = Call()
    call.controls.take(SendDigits("12"))
    assert call.news() == [("send_digits", "12")]
    call.controls.up(LineUp(0, hears_tones=True, sends_tones=True))
    call.controls.take(SendDigits("12#"))
    (pcm,) = call.sent
    assert "".join(heard.digit for heard in DtmfDetector().push(pcm)) == "12#"


def test_tones_are_heard_but_not_those_of_hold_music() -> None:
    call = Call()
    call.controls.up(LineUp(0, hears_tones=True))
    pcm = np.concatenate([np.zeros(800, dtype=np.int16), dtmf("7")])
    call.controls.listen(pcm)
    call.controls.take(Held(1000))
    call.controls.pump(1000)
    call.controls.listen(pcm)
    assert [one.digit for one in call.posted if isinstance(one, DigitPressed)] == ["7"]
