"""The two sides of a call on one time axis: what a recorder between the two parties would have kept. Pure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sipagent.codecs.resample import resample
from sipagent.lab.rtp_line import ReceivedPacket, SentPacket
from sipagent.lab.wire import LINE_HZ, PACKET_MS
from sipagent.media.wav import write_wav
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

LATE_MS = 60.0
"""A packet this much later than its timestamp says moves the time of all that follow: the buffer ran dry."""
EARLY_MS = 200.0
"""This much earlier, and the buffer is full of old sound: what follows moves forward."""


def caller_track(sent: Sequence[SentPacket], start_ms: float, duration_ms: float) -> Pcm16:
    """What the caller sent, with noise and echo, at its nominal time; lost packets are silence. 8 kHz."""
    track = _blank(duration_ms)
    for packet in sent:
        if not packet.is_lost:
            _place(track, packet.pcm, packet.due_ms - start_ms)
    return track


def agent_track(received: Sequence[ReceivedPacket], start_ms: float, duration_ms: float) -> Pcm16:
    """What the agent sent, placed as a small playout buffer would play it. 8 kHz.

    The first packet is played when it came; the others follow by their RTP timestamps, and the time moves
    only where a packet is later or earlier than the buffer can bear.
    """
    track = _blank(duration_ms)
    anchor: tuple[float, int] | None = None
    for packet in received:
        if anchor is None:
            anchor = (packet.arrival_ms, packet.timestamp)
        steps = (packet.timestamp - anchor[1] + (1 << 31)) % (1 << 32) - (1 << 31)
        play_ms = anchor[0] + steps * 1000 / LINE_HZ
        if not -EARLY_MS < packet.arrival_ms - play_ms < LATE_MS:
            anchor = (packet.arrival_ms, packet.timestamp)
            play_ms = packet.arrival_ms
        _place(track, packet.pcm, play_ms - start_ms)
    return track


def write_stereo(path: Path, left: Pcm16, right: Pcm16) -> None:
    """Two 8 kHz tracks as a 16 kHz stereo WAV."""
    write_wav(path, *(resample(track, LINE_HZ, SAMPLE_RATE_HZ) for track in (left, right)))


def _blank(duration_ms: float) -> Pcm16:
    return np.zeros(int((max(duration_ms, 0) + PACKET_MS) * LINE_HZ / 1000), dtype=np.int16)


def _place(track: Pcm16, pcm: Pcm16, at_ms: float) -> None:
    start = round(at_ms * LINE_HZ / 1000)
    if start < 0:
        return
    room = track[start : start + pcm.size]
    room[:] = pcm[: room.size]
