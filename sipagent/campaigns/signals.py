"""Tones with a meaning: special information tones, busy, fax, a voicemail's beep. Pure, fed window by window.

Frequencies and cadences: ITU-T E.180 and its supplement (busy, congestion), E.180 §6 (SIT), T.30 (CNG, CED).
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

_SAME_HZ = 22.0
"""Two windows belong to one tone where their frequencies differ by less."""
_MIN_TONE_MS = 96


class Signal(StrEnum):
    """What a tone says."""

    SIT = "sit"
    """The network: no such number, or no line free."""
    BUSY = "busy"
    CONGESTION = "congestion"
    FAX = "fax"
    BEEP = "beep"
    """One tone that means: speak now. Told when it has ended."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One tone from its first to its last window."""

    hz: tuple[float, ...]
    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.start_ms

    def is_near(self, *hz: float, within: float = 30.0) -> bool:
        return len(hz) == len(self.hz) and all(abs(a - b) <= within for a, b in zip(self.hz, hz, strict=True))


_BUSY_HZ = ((480.0, 620.0), (425.0,), (400.0,), (450.0,))
_SIT_HZ = (950.0, 1400.0, 1777.0)
_LONGEST_BEEP_MS = 1700
"""Ringing is longer."""
_CNG_HZ, _CED_HZ = 1100.0, 2100.0
_RINGING_MS = 700
"""A tone of busy's frequencies that lasts longer is ringing, or a dial tone."""


class SignalFinder:
    """Follows one line's tones. Not thread-safe; the time is counted in windows."""

    def __init__(self) -> None:
        self._current: _Stretch | None = None
        self._past: list[_Stretch] = []
        self._told: set[Signal] = set()

    def __repr__(self) -> str:
        return f"SignalFinder({len(self._past)} tones, now {self._current})"

    @property
    def is_sounding(self) -> bool:
        """A tone has lasted long enough to be one."""
        return self._current is not None and self._current.duration_ms >= _MIN_TONE_MS

    def step(self, hz: tuple[float, ...], start_ms: int, end_ms: int, *, after_speech: bool) -> Signal | None:
        """Take the next window.

        :param hz: the tones in it.
        :param after_speech: somebody has spoken before: 1100 Hz is then a beep rather than a fax.
        """
        found = self._signal_while_on(after_speech=after_speech)
        current = self._current
        if current is not None and _is_same(current.hz, hz):
            self._current = _Stretch(current.hz, current.start_ms, end_ms)
            return found
        if current is not None and current.duration_ms >= _MIN_TONE_MS:
            self._past = [*self._past[-7:], current]
            found = found or self._signal_at_end(after_speech=after_speech)
        self._current = _Stretch(hz, start_ms, end_ms) if hz else None
        return found

    def _signal_while_on(self, *, after_speech: bool) -> Signal | None:
        """Fax tones are told while they sound."""
        now = self._current
        if now is None or Signal.FAX in self._told:
            return None
        is_ced = now.is_near(_CED_HZ) and now.duration_ms >= 600
        is_cng = now.is_near(_CNG_HZ, within=45.0) and now.duration_ms >= 420 and not after_speech
        if not (is_ced or is_cng):
            return None
        self._told.add(Signal.FAX)
        return Signal.FAX

    def _signal_at_end(self, *, after_speech: bool) -> Signal | None:
        last = self._past[-1]
        if self._is_sit():
            return Signal.SIT
        if cadence := self._busy_cadence():
            return cadence
        is_busy_like = not after_speech and any(last.is_near(*hz) for hz in _BUSY_HZ)
        is_announcing = not after_speech and self._begins_sit()
        is_fax_like = not after_speech and (last.is_near(_CED_HZ) or last.is_near(_CNG_HZ, within=45.0))
        is_other = is_busy_like or is_announcing or is_fax_like
        if len(last.hz) != 1 or is_other or last.duration_ms > _LONGEST_BEEP_MS:
            return None
        return Signal.BEEP

    def _begins_sit(self) -> bool:
        """The latest tones are the first, or the first two, of the three."""
        for count in (1, 2):
            last = self._past[-count:]
            if len(last) == count and all(_is_part(tone, n) for n, tone in enumerate(last)):
                return True
        return False

    def _is_sit(self) -> bool:
        if len(self._past) < 3:
            return False
        last = self._past[-3:]
        return all(_is_part(tone, n) for n, tone in enumerate(last))

    def _busy_cadence(self) -> Signal | None:
        """Three equal tones of busy with equal pauses between."""
        last = self._past[-3:]
        if len(last) < 3 or not any(all(tone.is_near(*hz) for tone in last) for hz in _BUSY_HZ):
            return None
        gaps = [b.start_ms - a.end_ms for a, b in pairwise(last)]
        longest = max(tone.duration_ms for tone in last)
        if longest > _RINGING_MS or not all(120 <= gap <= _RINGING_MS for gap in gaps):
            return None
        return Signal.CONGESTION if longest <= 340 else Signal.BUSY


def _is_part(tone: _Stretch, n: int) -> bool:
    """The n-th of the information tones; their frequencies say why, and differ by up to 40 Hz for it."""
    return tone.is_near(_SIT_HZ[n], within=45.0) and tone.duration_ms <= 450


def _is_same(old: tuple[float, ...], new: tuple[float, ...]) -> bool:
    return len(old) == len(new) and all(abs(a - b) < _SAME_HZ for a, b in zip(old, new, strict=True))
