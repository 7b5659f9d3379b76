"""One call's conversation: what comes in goes to the turn machine, and what it decides is done. ::

    ear ───────voice─────────▶ ┌──────────────┐
    lanes ─────text, replies─▶ │ turn machine │──actions──▶ Performer: ear, replies, delivery, mouth
    mouth ─────began, ended──▶ └──────────────┘
    Controls ──keys, rests──────────▲

The machine decides, ``Performer`` does it, ``Replies`` has the words. Call thread only.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import structlog

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.delivery import Delivery, SoundEvent
from sipagent.call.ear import Ear, PartHeard
from sipagent.call.flow_talk import Deeds, Understood
from sipagent.call.guide import Guide
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts
from sipagent.call.performer import Performer
from sipagent.call.ports import SendDigits, TransferCall
from sipagent.call.record import CallRecord
from sipagent.call.replies import Replies
from sipagent.call.tape import CallTape
from sipagent.call.tool_calls import ToolCalls, ToolDone
from sipagent.call.utterance import ClaimReplaced, Utterance
from sipagent.units import Pcm16, monotonic_ms


class Dialogue:
    """Who speaks when. ``Controls`` tells it what keys, holds and transfers do."""

    def __init__(
        self,
        ear: Ear,
        mouth: Mouth,
        parts: SessionParts,
        record: CallRecord,
        tape: CallTape,
        guide: Guide,
        tools: ToolCalls,
        post: Callable[[object], None],
        hang_up: Callable[[], None],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._ear, self._mouth, self._parts = ear, mouth, parts
        self._record, self._tape, self._guide, self._tools = record, tape, guide, tools
        self._post, self._log = post, log
        self.has_begun = False
        """The conversation goes on; else it rests, and the guide listens alone."""
        self.hang_up = hang_up
        """End the call."""
        self._turn = tm.Turn()
        deeds = Deeds(self._speak_up, self._end_call, self._note_outcome, self._hand_over, self._send_digits)
        self._replies = Replies(parts, record, tape, tools, deeds, post, log)
        self._flow = self._replies.flow
        self._delivery = Delivery(mouth, record, tape, self._replies.agent_told, log)
        lost = parts.persona.lost
        self._performer = Performer(
            ear,
            mouth,
            self._replies,
            self._delivery,
            record,
            tape,
            guide,
            parts.memory,
            partial(self._hand_over, lost.transfer, lost.say),
            hang_up,
        )

    def __repr__(self) -> str:
        return f"Dialogue(caller={self._turn.caller.value}, agent={self._turn.agent.value})"

    @property
    def is_closing(self) -> bool:
        """The goodbye is being said."""
        return self._turn.is_closing

    @property
    def is_taking_turn(self) -> bool:
        """The caller's turn has begun and was not answered."""
        return self.has_begun and self._turn.caller is not tm.Caller.SILENT

    @property
    def is_saying(self) -> bool:
        """The agent speaks, or is about to."""
        return self._delivery.spoken is not None

    @property
    def takes_digits(self) -> bool:
        """A number is being asked for that may be keyed in, so that a key means its digit."""
        is_opening = self._replies.announcement != "" and not self._turn.is_interruptible
        return self._flow is not None and self.has_begun and self._flow.takes_digits and not is_opening

    def rehearse(self, announcement: str) -> None:
        """Have the voice ready for ``open``."""
        self._replies.announcement = announcement
        self._replies.rehearse()

    def open(self, now_ms: int, announcement: str = "") -> None:
        """Say what opens the call: the announcement, about its recording, the greeting. What else goes on is
        dropped."""
        if self._turn.is_closing:
            return
        self.has_begun, self._replies.announcement = True, announcement
        self._step(ev.Restarted())
        must_be_heard = bool(announcement) or self._tape.is_announcing
        interruptible = self._parts.persona.greeting_interruptible and not must_be_heard
        self._step(ev.CallStarted(now_ms, greeting_interruptible=interruptible))

    def fall_silent(self) -> None:
        """It was no conversation: stop, and rest."""
        self._step(ev.Restarted())
        self.has_begun = False

    def say_goodbye(self) -> None:
        """Hang up behind a goodbye; at once where nobody has been spoken to."""
        if self.has_begun:
            self._step(ev.EndWanted(monotonic_ms()))
        else:
            self.hang_up()

    def stop(self) -> None:
        """The line is gone: nothing more is said or prepared."""
        self._delivery.close()

    def close(self) -> None:
        """Behind ``stop``: let go of what the flow holds."""
        self._replies.close()

    # --- what comes in ---

    def pump(self) -> None:
        """What the clock brings: sound from the line, room on the line, time."""
        for heard in self._ear.listen():
            if self.has_begun:
                self._step(heard)
        pumped = self._mouth.pump()
        if pumped.began_ms is not None:
            self._speech_began(pumped.began_ms, is_filler=pumped.answered_ms is None)
        if pumped.answered_ms is not None:
            self._answer_began(pumped.answered_ms)
        if asking := self._delivery.question_began():
            self._step(ev.QuestionBegan(*self._replies.asks(asking)))
        if pumped.ended_ms is not None:
            self._speech_ended(pumped.ended_ms)
        if not self.has_begun:
            return
        now_ms = monotonic_ms()
        self._step(ev.Tick(now_ms, is_dry=self._mouth.is_dry))
        is_quiet = self._turn.caller is tm.Caller.SILENT and self._turn.agent is tm.Agent.IDLE
        if self._tape.clock(now_ms, is_quiet=is_quiet):
            self.open(now_ms)
        if self._flow is not None and not self._turn.is_closing:
            self._flow.clock(now_ms)

    def take(self, event: object) -> None:
        """What a lane has found out or prepared."""
        match event:
            case ToolDone() if self._turn.is_closing:
                self._tools.take(event)  # noted; nothing is said over the goodbye
            case Understood() | ToolDone() if self._flow is not None and not self._turn.is_closing:
                self._flow.take(event)
            case _ if isinstance(event, SoundEvent):
                failed_attempt = self._delivery.take(event)
                if failed_attempt is not None:
                    self._step(ev.AttemptFailed(failed_attempt, monotonic_ms()))
                self._delivery.settle()
            case ev.TextHeard(attempt, text) if attempt < 0:
                if attempt == self._ear.guides_attempt:
                    self._guide.heard(text)
                else:
                    self._guide.overheard(text)
            case ev.TextHeard():
                self._guide.heard(event.text)
                self._delivery.stamp("stt_final")
                self._tape.heard(event.text, event.now_ms)
                self._step(replace(event, is_asked=self._delivery.is_ending_question))
            case ev.EndScored():
                self._delivery.stamp("eot_score")
                self._step(event)
            case ClaimReplaced(utterance_id, claim, text) if self._delivery.is_current(utterance_id):
                self._record.claim_replaced(claim, text)
            case ev.WordsScored() | ev.ReplyBegan() | ev.AttemptFailed():
                self._step(event)
            case PartHeard(text) if self._turn.caller is tm.Caller.SPEAKING:
                self._tape.heard(text, monotonic_ms())
                self._replies.read_ahead(text)

    def _speech_began(self, at_ms: int, *, is_filler: bool) -> None:
        utterance = self._delivery.spoken
        assert utterance is not None
        utterance.stamps_ms["first_rtp"] = at_ms
        if is_filler:
            utterance.filler_at_ms = at_ms
        if utterance.attempt is not None:
            self._replies.caller_told(utterance.caller_text)
        if self._turn.caller is tm.Caller.SILENT:
            self._performer.forget_turn()
        self._step(ev.SpeechBegan(at_ms))

    def _answer_began(self, at_ms: int) -> None:
        utterance = self._delivery.spoken
        assert utterance is not None
        utterance.stamps_ms["first_rtp"] = at_ms
        if utterance.attempt is not None:
            self._record.answered(utterance)
        else:
            self._record.phrase_began(at_ms)

    def _speech_ended(self, at_ms: int) -> None:
        text = self._delivery.ended(at_ms)
        if target := self._replies.transfer_due():
            self._hand_over(target, "")
        self._step(ev.SpeechEnded(at_ms, *self._replies.asks(text)))
        if not self.has_begun and text:
            self._ear.forget()
            self._guide.said()
        elif not self.has_begun:
            self.hang_up()  # the voice has failed: nothing was said
        elif self._tape.agent_ended(text, at_ms):
            self.open(at_ms)

    def _step(self, event: ev.Event) -> None:
        if isinstance(event, ev.VoiceStarted):
            self._performer.voice_began(event.now_ms)
        self._turn, actions = tm.step(self._turn, event, self._parts.rules)
        for action in actions:
            self._log.debug("turn.acted", action=type(action).__name__)
            if (known := self._performer.do(action)) is not None:
                self._step(known)

    # --- what follows from the words ---

    def _speak_up(self) -> Utterance:
        """The agent speaks of its own accord, as after a key: what went on is dropped."""
        self._step(ev.AsideWanted(monotonic_ms()))
        return self._performer.begin_phrase()

    def _end_call(self) -> None:
        self._step(ev.ReplyEndsCall(self._turn.attempt))

    def _note_outcome(self, name: str, data: Mapping[str, str]) -> None:
        self._record.outcome(name, data)
        if self._parts.memory is not None:
            self._parts.memory.outcome(name, data)
        self._guide.outcome(name, data)

    def _hand_over(self, target: str, announcement: str) -> bool:
        """The controls hand the caller over; where nobody takes the call ``not_connected`` follows."""
        if target not in self._parts.persona.transfer:
            return False
        self._post(TransferCall(target, "blind", announcement=announcement))
        return True

    def _send_digits(self, digits: str) -> None:
        self._post(SendDigits(digits))

    # --- what keys, holds and transfers do ---

    def pressed(self, digit: str, now_ms: int, *, is_in_number: bool) -> bool:
        """A key of the caller's; False where it is one for the controls.

        :param is_in_number: they are at a number that the caller dictates.
        """
        is_answer = self._tape.is_asking
        if self._tape.pressed(digit, now_ms):
            self.open(now_ms)
            return True
        if is_answer or self._turn.is_closing:
            return True
        if self._flow is None:
            return False
        begins_number = not is_in_number and not self._flow.is_keying
        if begins_number and digit in self._parts.keys.actions:
            return False
        return self._flow.pressed(digit, now_ms, is_in_number=is_in_number)

    def interrupt(self) -> None:
        """The caller has pressed a key: fall silent, where that is allowed."""
        self._step(ev.KeyPressed(monotonic_ms()))

    def keyed(self, text: str) -> None:
        """Take ``text`` for what the caller said."""
        self._step(ev.TextKeyed(monotonic_ms(), text))

    def say_aside(self, text: str, *, interruptible: bool) -> None:
        """Say something out of turn; what was going on is dropped."""
        if self._turn.is_closing:
            return
        self._step(ev.AsideWanted(monotonic_ms(), interruptible))
        self._replies.say(self._performer.begin_phrase(), text)

    def not_connected(self) -> None:
        """Nobody has taken the caller over: the flow knows what then, else the caller is told."""
        if self._turn.is_closing or (self._flow is not None and self._flow.transfer_failed()):
            return
        self.say_aside(self._parts.persona.not_connected, interruptible=True)

    def play(self, pcm: Pcm16) -> None:
        """Send sound that is not speech."""
        self._performer.begin_phrase()
        self._delivery.add(pcm, "")
        self._mouth.finish()

    def rest_began(self) -> None:
        """The conversation rests from now on."""
        if self._turn.is_voiced:
            self._step(ev.VoiceStopped(monotonic_ms()))

    def rest_ended(self, rested_ms: int) -> None:
        """It goes on."""
        self._step(ev.Rested(rested_ms))
