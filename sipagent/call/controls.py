"""What else happens in a call besides talk: keys, hold, transfers. Call thread only. ::

DigitPressed, tones ──▶ keys ──▶ a key's action, or a number for the conversation
Held, Resumed ─────────▶ rest ◀── handover ◀── TransferCall, ReferAnswered, ConsultUp, ConsultDown
"""

from collections.abc import Callable
from typing import Protocol

from sipagent.call import keys as kp
from sipagent.call.handover import Handover, PeerSound, Talk
from sipagent.call.parts import SessionParts
from sipagent.call.ports import (
    ConsultDown,
    ConsultUp,
    DigitPressed,
    Held,
    Line,
    LineUp,
    Offer,
    ReferAnswered,
    Resumed,
    SendDigits,
    TransferCall,
)
from sipagent.call.record import CallRecord
from sipagent.call.rest import Rest
from sipagent.codecs.tones import DtmfDetector, dtmf
from sipagent.units import Pcm16, monotonic_ms

ControlEvent = (
    Held | Resumed | ReferAnswered | ConsultUp | ConsultDown | TransferCall | SendDigits | PeerSound
)


class Talking(Talk, Protocol):
    """What the controls need of the conversation."""

    def interrupt(self) -> None:
        """The caller has pressed a key: fall silent, where that is allowed."""

    def keyed(self, text: str) -> None:
        """Take ``text`` for what the caller said."""

    def play(self, pcm: Pcm16) -> None:
        """Send sound that is not speech."""

    def not_connected(self) -> None:
        """Nobody has taken the caller over: say so and go on."""

    def rest_began(self) -> None:
        """The conversation rests from now on."""

    def rest_ended(self, rested_ms: int) -> None:
        """It goes on."""


class Controls:
    """One call's keys, holds and transfers."""

    def __init__(
        self,
        talk: Talking,
        offer: Offer,
        line: Line,
        parts: SessionParts,
        record: CallRecord,
        rest: Rest,
        post: Callable[[object], None],
    ) -> None:
        self._talk, self._line, self._record, self._rest, self._post = talk, line, record, rest, post
        self._persona, self._rules, self._hold_limit_s = parts.persona, parts.keys, parts.hold_s
        self._handover = Handover(talk, offer, line, parts, record, post)
        self._keys = kp.Keys()
        self._tones: DtmfDetector | None = None
        self._sends_tones = False
        self._held_ms: int | None = None

    def __repr__(self) -> str:
        return f"Controls({self._keys}, {self._rest}, {self._handover})"

    @property
    def is_resting(self) -> bool:
        """Nobody hears the agent now."""
        return self._rest.is_on

    @property
    def is_dictating(self) -> bool:
        """The caller is at a number."""
        return bool(self._keys.digits)

    def up(self, event: LineUp) -> None:
        """The call has begun."""
        self._tones = DtmfDetector() if event.hears_tones else None
        self._sends_tones = event.sends_tones

    def listen(self, window: Pcm16) -> None:
        """The caller's sound, for keys that come as tones."""
        if self._tones is None or self._rest.is_on:
            return
        for heard in self._tones.push(window):
            self._post(DigitPressed(heard.digit, monotonic_ms(), "inband"))

    def pressed(self, digit: str, now_ms: int) -> None:
        """A key of the caller's."""
        if self._rules.interrupts:
            self._talk.interrupt()
        self._keys, outcome = kp.pressed(self._keys, digit, now_ms, self._rules)
        match outcome:
            case kp.Act(key):
                action = self._persona.keys[key]
                self._handover.wanted(TransferCall(action.transfer, action.mode, action.summary))
            case kp.Dictated(digits):
                self._dictated(digits)

    def forget_number(self) -> None:
        """A key was not for us: what was pressed before it was a slip of the finger."""
        self._keys = kp.Keys()

    def take(self, event: ControlEvent) -> None:
        """Everything that is not a key."""
        match event:
            case Held(at_ms) if self._held_ms is None:
                self._held_ms = at_ms
                self._record.held()
            case Resumed(at_ms) if self._held_ms is not None:
                self._record.resumed(at_ms - self._held_ms)
                self._held_ms = None
            case TransferCall():
                self._handover.wanted(event)
            case SendDigits(digits):
                self._send(digits)
            case ReferAnswered() | ConsultUp() | ConsultDown() | PeerSound():
                self._handover.take(event)

    def pump(self, now_ms: int) -> bool:
        """Time passes; True while the conversation rests."""
        self._handover.pump()
        self._keys, outcome = kp.elapsed(self._keys, now_ms, self._rules)
        if outcome is not None:
            self._dictated(outcome.digits)
        is_held = self._held_ms is not None
        if is_held or self._handover.is_on:
            if not self._rest.is_on:
                self._talk.rest_began()
            self._rest.go_on(now_ms, self._handover.peer_ring)
        elif self._rest.is_on:
            self._talk.rest_ended(self._rest.end(now_ms))
        if not self._rest.is_on and self._handover.has_failed():
            self._talk.not_connected()
        if self._held_ms is not None and now_ms - self._held_ms >= self._hold_limit_s * 1000:
            self._held_ms = now_ms  # once
            self._record.end_wanted("call.held_too_long", hold_s=self._hold_limit_s)
            self._talk.hang_up()
        return self._rest.is_on

    def close(self) -> None:
        """The call is over."""
        self._handover.close()

    def _dictated(self, digits: str) -> None:
        self._record.keyed(digits)
        self._talk.keyed(self._persona.keypad.says.replace("{digits}", " ".join(digits)))

    def _send(self, digits: str) -> None:
        if self._sends_tones:
            self._talk.play(dtmf(digits))
        else:
            self._line.send_digits(digits)
