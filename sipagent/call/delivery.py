"""The agent's utterances in one call: prepared, spoken, heard. Call thread only. ::

    prepare ──▶ prepared ──commit──▶ spoken ──▶ mouth ──▶ line
                   │ dropped            │ ended, or stopped by the caller
                   ▼                    ▼
                cancelled            what was heard of it ──▶ record, history

At most one is being prepared and one spoken. What is dropped is cancelled: its jobs stop.
"""

from collections.abc import Callable

import structlog

from sipagent.call.dictation import Asked
from sipagent.call.endpointing import asked_by, last_sentence
from sipagent.call.mouth import Mouth
from sipagent.call.record import CallRecord
from sipagent.call.tape import CallTape
from sipagent.call.utterance import SoundPrepared, Utterance, UtteranceComplete, UtteranceFailed
from sipagent.units import Pcm16, monotonic_ms

_LAST_WORDS_MS = 1000

SoundEvent = SoundPrepared | UtteranceComplete | UtteranceFailed


class Delivery:
    """Brings one call's utterances to the mouth."""

    def __init__(
        self,
        mouth: Mouth,
        record: CallRecord,
        tape: CallTape,
        told: Callable[[str], None],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        """:param told: gets what the caller really heard of each utterance."""
        self._mouth, self._record, self._tape, self._told, self._log = mouth, record, tape, told, log
        self.prepared: Utterance | None = None
        self.spoken: Utterance | None = None
        self._utterances = 0

    def __repr__(self) -> str:
        return f"Delivery(prepared={self.prepared}, spoken={self.spoken})"

    @property
    def is_ending_question(self) -> bool:
        """The agent is at the last words of a yes/no question."""
        spoken = self.spoken
        if spoken is None or not spoken.is_complete or self._mouth.left_ms > _LAST_WORDS_MS:
            return False
        return asked_by(spoken.prepared_text) is Asked.YES_NO

    def question_began(self) -> str:
        """What is being said, once: when its last sentence has begun to be heard; else empty."""
        spoken = self.spoken
        if spoken is None or spoken.has_asked or not spoken.is_complete or not self._mouth.has_begun:
            return ""
        text = spoken.prepared_text
        if self._mouth.left_words > len(last_sentence(text).split()):
            return ""
        spoken.has_asked = True
        return text

    def is_current(self, utterance_id: int) -> bool:
        """It is being prepared or spoken."""
        return any(
            one is not None and one.utterance_id == utterance_id for one in (self.prepared, self.spoken)
        )

    def prepare(self, attempt: int | None) -> Utterance:
        """A new utterance; the one that was being prepared has been dropped.

        :param attempt: the caller's attempt that it answers; None for a phrase of the program's own.
        """
        self._utterances += 1
        self.prepared = Utterance(self._utterances, attempt)
        return self.prepared

    def stamp(self, name: str) -> None:
        """Note a stage of the one that is being prepared."""
        if self.prepared is not None:
            self.prepared.stamp(name)

    def drop_prepared(self) -> bool:
        """Forget it; True where an answer was committed, not yet audible, and is as if it had never been."""
        if self.prepared is not None:
            self.prepared.cancel()
            self.prepared = None
        is_answer = self.spoken is not None and self.spoken.attempt is not None
        if not is_answer or self._mouth.has_begun:
            return False
        self.stop()
        return True

    def commit(self) -> Utterance:
        """Say what has been prepared, now or as it comes."""
        utterance, self.prepared = self.prepared, None
        assert utterance is not None
        if self._mouth.is_active:
            self.stop()
        self.spoken = utterance
        utterance.is_committed = True
        self._mouth.begin()
        for sound in utterance.sounds:
            self._voice(sound)
        self.settle()
        return utterance

    def take(self, event: SoundEvent) -> int | None:
        """What a lane has prepared; of dropped utterances it is ignored.

        :returns: the attempt for which there is nothing to say, if so; ``settle`` comes after its handling.
        """
        utterance = next(
            (u for u in (self.prepared, self.spoken) if u and u.utterance_id == event.utterance_id), None
        )
        if utterance is None or utterance.is_cancelled():
            return None
        if isinstance(event, SoundPrepared):
            utterance.sounds.append(event)
            if utterance.is_committed:
                self._voice(event)
            return None
        utterance.is_complete = True
        if isinstance(event, UtteranceComplete):
            utterance.text = event.text
        else:
            self._log.warning("reply.failed", reason=event.reason)
        return None if utterance.sounds else utterance.attempt

    def settle(self) -> None:
        """Where all of the spoken one's sound is there, nothing more is to come."""
        if self.spoken is not None and self.spoken.is_complete:
            self._mouth.finish()

    def add(self, pcm: Pcm16, text: str, *, is_filler: bool = False) -> None:
        """Sound that does not come from a lane, behind what is there."""
        self._mouth.add(pcm, text, is_filler=is_filler)

    def ended(self, at_ms: int) -> str:
        """The utterance has gone out to its end; its words."""
        utterance, self.spoken = self.spoken, None
        if utterance is None:
            return ""
        text = utterance.text or self._mouth.heard_text()
        self._note(utterance, text, at_ms, is_interrupted=False)
        return text

    def stop(self) -> None:
        """The rest is never said."""
        utterance, self.spoken = self.spoken, None
        heard = self._mouth.drop()
        if utterance is not None:
            utterance.cancel()
            self._note(utterance, heard, self._mouth.held_since_ms, is_interrupted=True)

    def close(self) -> None:
        """The call is over."""
        for utterance in (self.prepared, self.spoken):
            if utterance is not None:
                utterance.cancel()
        if self._mouth.is_active:
            self.stop()

    def _voice(self, sound: SoundPrepared) -> None:
        self._tape.agent_says(sound.text, monotonic_ms())
        self._mouth.add(sound.pcm, sound.text, sound.pause_before_ms)

    def _note(self, utterance: Utterance, text: str, ended_ms: int, *, is_interrupted: bool) -> None:
        self._record.spoken(utterance, text, ended_ms, is_interrupted=is_interrupted)
        if text:
            self._told(text)
