"""Sounds that a caller makes while listening and that are no turn: hums, coughs, keys, doors. Seeded.

All are made of shaped noise and harmonics, 16 kHz, so that nobody's recording is needed and every run has
the same ones.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sipagent.codecs.level import fade_in, fade_out, rms_dbov
from sipagent.lab.voices import CACHE_DIR
from sipagent.media.wav import write_wav
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, ms_to_samples

_Wave = npt.NDArray[np.float64]
_RECIPE = "1"
"""Changed when sounds made earlier should not be used any more."""
_EDGE_MS = 2


def sound_files(cache_dir: Path = CACHE_DIR) -> dict[str, Path]:
    """A WAV for each sound, made now or on an earlier run."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    files = {}
    for name in SOUNDS:
        path = cache_dir / f"sound-{name}-{_RECIPE}.wav"
        if not path.is_file():
            partial = path.with_suffix(".part")
            write_wav(partial, sound(name))
            partial.replace(path)
        files[name] = path
    return files


def sound(name: str) -> Pcm16:
    """One of ``SOUNDS``, at the level that it usually has on a telephone."""
    make, level_dbov = SOUNDS[name]
    wave = make(np.random.default_rng(sum(name.encode())))
    loud = wave[np.abs(wave) > 0.05 * np.abs(wave).max()]
    gain = 32768 * 10 ** (level_dbov / 20) / float(np.sqrt(np.mean(loud**2)))
    pcm: Pcm16 = np.clip(np.rint(wave * gain), -32000, 32000).astype(np.int16)
    assert rms_dbov(pcm) > -70.0
    return fade_out(fade_in(pcm, _EDGE_MS), _EDGE_MS)


def _hum(rng: np.random.Generator) -> _Wave:
    """ "Mm-hm": two nasal syllables with a breath between, the second one higher."""
    return np.concatenate(
        [_nasal(rng, 220, 118, 108), _noise(rng, 60, 400, 2500) * 0.04, _nasal(rng, 260, 125, 152)]
    )


def _nasal(rng: np.random.Generator, duration_ms: int, from_hz: float, to_hz: float) -> _Wave:
    samples = ms_to_samples(duration_ms)
    pitch_hz = np.linspace(from_hz, to_hz, samples) * (1 + 0.005 * rng.standard_normal())
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    wave = np.zeros(samples)
    for harmonic in range(1, 16):
        at_hz = harmonic * float(pitch_hz.mean())
        strength = 1 / (1 + ((at_hz - 260) / 120) ** 2) + 0.05 / (1 + ((at_hz - 1100) / 200) ** 2)
        wave += strength * np.sin(harmonic * phase)
    return wave * np.hanning(samples) ** 0.5


def _cough(rng: np.random.Generator) -> _Wave:
    """Two of them: a burst of air, a rough tail."""
    parts: list[_Wave] = []
    for strength in (1.0, 0.7):
        burst = _noise(rng, 70, 400, 3600) * _decay(70, 30)
        tail = (_noise(rng, 180, 250, 1800) + 0.4 * _nasal(rng, 180, 190, 140)) * _decay(180, 70)
        parts += [strength * burst, 0.6 * strength * tail, np.zeros(ms_to_samples(160))]
    return np.concatenate(parts[:-1])


def _keyboard(rng: np.random.Generator) -> _Wave:
    """A dozen keys in about two seconds, down and up."""
    wave = np.zeros(ms_to_samples(2200))
    at_ms = 20.0
    while at_ms < 2050:
        for offset_ms, strength in ((0.0, 1.0), (70.0, 0.45)):
            click = _noise(rng, 14, 900, 7000) * _decay(14, 3) * strength * rng.uniform(0.6, 1.0)
            start = ms_to_samples(int(at_ms + offset_ms))
            wave[start : start + click.size] += click
        at_ms += rng.uniform(110, 260)
    return wave


def _door(rng: np.random.Generator) -> _Wave:
    """A crack and the room's thump."""
    thump = _noise(rng, 450, 60, 500) * _decay(450, 90)
    thump[: ms_to_samples(25)] += 1.5 * _noise(rng, 25, 200, 6000) * _decay(25, 8)
    return thump


def _breath(rng: np.random.Generator) -> _Wave:
    wave = _noise(rng, 700, 500, 3000)
    return wave * np.hanning(wave.size)


def _cup(rng: np.random.Generator) -> _Wave:
    """China set down on a table."""
    time_s = np.arange(ms_to_samples(300)) / SAMPLE_RATE_HZ
    ring = sum(np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s / 0.05) for hz in (1900.0, 2740.0, 3350.0))
    knock = _noise(rng, 300, 150, 2500) * _decay(300, 12)
    return np.asarray(ring, dtype=np.float64) * 0.5 + knock


def _noise(rng: np.random.Generator, duration_ms: int, low_hz: float, high_hz: float) -> _Wave:
    """Noise of unit power between two frequencies."""
    samples = ms_to_samples(duration_ms)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    at_hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    wave = np.fft.irfft(spectrum * ((at_hz >= low_hz) & (at_hz <= high_hz)), samples)
    return np.asarray(wave / np.sqrt(np.mean(wave**2)), dtype=np.float64)


def _decay(duration_ms: int, constant_ms: float) -> _Wave:
    time_ms = np.arange(ms_to_samples(duration_ms)) * 1000 / SAMPLE_RATE_HZ
    return np.asarray(np.exp(-time_ms / constant_ms), dtype=np.float64)


SOUNDS: dict[str, tuple[Callable[[np.random.Generator], _Wave], float]] = {
    "hum": (_hum, -27.0),
    "cough": (_cough, -18.0),
    "keyboard": (_keyboard, -30.0),
    "door": (_door, -18.0),
    "breath": (_breath, -38.0),
    "cup": (_cup, -24.0),
}
"""Name → how it is made, and the level of its loud parts."""
