"""Log-mel features: checked against their definition, written out the slow way."""

import numpy as np
import pytest

from sipagent.speech.mel import log_mel, mel_filters

pytestmark = pytest.mark.unit


def _slow_log_mel(pcm: np.ndarray[tuple[int], np.dtype[np.float64]], at_frame: int) -> list[float]:
    """Unclipped log10 mel of one frame away from the edges, by a DFT written as a sum."""
    n = np.arange(400)
    frame = pcm[at_frame * 160 - 200 : at_frame * 160 + 200] * (0.5 - 0.5 * np.cos(2 * np.pi * n / 400))
    bins = np.arange(201)
    power = np.abs(np.exp(-2j * np.pi * np.outer(bins, n) / 400) @ frame) ** 2
    return [
        float(np.log10(max(float(weights @ power), 1e-10))) for weights in mel_filters().astype(np.float64)
    ]


def test_a_frame_is_what_the_definition_says() -> None:
    pcm = np.random.default_rng(1).normal(0, 0.1, 8000)
    fast = log_mel(pcm.astype(np.float32))
    assert fast[:, 20] == pytest.approx([(value + 4) / 4 for value in _slow_log_mel(pcm, 20)], abs=1e-4)


def test_one_frame_for_each_10_ms() -> None:
    for samples in (400, 479, 480, 16_000):
        features = log_mel(np.zeros(samples, dtype=np.float32))
        assert features.shape == (80, samples // 160)
        assert features.dtype == np.float32


def test_filters_are_triangles_of_unit_area_on_slaneys_scale() -> None:
    filters = mel_filters()
    bin_hz = 40.0
    peaks_hz = np.argmax(filters, axis=1) * bin_hz
    assert np.all(np.diff(peaks_hz) >= 0)
    # 81 steps up to 45.2 mel: 0.5589 mel each, 66.67 Hz a mel below 1 kHz
    assert peaks_hz[10] == pytest.approx(11 * 0.5585 * 200 / 3, abs=bin_hz)
    wide = filters[60:]
    assert wide.sum(axis=1) * bin_hz == pytest.approx(np.ones(20), abs=0.05)


def test_a_tone_stands_in_its_own_band() -> None:
    time_s = np.arange(16_000) / 16_000
    features = log_mel((0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32))
    loudest = int(np.argmax(features[:, 50]))
    assert mel_filters()[loudest, 25] > 0  # bin 25 is 1000 Hz


def test_eight_decades_are_kept() -> None:
    pcm = np.zeros(16_000, dtype=np.float32)
    pcm[8000:8400] = 0.5
    features = log_mel(pcm)
    assert float(features.max() - features.min()) == pytest.approx(2.0)


def test_the_level_only_shifts_the_picture() -> None:
    pcm = np.random.default_rng(2).normal(0, 0.1, 16_000).astype(np.float32)
    shift = log_mel(pcm * np.float32(10)) - log_mel(pcm)
    assert shift == pytest.approx(np.full_like(shift, 0.5), abs=1e-3)


def test_less_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="400 samples or more, got 399"):
        log_mel(np.zeros(399, dtype=np.float32))
