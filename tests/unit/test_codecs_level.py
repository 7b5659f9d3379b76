"""Levels, limiting, levelling, fades and trimming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.codecs.level import (
    CEILING_DBOV,
    SILENCE_DBOV,
    Leveller,
    active_level_dbov,
    apply_gain,
    fade_in,
    fade_out,
    level_to,
    limit,
    rms_dbov,
    trim_silence,
)
from sipagent.units import Pcm16, to_float

pytestmark = pytest.mark.unit

SECOND = 16000
CEILING = 32768 * 10 ** (CEILING_DBOV / 20)


def _tone(level_dbov: float, samples: int = SECOND) -> Pcm16:
    amplitude = 32768 * 10 ** (level_dbov / 20) * 2**0.5
    wave: Pcm16 = np.rint(amplitude * np.sin(2 * np.pi * 440 * np.arange(samples) / SECOND)).astype(np.int16)
    return wave


def _speech_like(level_dbov: float) -> Pcm16:
    """Tone bursts with pauses between, as words have."""
    burst, pause = _tone(level_dbov, 4000), np.zeros(4000, dtype=np.int16)
    return np.concatenate([burst, pause] * 4)


def test_g100_1_a_full_scale_square_is_zero_dbov() -> None:
    square = np.where(np.arange(1000) % 2, 32767, -32768).astype(np.int16)
    assert rms_dbov(square) == pytest.approx(0, abs=0.01)
    assert rms_dbov(_tone(-20)) == pytest.approx(-20, abs=0.05)


def test_silence_has_a_level() -> None:
    assert rms_dbov(np.zeros(0, dtype=np.int16)) == SILENCE_DBOV
    assert rms_dbov(np.zeros(100, dtype=np.int16)) == SILENCE_DBOV
    assert active_level_dbov(np.zeros(SECOND, dtype=np.int16)) == SILENCE_DBOV


def test_p56_pauses_do_not_count() -> None:
    assert rms_dbov(_speech_like(-26)) == pytest.approx(-29, abs=0.1)
    assert active_level_dbov(_speech_like(-26)) == pytest.approx(-26, abs=0.3)


@given(level_dbov=st.floats(-55, -8), target_dbov=st.floats(-40, -18))
@settings(max_examples=30, deadline=None)
def test_level_to_reaches_the_target(level_dbov: float, target_dbov: float) -> None:
    levelled = level_to(_speech_like(level_dbov), target_dbov, max_gain_db=60)
    assert active_level_dbov(levelled) == pytest.approx(target_dbov, abs=0.7)


def test_silence_is_not_raised() -> None:
    hiss = np.random.default_rng(1).integers(-2, 3, SECOND).astype(np.int16)
    assert np.array_equal(level_to(hiss), hiss)


@given(gain_db=st.floats(0, 40), samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=400))
@settings(max_examples=60, deadline=None)
def test_peaks_never_pass_the_ceiling(gain_db: float, samples: list[int]) -> None:
    loud = apply_gain(np.array(samples, dtype=np.int16), gain_db)
    assert np.abs(loud.astype(np.int32)).max() <= CEILING + 1


def test_limiting_bends_no_wave() -> None:
    wave = to_float(_tone(-20))
    wave[8000:8400] *= 12
    limited = limit(wave)
    assert np.allclose(limited[:7000], wave[:7000], atol=1e-6)
    crest = limited[8100:8300]
    assert np.mean(np.abs(crest) > 0.995 * np.abs(crest).max()) < 0.12  # a clipped sine would have flat tops


def test_what_has_no_peaks_is_left_alone() -> None:
    wave = to_float(_tone(-20))
    assert limit(wave) is wave


def test_leveller_holds_every_clause_near_the_target() -> None:
    leveller = Leveller(-20, tolerance_db=1.5)
    for level_dbov in (-14, -26, -22, -9, -35):
        assert active_level_dbov(leveller.apply(_speech_like(level_dbov))) == pytest.approx(-20, abs=2)


def test_leveller_does_not_jump_for_small_differences() -> None:
    leveller = Leveller(-20)
    gains_db = [
        active_level_dbov(leveller.apply(_speech_like(level))) - active_level_dbov(_speech_like(level))
        for level in (-26, -25, -27, -26)
    ]
    assert max(np.abs(np.diff(gains_db))) < 0.5


def test_leveller_ignores_silence() -> None:
    leveller = Leveller(-20)
    assert not leveller.apply(np.zeros(1000, dtype=np.int16)).any()
    assert active_level_dbov(leveller.apply(_speech_like(-30))) == pytest.approx(-20, abs=0.5)


@given(duration_ms=st.integers(0, 80), size=st.integers(0, 600))
@settings(max_examples=50, deadline=None)
def test_fades_touch_only_their_end(duration_ms: int, size: int) -> None:
    pcm = np.full(size, 10000, dtype=np.int16)
    samples = min(duration_ms * 16, size)
    risen, fallen = fade_in(pcm, duration_ms), fade_out(pcm, duration_ms)
    assert np.all(risen[samples:] == 10000)
    assert np.all(fallen[: size - samples] == 10000)
    assert np.all(np.diff(risen.astype(np.int32)) >= 0)
    assert np.array_equal(fallen, risen[::-1])
    assert samples == 0 or risen[0] == 0
    assert np.all(pcm == 10000)  # the caller's array is not changed


@given(before=st.integers(0, 4000), after=st.integers(0, 4000))
@settings(max_examples=30, deadline=None)
def test_trimming_keeps_all_speech_and_little_silence(before: int, after: int) -> None:
    speech = _tone(-20, 3200)
    padded = np.concatenate([np.zeros(before, np.int16), speech, np.zeros(after, np.int16)])
    trimmed = trim_silence(padded, keep_ms=10)
    assert np.sum(np.square(trimmed.astype(np.float64))) >= 0.999 * np.sum(
        np.square(speech.astype(np.float64))
    )
    assert trimmed.size <= speech.size + 2 * 320


def test_trimming_silence_leaves_nothing() -> None:
    assert trim_silence(np.zeros(5000, dtype=np.int16)).size == 0
    assert trim_silence(np.zeros(0, dtype=np.int16)).size == 0
