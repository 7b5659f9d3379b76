"""Levels, gain, limiting and fades. Levels are dBov: 0 dBov is a full-scale square wave (ITU-T G.100.1)."""

from threading import Lock

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from sipagent.units import SAMPLE_RATE_HZ, Pcm16, PcmFloat, ms_to_samples, to_float, to_int16

SILENCE_DBOV = -96.0
"""What digital silence is called."""
SPEECH_TARGET_DBOV = -20.0
"""Active speech level of the agent on the line."""
CEILING_DBOV = -1.0
"""Peaks are held below this: G.711 and resampling after us may overshoot a little."""

_FRAME_MS = 20
_ACTIVITY_MARGIN_DB = 15.9  # ITU-T P.56: speech is what lies less than this below the active level
_LOOKAHEAD_MS = 4
_NOTHING_TO_LEVEL_DBOV = -70.0

_Float64 = npt.NDArray[np.float64]


def rms_dbov(pcm: Pcm16) -> float:
    """Mean level of int16 ``pcm``; ``SILENCE_DBOV`` at the least, also for no samples."""
    if pcm.size == 0:
        return SILENCE_DBOV
    return _power_dbov(float(np.mean(np.square(pcm.astype(np.float64)))))


def active_level_dbov(pcm: Pcm16, rate_hz: int = SAMPLE_RATE_HZ) -> float:
    """Level of the parts of ``pcm`` that are speech, so that pauses do not count (after ITU-T P.56).

    The level is that of the 20 ms frames less than 15.9 dB below it, found by iteration.
    """
    frame = ms_to_samples(_FRAME_MS, rate_hz)
    whole = pcm.size // frame * frame
    if whole == 0:
        return rms_dbov(pcm)
    powers = np.mean(np.square(pcm[:whole].astype(np.float64)).reshape(-1, frame), axis=1)
    level_dbov = _power_dbov(float(powers.mean()))
    for _ in range(20):  # the level only rises: frames leave, none come back
        active = powers[powers > _dbov_power(level_dbov - _ACTIVITY_MARGIN_DB)]
        if active.size == 0:
            return level_dbov
        risen_dbov = _power_dbov(float(active.mean()))
        if risen_dbov - level_dbov < 0.01:
            return risen_dbov
        level_dbov = risen_dbov
    return level_dbov


def limit(pcm: PcmFloat, rate_hz: int = SAMPLE_RATE_HZ, *, ceiling_dbov: float = CEILING_DBOV) -> PcmFloat:
    """Turn peaks down to the ceiling, smoothly and ahead of time, without clipping the wave.

    :param pcm: float32, may exceed 1. What has no peaks comes back as it is.
    """
    ceiling = _ratio(ceiling_dbov)
    magnitude = np.abs(pcm)
    if pcm.size == 0 or float(magnitude.max()) <= ceiling:
        return pcm
    needed = ceiling / np.maximum(magnitude, ceiling).astype(np.float64)
    width = 2 * ms_to_samples(_LOOKAHEAD_MS, rate_hz) + 1
    held: _Float64 = minimum_filter1d(needed, size=width, mode="nearest")
    smooth: _Float64 = uniform_filter1d(held, size=width, mode="nearest")
    gain = np.minimum(smooth, needed)  # equal but for rounding
    limited: PcmFloat = (pcm * gain).astype(np.float32)
    return limited


def apply_gain(pcm: Pcm16, gain_db: float, rate_hz: int = SAMPLE_RATE_HZ) -> Pcm16:
    """``pcm`` louder or softer by ``gain_db``, its peaks limited."""
    return to_int16(limit(to_float(pcm) * np.float32(_ratio(gain_db)), rate_hz))


def level_to(
    pcm: Pcm16,
    target_dbov: float = SPEECH_TARGET_DBOV,
    rate_hz: int = SAMPLE_RATE_HZ,
    *,
    max_gain_db: float = 40.0,
) -> Pcm16:
    """Bring the active speech level of ``pcm`` to ``target_dbov``. Silence stays silence."""
    level_dbov = active_level_dbov(pcm, rate_hz)
    if level_dbov <= _NOTHING_TO_LEVEL_DBOV:
        return pcm
    return apply_gain(pcm, min(target_dbov - level_dbov, max_gain_db), rate_hz)


class Leveller:
    """Keeps one voice at the target, clause after clause, without jumps between them.

    The gain belongs to the voice: it follows the clauses slowly, and only a clause that would stray
    more than ``tolerance_db`` from the target is brought back to that distance. Thread-safe.
    """

    _FOLLOW = 0.25
    _FULL_WEIGHT_MS = 1000

    def __init__(self, target_dbov: float = SPEECH_TARGET_DBOV, *, tolerance_db: float = 1.5) -> None:
        self.target_dbov = target_dbov
        self._tolerance_db = tolerance_db
        self._gain_db: float | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Leveller({self.target_dbov} dBov, gain {self._gain_db} dB)"

    def apply(self, pcm: Pcm16, rate_hz: int = SAMPLE_RATE_HZ) -> Pcm16:
        """One clause of the voice, levelled and limited."""
        return apply_gain(pcm, self._gain_for(pcm, rate_hz), rate_hz)

    def _gain_for(self, pcm: Pcm16, rate_hz: int) -> float:
        level_dbov = active_level_dbov(pcm, rate_hz)
        with self._lock:
            if level_dbov <= _NOTHING_TO_LEVEL_DBOV:
                return self._gain_db or 0.0
            ideal_db = self.target_dbov - level_dbov
            if self._gain_db is None:
                self._gain_db = ideal_db
            weight = self._FOLLOW * min(pcm.size / ms_to_samples(self._FULL_WEIGHT_MS, rate_hz), 1.0)
            self._gain_db += weight * (ideal_db - self._gain_db)
            return min(max(self._gain_db, ideal_db - self._tolerance_db), ideal_db + self._tolerance_db)


def fade_in(pcm: Pcm16, duration_ms: int, rate_hz: int = SAMPLE_RATE_HZ) -> Pcm16:
    """A copy whose first ``duration_ms`` (or all, if shorter) rise from nothing as a raised cosine."""
    faded = pcm.copy()
    samples = min(ms_to_samples(duration_ms, rate_hz), pcm.size)
    if samples:
        faded[:samples] = np.rint(faded[:samples] * _ramp(samples))
    return faded


def fade_out(pcm: Pcm16, duration_ms: int, rate_hz: int = SAMPLE_RATE_HZ) -> Pcm16:
    """A copy whose last ``duration_ms`` (or all, if shorter) fall to nothing as a raised cosine."""
    return fade_in(pcm[::-1], duration_ms, rate_hz)[::-1].copy()


def trim_silence(
    pcm: Pcm16, rate_hz: int = SAMPLE_RATE_HZ, *, keep_ms: int = 10, floor_db: float = 40.0
) -> Pcm16:
    """``pcm`` without its quiet ends: all but ``keep_ms`` of what lies ``floor_db`` below the loudest 5 ms.

    A view, not a copy. Empty where nothing is above −70 dBov.
    """
    hop = ms_to_samples(5, rate_hz)
    whole = pcm.size // hop * hop
    if whole == 0:
        return pcm[:0] if rms_dbov(pcm) <= _NOTHING_TO_LEVEL_DBOV else pcm
    powers = np.mean(np.square(pcm[:whole].astype(np.float64)).reshape(-1, hop), axis=1)
    floor = max(float(powers.max()) * 10 ** (-floor_db / 10), _dbov_power(_NOTHING_TO_LEVEL_DBOV))
    loud = np.flatnonzero(powers > floor)
    if loud.size == 0:
        return pcm[:0]
    keep = ms_to_samples(keep_ms, rate_hz)
    return pcm[max(int(loud[0]) * hop - keep, 0) : (int(loud[-1]) + 1) * hop + keep]


def _ramp(samples: int) -> _Float64:
    phase: _Float64 = np.pi * np.arange(samples) / samples
    return 0.5 - 0.5 * np.cos(phase)


def _ratio(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20))


def _power_dbov(power: float) -> float:
    if power <= 0:
        return SILENCE_DBOV
    return max(float(10 * np.log10(power / 32768.0**2)), SILENCE_DBOV)


def _dbov_power(level_dbov: float) -> float:
    return float(32768.0**2 * 10 ** (level_dbov / 10))
