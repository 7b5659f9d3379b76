"""What a real line does to the caller's audio: loss, jitter, noise, echo. Seeded, so that runs repeat."""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sipagent.lab.wire import LINE_HZ, PACKET_MS, PACKET_SAMPLES
from sipagent.units import Pcm16

_NOISE_LOOP_S = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """Applied to what the softphone sends. The default is a clean line."""

    loss_pct: float = 0.0
    jitter_ms: float = 0.0
    """Each packet is late by 0..this, uniformly."""
    keep_order: bool = True
    """False: a packet may overtake an earlier one."""
    noise_snr_db: float | None = None
    """Pink noise this far below the caller's active speech level; None: no noise."""
    echo_gain_db: float | None = None
    """Line echo: what is received comes back, changed by this (negative: softer); None: no echo."""
    echo_delay_ms: int = 40
    seed: int = 1

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield (field, problem) for each value out of range."""
        for name, low, high in (("loss_pct", 0, 100), ("jitter_ms", 0, 2000), ("echo_delay_ms", 0, 1000)):
            if not low <= getattr(self, name) <= high:
                yield name, f"expected {low}..{high}, got {getattr(self, name)}"


class SendQueue:
    """Packets between the phone and the wire: some are lost, some late."""

    def __init__(self, impairments: Impairments) -> None:
        self._impairments = impairments
        self._rng = np.random.default_rng(impairments.seed)
        self._waiting: list[tuple[float, int, bytes]] = []
        self._latest_ms = 0.0

    def push(self, index: int, packet: bytes, due_ms: float) -> bool:
        """Take a packet that the phone would send at ``due_ms``; False: the line lost it."""
        loss, delay = self._rng.random(2)
        if loss * 100 < self._impairments.loss_pct:
            return False
        release_ms = due_ms + delay * self._impairments.jitter_ms
        if self._impairments.keep_order:
            release_ms = max(release_ms, self._latest_ms)
        self._latest_ms = max(self._latest_ms, release_ms)
        heapq.heappush(self._waiting, (release_ms, index, packet))
        return True

    def pop_due(self, now_ms: float) -> Iterator[tuple[int, bytes]]:
        """(index, packet) of everything that goes onto the wire by now."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            _, index, packet = heapq.heappop(self._waiting)
            yield index, packet

    @property
    def next_ms(self) -> float:
        """When the next packet is due; infinity for none."""
        return self._waiting[0][0] if self._waiting else float("inf")


class LineMixer:
    """Adds noise and echo to the caller's PCM, one packet at a time, 8 kHz."""

    def __init__(self, impairments: Impairments, speech_level_dbov: float) -> None:
        """:param speech_level_dbov: the caller's active speech level, which the noise relates to."""
        self._echo_gain = 0.0
        if impairments.echo_gain_db is not None:
            self._echo_gain = 10 ** (impairments.echo_gain_db / 20)
        self._delay_packets = round(impairments.echo_delay_ms / PACKET_MS)
        self._echo: deque[Pcm16] = deque()
        self._is_delayed = False
        self._noise: Pcm16 | None = None
        self._position = 0
        if impairments.noise_snr_db is not None:
            self._noise = pink_noise(speech_level_dbov - impairments.noise_snr_db, impairments.seed)

    def heard(self, pcm: Pcm16) -> None:
        """Audio that was received; it may come back as echo."""
        if self._echo_gain and pcm.size == PACKET_SAMPLES:
            self._echo.append(pcm)
            if len(self._echo) > self._delay_packets + 4:  # the peer's clock is ahead of ours
                self._echo.popleft()

    def mix(self, pcm: Pcm16) -> Pcm16:
        """One packet's PCM with what the line adds."""
        mixed = pcm.astype(np.float64)
        if self._noise is not None:
            mixed += self._noise[self._position : self._position + PACKET_SAMPLES]
            self._position = (self._position + PACKET_SAMPLES) % self._noise.size
        self._is_delayed = bool(self._echo) and (self._is_delayed or len(self._echo) > self._delay_packets)
        if self._is_delayed:
            mixed += self._echo_gain * self._echo.popleft()
        return np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)


def pink_noise(level_dbov: float, seed: int) -> Pcm16:
    """Eight seconds of noise whose power falls 3 dB an octave, whole packets, made to be looped."""
    samples = _NOISE_LOOP_S * LINE_HZ
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency_hz = np.fft.rfftfreq(samples, 1 / LINE_HZ)
    spectrum *= (frequency_hz >= 100) / np.sqrt(np.maximum(frequency_hz, 100))
    noise = np.fft.irfft(spectrum, samples)
    noise *= 32768 * 10 ** (level_dbov / 20) / np.sqrt(np.mean(noise**2))
    return np.clip(np.rint(noise), -32768, 32767).astype(np.int16)
