"""Hearing one caller: ring → voice activity → the turn's sound → text and end-of-turn score.

::

    from_line, played ──32 ms──▶ VAD, echo gate ──▶ VoiceStarted / VoiceStopped ──▶ turn machine
                        └──▶ pre-roll ──▶ the turn's sound ──stt lane──▶ TextHeard
                                                          └──eot lane──▶ EndScored

The call thread listens; the jobs run on lanes and answer through the call's mailbox.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog

from sipagent.call.turn_events import AttemptFailed, EndScored, Event, TextHeard, VoiceStarted, VoiceStopped
from sipagent.call.work import Lane, Priority, Waited
from sipagent.errors import EngineError
from sipagent.media.ring import AudioRings, PcmRing
from sipagent.speech import vad
from sipagent.speech.echo import EchoGate
from sipagent.speech.types import Cancelled, SttStream, never_cancelled
from sipagent.units import Pcm16, monotonic_ms, ms_to_samples

_PREROLL_WINDOWS = 12
"""Sound from before the voice was certain that belongs to the turn."""
_END_MODEL_SAMPLES = ms_to_samples(8000)
_ASK_ECHO_PROBABILITY = 0.3
_ECHO_UNEXPLAINED = 0.55
"""Measured: echo alone at −6 to −20 dB leaves under 0.05, a caller over it mostly more than 0.6. Where the
jitter buffer drops or repeats a frame, the larger part of the window still explains half."""
_LONGEST_PENDING_SAMPLES = ms_to_samples(90_000)
"""More than the longest turn: of a sound that nobody ever asks about the end stays."""
_STREAM_FEED_SAMPLES = ms_to_samples(200)


@dataclass(frozen=True, slots=True)
class PartHeard:
    """The beginning of the caller's turn while it goes on; only streaming engines tell."""

    text: str


class EndModel(Protocol):
    """Scores how much a stretch of speech sounds finished."""

    def score(self, pcm: Pcm16) -> float:
        """0..1 for up to 8 s of 16 kHz PCM that end in the pause."""


@dataclass(frozen=True, slots=True)
class HearingEngines:
    """What an ear needs, shared by all calls."""

    vad: vad.VadModel
    end_model: EndModel | None
    stt_lane: Lane
    eot_lane: Lane
    is_streaming: bool


class Ear:
    """One call's hearing. All methods are for the call thread."""

    def __init__(
        self,
        rings: AudioRings,
        engines: HearingEngines,
        stream: SttStream,
        post: Callable[[object], None],
        log: structlog.stdlib.BoundLogger,
        tap: Callable[[Pcm16, Pcm16], None] | None = None,
        watch: Callable[[Pcm16, float], None] | None = None,
    ) -> None:
        """:param tap: gets every window of the line and what was played meanwhile; must be quick.
        :param watch: gets every window that is listened to and its probability of voice.
        """
        self._tap = tap
        self._watch = watch
        self._ring = rings.from_line
        self._played_ring = rings.played
        self._echo = EchoGate()
        self._played = np.zeros(0, dtype=np.int16)
        self._engines = engines
        self._stream = stream
        self._post = post
        self._log = log
        self._vad = engines.vad.open()
        self._tracker = vad.VoiceTracker()
        self._heard_samples = 0
        self._window = np.zeros(0, dtype=np.int16)
        self._preroll: deque[Pcm16] = deque(maxlen=_PREROLL_WINDOWS)
        self._turn: deque[Pcm16] = deque(maxlen=_END_MODEL_SAMPLES // vad.WINDOW_SAMPLES)
        self._is_collecting = False
        self._pending: deque[Pcm16] = deque(maxlen=_LONGEST_PENDING_SAMPLES // vad.WINDOW_SAMPLES)
        self._pending_samples = 0
        self._needs_reset = False
        self.guides_attempt = -1
        """Marks a text that the guide has asked for, of what came since ``forget``: no attempt of the turn
        machine's is below zero."""
        self._pending_lock = threading.Lock()
        self._stream_lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Ear(collecting={self._is_collecting}, turn_windows={len(self._turn)})"

    @property
    def has_heard(self) -> bool:
        """Somebody has spoken since ``forget``."""
        return self._is_collecting

    def listen(self) -> list[Event]:
        """Take what the line has brought; the voice events in it, oldest first."""
        events: list[Event] = []
        for window, played in self._windows(self._played_ring):
            self._echo.push(window, played)
            voice = self._voice_probability(window)
            if self._watch is not None:
                self._watch(window, voice)
            change = self._tracker.step(voice, self._heard_samples)
            self._heard_samples += len(window)
            if isinstance(change, vad.VoiceStarted):
                events.append(VoiceStarted(self._time_of_ms(change.at_sample)))
            elif isinstance(change, vad.VoiceStopped):
                events.append(VoiceStopped(self._time_of_ms(change.at_sample)))
            self._keep(window, is_voice=self._tracker.is_voice)
        return events

    def pass_over(self, beside: PcmRing | None = None) -> None:
        """Take what the line has brought without listening to it; it is recorded as ever.

        :param beside: of whom the caller hears instead of the agent.
        """
        if beside is not None:
            self._played_ring.read(self._played_ring.capacity)
        for window, _ in self._windows(beside or self._played_ring):
            self._heard_samples += len(window)
        self._preroll.clear()

    def _windows(self, played_ring: PcmRing) -> Iterator[tuple[Pcm16, Pcm16]]:
        """What has come in whole windows, and what was played meanwhile."""
        self._window = np.concatenate((self._window, self._ring.read(self._ring.capacity)))
        self._played = np.concatenate((self._played, played_ring.read(played_ring.capacity)))
        while len(self._window) >= vad.WINDOW_SAMPLES:
            window, self._window = np.split(self._window, [vad.WINDOW_SAMPLES])
            played, self._played = np.split(self._played, [min(len(self._played), vad.WINDOW_SAMPLES)])
            if self._tap is not None:
                self._tap(window, played)
            yield window, played

    def transcribe(
        self, attempt: int, cancelled: Cancelled, waited: Waited, *, is_final: bool, hint: str = ""
    ) -> None:
        """Ask for the text of the turn so far; the answer is TextHeard or AttemptFailed.

        :param hint: what it may look like in writing.
        """

        def job() -> None:
            try:
                with self._stream_lock:
                    self._feed()
                    transcript = self._stream.snapshot(cancelled, hint)
            except EngineError as error:
                self._log.warning("stt.failed", reason=str(error))
                self._post(AttemptFailed(attempt, monotonic_ms()))
            else:
                self._post(TextHeard(attempt, transcript.text, monotonic_ms(), transcript.confidence))

        priority = Priority.FIRST_CLAUSE if is_final else Priority.SPECULATION
        self._engines.stt_lane.submit(job, priority=priority, cancelled=cancelled, waited=waited)

    def score_end(self, attempt: int, cancelled: Cancelled, waited: Waited) -> None:
        """Ask how finished the turn sounds; the answer is EndScored. A failing model only costs time."""
        end_model = self._engines.end_model
        if end_model is None or not self._turn:
            return
        pcm = np.concatenate(self._turn)[-_END_MODEL_SAMPLES:]

        def job() -> None:
            try:
                self._post(EndScored(attempt, end_model.score(pcm)))
            except EngineError as error:
                self._log.warning("end_model.failed", reason=str(error))

        self._engines.eot_lane.submit(job, priority=Priority.FIRST_CLAUSE, cancelled=cancelled, waited=waited)

    def forget(self, keep_ms: int = 0) -> None:
        """The turn is over, or was not for us: the next voice begins a new one.

        :param keep_ms: of its sound that the turn goes on with.
        """
        kept = list(self._turn)[-(ms_to_samples(keep_ms) // vad.WINDOW_SAMPLES) :] if keep_ms else []
        self._is_collecting = bool(kept)
        self._turn.clear()
        self._turn.extend(kept)
        self.guides_attempt -= 1
        with self._pending_lock:
            self._pending.clear()
            self._pending.extend(kept)
            self._pending_samples = sum(map(len, kept))
            self._needs_reset = True

    def close(self) -> None:
        """Free the stream once its running job is done. The call's end waits for that job at most."""
        with self._stream_lock:
            self._stream.close()

    def _voice_probability(self, window: Pcm16) -> float:
        """Voice that is not our own coming back."""
        probability = self._vad.probability(window)
        if probability >= _ASK_ECHO_PROBABILITY and self._echo.unexplained() < _ECHO_UNEXPLAINED:
            return 0.0
        return probability

    def _time_of_ms(self, sample: int) -> int:
        return self._ring.time_of_ms(sample, is_read=False)

    def _keep(self, window: Pcm16, *, is_voice: bool) -> None:
        if not self._is_collecting:
            self._preroll.append(window)
            if not is_voice:
                return
            self._is_collecting = True
            windows = list(self._preroll)
            self._preroll.clear()
        else:
            windows = [window]
        self._turn += windows
        with self._pending_lock:
            self._pending += windows
            self._pending_samples += sum(map(len, windows))
            is_due = self._engines.is_streaming and self._pending_samples >= _STREAM_FEED_SAMPLES
        if is_due:
            self._engines.stt_lane.submit(
                self._feed_job, priority=Priority.SPECULATION, cancelled=lambda: False
            )

    def _feed_job(self) -> None:
        """Keep a streaming engine up to date, and tell what it is sure of so far."""
        with self._stream_lock:
            self._feed()
            text = self._stream.partial(never_cancelled).text
        stable = text.rpartition(" ")[0]  # the last word may still change
        if stable:
            self._post(PartHeard(stable))

    def _feed(self) -> None:
        """Give the stream what has come since last time. Stream lock held."""
        with self._pending_lock:
            pcm, self._pending_samples = list(self._pending), 0
            self._pending.clear()
            needs_reset, self._needs_reset = self._needs_reset, False
        if needs_reset:
            self._stream.reset()
        if pcm:
            self._stream.accept(np.concatenate(pcm))
