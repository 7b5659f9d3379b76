"""Playing the agent's utterances: what is queued, what was really heard, holding and resuming.

Utterance PCM stays here until it is played; the ring to the line holds only the next second, so that an
interruption has little to take back. Call thread only.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sipagent.media.ring import AudioRings, Flag
from sipagent.units import FRAME_SAMPLES, Pcm16, monotonic_ms, ms_to_samples, samples_to_ms

_LEAD = ms_to_samples(1000)
_FADE = ms_to_samples(10)
_KEPT_FRAMES = 2  # the clock may be reading the first one while we cut
_LONGEST_REWIND = ms_to_samples(450)
_QUIET_WINDOW = ms_to_samples(20)


@dataclass(slots=True)
class _Clause:
    text: str
    start: int
    end: int


class Pumped(NamedTuple):
    """What has happened to an utterance, in monotonic ms; each once."""

    began_ms: int | None = None
    """The first sample went out."""
    ended_ms: int | None = None
    answered_ms: int | None = None
    """The first sample that is no filler went out."""


class Mouth:
    """One call's voice. An utterance is begun, fed, finished; it may be held, resumed or dropped."""

    def __init__(self, rings: AudioRings) -> None:
        self._rings = rings
        self._ring = rings.to_line
        self._reset()

    def __repr__(self) -> str:
        return f"Mouth(queued={self._queued}, total={self._total}, held={self._is_held})"

    def _reset(self) -> None:
        self._chunks: list[Pcm16] = []
        self._clauses: list[_Clause] = []
        self._total = 0
        self._queued = 0
        self._base = self._ring.written
        self._is_open = False
        self._is_finished = False
        self._is_held = False
        self._held_since_ms = 0
        self._has_begun = False
        self._answer_at: int | None = None
        self._has_answered = False

    @property
    def is_active(self) -> bool:
        """An utterance is open: it plays, is held, or waits for its first sound."""
        return self._is_open

    @property
    def has_begun(self) -> bool:
        """The caller has heard the beginning of it."""
        return self._has_begun

    @property
    def is_held(self) -> bool:
        """It has been made to fall silent and may go on."""
        return self._is_held

    @property
    def held_since_ms(self) -> int:
        """When the utterance, now held or dropped, fell silent."""
        return self._held_since_ms or monotonic_ms()

    @property
    def is_dry(self) -> bool:
        """It goes on, and what there was of it has been said."""
        is_playing = self._is_open and self._has_begun and not self._is_held
        return is_playing and not self._is_finished and self.left_ms == 0

    def begin(self) -> None:
        """Open an utterance; an open one is dropped."""
        if self._is_open:
            self.drop()
        self._reset()
        self._is_open = True

    def add(self, pcm: Pcm16, text: str, pause_before_ms: int = 0, *, is_filler: bool = False) -> None:
        """Append a chunk; consecutive chunks with the same text belong to one clause.

        :param pause_before_ms: gap to the chunk before; left out where the voice has fallen silent already.
        """
        if not self._is_open:
            return
        if pause_before_ms and (self.left_ms or not self._has_begun):
            pause = np.zeros(ms_to_samples(pause_before_ms), dtype=np.int16)
            self._chunks.append(pause)
            self._total += len(pause)
        if self._answer_at is None and not is_filler:
            self._answer_at = self._total
        self._chunks.append(pcm)
        end = self._total + len(pcm)
        if self._clauses and self._clauses[-1].text == text and self._clauses[-1].end == self._total:
            self._clauses[-1].end = end
        else:
            self._clauses.append(_Clause(text, self._total, end))
        self._total = end
        self._fill()

    def finish(self) -> None:
        """Nothing more is to come."""
        self._is_finished = True

    def pump(self) -> Pumped:
        """Keep the ring filled."""
        if not self._is_open or self._is_held:
            return Pumped()
        self._fill()
        is_all_queued = self._is_finished and self._queued == self._total
        is_expecting = self._has_begun and not is_all_queued
        self._ring.set_flags(Flag.ACTIVE | Flag.EXPECTING if is_expecting else Flag.ACTIVE)
        began = ended = answered = None
        if not self._has_begun and self._ring.position > self._base and self._queued:
            self._has_begun = True
            began = self._ring.time_of_ms(self._base, is_read=True)
        if not self._has_answered and self._answer_at is not None:
            answer_at = self._base + self._answer_at
            if self._ring.position > answer_at and self._queued > self._answer_at:
                self._has_answered = True
                answered = self._ring.time_of_ms(answer_at, is_read=True)
        if is_all_queued and self._ring.position >= self._base + self._total:
            ended = self._ring.time_of_ms(self._base + self._total, is_read=True)
            self._is_open = False
        return Pumped(began, ended, answered)

    def _fill(self) -> None:
        """Write what the ring has room for. What became of it is for ``pump`` to tell."""
        wanted = min(self._total - self._queued, _LEAD - self._ring.available)
        if self._is_held or wanted <= 0:
            return
        if self._queued == 0 and not self._has_begun:
            self._base = self._ring.written
        self._queued += self._ring.write(self._slice(self._queued, self._queued + wanted))

    def hold(self) -> None:
        """Fall silent within two frames, without a click; what is left stays."""
        if not self._is_open or self._is_held:
            return
        self._is_held = True
        self._held_since_ms = monotonic_ms()
        cut = self._ring.position + _KEPT_FRAMES * FRAME_SAMPLES
        if self._ring.written > cut:
            tail = self._ring.peek(cut - _FADE, _FADE)
            ramp = np.linspace(1.0, 0.0, _FADE, dtype=np.float32)
            self._ring.poke(cut - _FADE, (tail * ramp).astype(np.int16))
            self._ring.truncate(cut)
        self._queued = max(0, self._ring.written - self._base)
        self._ring.set_flags(Flag.ACTIVE)

    def resume(self) -> None:
        """Go on from the last gap between words before the cut."""
        if not self._is_open or not self._is_held:
            return
        self._is_held = False
        restart = self._word_boundary_before(self._queued)
        self._base = self._ring.written - restart
        self._queued = restart
        self._fade_in_at(restart)
        self._fill()

    def drop(self) -> str:
        """End the utterance where it is; what was heard of it."""
        self.hold()
        heard = self.heard_text()
        self._is_open = False
        return heard

    def heard_text(self) -> str:
        """The words that have gone out on the line, the cut clause pro rata."""
        heard_to = self._total if not self._is_open else min(self._queued, self._ring.position - self._base)
        parts = []
        for clause in self._clauses:
            if clause.end <= heard_to:
                parts.append(clause.text)
            elif clause.start < heard_to:
                words = clause.text.split()
                share = (heard_to - clause.start) / (clause.end - clause.start)
                parts.append(" ".join(words[: int(len(words) * share)]))
        return " ".join(part for part in parts if part)

    @property
    def left_words(self) -> int:
        """Words of what is prepared that have not gone out, those of the clause at hand pro rata."""
        return sum(len(clause.text.split()) for clause in self._clauses) - len(self.heard_text().split())

    @property
    def left_ms(self) -> int:
        """Sound that is prepared and not yet played."""
        return samples_to_ms(max(0, self._base + self._total - self._ring.position)) if self._is_open else 0

    def _slice(self, start: int, end: int) -> Pcm16:
        pieces = []
        at = 0
        for chunk in self._chunks:
            if at + len(chunk) > start and at < end:
                pieces.append(chunk[max(0, start - at) : end - at])
            at += len(chunk)
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int16)

    def _word_boundary_before(self, sample: int) -> int:
        start = max(0, sample - _LONGEST_REWIND)
        pcm = self._slice(start, sample).astype(np.float32)
        windows = len(pcm) // _QUIET_WINDOW
        if windows < 2:
            return start
        energy = np.square(pcm[: windows * _QUIET_WINDOW]).reshape(windows, _QUIET_WINDOW).mean(axis=1)
        return start + int(np.argmin(energy)) * _QUIET_WINDOW

    def _fade_in_at(self, sample: int) -> None:
        at = 0
        for index, chunk in enumerate(self._chunks):
            if at <= sample < at + len(chunk):
                faded = chunk.copy()
                part = faded[sample - at : sample - at + _FADE]
                part[:] = (part * np.linspace(0.0, 1.0, len(part), dtype=np.float32)).astype(np.int16)
                self._chunks[index] = faded
                return
            at += len(chunk)
