"""One call's conversation: what comes in goes to the turn machine, and what it decides is done. ::

    ear ──voice, text──▶ turn machine ──actions──▶ ear (transcribe), speaker (prepare), delivery (say)
    lanes ──sound──▶ delivery ──began, ended──▶ turn machine

The machine decides; here is nothing but how its actions are performed. Call thread only.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from sipagent.brain.types import Message, Role
from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.answers import Answers
from sipagent.call.conduct import Conduct
from sipagent.call.delivery import Delivery, SoundEvent
from sipagent.call.dictation import ANY_FORM
from sipagent.call.ear import Ear, PartHeard
from sipagent.call.endpointing import asked_by, is_farewell
from sipagent.call.flow_talk import Deeds, FlowTalk, Understood
from sipagent.call.guide import Guide
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts, phrase_text
from sipagent.call.ports import SendDigits, TransferCall
from sipagent.call.record import CallRecord
from sipagent.call.tape import CallTape
from sipagent.call.tool_calls import ToolCalls, ToolDone
from sipagent.call.utterance import ClaimReplaced, Speaker, Utterance
from sipagent.units import Pcm16, monotonic_ms


class Dialogue:
    """Who speaks when, and what the agent says. ``Controls`` tells it what keys, holds and transfers do."""

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
        self._record, self._tape, self._post, self._log = record, tape, post, log
        self._guide = guide
        self._announcement = ""
        self.has_begun = False
        """The conversation goes on; else it rests, and the guide listens alone."""
        self._tools = tools
        self.hang_up = hang_up
        """End the call."""
        self._turn = tm.Turn()
        self._history: list[Message] = []
        self._delivery = Delivery(mouth, record, tape, self._agent_told, log)
        self._speaker = Speaker(parts.speaking, parts.conversation, parts.limits, post, parts.claims)
        self._conduct = Conduct(parts.persona, record.conduct, parts.memory)
        self._answers = Answers(self._speaker, parts.knowledge)
        deeds = Deeds(
            self._begin_utterance, self._end_call, self._note_outcome, self._hand_over, self._send_digits
        )
        self._flow = (
            FlowTalk(parts.flow, self._speaker, self._answers, deeds, tools, post, log)
            if parts.flow
            else None
        )
        self._caller_since_ms: int | None = None
        """When the turn's first voice came; None: nothing of it was heard."""

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

    def rehearse(self, announcement: str) -> None:
        """Have the voice ready for ``open``."""
        self._speaker.rehearse(*self._opening(announcement))

    def open(self, now_ms: int, announcement: str = "") -> None:
        """Say what opens the call: the announcement, about its recording, the greeting. What else goes on is
        dropped."""
        if self._turn.is_closing:
            return
        self.has_begun, self._announcement = True, announcement
        self._drop_prepared()
        self._forget_turn()
        self._turn = tm.Turn(attempt=self._turn.attempt + 1)
        must_be_heard = bool(announcement) or self._tape.is_announcing
        interruptible = self._parts.persona.greeting_interruptible and not must_be_heard
        self._step(ev.CallStarted(now_ms, greeting_interruptible=interruptible))

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
        if self._flow is not None:
            self._flow.close()

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
        if pumped.ended_ms is not None:
            self._speech_ended(pumped.ended_ms)
        if not self.has_begun:
            return
        now_ms = monotonic_ms()
        self._step(ev.Tick(now_ms, is_dry=self._mouth.is_dry))
        is_quiet = self._turn.caller is tm.Caller.SILENT and self._turn.agent is tm.Agent.IDLE
        if self._tape.clock(now_ms, is_quiet=is_quiet):
            self.open(now_ms)
        if self._flow is not None:
            self._flow.clock(now_ms)

    def fall_silent(self) -> None:
        """It was no conversation: stop, and rest."""
        self._drop_prepared()
        if self._mouth.is_active:
            self._delivery.stop()
        self._forget_turn()
        self._turn = tm.Turn(attempt=self._turn.attempt + 1, is_closing=self._turn.is_closing)
        self.has_begun = False

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
                if attempt == self._ear.guides_attempt:  # else it is of something that is over
                    self._guide.heard(text)
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
                self._parts.conversation.read_ahead(self._history, text)

    def _speech_began(self, at_ms: int, *, is_filler: bool) -> None:
        utterance = self._delivery.spoken
        assert utterance is not None
        utterance.stamps_ms["first_rtp"] = at_ms
        if is_filler:
            utterance.filler_at_ms = at_ms
        if utterance.attempt is not None:
            self._history.append(Message(Role.CALLER, utterance.caller_text))
        if self._turn.caller is tm.Caller.SILENT:
            self._forget_turn()
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
        if target := self._conduct.said():
            self._hand_over(target, "")
        asked, form = (self._flow.asked, self._flow.form) if self._flow is not None else (None, ANY_FORM)
        self._step(ev.SpeechEnded(at_ms, asked or asked_by(text), form))
        if not self.has_begun and text:
            self._ear.forget()
            self._guide.said()
        elif not self.has_begun:
            self.hang_up()  # the voice has failed: nothing was said
        elif self._tape.agent_ended(text, at_ms):
            self.open(at_ms)

    def _agent_told(self, text: str) -> None:
        self._history.append(Message(Role.AGENT, text))
        self._parts.conversation.read_ahead(self._history, "")

    # --- what the machine decides ---

    def _step(self, event: ev.Event) -> None:
        if isinstance(event, ev.VoiceStarted) and self._caller_since_ms is None:
            self._caller_since_ms = event.now_ms
        self._turn, actions = tm.step(self._turn, event, self._parts.rules)
        for action in actions:
            self._log.debug("turn.acted", action=type(action).__name__)
            self._do(action)

    def _do(self, action: ev.Action) -> None:
        match action:
            case ev.Say(phrase, index):
                self._say(phrase, index)
            case ev.BeginAttempt(attempt, last_voice_ms):
                self._begin_attempt(attempt, last_voice_ms)
            case ev.PrepareReply(_, text):
                self._prepare_reply(text)
            case ev.ScoreEnd(attempt):
                prepared = self._delivery.prepared
                assert prepared is not None
                self._ear.score_end(attempt, prepared.is_cancelled, prepared.waited)
            case ev.DropAttempt():
                self._drop_prepared()
            case ev.Commit(_, text):
                self._commit(text)
            case ev.SayFiller():
                self._say_filler()
            case ev.ForgetTurn():
                self._drop_prepared()
                self._forget_turn()
            case ev.ForgetSound(keep_ms):
                self._forget_turn(keep_ms)
            case ev.HoldSpeech():
                self._mouth.hold()
            case ev.ResumeSpeech():
                self._mouth.resume()
            case ev.DropSpeech():
                self._delivery.stop()
            case ev.Judge(attempt):
                judged = self._new_utterance(attempt)
                self._ear.transcribe(attempt, judged.is_cancelled, judged.waited, is_final=False)
            case ev.HandOver():
                lost = self._parts.persona.lost
                self._hand_over(lost.transfer, lost.say)
            case ev.HangUp():
                self.hang_up()

    def _forget_turn(self, keep_ms: int = 0) -> None:
        self._ear.forget(keep_ms)
        self._caller_since_ms = None

    def _new_utterance(self, attempt: int | None) -> Utterance:
        self._drop_prepared()
        return self._delivery.prepare(attempt)

    def _begin_attempt(self, attempt: int, last_voice_ms: int) -> None:
        utterance = self._new_utterance(attempt)
        utterance.stamps_ms["speech_end"] = last_voice_ms
        utterance.stamp("pause")
        self._ear.transcribe(attempt, utterance.is_cancelled, utterance.waited, is_final=True)

    def _prepare_reply(self, text: str) -> None:
        utterance = self._delivery.prepared
        assert utterance is not None
        assert utterance.attempt is not None
        utterance.caller_text = text
        answer = None if is_farewell(text) else self._tape.reply_to(text)
        if answer is not None:
            self._prepare_fixed(utterance, answer)
            return
        if not self._tape.is_asking and (fixed := self._conduct.prepare(utterance, text)):
            self._prepare_fixed(
                utterance, fixed.text, asks_again=not fixed.is_last, ends_call=fixed.ends_call
            )
            return
        if self._flow is not None and not self._tape.is_asking:
            self._flow.prepare(utterance, self._history, text)
            return
        if is_farewell(text):
            self._speaker.say(utterance, self._parts.persona.goodbye)
            self._step(ev.ReplyEndsCall(utterance.attempt))
            return
        self._answers.answer(utterance, [*self._history, Message(Role.CALLER, text)])

    def _prepare_fixed(
        self, utterance: Utterance, text: str, *, asks_again: bool = True, ends_call: bool = False
    ) -> None:
        """What the program answers itself, and a flow's open question once more."""
        assert utterance.attempt is not None
        is_open = asks_again and not self._tape.is_asking
        question = self._flow.question if self._flow is not None and is_open else ""
        self._speaker.say(utterance, f"{text} {question}".strip())
        attempt = utterance.attempt
        self._step(ev.ReplyEndsCall(attempt) if ends_call else ev.ReplyBegan(attempt))

    def _drop_prepared(self) -> None:
        if self._delivery.drop_prepared() and self._flow is not None:
            self._flow.take_back()

    def _commit(self, text: str) -> None:
        self._delivery.stamp("commit")
        prepared = self._delivery.prepared
        assert prepared is not None
        self._record.heard(text, self._caller_since_ms, prepared.stamps_ms["speech_end"])
        self._tape.said(text, monotonic_ms())
        if self._parts.memory is not None:
            self._parts.memory.heard(text)
        utterance = self._delivery.commit()
        self._conduct.commit(utterance)
        if self._flow is not None:
            self._flow.commit(utterance)
        self._guide.caller_said(text)

    def _say(self, phrase: ev.Phrase, index: int) -> None:
        if phrase is ev.Phrase.GREETING:
            self._speaker.say(self._phrase_utterance(), *self._opening(self._announcement))
            return
        text = phrase_text(self._parts.persona, phrase, index)
        if self._flow is not None and phrase is ev.Phrase.NO_INPUT and not self._is_last_prompt(index):
            text = self._flow.silent(text)
        self._speaker.say(self._phrase_utterance(), text)

    def _opening(self, announcement: str) -> tuple[str, ...]:
        """What is said first; the flow begins with it."""
        text = self._tape.opening or phrase_text(self._parts.persona, ev.Phrase.GREETING, 0)
        if self._flow is not None and not self._tape.is_asking:
            text = self._flow.opened(text)
        return (announcement, text) if announcement else (text,)

    def _is_last_prompt(self, index: int) -> bool:
        return index == len(self._parts.persona.no_input.prompts) - 1

    def _phrase_utterance(self) -> Utterance:
        self._new_utterance(None)
        return self._delivery.commit()

    def _say_filler(self) -> None:
        text = (self._flow.filler if self._flow is not None else "") or self._parts.persona.one_moment
        pcm = self._parts.speaking.phrases.lookup(text)
        if pcm is not None:
            self._delivery.add(pcm, text, is_filler=True)

    # --- what a flow does ---

    def _begin_utterance(self) -> Utterance:
        """The agent speaks of its own accord, as after a key: what went on is dropped."""
        self._drop_prepared()
        self._forget_turn()
        attempt, patience = self._turn.attempt + 1, self._turn.patience
        now_ms = monotonic_ms()
        self._turn = tm.Turn(
            agent=tm.Agent.THINKING, attempt=attempt, patience=patience, idle_since_ms=now_ms
        )
        return self._phrase_utterance()

    def _hand_over(self, target: str, announcement: str) -> bool:
        """The controls hand the caller over; where nobody takes the call ``not_connected`` follows."""
        if target not in self._parts.persona.transfer:
            return False
        self._post(TransferCall(target, "blind", announcement=announcement))
        return True

    def _send_digits(self, digits: str) -> None:
        self._post(SendDigits(digits))

    def _note_outcome(self, name: str, data: Mapping[str, str]) -> None:
        self._record.outcome(name, data)
        if self._parts.memory is not None:
            self._parts.memory.outcome(name, data)
        self._guide.outcome(name, data)

    def _end_call(self) -> None:
        self._step(ev.ReplyEndsCall(self._turn.attempt))

    # --- what keys, holds and transfers do ---

    def pressed(self, digit: str, now_ms: int) -> bool:
        """A key of the caller's; False where it is one for the controls."""
        is_answer = self._tape.is_asking
        if self._tape.pressed(digit, now_ms):
            self.open(now_ms)
        elif is_answer or self._turn.is_closing:
            return True
        elif self._flow is not None and digit not in self._parts.keys.actions:
            self._flow.pressed(digit, now_ms)
        else:
            return False
        return True

    def interrupt(self) -> None:
        """The caller has pressed a key: fall silent, where that is allowed."""
        self._turn = replace(self._turn, idle_since_ms=monotonic_ms(), prompts_said=0)
        if self._mouth.is_active and self._mouth.has_begun and self._turn.is_interruptible:
            self._delivery.stop()
            self._turn = replace(self._turn, agent=tm.Agent.IDLE, ends_call=False)

    def keyed(self, text: str) -> None:
        """Take ``text`` for what the caller said."""
        if self._turn.is_closing:
            return
        now_ms = monotonic_ms()
        self._forget_turn()
        self._turn = replace(
            self._turn.next_attempt(),
            caller=tm.Caller.PAUSING,
            patience=replace(self._turn.patience, form=ANY_FORM),
            last_voice_ms=now_ms - self._parts.rules.delays.latest,  # there is nothing to wait for
            turn_since_ms=now_ms,
            asked_ms=now_ms,
            is_voiced=False,
        )
        utterance = self._new_utterance(self._turn.attempt)
        if not self._mouth.is_active:
            self._turn = replace(self._turn, agent=tm.Agent.IDLE)
        utterance.stamps_ms["speech_end"] = now_ms
        self._step(ev.TextHeard(self._turn.attempt, text, now_ms))

    def say_aside(self, text: str, *, interruptible: bool) -> None:
        """Say something out of turn; what was going on is dropped."""
        if self._turn.is_closing:
            return
        self._drop_prepared()
        self._forget_turn()
        self._turn = tm.Turn(
            attempt=self._turn.attempt + 1,
            agent=tm.Agent.THINKING,
            is_interruptible=interruptible,
            idle_since_ms=monotonic_ms(),
        )
        self._speaker.say(self._phrase_utterance(), text)

    def not_connected(self) -> None:
        """Nobody has taken the caller over: the flow knows what then, else the caller is told."""
        if self._turn.is_closing or (self._flow is not None and self._flow.transfer_failed()):
            return
        self.say_aside(self._parts.persona.not_connected, interruptible=True)

    @property
    def is_saying(self) -> bool:
        """The agent speaks, or is about to."""
        return self._delivery.spoken is not None

    def play(self, pcm: Pcm16) -> None:
        """Send sound that is not speech."""
        self._phrase_utterance()
        self._delivery.add(pcm, "")
        self._mouth.finish()

    def rest_began(self) -> None:
        """The conversation rests from now on."""
        if self._turn.is_voiced:
            self._step(ev.VoiceStopped(monotonic_ms()))

    def rest_ended(self, rested_ms: int) -> None:
        """It goes on."""
        self._turn = self._turn.delayed(rested_ms)
