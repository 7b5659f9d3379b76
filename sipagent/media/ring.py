"""PCM rings: numpy memory with monotonic 64-bit positions, one writer and one reader each.

The memory is shared with the media clock's native code (``_bridge.c``), which only copies::

    PJMEDIA bridge ──put_frame──▶ from_line ──read──▶ hearing
    PJMEDIA bridge ◀──get_frame── to_line ◀──write── speaking
                        └───────▶ played ──read──▶ echo reference, recording
"""

import ctypes
import time
from enum import IntEnum, IntFlag

import numpy as np

from sipagent.units import FRAME_MS, SAMPLE_RATE_HZ, Pcm16, ms_to_samples


class Word(IntEnum):
    """The ring header's 64-bit words."""

    CAPACITY = 0
    WRITTEN = 1
    READ = 2
    UNDERRUNS = 3
    OVERRUNS = 4
    TICKS = 5
    LAST_TICK_NS = 6
    FLAGS = 7


class Flag(IntFlag):
    """What the media clock should do with a ring."""

    ACTIVE = 1
    """A call uses it; an inactive ring is left alone."""
    EXPECTING = 2
    """More speech is on its way: an empty ring is an underrun, not silence."""


_HEADER_SAMPLES = len(Word) * 8 // 2


class PcmRing:
    """A ring of 16 kHz samples. One writer, one reader; neither blocks the other."""

    def __init__(self, capacity_ms: int) -> None:
        capacity = ms_to_samples(capacity_ms)
        self._memory = np.zeros(_HEADER_SAMPLES + capacity, dtype=np.int16)
        self._words = (ctypes.c_int64 * len(Word)).from_buffer(self._memory.data)
        self._pcm = self._memory[_HEADER_SAMPLES:]
        self._words[Word.CAPACITY] = capacity

    def __repr__(self) -> str:
        return f"PcmRing(written={self.written}, available={self.available}, overruns={self.overruns})"

    @property
    def address(self) -> int:
        """Where the header begins; valid while this object lives."""
        return ctypes.addressof(self._words)

    @property
    def capacity(self) -> int:
        """Samples that fit."""
        return int(self._words[Word.CAPACITY])

    @property
    def written(self) -> int:
        """Samples ever written."""
        return int(self._words[Word.WRITTEN])

    @property
    def position(self) -> int:
        """Samples ever read."""
        return int(self._words[Word.READ])

    @property
    def available(self) -> int:
        """Samples to read."""
        return max(0, self.written - self.position)

    @property
    def underruns(self) -> int:
        """Ticks that found less than a frame while speech was expected."""
        return int(self._words[Word.UNDERRUNS])

    @property
    def overruns(self) -> int:
        """Samples that the reader lost because it came too late."""
        return int(self._words[Word.OVERRUNS])

    @property
    def last_tick_ns(self) -> int:
        """CLOCK_MONOTONIC of the media clock's last visit; 0 before the first."""
        return int(self._words[Word.LAST_TICK_NS])

    def set_flags(self, flags: Flag) -> None:
        """Tell the media clock whether the ring is in use and whether speech is expected."""
        self._words[Word.FLAGS] = int(flags)

    def clear(self) -> None:
        """Back to the state of a new ring. Only while inactive."""
        for word in (Word.FLAGS, Word.WRITTEN, Word.READ, Word.UNDERRUNS, Word.OVERRUNS, Word.TICKS):
            self._words[word] = 0
        self._words[Word.LAST_TICK_NS] = 0

    def write(self, pcm: Pcm16) -> int:
        """Append PCM without blocking; what does not fit is left to the caller.

        :param pcm: shape ``(n,)``, int16, mono. Copied.
        :returns: samples accepted, ``0..n``. Writer thread only.
        """
        count = min(len(pcm), self.capacity - self.available)
        if count <= 0:
            return 0
        self.poke(self.written, pcm[:count])
        self._words[Word.WRITTEN] += count
        return count

    def append(self, pcm: Pcm16) -> None:
        """Append a whole frame; an unread past is overwritten and the reader counts it lost.

        For writers that stand in for the media clock (sound card, tests). Writer thread only.
        """
        self.poke(self.written, pcm)
        self._words[Word.WRITTEN] += len(pcm)
        self._tick()

    def read(self, max_samples: int) -> Pcm16:
        """Take up to ``max_samples``; a copy, shape ``(n,)``. Reader thread only."""
        lost = self.written - self.capacity - self.position
        if lost > 0:
            lost += self.capacity // 2  # room, so that the writer does not overtake us at once
            self._words[Word.OVERRUNS] += lost
            self._words[Word.READ] += lost
        count = min(max_samples, self.available)
        pcm = self.peek(self.position, count)
        self._words[Word.READ] += count
        return pcm

    def read_frame(self, samples: int) -> Pcm16:
        """Take exactly one frame as the media clock does: silence where the ring runs dry."""
        frame = np.zeros(samples, dtype=np.int16)
        pcm = self.read(samples)
        frame[: len(pcm)] = pcm
        if len(pcm) < samples and self._words[Word.FLAGS] & Flag.EXPECTING:
            self._words[Word.UNDERRUNS] += 1
        self._tick()
        return frame

    def peek(self, position: int, count: int) -> Pcm16:
        """A copy of ``count`` samples from the absolute ``position``."""
        start = position % self.capacity
        first = min(count, self.capacity - start)
        return np.concatenate((self._pcm[start : start + first], self._pcm[: count - first]))

    def poke(self, position: int, pcm: Pcm16) -> None:
        """Overwrite samples from the absolute ``position``. Writer thread only."""
        start = position % self.capacity
        first = min(len(pcm), self.capacity - start)
        self._pcm[start : start + first] = pcm[:first]
        self._pcm[: len(pcm) - first] = pcm[first:]

    def truncate(self, position: int) -> None:
        """Forget what was written from the absolute ``position`` on. Writer thread only."""
        self._words[Word.WRITTEN] = max(self.position, min(position, self.written))

    def time_of_ms(self, position: int, *, is_read: bool) -> int:
        """CLOCK_MONOTONIC milliseconds at which the sample at ``position`` passed the media clock.

        :param is_read: the clock reads this ring (to the line) rather than writes it.
        """
        at = self.position if is_read else self.written
        behind = (at - position) * 1000 // SAMPLE_RATE_HZ
        return int(self._words[Word.LAST_TICK_NS]) // 1_000_000 - max(0, behind - FRAME_MS)

    def _tick(self) -> None:
        self._words[Word.TICKS] += 1
        self._words[Word.LAST_TICK_NS] = time.monotonic_ns()


class AudioRings:
    """One call's audio, both ways, and what was really played."""

    TO_LINE_MS = 4_000
    FROM_LINE_MS = 10_000
    PLAYED_MS = 10_000

    def __init__(self) -> None:
        self.to_line = PcmRing(self.TO_LINE_MS)
        self.from_line = PcmRing(self.FROM_LINE_MS)
        self.played = PcmRing(self.PLAYED_MS)

    def open(self) -> None:
        """Begin a call: empty rings, clock on."""
        self.clear()
        self.start()

    def clear(self) -> None:
        """Empty the rings; the clock must be off."""
        for ring in (self.to_line, self.from_line, self.played):
            ring.clear()

    def start(self) -> None:
        """Clock on."""
        for ring in (self.to_line, self.from_line, self.played):
            ring.set_flags(Flag.ACTIVE)

    def listen(self) -> None:
        """Clock on for what comes, while nothing of ours is heard yet."""
        self.from_line.set_flags(Flag.ACTIVE)

    def close(self) -> None:
        """End a call: the clock leaves the rings alone. Counters stay readable."""
        for ring in (self.to_line, self.from_line, self.played):
            ring.set_flags(Flag(0))
