"""DTMF both ways, and that speech-like sound is not DTMF."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.codecs.g711 import decode_mulaw, encode_mulaw
from sipagent.codecs.level import rms_dbov
from sipagent.codecs.tones import (
    DTMF_DIGITS,
    DtmfDetector,
    beep,
    dtmf,
    goertzel_power,
    ringback,
    sine,
)
from sipagent.units import Pcm16

pytestmark = pytest.mark.unit


def _heard(pcm: Pcm16, rate_hz: int = 16000, chunk: int = 320) -> str:
    detector = DtmfDetector(rate_hz)
    found = [heard for at in range(0, pcm.size, chunk) for heard in detector.push(pcm[at : at + chunk])]
    assert [h.at_samples for h in found] == sorted(h.at_samples for h in found)
    return "".join(h.digit for h in found)


@given(
    digits=st.text(DTMF_DIGITS, max_size=8),
    on_ms=st.integers(50, 200),
    off_ms=st.integers(50, 200),
    rate_hz=st.sampled_from([8000, 16000]),
    chunk=st.integers(1, 900),
)
@settings(max_examples=15, deadline=None)
def test_every_digit_is_heard_once_and_in_order(
    digits: str, on_ms: int, off_ms: int, rate_hz: int, chunk: int
) -> None:
    pcm = dtmf(digits, on_ms=on_ms, off_ms=off_ms, rate_hz=rate_hz)
    assert _heard(np.concatenate([pcm, np.zeros(1000, np.int16)]), rate_hz, chunk) == digits


def test_digits_survive_mulaw_and_noise() -> None:
    pcm = dtmf(DTMF_DIGITS, level_dbov=-20, rate_hz=8000)
    noise = np.random.default_rng(4).normal(0, 200, pcm.size)
    noisy = (decode_mulaw(encode_mulaw(pcm)) + noise).astype(np.int16)
    assert _heard(noisy, 8000) == DTMF_DIGITS


def test_q24_a_too_short_tone_is_no_digit() -> None:
    short = sine((770, 1336), 20, level_dbov=-13, rate_hz=16000)
    assert _heard(np.concatenate([np.zeros(777, np.int16), short, np.zeros(3000, np.int16)])) == ""


def test_a_long_digit_is_one_digit() -> None:
    assert _heard(dtmf("5", on_ms=3000)) == "5"


def test_the_same_digit_twice_is_two() -> None:
    assert _heard(dtmf("55", on_ms=70, off_ms=60)) == "55"


@given(frequency_hz=st.integers(200, 3400))
@settings(max_examples=40, deadline=None)
def test_one_tone_is_no_digit(frequency_hz: int) -> None:
    assert _heard(beep(300, frequency_hz=frequency_hz)) == ""


def test_noise_and_ringback_are_no_digits() -> None:
    noise = np.random.default_rng(9).normal(0, 3000, 5 * 16000).astype(np.int16)
    assert _heard(noise) == ""
    assert _heard(ringback()) == ""


def test_goertzel_sees_its_frequency_only() -> None:
    pcm = sine((1000,), 100, level_dbov=-10, rate_hz=8000)
    assert 10 * np.log10(goertzel_power(pcm, 1000, 8000)) == pytest.approx(-10, abs=0.5)
    assert goertzel_power(pcm, 2000, 8000) < 1e-4
    assert goertzel_power(pcm[:0], 1000, 8000) == 0


def test_levels_are_as_asked() -> None:
    assert rms_dbov(beep(1000, level_dbov=-19)) == pytest.approx(-19, abs=0.2)
    assert rms_dbov(dtmf("7", on_ms=1000, off_ms=0, level_dbov=-13)) == pytest.approx(-13, abs=0.2)
    assert ringback(2).size == 12 * 16000


def test_other_characters_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dtmf: 'x' is none of|dtmf: 'X' is none of"):
        dtmf("1x")
