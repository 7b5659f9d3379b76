"""Where a turn's sound has voice, and where it may be cut."""

import numpy as np
import pytest

from sipagent.speech.segments import loud_ms, loud_span, quietest_cut
from sipagent.units import Pcm16, ms_to_samples

pytestmark = pytest.mark.unit


def _noise(duration_ms: int, rms: float, seed: int = 1) -> Pcm16:
    return np.random.default_rng(seed).normal(0, rms, ms_to_samples(duration_ms)).astype(np.int16)


def test_silence_and_steady_noise_have_nothing_loud() -> None:
    for rms in (0, 30, 300, 3000):
        assert loud_ms(_noise(3000, rms)) == 0
        span = loud_span(_noise(3000, rms))
        assert span == slice(0, 0)


def test_what_stands_out_is_counted() -> None:
    pcm = np.concatenate([_noise(1000, 20), _noise(400, 2000), _noise(1000, 20)])
    assert loud_ms(pcm) == 400


def test_span_has_a_margin_and_stays_inside() -> None:
    pcm = np.concatenate([_noise(1000, 20), _noise(400, 2000), _noise(100, 20)])
    assert loud_span(pcm, margin_ms=200) == slice(ms_to_samples(800), ms_to_samples(1500))


@pytest.mark.parametrize("samples", [0, 1, 319])
def test_less_than_a_frame_is_nothing(samples: int) -> None:
    assert loud_span(np.full(samples, 9000, dtype=np.int16)) == slice(0, 0)


def test_cut_falls_into_the_quietest_hush() -> None:
    pcm = np.concatenate([_noise(20_000, 2000), _noise(400, 20), _noise(10_000, 2000)])
    cut_ms = quietest_cut(pcm, from_ms=18_000, to_ms=26_000) / 16
    assert 20_000 < cut_ms < 20_400


def test_cut_stays_in_its_range() -> None:
    pcm = np.concatenate([_noise(2000, 0), _noise(28_000, 2000)])
    cut_ms = quietest_cut(pcm, from_ms=18_000, to_ms=26_000) / 16
    assert 18_000 <= cut_ms <= 26_000


def test_cut_needs_enough_sound() -> None:
    with pytest.raises(ValueError, match="no cut between 18000 and 26000 ms"):
        quietest_cut(_noise(20_000, 100), from_ms=18_000, to_ms=26_000)
