"""One call from the offer to the last log line: its thread, its mailbox, and who does what.

The thread waits on the mailbox for a few milliseconds at a time; between events it listens, keeps the
mouth fed and lets the turn machine see the clock. Engines answer through the mailbox. ::

    line ──▶ mailbox ──▶ Session ──events──▶ turn machine ──actions──▶ ear, speaker, mouth, line
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import replace

import structlog

from sipagent.brain.types import Message, Role
from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.controls import ControlEvent, Controls, SendDigits
from sipagent.call.ear import Ear, PartHeard
from sipagent.call.endpointing import Asked, asked_by, is_farewell
from sipagent.call.flow_talk import Deeds, FlowTalk, ToolDone, Understood
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts, phrase_text
from sipagent.call.ports import (
    DigitPressed,
    EndCall,
    Line,
    LineDown,
    LineProgress,
    LineUp,
    MediaFault,
    Offer,
    Rejection,
    TransferCall,
    TransferMode,
)
from sipagent.call.record import CallRecord
from sipagent.call.rest import Rest, delayed
from sipagent.call.tape import CallTape
from sipagent.call.utterance import (
    SoundPrepared,
    Speaker,
    Utterance,
    UtteranceComplete,
    UtteranceFailed,
)
from sipagent.units import Pcm16, monotonic_ms

_LAST_WORDS_MS = 1000
_POLL_S = 0.005
_GOODBYE_LIMIT_MS = 10_000
_UNAVAILABLE = 503


class Session:
    """A call's conversation. ``post`` may be called from any thread; the rest runs on its own."""

    def __init__(
        self,
        call_id: str,
        offer: Offer,
        line: Line,
        parts: SessionParts,
        record: CallRecord,
        tape: CallTape,
        log: structlog.stdlib.BoundLogger,
        on_end: Callable[["Session"], None],
    ) -> None:
        self.call_id = call_id
        self.seen_ms = monotonic_ms()
        """When the call's thread last went round: whoever watches reads it."""
        self._offer = offer
        self._line = line
        self._parts = parts
        self._log = log
        self._on_end = on_end
        self._mailbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"call-{call_id}", daemon=True)
        self._turn = tm.Turn()
        self._history: list[Message] = []
        self._ear = Ear(line.audio, parts.hearing, parts.stream, self.post, log, tap=self._tap)
        self._mouth = Mouth(line.audio)
        self._speaker = Speaker(parts.speaking, parts.conversation, parts.limits, self.post)
        self._record = record
        self._tape = tape
        deeds = Deeds(self._begin_utterance, self._end_call, record.outcome, self._hand_over)
        self._flow = FlowTalk(parts.flow, self._speaker, deeds, self.post, log) if parts.flow else None
        self._prepared: Utterance | None = None
        self._spoken: Utterance | None = None
        self._utterances = 0
        self._up_ms: int | None = None
        self._caller_since_ms: int | None = None
        """When the turn's first voice came; None: nothing of it was heard."""
        rest = Rest(self._ear, self._mouth)
        self._controls = Controls(self, offer, line, parts, record, rest, self.post)
        self._has_hung_up = False
        self._closing_since_ms = 0
        self._is_time_up = False

    def __repr__(self) -> str:
        return f"Session({self.call_id}, caller={self._turn.caller.value}, agent={self._turn.agent.value})"

    def post(self, event: object) -> None:
        """Hand an event to the call's thread. Never blocks."""
        self._mailbox.put(event)

    def transfer(self, target: str, mode: TransferMode, summary: str = "") -> None:
        """Hand the call over; where that fails the caller is told and the conversation goes on. Any thread.

        :param target: name under the persona's ``transfer``, or a SIP address.
        :param summary: said to whoever takes the call, before the caller is connected.
        """
        self.post(TransferCall(target, mode, summary))

    def send_digits(self, digits: str) -> None:
        """Press keys on the caller's line, in the way that it takes them. Any thread."""
        self.post(SendDigits(digits))

    def start(self) -> None:
        """Begin the thread, which answers the call."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """True when the thread has ended in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def cut(self) -> None:
        """The process ends now: note that the call did not end by itself. Any thread."""
        self._record.cut()

    # --- the thread ---

    def _run(self) -> None:
        down: LineDown | None = None
        try:
            self._answer()
            while down is None:
                down = self._wait()
        except Exception:  # a call's fault costs this call, never the worker
            self._log.exception("call.failed")
            self._line.hang_up()
        finally:
            self._finish(down)

    def _answer(self) -> None:
        """Answer once the call's start is on the disk."""
        problem = self._record.begin(self._offer, self._parts.persona)
        if problem is None:
            self._line.answer()
            self._record.accepted()
        else:
            self._line.refuse(Rejection(_UNAVAILABLE, problem, self._parts.retry_after_s))

    def _wait(self) -> LineDown | None:
        self.seen_ms = monotonic_ms()
        try:
            event = self._mailbox.get(timeout=_POLL_S)
        except queue.Empty:
            event = None
        while event is not None:
            if isinstance(event, LineDown):
                return event
            self._take(event)
            try:
                event = self._mailbox.get_nowait()
            except queue.Empty:
                event = None
        if self._up_ms is not None:
            self._pump()
        return None

    def _finish(self, down: LineDown | None) -> None:
        for utterance in (self._prepared, self._spoken):
            if utterance is not None:
                utterance.cancel()
        if self._mouth.is_active:
            self._stop_speaking()
        self._controls.close()
        self._parts.conversation.close()
        if self._flow is not None:
            self._flow.close()
        self._ear.close()
        self._tape.close()
        self._record.ended(down, self._line.audio, monotonic_ms())
        self._line.release()
        self._on_end(self)

    def _pump(self) -> None:
        """What the clock brings: sound from the line, room on the line, time."""
        if not self._controls.pump(monotonic_ms()):
            self._converse()
        self._mind_time(monotonic_ms())

    def _converse(self) -> None:
        for heard in self._ear.listen():
            self._step(heard)
        began_ms, ended_ms = self._mouth.pump()
        if began_ms is not None:
            self._speech_began(began_ms)
        if ended_ms is not None:
            self._speech_ended(ended_ms)
        now_ms = monotonic_ms()
        self._step(ev.Tick(now_ms))
        is_quiet = self._turn.caller is tm.Caller.SILENT and self._turn.agent is tm.Agent.IDLE
        if self._tape.clock(now_ms, is_quiet=is_quiet):
            self._open(now_ms)
        if self._flow is not None:
            self._flow.clock(now_ms)

    def _mind_time(self, now_ms: int) -> None:
        assert self._up_ms is not None
        if not self._is_time_up and now_ms - self._up_ms >= self._parts.persona.max_call_s * 1000:
            self._is_time_up = True
            self._record.end_wanted("call.time_up", max_call_s=self._parts.persona.max_call_s)
            self._step(ev.EndWanted(now_ms))
        if not self._turn.is_closing:
            self._closing_since_ms = now_ms
        elif self._controls.is_resting or now_ms - self._closing_since_ms >= _GOODBYE_LIMIT_MS:
            self.hang_up()  # the goodbye cannot be heard, or could not be said

    # --- events ---

    def _take(self, event: object) -> None:
        match event:
            case LineUp(at_ms) if self._up_ms is None:
                self._up_ms = at_ms
                self._controls.up(event)
                self._record.up(at_ms)
                self._tape.up(at_ms)
                self._open(at_ms)
            case LineProgress():
                self._record.progress(event)
            case EndCall(reason):
                self._record.end_wanted("call.end_wanted", reason=reason)
                if self._up_ms is None:
                    self.hang_up()
                else:
                    self._step(ev.EndWanted(monotonic_ms()))
            case DigitPressed(digit, _, how):
                self._record.pressed(digit, how)
                self._pressed(digit, monotonic_ms())
            case MediaFault(text, sent_to):
                self._record.media_fault(text, sent_to)
            case _ if isinstance(event, ControlEvent):
                self._controls.take(event)
            case Understood() | ToolDone() if self._flow is not None and not self._turn.is_closing:
                self._flow.take(event)
            case SoundPrepared() | UtteranceComplete() | UtteranceFailed():
                self._take_sound(event)
            case ev.TextHeard():
                self._stamp("stt_final")
                self._tape.heard(event.text, event.now_ms)
                self._step(replace(event, is_asked=self._is_ending_question()))
            case ev.EndScored():
                self._stamp("eot_score")
                self._step(event)
            case ev.WordsScored() | ev.ReplyBegan() | ev.AttemptFailed():
                self._step(event)
            case PartHeard(text) if self._turn.caller is tm.Caller.SPEAKING:
                self._tape.heard(text, monotonic_ms())
                self._parts.conversation.read_ahead(self._history, text)

    def _take_sound(self, event: SoundPrepared | UtteranceComplete | UtteranceFailed) -> None:
        utterance = next(
            (u for u in (self._prepared, self._spoken) if u and u.utterance_id == event.utterance_id), None
        )
        if utterance is None or utterance.is_cancelled():
            return
        if isinstance(event, SoundPrepared):
            utterance.sounds.append(event)
            if utterance.is_committed:
                self._voice(event)
            return
        utterance.is_complete = True
        if isinstance(event, UtteranceComplete):
            utterance.text = event.text
        else:
            self._log.warning("reply.failed", reason=event.reason)
        if not utterance.sounds and utterance.attempt is not None:
            self._step(ev.AttemptFailed(utterance.attempt, monotonic_ms()))
        if utterance.is_committed and not utterance.is_cancelled():
            self._mouth.finish()

    def _is_ending_question(self) -> bool:
        """The agent is at the last words of a yes/no question."""
        spoken = self._spoken
        if spoken is None or not spoken.is_complete or self._mouth.left_ms > _LAST_WORDS_MS:
            return False
        return asked_by(spoken.prepared_text) is Asked.YES_NO

    def _speech_began(self, at_ms: int) -> None:
        utterance = self._spoken
        assert utterance is not None
        utterance.stamps_ms["first_rtp"] = at_ms
        if utterance.attempt is not None:
            self._history.append(Message(Role.CALLER, utterance.caller_text))
            self._record.answered(utterance)
        else:
            self._record.phrase_began(at_ms)
        if self._turn.caller is tm.Caller.SILENT:
            self._forget_turn()
        self._step(ev.SpeechBegan(at_ms))

    def _speech_ended(self, at_ms: int) -> None:
        utterance, self._spoken = self._spoken, None
        text = ""
        if utterance is not None:
            text = utterance.text or self._mouth.heard_text()
            self._told(utterance, text, at_ms, is_interrupted=False)
        asked = self._flow.asked if self._flow is not None else None
        self._step(ev.SpeechEnded(at_ms, asked or asked_by(text)))
        if self._tape.agent_ended(text, at_ms):
            self._open(at_ms)

    def _told(self, utterance: Utterance, text: str, ended_ms: int, *, is_interrupted: bool) -> None:
        """Note what the caller really heard."""
        self._record.spoken(utterance, text, ended_ms, is_interrupted=is_interrupted)
        if not text:
            return
        self._history.append(Message(Role.AGENT, text))
        self._parts.conversation.read_ahead(self._history, "")

    def _open(self, now_ms: int) -> None:
        """Say what opens the call: about its recording, then the greeting. What else goes on is dropped."""
        if self._turn.is_closing:
            return
        self._drop_prepared()
        self._forget_turn()
        self._turn = tm.Turn(attempt=self._turn.attempt + 1)
        interruptible = self._parts.persona.greeting_interruptible and not self._tape.is_announcing
        self._step(ev.CallStarted(now_ms, greeting_interruptible=interruptible))

    # --- actions ---

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
                assert self._prepared is not None
                self._ear.score_end(attempt, self._prepared.is_cancelled, self._prepared.waited)
            case ev.DropAttempt():
                self._drop_prepared()
            case ev.Commit(_, text):
                self._commit(text)
            case ev.SayFiller():
                self._say_filler()
            case ev.ForgetTurn():
                self._drop_prepared()
                self._forget_turn()
            case ev.HoldSpeech():
                self._mouth.hold()
            case ev.ResumeSpeech():
                self._mouth.resume()
            case ev.DropSpeech():
                self._stop_speaking()
            case ev.Judge(attempt):
                self._new_utterance(attempt)
                assert self._prepared is not None
                self._ear.transcribe(
                    attempt, self._prepared.is_cancelled, self._prepared.waited, is_final=False
                )
            case ev.HangUp():
                self.hang_up()

    def _forget_turn(self) -> None:
        self._ear.forget()
        self._caller_since_ms = None

    def _new_utterance(self, attempt: int | None) -> Utterance:
        self._drop_prepared()
        self._utterances += 1
        self._prepared = Utterance(self._utterances, attempt)
        return self._prepared

    def _begin_attempt(self, attempt: int, last_voice_ms: int) -> None:
        utterance = self._new_utterance(attempt)
        utterance.stamps_ms["speech_end"] = last_voice_ms
        utterance.stamp("pause")
        self._ear.transcribe(attempt, utterance.is_cancelled, utterance.waited, is_final=True)

    def _stamp(self, name: str) -> None:
        if self._prepared is not None:
            self._prepared.stamp(name)

    def _prepare_reply(self, text: str) -> None:
        utterance = self._prepared
        assert utterance is not None
        assert utterance.attempt is not None
        utterance.caller_text = text
        if self._flow is not None and not self._tape.is_asking:
            self._flow.prepare(utterance, self._history, text)
            return
        if is_farewell(text):
            self._speaker.say(utterance, self._parts.persona.goodbye)
            self._step(ev.ReplyEndsCall(utterance.attempt))
            return
        answer = self._tape.reply_to(text)
        if answer is not None:
            self._speaker.say(utterance, answer)
            self._step(ev.ReplyBegan(utterance.attempt))
            return
        self._speaker.reply(utterance, [*self._history, Message(Role.CALLER, text)])

    def _drop_prepared(self) -> None:
        if self._prepared is not None:
            self._prepared.cancel()
            self._prepared = None
        is_answer = self._spoken is not None and self._spoken.attempt is not None
        if is_answer and not self._mouth.has_begun:
            self._stop_speaking()  # committed, not yet audible: as if it had never been
            if self._flow is not None:
                self._flow.take_back()

    def _commit(self, text: str) -> None:
        utterance, self._prepared = self._prepared, None
        assert utterance is not None
        utterance.stamp("commit")
        self._record.heard(text, self._caller_since_ms, utterance.stamps_ms["speech_end"])
        self._tape.said(text, monotonic_ms())
        self._play(utterance)
        if self._flow is not None:
            self._flow.commit(utterance)

    def _play(self, utterance: Utterance) -> None:
        if self._mouth.is_active:
            self._stop_speaking()
        self._spoken = utterance
        utterance.is_committed = True
        self._mouth.begin()
        for sound in utterance.sounds:
            self._voice(sound)
        if utterance.is_complete:
            self._mouth.finish()

    def _voice(self, sound: SoundPrepared) -> None:
        self._tape.agent_says(sound.text, monotonic_ms())
        self._mouth.add(sound.pcm, sound.text, sound.pause_before_ms)

    def _say(self, phrase: ev.Phrase, index: int) -> None:
        is_opening = phrase is ev.Phrase.GREETING and self._tape.opening
        text = self._tape.opening if is_opening else phrase_text(self._parts.persona, phrase, index)
        if self._flow is not None and phrase is ev.Phrase.GREETING and not self._tape.is_asking:
            text = self._flow.opened(text)
        elif self._flow is not None and phrase is ev.Phrase.NO_INPUT and not self._is_last_prompt(index):
            text = self._flow.silent(text)
        self._say_text(text)

    def _is_last_prompt(self, index: int) -> bool:
        return index == len(self._parts.persona.no_input.prompts) - 1

    def _say_text(self, text: str) -> None:
        self._speaker.say(self._phrase_utterance(), text)

    def _phrase_utterance(self) -> Utterance:
        utterance = self._new_utterance(None)
        self._prepared = None
        self._play(utterance)
        return utterance

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

    def _hand_over(self, target: str) -> bool:
        """For a flow: the controls hand the caller over, and tell the caller where nobody takes the call."""
        if target not in self._parts.persona.transfer:
            return False
        self.transfer(target, "blind")
        return True

    def _end_call(self) -> None:
        self._step(ev.ReplyEndsCall(self._turn.attempt))

    def _say_filler(self) -> None:
        text = self._parts.persona.one_moment
        pcm = self._parts.speaking.phrases.lookup(text)
        if pcm is not None:
            self._mouth.add(pcm, text)

    def _stop_speaking(self) -> None:
        utterance, self._spoken = self._spoken, None
        heard = self._mouth.drop()
        if utterance is not None:
            utterance.cancel()
            self._told(utterance, heard, self._mouth.held_since_ms, is_interrupted=True)

    # --- what keys, holds and transfers do to the conversation ---

    def _tap(self, window: Pcm16, played: Pcm16) -> None:
        self._tape.take(window, played)
        self._controls.listen(window)

    def _pressed(self, digit: str, now_ms: int) -> None:
        is_answer = self._tape.is_asking
        if self._tape.pressed(digit, now_ms):
            self._open(now_ms)
        elif is_answer or self._up_ms is None or self._turn.is_closing:
            return
        elif self._flow is not None and digit not in self._parts.keys.actions:
            self._flow.pressed(digit, now_ms)
        else:
            self._controls.pressed(digit, now_ms)

    def interrupt(self) -> None:
        self._turn = replace(self._turn, idle_since_ms=monotonic_ms(), prompts_said=0)
        if self._mouth.is_active and self._mouth.has_begun and self._turn.is_interruptible:
            self._stop_speaking()
            self._turn = replace(self._turn, agent=tm.Agent.IDLE, ends_call=False)

    def keyed(self, text: str) -> None:
        if self._turn.is_closing:
            return
        now_ms = monotonic_ms()
        self._forget_turn()
        self._turn = replace(
            self._turn.next_attempt(),
            caller=tm.Caller.PAUSING,
            last_voice_ms=now_ms - self._parts.rules.delays.latest,  # there is nothing to wait for
            is_voiced=False,
        )
        utterance = self._new_utterance(self._turn.attempt)
        if not self._mouth.is_active:
            self._turn = replace(self._turn, agent=tm.Agent.IDLE)
        utterance.stamps_ms["speech_end"] = now_ms
        self._step(ev.TextHeard(self._turn.attempt, text, now_ms))

    def say_aside(self, text: str, *, interruptible: bool) -> None:
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
        self._say_text(text)

    @property
    def is_saying(self) -> bool:
        return self._spoken is not None

    def play(self, pcm: Pcm16) -> None:
        utterance = self._new_utterance(None)
        self._prepared = None
        self._play(utterance)
        self._mouth.add(pcm, "")
        self._mouth.finish()

    def rest_began(self) -> None:
        if self._turn.is_voiced:
            self._step(ev.VoiceStopped(monotonic_ms()))

    def rest_ended(self, rested_ms: int) -> None:
        self._turn = delayed(self._turn, rested_ms)

    def hang_up(self) -> None:
        if not self._has_hung_up:
            self._has_hung_up = True
            self._line.hang_up()
