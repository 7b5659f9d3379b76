"""Which steady tones sound on a line: one or two sines that are nearly all of a 32 ms window's energy.

window 512 × int16 ──▶ Hann, FFT ──▶ strongest peaks ──▶ (), (hz,) or (hz, hz)
"""

import numpy as np

from sipagent.units import SAMPLE_RATE_HZ, Pcm16

WINDOW_SAMPLES = 512
_BIN_HZ = SAMPLE_RATE_HZ / WINDOW_SAMPLES
_HANN = np.hanning(WINDOW_SAMPLES + 1)[:-1]
_HANN_POWER = float(np.sum(np.square(_HANN)))
_LOWEST_HZ, _HIGHEST_HZ = 300.0, 2400.0
_MIN_DBOV = -48.0
_PURITY = 0.9
"""Of the energy that lies in the peaks; a vowel's harmonics reach about two thirds."""
_PEAK_BINS = 2  # to each side: the main lobe of a Hann window
_MAX_TWIST = 10.0  # power ratio of the two sines of a pair


def tones_in(window: Pcm16) -> tuple[float, ...]:
    """Frequencies of the one or two sines that make up ``window``, rising; empty: no tone.

    :param window: shape ``(512,)``, int16, 16 kHz.
    :raises ValueError: another shape.
    """
    if window.shape != (WINDOW_SAMPLES,):
        raise ValueError(f"tones: window needs shape ({WINDOW_SAMPLES},), got {window.shape}")
    spectrum = np.square(np.abs(np.fft.rfft(window.astype(np.float64) / 32768.0 * _HANN)))
    whole = float(spectrum.sum())
    if 2 * whole / (WINDOW_SAMPLES * _HANN_POWER) < 10 ** (_MIN_DBOV / 10):
        return ()
    first_hz, first_power = _take_peak(spectrum)
    if first_power >= _PURITY * whole:
        return (first_hz,) if _LOWEST_HZ <= first_hz <= _HIGHEST_HZ else ()
    second_hz, second_power = _take_peak(spectrum)
    if first_power + second_power < _PURITY * whole or first_power > _MAX_TWIST * second_power:
        return ()
    pair = sorted((first_hz, second_hz))
    return tuple(pair) if pair[0] >= _LOWEST_HZ and pair[1] <= _HIGHEST_HZ else ()


def _take_peak(spectrum: "np.typing.NDArray[np.float64]") -> tuple[float, float]:
    """Frequency and power of the strongest peak, which is then removed from ``spectrum``."""
    top = int(spectrum.argmax())
    low, high = max(top - _PEAK_BINS, 0), min(top + _PEAK_BINS + 1, spectrum.size)
    lobe = np.sqrt(spectrum[low:high])
    power = float(spectrum[low:high].sum())
    at_hz = float(np.dot(lobe, np.arange(low, high)) / max(float(lobe.sum()), 1e-12)) * _BIN_HZ
    spectrum[low:high] = 0.0
    return at_hz, power
