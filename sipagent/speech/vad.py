"""Is somebody speaking? Silero's model says so for each 32 ms; the tracker turns that into voice and silence.

pcm 16 kHz → windows of 512 → Vad.probability → VoiceTracker.step → VoiceStarted, VoiceStopped
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from sipagent.errors import EngineError, ModelError
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, samples_to_ms

WINDOW_SAMPLES = 512
WINDOW_MS = samples_to_ms(WINDOW_SAMPLES)

_CONTEXT_SAMPLES = 64  # the model reads the end of the window before
_REFRESH_WINDOWS = 64  # 2 s: minutes of hiss or music leave the state deaf to the speech after it
_QUIET_WINDOWS = 6
_QUIET_PROBABILITY = 0.1


class VadModel:
    """Silero VAD, loaded once and shared by every call. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """:raises ModelError: ``path`` is missing or not the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # onnxruntime has no common base for its errors
            raise ModelError(f"{path}: not a usable voice activity model: {exc}") from exc
        names = {i.name for i in self._session.get_inputs()}
        if not {"input", "state", "sr"} <= names:
            raise ModelError(f"{path}: not Silero VAD v5 or later: its inputs are {sorted(names)}")

    def open(self) -> "Vad":
        """The ear of one call."""
        return Vad(self._session)


class Vad:
    """One call's voice activity. Not thread-safe."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._input = np.zeros((1, _CONTEXT_SAMPLES + WINDOW_SAMPLES), dtype=np.float32)
        self._rate = np.array(SAMPLE_RATE_HZ, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._input.fill(0.0)
        self._state: npt.NDArray[np.float32] = np.zeros((2, 1, 128), dtype=np.float32)
        self._windows = 0
        self._quiet_windows = 0

    def probability(self, window: Pcm16) -> float:
        """Probability 0..1 that somebody speaks in ``window``, given those before it.

        :param window: shape ``(512,)``, int16, 16 kHz; the one right after the last.
        :raises ValueError: another shape.
        :raises EngineError: the model failed.
        """
        if window.shape != (WINDOW_SAMPLES,):
            raise ValueError(f"vad: window needs shape ({WINDOW_SAMPLES},), got {window.shape}")
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        np.multiply(window, np.float32(1 / 32768.0), out=self._input[0, _CONTEXT_SAMPLES:])
        try:
            output, self._state = self._session.run(
                None, {"input": self._input, "state": self._state, "sr": self._rate}
            )
        except Exception as exc:  # onnxruntime has no common base for its errors
            raise EngineError(f"vad: the model failed: {exc}") from exc
        probability = float(output[0, 0])
        self._refresh(probability)
        return probability

    def _refresh(self, probability: float) -> None:
        """In lasting quiet, start the recurrent state afresh now and then."""
        self._windows += 1
        self._quiet_windows = self._quiet_windows + 1 if probability < _QUIET_PROBABILITY else 0
        if self._windows >= _REFRESH_WINDOWS and self._quiet_windows >= _QUIET_WINDOWS:
            self._state = np.zeros_like(self._state)
            self._windows = 0


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Somebody speaks."""

    at_sample: int
    """First sample of the first voiced window."""


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """Nobody speaks any more."""

    at_sample: int
    """One past the last voiced sample."""


VoiceEvent = VoiceStarted | VoiceStopped


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRule:
    """When windows make voice, and when they make silence."""

    on_probability: float = 0.5
    off_probability: float = 0.35
    min_voice_ms: int = 64
    """Voice shorter than this is a click."""
    min_silence_ms: int = 64
    """Silence shorter than this lies inside a word."""


class VoiceTracker:
    """Voice and silence with hysteresis. Pure: the time is the sample count passed in.

    ``silence_ms`` runs from the last voiced sample, so it already counts while ``VoiceStopped`` is still held
    back: whoever looks for pauses reads it after each step.
    """

    def __init__(self, rule: VoiceRule | None = None) -> None:
        self._rule = rule or VoiceRule()
        self.is_voice = False
        """Between ``VoiceStarted`` and ``VoiceStopped``."""
        self._now_sample = 0
        self._run_sample: int | None = None  # first sample of the run of voiced windows
        self._last_voiced_sample: int | None = None

    def __repr__(self) -> str:
        return f"VoiceTracker(voice={self.is_voice}, silence={self.silence_ms} ms)"

    @property
    def silence_ms(self) -> int:
        """Time since the last voiced sample; since the first sample where nobody has spoken yet."""
        return samples_to_ms(self._now_sample - (self._last_voiced_sample or 0))

    @property
    def voice_ms(self) -> int:
        """Length of the current stretch of voice so far, short gaps included; 0 in silence."""
        if not self.is_voice or self._run_sample is None or self._last_voiced_sample is None:
            return 0
        return samples_to_ms(self._last_voiced_sample - self._run_sample)

    def step(self, probability: float, at_sample: int) -> VoiceEvent | None:
        """Take the next window.

        :param at_sample: the window's first sample, counted from the start of the call; not before the last.
        """
        self._now_sample = at_sample + WINDOW_SAMPLES
        return self._while_voice(probability) if self.is_voice else self._while_silent(probability, at_sample)

    def _while_voice(self, probability: float) -> VoiceEvent | None:
        if probability >= self._rule.off_probability:
            self._last_voiced_sample = self._now_sample
            return None
        if self.silence_ms < self._rule.min_silence_ms:
            return None
        self.is_voice, self._run_sample = False, None
        assert self._last_voiced_sample is not None  # voice has begun
        return VoiceStopped(self._last_voiced_sample)

    def _while_silent(self, probability: float, at_sample: int) -> VoiceEvent | None:
        if probability < self._rule.on_probability:
            self._run_sample = None
            return None
        if self._run_sample is None:
            self._run_sample = at_sample
        if samples_to_ms(self._now_sample - self._run_sample) < self._rule.min_voice_ms:
            return None
        self.is_voice, self._last_voiced_sample = True, self._now_sample
        return VoiceStarted(self._run_sample)
