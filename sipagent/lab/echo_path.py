"""The echo that a call really had, found in its own packets: how late, how loud. Pure.

The lab's echo is made packet by packet; this says what became of it on the way, from the sound that was
received and the sound that was sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sipagent.lab.playout import agent_track, caller_track
from sipagent.lab.rtp_line import ReceivedPacket, SentPacket
from sipagent.lab.wire import LINE_HZ, PACKET_MS
from sipagent.units import Pcm16

_LONGEST_MS = 1000
_LIKENESS = 0.3
"""Correlation below this is chance."""


@dataclass(frozen=True, slots=True)
class EchoPath:
    """From the received sound to the same sound in what was sent."""

    delay_ms: float
    gain_db: float


def echo_of(sent: Sequence[SentPacket], received: Sequence[ReceivedPacket]) -> EchoPath | None:
    """The echo in ``sent``; None where there is none, or no sound.

    Only the stretches where nothing else was said should be given.
    """
    if not sent or not received:
        return None
    start_ms = min(sent[0].due_ms, received[0].arrival_ms)
    duration_ms = max(sent[-1].due_ms, received[-1].arrival_ms) + PACKET_MS - start_ms
    heard = agent_track(received, start_ms, duration_ms)
    return find_echo(heard, caller_track(sent, start_ms, duration_ms))


def find_echo(heard: Pcm16, said: Pcm16, rate_hz: int = LINE_HZ) -> EchoPath | None:
    """Delay and gain of ``heard`` inside ``said``, two tracks on one time axis."""
    source = heard.astype(np.float64)
    sink = said.astype(np.float64)
    if not np.any(source) or not np.any(sink):
        return None
    longest = min(rate_hz * _LONGEST_MS // 1000, sink.size)
    likeness = _correlation(source, sink)[:longest]
    delay = int(np.argmax(np.abs(likeness)))
    product = float(abs(likeness[delay]))
    overlap = source[: sink.size - delay]
    energy = float(np.dot(overlap, overlap))
    if product < _LIKENESS * float(np.sqrt(energy * np.dot(sink, sink))):
        return None
    return EchoPath(round(delay * 1000 / rate_hz, 1), round(20 * float(np.log10(product / energy)), 1))


def _correlation(source: npt.NDArray[np.float64], sink: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Σ source[t] · sink[t + delay] for every delay from 0 up."""
    size = 1 << (source.size + sink.size - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(source, size)) * np.fft.rfft(sink, size)
    product: npt.NDArray[np.float64] = np.fft.irfft(spectrum, size)
    return product
