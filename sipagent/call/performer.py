"""Does what the turn machine decides, with ear, mouth and words of one call. Call thread only. ::

BeginAttempt, Judge, ScoreEnd ──▶ ear            PrepareReply, Say ──▶ replies ──▶ delivery
HoldSpeech, ResumeSpeech, DropSpeech ──▶ mouth   Commit ──▶ delivery, record, recording, guide
"""

from collections.abc import Callable

from sipagent.call import turn_events as ev
from sipagent.call.delivery import Delivery
from sipagent.call.ear import Ear
from sipagent.call.guide import Guide
from sipagent.call.memory import CallMemory
from sipagent.call.mouth import Mouth
from sipagent.call.record import CallRecord
from sipagent.call.replies import Replies
from sipagent.call.tape import CallTape
from sipagent.call.utterance import Utterance
from sipagent.units import monotonic_ms


class Performer:
    """Performs one call's actions, one after another."""

    def __init__(
        self,
        ear: Ear,
        mouth: Mouth,
        replies: Replies,
        delivery: Delivery,
        record: CallRecord,
        tape: CallTape,
        guide: Guide,
        memory: CallMemory | None,
        hand_over: Callable[[], object],
        hang_up: Callable[[], None],
    ) -> None:
        """:param hand_over: of a caller who cannot be understood."""
        self._ear, self._mouth, self._replies, self._delivery = ear, mouth, replies, delivery
        self._record, self._tape, self._guide, self._memory = record, tape, guide, memory
        self._hand_over, self._hang_up = hand_over, hang_up
        self._caller_since_ms: int | None = None
        """When the turn's first voice came; None: nothing of it was heard."""

    def __repr__(self) -> str:
        return f"Performer({self._delivery!r})"

    def voice_began(self, at_ms: int) -> None:
        """The caller's voice: where it is the turn's first, its beginning is remembered."""
        if self._caller_since_ms is None:
            self._caller_since_ms = at_ms

    def do(self, action: ev.Action) -> ev.Event | None:
        """Do it; what the machine is to know of it at once."""
        match action:
            case ev.Say(phrase, index):
                self._replies.say_phrase(self.begin_phrase(), phrase, index)
            case ev.BeginAttempt():
                self._begin_attempt(action)
            case ev.PrepareReply(_, text):
                return self._replies.prepare(self._prepared, text)
            case ev.ScoreEnd(attempt):
                self._ear.score_end(attempt, self._prepared.is_cancelled, self._prepared.waited)
            case ev.DropAttempt():
                self._drop_prepared()
            case ev.Commit(_, text):
                self._commit(text)
            case ev.SayFiller():
                self._say_filler()
            case ev.ForgetTurn():
                self._drop_prepared()
                self.forget_turn()
            case ev.ForgetSound(keep_ms):
                self.forget_turn(keep_ms)
            case ev.HoldSpeech():
                self._mouth.hold()
            case ev.ResumeSpeech():
                self._mouth.resume()
            case ev.DropSpeech():
                self._delivery.stop()
            case ev.Judge(attempt):
                judged = self._new_utterance(attempt)
                self._transcribe(judged, attempt, is_final=False)
            case ev.HandOver():
                self._hand_over()
            case ev.HangUp():
                self._hang_up()
        return None

    def begin_phrase(self) -> Utterance:
        """The agent's next words are no answer, and are said as they come."""
        self._new_utterance(None)
        return self._delivery.commit()

    def forget_turn(self, keep_ms: int = 0) -> None:
        """What was heard is dealt with, but for the last ``keep_ms``."""
        self._ear.forget(keep_ms)
        self._caller_since_ms = None

    @property
    def _prepared(self) -> Utterance:
        assert self._delivery.prepared is not None
        return self._delivery.prepared

    def _new_utterance(self, attempt: int | None) -> Utterance:
        self._drop_prepared()
        return self._delivery.prepare(attempt)

    def _drop_prepared(self) -> None:
        if self._delivery.drop_prepared():
            self._replies.take_back()

    def _begin_attempt(self, begun: ev.BeginAttempt) -> None:
        utterance = self._new_utterance(begun.attempt)
        utterance.stamps_ms["speech_end"] = begun.last_voice_ms
        if not begun.is_keyed:
            utterance.stamp("pause")
            self._transcribe(utterance, begun.attempt, is_final=True)

    def _transcribe(self, utterance: Utterance, attempt: int, *, is_final: bool) -> None:
        self._ear.transcribe(
            attempt,
            utterance.is_cancelled,
            utterance.waited,
            is_final=is_final,
            hint=self._replies.expected_words,
        )

    def _commit(self, text: str) -> None:
        self._delivery.stamp("commit")
        self._record.heard(text, self._caller_since_ms, self._prepared.stamps_ms["speech_end"])
        self._tape.said(text, monotonic_ms())
        if self._memory is not None:
            self._memory.heard(text)
        self._replies.commit(self._delivery.commit())
        self._guide.caller_said(text)

    def _say_filler(self) -> None:
        pcm, text = self._replies.filler()
        if pcm is not None:
            self._delivery.add(pcm, text, is_filler=True)
