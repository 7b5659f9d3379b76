"""Hands one call over: performs what ``call/transfer.py`` decides, on the call's thread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sipagent.call import transfer as tr
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts
from sipagent.call.ports import (
    ConsultDown,
    ConsultUp,
    Line,
    LineBeside,
    LineDown,
    LineUp,
    Offer,
    ReferAnswered,
    TransferCall,
)
from sipagent.call.record import CallRecord
from sipagent.call.transfer import Do
from sipagent.call.utterance import SoundPrepared, Speaker, Utterance, UtteranceComplete, UtteranceFailed
from sipagent.errors import CapacityError, SipAgentError
from sipagent.media.ring import AudioRings, PcmRing
from sipagent.units import monotonic_ms

_FORBIDDEN, _NOT_FOUND, _NOT_IMPLEMENTED, _BUSY = 403, 404, 501, 503
_SUMMARY = 0
"""Utterance id of the summary: there is one at a time, and it is never one of the caller's."""


@dataclass(frozen=True, slots=True)
class PeerSound:
    """Sound that whoever takes the call shall hear."""

    event: object


class _BesideMailbox:
    """What becomes of the call beside, for the caller's call. Any thread."""

    def __init__(self, post: Callable[[object], None]) -> None:
        self._post = post

    def post(self, event: object) -> None:
        match event:
            case LineUp(at_ms):
                self._post(ConsultUp(at_ms))
            case LineDown(_, sip_status, at_ms):
                self._post(ConsultDown(sip_status, at_ms))


class Talk(Protocol):
    """What a handover needs of the conversation."""

    def say_aside(self, text: str, *, interruptible: bool) -> None:
        """Say something out of turn; what was going on is dropped."""

    @property
    def is_saying(self) -> bool:
        """The agent speaks, or is about to."""

    def hang_up(self) -> None:
        """End the call."""


class Handover:
    """One call's transfers, one after another. Call thread only."""

    def __init__(
        self,
        talk: Talk,
        offer: Offer,
        line: Line,
        parts: SessionParts,
        record: CallRecord,
        post: Callable[[object], None],
    ) -> None:
        self._talk, self._offer, self._line, self._record = talk, offer, line, record
        self._persona, self._second_legs, self._post = parts.persona, parts.second_legs, post
        self._transfer = tr.Transfer()
        self._target = self._summary = self._announcement = ""
        self._has_failed = False
        self._beside: LineBeside | None = None
        self._peer: AudioRings | None = None
        self._mouth: Mouth | None = None
        self._utterance: Utterance | None = None
        self._speaker = Speaker(
            parts.speaking, parts.conversation, parts.limits, lambda event: post(PeerSound(event))
        )

    def __repr__(self) -> str:
        return f"Handover({self._transfer.phase.value}, {self._transfer.mode})"

    @property
    def is_on(self) -> bool:
        """The caller waits for somebody else, or talks to them."""
        return self._transfer.is_on

    @property
    def peer_ring(self) -> PcmRing | None:
        """Whom the caller hears, once both are connected."""
        is_bridged = self._transfer.phase is tr.Phase.BRIDGED
        return self._peer.from_line if self._peer is not None and is_bridged else None

    def wanted(self, command: TransferCall) -> None:
        """Begin, unless one is going on."""
        target = self._persona.transfer.get(command.target)
        if target is None:
            self._record.transfer_ended(is_ok=False, sip_status=_NOT_FOUND)
            self._has_failed = True
            return
        if self._transfer.phase is not tr.Phase.IDLE:
            return
        self._announcement = command.announcement or self._persona.connecting
        self._target, self._summary = target, "" if command.mode == "blind" else command.summary
        mode = command.mode if self._can_refer() else "bridge"
        self._record.transfer_started(mode, target)
        self._step(tr.Wanted(mode))

    def take(self, event: ReferAnswered | ConsultUp | ConsultDown | PeerSound) -> None:
        """What the line and the voice tell."""
        match event:
            case ReferAnswered(sip_status, is_final):
                self._record.transfer_progressed(sip_status)
                self._step(tr.Referred(sip_status, is_final))
            case ConsultUp() if self._beside is not None:
                self._peer = self._beside.audio
                self._step(tr.PeerUp())
            case ConsultDown(sip_status):
                self._step(tr.PeerDown(sip_status))
            case PeerSound(sound):
                self._brief(sound)

    def pump(self) -> None:
        """Time passes."""
        if self._transfer.phase is tr.Phase.ANNOUNCING and not self._talk.is_saying:
            self._step(tr.Announced())
        if self._mouth is not None and self._mouth.pump().ended_ms is not None:
            self._step(tr.Briefed())
        self._step(tr.Tick())

    def has_failed(self) -> bool:
        """True once for each transfer that failed: the caller has still to be told."""
        has_failed, self._has_failed = self._has_failed, False
        return has_failed

    def close(self) -> None:
        """The call is over."""
        self._drop_peer()

    def _step(self, event: tr.Event) -> None:
        self._transfer, actions = tr.step(self._transfer, event, monotonic_ms())
        for action in actions:
            self._do(action)

    def _do(self, action: tr.Action) -> None:
        match action:
            case Do.ANNOUNCE:
                self._talk.say_aside(self._announcement, interruptible=False)
            case Do.REFER:
                self._refer()
            case Do.HOLD_CALLER:
                self._line.hold()
            case Do.DIAL:
                self._dial()
            case Do.BRIEF:
                self._begin_briefing()
            case Do.REFER_TO_PEER:
                if self._beside is not None:
                    self._line.refer_to(self._beside)
            case Do.BRIDGE:
                if self._beside is not None:
                    self._line.bridge(self._beside)
            case Do.RESUME_CALLER:
                self._line.resume()
            case Do.DROP_PEER:
                self._drop_peer()
            case Do.HANG_UP:
                self._talk.hang_up()
            case tr.Ended(is_ok, sip_status):
                self._record.transfer_ended(is_ok=is_ok, sip_status=sip_status)
                self._has_failed = not is_ok

    def _can_refer(self) -> bool:
        legs = self._second_legs
        is_there = legs is None or legs.is_reached_over(self._offer.trunk, self._target)
        return self._offer.takes_refer and is_there

    def _refer(self) -> None:
        try:
            if self._second_legs is not None:
                self._second_legs.allow(self._target)
        except SipAgentError as error:
            self._record.transfer_refused(str(error))
            self._step(tr.Referred(_FORBIDDEN, True))
        else:
            self._line.refer(self._target)

    def _dial(self) -> None:
        if self._second_legs is None:
            self._step(tr.PeerDown(_NOT_IMPLEMENTED))
            return
        try:
            self._beside = self._second_legs.call_beside(
                self._target,
                _BesideMailbox(self._post),
                self._record.log,
                trunk=self._offer.trunk,
                is_bound=self._transfer.mode == "attended",
                longest_s=self._persona.max_call_s,
            )
        except SipAgentError as error:
            self._record.transfer_refused(str(error))
            self._step(tr.PeerDown(_BUSY if isinstance(error, CapacityError) else _FORBIDDEN))

    def _begin_briefing(self) -> None:
        assert self._peer is not None
        if not self._summary:
            self._step(tr.Briefed())
            return
        self._mouth = Mouth(self._peer)
        self._mouth.begin()
        self._utterance = Utterance(_SUMMARY, attempt=None)
        self._speaker.say(self._utterance, self._summary)

    def _brief(self, sound: object) -> None:
        if self._mouth is None:
            return
        match sound:
            case SoundPrepared(_, pcm, text, pause_before_ms):
                self._mouth.add(pcm, text, pause_before_ms)
            case UtteranceComplete() | UtteranceFailed():
                self._mouth.finish()

    def _drop_peer(self) -> None:
        if self._utterance is not None:
            self._utterance.cancel()
        if self._beside is not None:
            self._beside.abandon()
        self._beside = self._peer = self._mouth = self._utterance = None
