"""Units and conversions used everywhere. Time is monotonic milliseconds, audio is 16 kHz int16."""

import time

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
"""Rate of all PCM inside the program (design: the bridge runs at 16 kHz)."""

FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000

Pcm16 = npt.NDArray[np.int16]
"""Mono PCM, shape ``(n,)``, int16."""

PcmFloat = npt.NDArray[np.float32]
"""Mono PCM, shape ``(n,)``, float32 in −1..1."""


def monotonic_ms() -> int:
    """Milliseconds of CLOCK_MONOTONIC, the same for every process of this machine."""
    return time.monotonic_ns() // 1_000_000


def samples_to_ms(samples: int, rate_hz: int = SAMPLE_RATE_HZ) -> int:
    """Duration of ``samples``, rounded down."""
    return samples * 1000 // rate_hz


def ms_to_samples(duration_ms: int, rate_hz: int = SAMPLE_RATE_HZ) -> int:
    """Samples in ``duration_ms``, rounded down."""
    return duration_ms * rate_hz // 1000


def to_float(pcm: Pcm16) -> PcmFloat:
    """int16 → float32 in −1..1."""
    return pcm.astype(np.float32) / np.float32(32768.0)


def to_int16(pcm: PcmFloat) -> Pcm16:
    """float32 in −1..1 → int16, clipped."""
    clipped: Pcm16 = np.clip(np.rint(pcm * 32768.0), -32768, 32767).astype(np.int16)
    return clipped
