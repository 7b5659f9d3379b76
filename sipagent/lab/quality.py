"""What the agent's sound is like, measured on its packets: clicks, gaps, level, DC, clipping. Pure.

::

    packets ─▶ track by RTP timestamp ─┬▶ clicks (jumps that speech does not make), DC, clipping
                                       └▶ clauses ─▶ level of each
    stretches of speech, caller's lines ─▶ gaps inside an utterance
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sipagent.codecs.level import SILENCE_DBOV, active_level_dbov
from sipagent.lab.clicks import click_samples
from sipagent.lab.rtp_line import ReceivedPacket
from sipagent.lab.wire import LINE_HZ, PACKET_SAMPLES, Span, is_audible
from sipagent.units import Pcm16

NATURAL_GAP_MS = 450.0
"""A pause inside an utterance may last this long."""
UTTERANCE_GAP_MS = 5000.0
"""Speech that follows later than this is another utterance."""
LATE_MS = 60.0
"""A packet this much later than its timestamp says cannot be played by a small buffer."""
STEADY_DB = 3.0
"""Clauses of a steady voice lie within this of their median."""

_CLIPPED = 32_000
_LONGEST_TRACK = LINE_HZ * 3600
_CLAUSE_PAUSE_PACKETS = 10
_SHORTEST_CLAUSE_PACKETS = 30

_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Track:
    """The agent's sound in the order it was made, whatever the network did to its arrival."""

    pcm: Pcm16
    """8 kHz; zeros where a packet is missing."""
    is_missing: _Flags
    """For each sample."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence inside an utterance, CLOCK_MONOTONIC ms."""

    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Quality:
    """One call's sound."""

    speech_s: float
    """Audible sound of the agent."""
    clicks_ms: tuple[float, ...]
    """Each from the first packet on, by timestamp."""
    gaps: tuple[Gap, ...]
    """Longer than ``NATURAL_GAP_MS``, while nobody spoke."""
    lost_packets: int
    late_packets: int
    clause_levels_dbov: tuple[float, ...]
    level_dbov: float
    """Median of the clauses."""
    level_spread_db: float
    """The clause furthest from the median."""
    dc_dbov: float
    clipped_samples: int

    @property
    def is_steady(self) -> bool:
        """Every clause within ``STEADY_DB`` of the median."""
        return self.level_spread_db <= STEADY_DB


def quality_of(
    received: Sequence[ReceivedPacket], spans: Sequence[Span], caller: Sequence[Span] = ()
) -> Quality:
    """Judge a call.

    :param received: every audio packet, in order of arrival.
    :param spans: the agent's stretches of speech. :param caller: the caller's.
    """
    track = track_of(received)
    heard = _audible_packets(track.pcm)
    speech = track.pcm[: heard.size * PACKET_SAMPLES].reshape(-1, PACKET_SAMPLES)[heard].ravel()
    levels = [round(active_level_dbov(clause, LINE_HZ), 1) for clause in clauses_of(track.pcm)]
    middle_dbov = float(np.median(levels)) if levels else SILENCE_DBOV
    return Quality(
        speech_s=round(speech.size / LINE_HZ, 2),
        clicks_ms=tuple(find_clicks(track)),
        gaps=tuple(gaps_within(spans, caller)),
        lost_packets=int(track.is_missing.sum()) // PACKET_SAMPLES,
        late_packets=late_packets(received),
        clause_levels_dbov=tuple(levels),
        level_dbov=round(middle_dbov, 1),
        level_spread_db=round(max((abs(level - middle_dbov) for level in levels), default=0.0), 1),
        dc_dbov=round(dc_dbov(speech), 1),
        clipped_samples=int((np.abs(speech.astype(np.int32)) >= _CLIPPED).sum()),
    )


def track_of(received: Sequence[ReceivedPacket]) -> Track:
    """Put the packets where their timestamps say; of two for the same place the first stays."""
    if not received:
        return Track(np.zeros(0, dtype=np.int16), np.zeros(0, dtype=np.bool_))
    places = _unwrapped([packet.timestamp for packet in received])
    places -= places.min()
    samples = min(int(places.max()) + received[int(places.argmax())].pcm.size, _LONGEST_TRACK)
    pcm = np.zeros(samples, dtype=np.int16)
    is_missing = np.ones(samples, dtype=np.bool_)
    for place, packet in zip(places.tolist(), received, strict=True):
        room = slice(place, min(place + packet.pcm.size, samples))
        if room.start < samples and is_missing[room].all():
            pcm[room] = packet.pcm[: room.stop - room.start]
            is_missing[room] = False
    return Track(pcm, is_missing)


def _unwrapped(timestamps: Sequence[int]) -> npt.NDArray[np.int64]:
    """Timestamps as distances from the first one, over the wrap."""
    steps = [0]
    steps += [(b - a + (1 << 31)) % (1 << 32) - (1 << 31) for a, b in itertools.pairwise(timestamps)]
    return np.cumsum(np.array(steps, dtype=np.int64))


def find_clicks(track: Track) -> list[float]:
    """Where the track clicks, in ms from its beginning."""
    return [round(n * 1000 / LINE_HZ, 1) for n in click_samples(track.pcm, track.is_missing)]


def gaps_within(
    spans: Sequence[Span], caller: Sequence[Span] = (), *, natural_ms: float = NATURAL_GAP_MS
) -> list[Gap]:
    """Pauses inside an utterance that last longer than ``natural_ms``.

    A pause before, in or shortly after which the caller speaks is the conversation's.
    """
    gaps = []
    for span, following in itertools.pairwise(spans):
        pause_ms = following.start_ms - span.end_ms
        is_shared = any(
            line.start_ms < following.start_ms and line.end_ms > span.end_ms - 1000 for line in caller
        )
        if natural_ms < pause_ms < UTTERANCE_GAP_MS and not is_shared:
            gaps.append(Gap(span.end_ms, round(pause_ms, 1)))
    return gaps


def late_packets(received: Sequence[ReceivedPacket]) -> int:
    """Packets that came more than ``LATE_MS`` after the time that their timestamps and their peers tell."""
    if not received:
        return 0
    media_ms = _unwrapped([packet.timestamp for packet in received]) * 1000 / LINE_HZ
    offsets_ms = np.array([packet.arrival_ms for packet in received]) - media_ms
    return int((offsets_ms - np.median(offsets_ms) > LATE_MS).sum())


def clauses_of(pcm: Pcm16) -> list[Pcm16]:
    """Stretches of speech between pauses of at least 200 ms; those of 600 ms or more."""
    heard = np.flatnonzero(_audible_packets(pcm))
    if heard.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(heard) > _CLAUSE_PAUSE_PACKETS)
    starts = heard[np.concatenate(([0], breaks + 1))]
    ends = heard[np.concatenate((breaks, [heard.size - 1]))] + 1
    return [
        pcm[start * PACKET_SAMPLES : end * PACKET_SAMPLES]
        for start, end in zip(starts, ends, strict=True)
        if end - start >= _SHORTEST_CLAUSE_PACKETS
    ]


def dc_dbov(pcm: Pcm16) -> float:
    """Level of the constant part."""
    mean = abs(float(pcm.mean())) / 32768 if pcm.size else 0.0
    return max(20 * float(np.log10(mean)), SILENCE_DBOV) if mean else SILENCE_DBOV


def _audible_packets(pcm: Pcm16) -> _Flags:
    whole = pcm.size // PACKET_SAMPLES
    packets = pcm[: whole * PACKET_SAMPLES].reshape(-1, PACKET_SAMPLES)
    return np.array([is_audible(packet) for packet in packets], dtype=np.bool_)
