"""Log-mel features as the Whisper family was trained on them, without a framework.

    pcm (n,) → frames (f, 400) × Hann → |rfft|² (f, 201) → mel (80, f) → log10, 8 decades → −1..1

The numbers (80 bands, window 25 ms, step 10 ms, Slaney's mel scale) are Radford et al., "Robust Speech
Recognition via Large-Scale Weak Supervision" (2022), section 2.2, and stand in every Whisper model's config.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sipagent.units import SAMPLE_RATE_HZ, PcmFloat

N_MELS = 80
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160

Mel = npt.NDArray[np.float32]
"""Log-mel features, shape ``(80, frames)``, one frame for each 10 ms, float32, about −1..1.5."""

_FLOOR = np.float32(1e-10)
_DECADES_KEPT = np.float32(8.0)
_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's scale: linear to 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""
    log_part = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - _LOG_FROM_MEL))
    return np.where(mel < _LOG_FROM_MEL, mel * _LINEAR_HZ_PER_MEL, log_part)


@cache
def mel_filters() -> npt.NDArray[np.float32]:
    """The triangular filters, shape ``(80, 201)``, each of unit area in Hz. Read-only."""
    top_mel = _LOG_FROM_MEL + np.log(SAMPLE_RATE_HZ / 2 / _LOG_FROM_HZ) / _LOG_STEP
    corners_hz = _mel_to_hz(np.linspace(0.0, top_mel, N_MELS + 2))
    bins_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / SAMPLE_RATE_HZ)
    low, mid, high = (corners_hz[i : i + N_MELS, None] for i in range(3))
    rising = (bins_hz - low) / (mid - low)
    falling = (high - bins_hz) / (high - mid)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    weights = filters.astype(np.float32)
    weights.setflags(write=False)
    return weights


@cache
def _sparse_filters() -> csr_array:
    """``mel_filters`` without its zeros: 40 times less work, and no BLAS threads that go on spinning on the
    cores which the model needs next (measured: they slow its encoder by half)."""
    return csr_array(mel_filters())


@cache
def _hann() -> npt.NDArray[np.float32]:
    """The periodic Hann window of 25 ms."""
    window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    window.setflags(write=False)
    return window


def log_mel(pcm: PcmFloat) -> Mel:
    """Features of 16 kHz ``pcm``, one frame for each full 160 samples, centred on the hop.

    :param pcm: shape ``(n,)``, float32; silence for padding belongs to it already.
    :returns: shape ``(80, n // 160)``. What lies more than 8 decades under the loudest point is cut off
        there, so the same sound at another level gives the same picture, shifted.
    :raises ValueError: fewer samples than one window has.
    """
    if pcm.size < WINDOW_SAMPLES:
        raise ValueError(f"log_mel needs {WINDOW_SAMPLES} samples or more, got {pcm.size}")
    half = WINDOW_SAMPLES // 2
    padded = np.pad(pcm.astype(np.float32, copy=False), (half, half), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    frames = frames[: pcm.size // HOP_SAMPLES]
    spectrum = np.fft.rfft(frames * _hann(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.log10(np.maximum(_sparse_filters() @ np.ascontiguousarray(power.T), _FLOOR))
    mel = np.maximum(mel, mel.max() - _DECADES_KEPT)
    return np.ascontiguousarray((mel + np.float32(4.0)) / np.float32(4.0), dtype=np.float32)
