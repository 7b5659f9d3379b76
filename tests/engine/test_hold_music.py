"""Hold music is not speech: the agent waits through it."""

import numpy as np
import numpy.typing as npt
import pytest

from sipagent.speech.stt_whisper import WhisperStt
from sipagent.speech.types import never_cancelled
from sipagent.speech.vad import WINDOW_SAMPLES, VadModel
from sipagent.units import SAMPLE_RATE_HZ, Pcm16
from tests.peer.running_agent import ROOT

pytestmark = pytest.mark.engine

SCALE_HZ = (261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3)
DECAY_PER_S = {"piano": 2.5, "organ": 0.2}


def note(pitch_hz: float, duration_s: float, decay_per_s: float) -> npt.NDArray[np.float64]:
    time_s = np.arange(round(SAMPLE_RATE_HZ * duration_s)) / SAMPLE_RATE_HZ
    tone: npt.NDArray[np.float64] = np.zeros(len(time_s))
    for overtone in range(1, 8):
        if pitch_hz * overtone < 3400:
            tone += np.sin(2 * np.pi * pitch_hz * overtone * time_s) / overtone**1.2
    tone *= np.minimum(1, time_s * 50) * np.exp(-time_s * decay_per_s)
    return tone


def music(instrument: str) -> Pcm16:
    """Twenty seconds of melody over chords."""
    rng, decay = np.random.default_rng(1), DECAY_PER_S[instrument]
    bars = []
    for bar in range(10):
        melody = np.concatenate([note(SCALE_HZ[rng.integers(8)], 0.5, decay) for _ in range(4)])
        chord = np.sum([note(SCALE_HZ[bar % 3 + step] / 2, 2.0, decay) for step in (0, 2, 4)], axis=0)
        bars.append(melody + 0.5 * chord)
    sound: npt.NDArray[np.float64] = np.concatenate(bars)
    peak = float(np.abs(sound).max())
    return (sound / peak * 6000).astype(np.int16)


@pytest.mark.parametrize("instrument", sorted(DECAY_PER_S))
def test_hold_music_is_neither_voice_nor_words(instrument: str) -> None:
    sound = music(instrument)
    vad = VadModel(ROOT / "models" / "silero-vad" / "silero_vad.onnx").open()
    windows = [
        sound[at : at + WINDOW_SAMPLES] for at in range(0, len(sound) - WINDOW_SAMPLES, WINDOW_SAMPLES)
    ]
    voiced = sum(vad.probability(window) >= 0.5 for window in windows)
    assert voiced < 0.05 * len(windows)
    stt = WhisperStt(ROOT / "models" / "whisper-tiny.en")
    stream = stt.open_stream()
    stream.accept(sound)
    assert stream.snapshot(never_cancelled).text == ""
    stream.close()
    stt.close()
