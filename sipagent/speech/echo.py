"""Is what comes in only our own voice coming back? Line echo explained by what was played, window by window.

The last quarter second of the line is compared with what was played up to 0.8 s before: the best single
delay and gain explain a share of its energy. Echo is explained almost wholly, whatever its delay and level;
a caller who speaks over it is not. Nothing adapts, so nothing has to converge.
"""

import numpy as np
import numpy.typing as npt

from sipagent.codecs.resample import StreamingResampler
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, ms_to_samples

_BAND_HZ = 8000
"""Echo has passed the telephone's band; what the voice had above it cannot come back."""
_HEARD_SAMPLES = ms_to_samples(256, _BAND_HZ)
_LONGEST_DELAY_SAMPLES = ms_to_samples(800, _BAND_HZ)
"""0..400 ms on the line, and the jitter buffers on the way."""
_FFT_SAMPLES = 1 << 14
_SILENT_RMS = 30.0
"""About −61 dBov: nothing was played that could come back."""

Signal = npt.NDArray[np.float32]


class EchoGate:
    """One call's comparison of heard and played sound. Not thread-safe."""

    def __init__(self) -> None:
        self._to_band = (
            StreamingResampler(SAMPLE_RATE_HZ, _BAND_HZ),
            StreamingResampler(SAMPLE_RATE_HZ, _BAND_HZ),
        )
        self._heard: Signal = np.zeros(_HEARD_SAMPLES, dtype=np.float32)
        self._played: Signal = np.zeros(_HEARD_SAMPLES + _LONGEST_DELAY_SAMPLES, dtype=np.float32)

    def push(self, heard: Pcm16, played: Pcm16) -> None:
        """Append what was heard and what was played in the same stretch of time.

        :param heard: shape ``(n,)``, 16 kHz. :param played: shape ``(n,)`` or shorter where it is late.
        """
        self._heard = _appended(self._heard, self._to_band[0].push(heard))
        self._played = _appended(self._played, self._to_band[1].push(played))

    def unexplained(self) -> float:
        """Share 0..1 of the heard energy that our own voice does not explain; 1 where we were silent."""
        if float(np.sqrt(np.mean(np.square(self._played)))) < _SILENT_RMS:
            return 1.0
        heard, played = _whitened(self._heard), _whitened(self._played)
        heard_energy = float(np.dot(heard, heard))
        if heard_energy <= 0:
            return 1.0
        spectrum = np.conj(np.fft.rfft(heard, _FFT_SAMPLES)) * np.fft.rfft(played, _FFT_SAMPLES)
        products = np.fft.irfft(spectrum, _FFT_SAMPLES)[: _LONGEST_DELAY_SAMPLES + 1]
        sums = np.concatenate(([0.0], np.cumsum(np.square(played, dtype=np.float64))))
        energies = sums[_HEARD_SAMPLES:] - sums[:-_HEARD_SAMPLES]
        floor = 1e-3 * float(energies.max()) + 1e-9
        explained = np.square(products) / (np.maximum(energies, floor) * heard_energy)
        return float(max(0.0, 1.0 - explained.max()))


def _appended(past: Signal, pcm: Pcm16) -> Signal:
    return np.concatenate((past, pcm.astype(np.float32)))[-len(past) :]


def _whitened(signal: Signal) -> Signal:
    """Pre-emphasis: two voices' low harmonics resemble each other, their higher ones do not."""
    return np.append(np.float32(0), signal[1:] - np.float32(0.9) * signal[:-1]).astype(np.float32)
