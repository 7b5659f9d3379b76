"""Tones: DTMF both ways, ringback and beeps."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sipagent.codecs.level import fade_in, fade_out
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, ms_to_samples

DTMF_DIGITS = "123A456B789C*0#D"
"""ITU-T Q.23, row by row."""
ROWS_HZ = (697, 770, 852, 941)
COLUMNS_HZ = (1209, 1336, 1477, 1633)

_EDGE_MS = 2
_BLOCK_MS = 24
_STEP_MS = 12
_STEADY_BLOCKS = 2  # about 36 ms: Q.24 lets a receiver accept 40 ms and must refuse 23 ms
_MIN_DBOV = -45.0
_PURITY = 0.8
_MAX_TWIST_DB = 9.0  # Q.24 asks for 4..8; the line adds its own
_NEXT_BEST_DB = 6.0


def sine(frequencies_hz: tuple[int, ...], duration_ms: int, *, level_dbov: float, rate_hz: int) -> Pcm16:
    """Sines of equal amplitude that together have ``level_dbov``, with 2 ms edges."""
    count = ms_to_samples(duration_ms, rate_hz)
    time_s = np.arange(count) / rate_hz
    amplitude = 32768.0 * 10 ** (level_dbov / 20) * np.sqrt(2.0 / len(frequencies_hz))
    wave = np.zeros(count)
    for frequency_hz in frequencies_hz:
        wave += amplitude * np.sin(2 * np.pi * frequency_hz * time_s)
    pcm: Pcm16 = np.clip(np.rint(wave), -32768, 32767).astype(np.int16)
    return fade_out(fade_in(pcm, _EDGE_MS, rate_hz), _EDGE_MS, rate_hz)


def silence(duration_ms: int, rate_hz: int = SAMPLE_RATE_HZ) -> Pcm16:
    """Zeros."""
    return np.zeros(ms_to_samples(duration_ms, rate_hz), dtype=np.int16)


def dtmf(
    digits: str,
    *,
    on_ms: int = 100,
    off_ms: int = 80,
    level_dbov: float = -13.0,
    rate_hz: int = SAMPLE_RATE_HZ,
) -> Pcm16:
    """The tones of ``digits``, each followed by ``off_ms`` of silence.

    :raises ValueError: a character that is no DTMF digit.
    """
    parts: list[Pcm16] = [silence(0, rate_hz)]
    for digit in digits.upper():
        place = DTMF_DIGITS.find(digit)
        if place < 0:
            raise ValueError(f"dtmf: {digit!r} is none of {DTMF_DIGITS}")
        pair = (ROWS_HZ[place // 4], COLUMNS_HZ[place % 4])
        parts += [sine(pair, on_ms, level_dbov=level_dbov, rate_hz=rate_hz), silence(off_ms, rate_hz)]
    return np.concatenate(parts)


def ringback(cycles: int = 1, *, level_dbov: float = -19.0, rate_hz: int = SAMPLE_RATE_HZ) -> Pcm16:
    """North American ringback: 440 + 480 Hz, 2 s on, 4 s off, ``cycles`` times."""
    ring = sine((440, 480), 2000, level_dbov=level_dbov, rate_hz=rate_hz)
    return np.tile(np.concatenate([ring, silence(4000, rate_hz)]), cycles)


def beep(
    duration_ms: int = 200,
    *,
    frequency_hz: int = 1000,
    level_dbov: float = -19.0,
    rate_hz: int = SAMPLE_RATE_HZ,
) -> Pcm16:
    """One tone, as before a recording."""
    return sine((frequency_hz,), duration_ms, level_dbov=level_dbov, rate_hz=rate_hz)


def goertzel_power(pcm: Pcm16, frequency_hz: float, rate_hz: int = SAMPLE_RATE_HZ) -> float:
    """Power of the sine at ``frequency_hz`` in ``pcm``, 0..1 where 1 is full scale squared.

    What Goertzel's recursion gives, as one dot product (the same sum, and numpy's loop is faster).
    """
    if pcm.size == 0:
        return 0.0
    turns = -2j * np.pi * frequency_hz / rate_hz * np.arange(pcm.size)
    amplitude = 2 * abs(complex(np.dot(pcm.astype(np.float64), np.exp(turns)))) / (32768.0 * pcm.size)
    return amplitude**2 / 2


@dataclass(frozen=True, slots=True)
class DtmfHeard:
    """A digit that has begun."""

    digit: str
    at_samples: int
    """Where the detector was sure, counted from the stream's first sample."""


class DtmfDetector:
    """Finds in-band DTMF digits in one stream, each once. Not thread-safe.

    A digit must hold its place for about 36 ms, be most of the energy, and have plausible twist, so
    that speech is not taken for it; it is reported while it still sounds.
    """

    def __init__(self, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._block = ms_to_samples(_BLOCK_MS, rate_hz)
        self._step = ms_to_samples(_STEP_MS, rate_hz)
        turns = np.outer(np.array(ROWS_HZ + COLUMNS_HZ), np.arange(self._block)) / rate_hz
        window = np.hanning(self._block + 2)[1:-1]
        self._probes: npt.NDArray[np.complex128] = np.exp(-2j * np.pi * turns) * window
        self._window: npt.NDArray[np.float64] = window
        self._pending: Pcm16 = np.zeros(0, dtype=np.int16)
        self._consumed = 0
        self._candidate = ""
        self._steady = 0
        self._missed = 0
        self._sounding = ""

    def __repr__(self) -> str:
        return f"DtmfDetector(sounding {self._sounding!r}, {self._consumed} samples)"

    def push(self, pcm: Pcm16) -> list[DtmfHeard]:
        """Digits that begin to be certain within ``pcm`` (any length), oldest first."""
        self._pending = np.concatenate([self._pending, pcm])
        heard: list[DtmfHeard] = []
        start = 0
        while start + self._block <= self._pending.size:
            found = self._classify(self._pending[start : start + self._block])
            if self._follow(found):
                heard.append(DtmfHeard(found, self._consumed + start + self._block))
            start += self._step
        self._pending = self._pending[start:].copy()
        self._consumed += start
        return heard

    def _follow(self, found: str) -> bool:
        """Count steady blocks; true once for each digit, when it is certain."""
        self._steady = self._steady + 1 if found and found == self._candidate else 1
        self._candidate = found
        if self._sounding:
            self._missed = 0 if found == self._sounding else self._missed + 1
            if self._missed >= 2:  # one bad block does not end a digit
                self._sounding = ""
        if found and found != self._sounding and self._steady >= _STEADY_BLOCKS:
            self._sounding, self._missed = found, 0
            return True
        return False

    def _classify(self, block: Pcm16) -> str:
        scaled = block.astype(np.float64) / 32768.0
        energy = float(np.sum(np.square(scaled * self._window)))
        if energy <= 10 ** (_MIN_DBOV / 10) * float(np.sum(np.square(self._window))):
            return ""
        powers = np.square(np.abs(self._probes @ scaled))
        rows, columns = powers[:4], powers[4:]
        row, column = int(rows.argmax()), int(columns.argmax())
        # a windowed sine of power p has p·Σw² of energy and a probe power of p·(Σw)²/2
        whole = energy * float(np.sum(self._window)) ** 2 / (2 * float(np.sum(np.square(self._window))))
        if rows[row] + columns[column] < _PURITY * whole:
            return ""
        if abs(10 * np.log10(rows[row] / columns[column])) > _MAX_TWIST_DB:
            return ""
        for group, best in ((rows, row), (columns, column)):
            if np.delete(group, best).max() * 10 ** (_NEXT_BEST_DB / 10) > group[best]:
                return ""
        return DTMF_DIGITS[4 * row + column]
