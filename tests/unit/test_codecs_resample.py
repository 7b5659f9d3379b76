"""The resampler: any chunking is one-shot, nothing is invented, tones keep their place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.codecs.resample import (
    StreamingFloatResampler,
    StreamingResampler,
    resample,
    resample_float,
)
from sipagent.errors import AudioFormatError
from sipagent.units import Pcm16

pytestmark = pytest.mark.unit

PAIRS = [(22050, 16000), (24000, 16000), (16000, 8000), (8000, 16000), (16000, 16000), (44100, 16000)]
RNG = np.random.default_rng(711)
NOISE: Pcm16 = RNG.integers(-32768, 32768, 6000).astype(np.int16)


def _tone(frequency_hz: float, rate_hz: int, samples: int, amplitude: float = 10000.0) -> Pcm16:
    wave: Pcm16 = np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / rate_hz)).astype(
        np.int16
    )
    return wave


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@given(cuts=st.lists(st.integers(0, 6000), max_size=12), size=st.integers(0, 6000))
@settings(max_examples=25, deadline=None)
def test_any_chunking_gives_the_same_samples(from_hz: int, to_hz: int, cuts: list[int], size: int) -> None:
    pcm = NOISE[:size]
    streaming = StreamingResampler(from_hz, to_hz)
    parts = [streaming.push(chunk) for chunk in np.split(pcm, sorted(min(c, size) for c in cuts))]
    parts.append(streaming.flush())
    assert np.array_equal(np.concatenate(parts), resample(pcm, from_hz, to_hz))


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_single_samples_give_the_same_as_one_shot(from_hz: int, to_hz: int) -> None:
    streaming = StreamingResampler(from_hz, to_hz)
    parts = [streaming.push(NOISE[i : i + 1]) for i in range(1500)]
    assert np.array_equal(np.concatenate([*parts, streaming.flush()]), resample(NOISE[:1500], from_hz, to_hz))


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@given(size=st.integers(0, 3000))
@settings(max_examples=25, deadline=None)
def test_length_is_the_duration(from_hz: int, to_hz: int, size: int) -> None:
    assert resample(NOISE[:size], from_hz, to_hz).size == -(-size * to_hz // from_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_tone_keeps_phase_and_level(from_hz: int, to_hz: int) -> None:
    got = resample(_tone(1000, from_hz, from_hz), from_hz, to_hz)[400:-400].astype(np.float64)
    want = _tone(1000, to_hz, to_hz)[400:-400].astype(np.float64)
    assert np.mean((got - want) ** 2) < 1e-6 * np.mean(want**2)


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "alias_hz"), [(22050, 16000, 9000), (24000, 16000, 10000), (16000, 8000, 5000)]
)
def test_what_the_lower_rate_cannot_hold_is_gone(from_hz: int, to_hz: int, alias_hz: int) -> None:
    got = resample(_tone(alias_hz, from_hz, from_hz), from_hz, to_hz)[400:-400]
    assert np.abs(got).max() < 10000 * 10 ** (-60 / 20)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_constant_stays_exactly_constant(from_hz: int, to_hz: int) -> None:
    got = resample(np.full(4000, 12345, dtype=np.int16), from_hz, to_hz)[300:-300]
    assert np.all(got == 12345)


def test_full_scale_saturates_and_never_wraps() -> None:
    square = np.where(np.arange(4000) // 40 % 2, 32767, -32768).astype(np.int16)
    got = resample(square, 8000, 16000).astype(np.int32)
    inside = np.repeat(square, 2).astype(np.int32)
    far_from_edges = np.abs(np.arange(8000) % 80 - 40) < 20
    assert np.all(np.sign(got[far_from_edges]) == np.sign(inside[far_from_edges]))


def test_flush_starts_afresh() -> None:
    streaming = StreamingResampler(22050, 16000)
    first = np.concatenate([streaming.push(NOISE), streaming.flush()])
    assert np.array_equal(np.concatenate([streaming.push(NOISE), streaming.flush()]), first)
    assert streaming.flush().size == 0


def test_floats_agree_with_int16() -> None:
    floats = NOISE.astype(np.float32) / np.float32(32768)
    whole = resample_float(floats, 22050, 16000)
    streaming = StreamingFloatResampler(22050, 16000)
    parts = [streaming.push(chunk) for chunk in np.array_split(floats, 17)]
    assert np.allclose(np.concatenate([*parts, streaming.flush()]), whole, atol=1e-7)
    assert whole.dtype == np.float32
    assert np.allclose(np.clip(whole * 32768, -32768, 32767), resample(NOISE, 22050, 16000), atol=0.51)


def test_wrong_input_says_what_is_needed() -> None:
    with pytest.raises(AudioFormatError, match="need mono int16, got int32 with 1 dimensions"):
        StreamingResampler(8000, 16000).push(np.zeros(3, dtype=np.int32))
    with pytest.raises(ValueError, match="rates must be positive, got 0 → 16000 Hz"):
        StreamingResampler(0, 16000)
