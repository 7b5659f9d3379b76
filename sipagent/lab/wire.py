"""Measuring a call from its packets: when the agent is audible, how long it takes, how even its RTP is. Pure.

Audible is a packet louder than −50 dBov; speech begins where two packets of three are audible, at the first
of them, and ends with the last audible packet before 240 ms without one. The caller's speech ends with the
last 10 ms frame of the line that lies less than 35 dB below its loudest.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sipagent.codecs.level import rms_dbov
from sipagent.codecs.rtp import seq16_distance
from sipagent.units import Pcm16, ms_to_samples

LINE_HZ = 8000
PACKET_MS = 20
PACKET_SAMPLES = LINE_HZ * PACKET_MS // 1000
AUDIBLE_DBOV = -50.0
HANG_MS = 240.0
GAP_MS = 40.0
"""Two packets further apart than this are counted as a gap: one whole packet time too late."""
_VOICED_RANGE_DB = 35.0
_VOICED_FLOOR_DBOV = -55.0


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech, CLOCK_MONOTONIC ms."""

    start_ms: float
    end_ms: float


class SpeechSpans:
    """Follows the received packets and cuts the agent's audio into stretches of speech."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, bool]] = deque(maxlen=3)
        self._last_audible_ms = 0.0
        self.finished: list[Span] = []
        self.speaking_since_ms: float | None = None

    def __repr__(self) -> str:
        return f"SpeechSpans({len(self.finished)} finished, speaking since {self.speaking_since_ms})"

    def add(self, arrival_ms: float, is_audible: bool) -> None:
        """The next packet, in order of arrival."""
        self.expire(arrival_ms)
        self._recent.append((arrival_ms, is_audible))
        if is_audible:
            self._last_audible_ms = arrival_ms
        heard = [at_ms for at_ms, audible in self._recent if audible]
        if self.speaking_since_ms is None and len(heard) >= 2:
            self.speaking_since_ms = heard[0]

    def expire(self, now_ms: float) -> None:
        """Time passes; ends the stretch after ``HANG_MS`` without an audible packet."""
        if self.speaking_since_ms is not None and now_ms - self._last_audible_ms > HANG_MS:
            self.close()

    def close(self) -> None:
        """End the stretch under way."""
        if self.speaking_since_ms is not None:
            self.finished.append(Span(self.speaking_since_ms, self._last_audible_ms + PACKET_MS))
            self.speaking_since_ms = None
            self._recent.clear()

    @property
    def all(self) -> list[Span]:
        """Every stretch, the one under way as long as it is by now."""
        if self.speaking_since_ms is None:
            return list(self.finished)
        return [*self.finished, Span(self.speaking_since_ms, self._last_audible_ms + PACKET_MS)]


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What the agent did about one line of the caller."""

    v2v_ms: float | None
    """From the caller's last voiced sample to the agent's first audible packet; None: no such reply."""
    onset_ms: float | None
    """When that packet came."""
    cut_in_ms: float | None
    """Negative: the agent began so long before the caller had finished. None: it waited."""
    yielded_ms: float | None
    """Caller's first voiced sample to silence, where the caller spoke into the agent's speech."""


def answer_to(line: Span, spans: Sequence[Span], until_ms: float = float("inf")) -> LineAnswer:
    """The agent's reaction to ``line`` (its first to last voiced sample) before ``until_ms``."""
    onset_ms = next((s.start_ms for s in spans if line.end_ms <= s.start_ms < until_ms), None)
    cut_in_ms = next((s.start_ms for s in spans if line.start_ms <= s.start_ms < line.end_ms), None)
    spoken_into = next((s for s in spans if s.start_ms < line.start_ms < s.end_ms), None)
    return LineAnswer(
        v2v_ms=None if onset_ms is None else onset_ms - line.end_ms,
        onset_ms=onset_ms,
        cut_in_ms=None if cut_in_ms is None else cut_in_ms - line.end_ms,
        yielded_ms=None if spoken_into is None else spoken_into.end_ms - line.start_ms,
    )


def voiced_bounds(pcm: Pcm16, rate_hz: int = LINE_HZ) -> tuple[int, int]:
    """First voiced sample and the one after the last; (0, 0) for silence."""
    frame = ms_to_samples(10, rate_hz)
    levels = [rms_dbov(pcm[start : start + frame]) for start in range(0, pcm.size, frame)]
    floor_dbov = max(max(levels, default=-96.0) - _VOICED_RANGE_DB, _VOICED_FLOOR_DBOV)
    voiced = [index for index, level in enumerate(levels) if level > floor_dbov]
    return (voiced[0] * frame, min((voiced[-1] + 1) * frame, pcm.size)) if voiced else (0, 0)


def is_audible(pcm: Pcm16) -> bool:
    """Whether a packet's PCM can be heard."""
    return rms_dbov(pcm) > AUDIBLE_DBOV


@dataclass(frozen=True, slots=True)
class RtpReport:
    """How the received RTP came."""

    packets: int
    lost: int
    out_of_order: int
    gaps: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def rtp_report(arrivals: Sequence[tuple[float, int]]) -> RtpReport:
    """The evenness of a stream.

    :param arrivals: (arrival ms, RTP sequence number), in order of arrival.
    """
    if len(arrivals) < 2:
        return RtpReport(len(arrivals), 0, 0, 0, 0.0, 0.0, 0.0)
    newest = extended = arrivals[0][1]
    seen = {extended}
    out_of_order = 0
    for _, sequence in arrivals[1:]:
        extended = newest + seq16_distance(sequence, newest & 0xFFFF)
        seen.add(extended)
        out_of_order += extended < newest
        newest = max(newest, extended)
    intervals = np.diff([at_ms for at_ms, _ in arrivals])
    p50, p99, longest = (float(np.percentile(intervals, q)) for q in (50, 99, 100))
    lost = newest - min(seen) + 1 - len(seen)
    return RtpReport(len(arrivals), lost, out_of_order, int((intervals > GAP_MS).sum()), p50, p99, longest)
