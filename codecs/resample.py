"""Streaming change of the sample rate: a polyphase FIR whose output does not depend on the chunking.

::

    push(chunk) → [history | chunk] → zero-stuff ×up → low-pass → keep every down-th → PCM
                                      └──────────── upfirdn ────────────┘
"""

from functools import lru_cache
from math import ceil, gcd, pi

import numpy as np
import numpy.typing as npt
from scipy.signal import upfirdn

from sipagent.errors import AudioFormatError
from sipagent.units import Pcm16, PcmFloat

_STOPBAND_DB = 70.0
_PASSBAND = 0.875
"""Share of the lower rate's Nyquist band that passes untouched; at 1.0 the stop band begins."""
_TAP_SCALE = 1 << 24
"""Taps are whole numbers of this fraction: sums of int16 × tap stay exact in float64, in any order."""

_Float64 = npt.NDArray[np.float64]


@lru_cache(maxsize=16)
def _low_pass(up: int, down: int) -> tuple[_Float64, int]:
    """Taps at ``up`` times the input rate, whole numbers, each phase summing to ``_TAP_SCALE``; and the
    delay in output samples, made whole by zeros in front."""
    widest = max(up, down)
    transition = pi * (1.0 - _PASSBAND) / widest
    half = ceil((_STOPBAND_DB - 7.95) / (2.285 * transition) / 2)  # Kaiser's estimate of the length
    beta = 0.1102 * (_STOPBAND_DB - 8.7)  # Kaiser's formula above 50 dB
    cutoff = (1.0 + _PASSBAND) / 2 / widest
    kernel = cutoff * np.sinc(cutoff * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, beta)
    padding = -half % down
    taps = np.rint(np.concatenate([np.zeros(padding), kernel]) * (up * _TAP_SCALE))
    for phase in range(up):  # unity gain at 0 Hz in every phase: a constant stays a constant
        own = taps[phase::up]
        own[np.argmax(np.abs(own))] += _TAP_SCALE - own.sum()
    taps.flags.writeable = False
    return taps, (padding + half) // down


class _Polyphase:
    """The arithmetic shared by both sample types: float64 in, float64 out, in units of the input."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"resample: rates must be positive, got {from_hz} → {to_hz} Hz")
        self.from_hz, self.to_hz = from_hz, to_hz
        shared = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // shared, from_hz // shared
        self._taps, self._delay = _low_pass(self._up, self._down)
        self._taps_a_phase = -(-self._taps.size // self._up)
        self.reset()

    def reset(self) -> None:
        self._history: _Float64 = np.zeros(0)
        self._history_start = 0  # always a multiple of ``down``: keeps the phases aligned
        self._accepted = 0
        self._emitted = 0

    def push(self, samples: _Float64) -> _Float64:
        if self._up == self._down:
            return samples
        self._accepted += samples.size
        buffered = np.concatenate([self._history, samples])
        shift = self._delay - self._history_start // self._down * self._up
        complete = (buffered.size * self._up - 1) // self._down + 1 - shift
        if complete <= self._emitted:
            self._history = buffered
            return np.zeros(0)
        filtered = upfirdn(self._taps, buffered, self._up, self._down)
        output: _Float64 = filtered[self._emitted + shift : complete + shift] / _TAP_SCALE
        self._emitted = complete
        self._forget(buffered)
        return output

    def _forget(self, buffered: _Float64) -> None:
        """Keep only what outputs to come still need."""
        newest = (self._emitted + self._delay) * self._down // self._up
        oldest = max(newest - self._taps_a_phase, 0) // self._down * self._down
        drop = min(max(oldest - self._history_start, 0), buffered.size // self._down * self._down)
        self._history = buffered[drop:].copy()
        self._history_start += drop

    def flush(self) -> _Float64:
        if self._up == self._down:
            return np.zeros(0)
        missing = -(-self._accepted * self._up // self._down) - self._emitted
        tail = self.push(np.zeros(self._taps_a_phase + self._down))[:missing] if missing > 0 else np.zeros(0)
        self.reset()
        return tail


class StreamingResampler:
    """Resamples one mono int16 stream, chunk by chunk. Not thread-safe: one stream, one resampler.

    The output lies in time where the input did (the filter's delay is taken out), so ``push`` holds back
    a few milliseconds, which later input or ``flush`` releases. Any chunking gives the same samples.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """:raises ValueError: a rate that is not positive."""
        self._core = _Polyphase(from_hz, to_hz)

    def __repr__(self) -> str:
        return f"StreamingResampler({self._core.from_hz} → {self._core.to_hz} Hz)"

    def push(self, pcm: Pcm16) -> Pcm16:
        """The samples that ``pcm`` (any length, even 0) completes. Saturates instead of wrapping.

        :raises AudioFormatError: not one-dimensional int16.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise AudioFormatError(f"resample: need mono int16, got {pcm.dtype} with {pcm.ndim} dimensions")
        return _round(self._core.push(pcm.astype(np.float64)))

    def flush(self) -> Pcm16:
        """The rest, so that n samples have become ``ceil(n * to_hz / from_hz)``; then start afresh."""
        return _round(self._core.flush())


class StreamingFloatResampler:
    """The same for float32 streams (synthesizers' output). Any chunking agrees to float32 precision."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """:raises ValueError: a rate that is not positive."""
        self._core = _Polyphase(from_hz, to_hz)

    def __repr__(self) -> str:
        return f"StreamingFloatResampler({self._core.from_hz} → {self._core.to_hz} Hz)"

    def push(self, pcm: PcmFloat) -> PcmFloat:
        """The samples that ``pcm`` completes.

        :raises AudioFormatError: not one-dimensional float32.
        """
        if pcm.dtype != np.float32 or pcm.ndim != 1:
            raise AudioFormatError(f"resample: need mono float32, got {pcm.dtype} with {pcm.ndim} dimensions")
        return self._core.push(pcm.astype(np.float64)).astype(np.float32)

    def flush(self) -> PcmFloat:
        """The rest; then start afresh."""
        return self._core.flush().astype(np.float32)


def resample(pcm: Pcm16, from_hz: int, to_hz: int) -> Pcm16:
    """The whole of ``pcm`` at another rate: ``ceil(n * to_hz / from_hz)`` samples."""
    resampler = StreamingResampler(from_hz, to_hz)
    return np.concatenate([resampler.push(pcm), resampler.flush()])


def resample_float(pcm: PcmFloat, from_hz: int, to_hz: int) -> PcmFloat:
    """The same for float32."""
    resampler = StreamingFloatResampler(from_hz, to_hz)
    return np.concatenate([resampler.push(pcm), resampler.flush()])


def _round(samples: _Float64) -> Pcm16:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
