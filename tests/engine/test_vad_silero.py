"""Silero for real: voice is found where it is, noise is not voice, calls do not mix."""

import numpy as np
import pytest

from sipagent.errors import ModelError
from sipagent.speech.segments import loud_span
from sipagent.speech.vad import WINDOW_SAMPLES, VadModel, VoiceStarted, VoiceStopped, VoiceTracker
from sipagent.units import Pcm16
from tests.engine.speech_clips import CLIPS, clip, model_dir, over_the_phone, silence

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def model() -> VadModel:
    return VadModel(model_dir("silero-vad") / "silero_vad.onnx")


def _windows(pcm: Pcm16) -> list[Pcm16]:
    return [pcm[i : i + WINDOW_SAMPLES] for i in range(0, pcm.size - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)]


def _events(model: VadModel, pcm: Pcm16) -> list[tuple[str, int]]:
    """Kind and time in ms of each event."""
    vad, tracker = model.open(), VoiceTracker()
    found: list[tuple[str, int]] = []
    for i, window in enumerate(_windows(pcm)):
        match tracker.step(vad.probability(window), i * WINDOW_SAMPLES):
            case VoiceStarted(at_sample):
                found.append(("started", at_sample // 16))
            case VoiceStopped(at_sample):
                found.append(("stopped", at_sample // 16))
    return found


@pytest.mark.parametrize("name", ["yes-hibari-1.0", "hours-flite-rms", "human-0890"])
def test_voice_is_found_where_it_is(model: VadModel, name: str) -> None:
    voice = clip(name)[loud_span(clip(name), margin_ms=0)]
    pcm = over_the_phone(np.concatenate([silence(1000), voice, silence(1000)]))
    events = _events(model, pcm)
    assert events[0][0] == "started"
    assert events[0][1] == pytest.approx(1000, abs=250)
    assert events[-1][0] == "stopped"
    assert events[-1][1] == pytest.approx(1000 + voice.size / 16, abs=300)


def test_noise_is_no_voice(model: VadModel) -> None:
    rng = np.random.default_rng(5)
    hiss = rng.normal(0, 200, 5 * 16_000).astype(np.int16)
    assert _events(model, over_the_phone(hiss)) == []
    assert _events(model, silence(5000)) == []


def test_speech_after_a_minute_of_tones_is_heard_at_once(model: VadModel) -> None:
    time_s = np.arange(60 * 16_000) / 16_000
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330, 440))
    music = (chord * 1500 * (0.6 + 0.4 * np.sin(4 * np.pi * time_s))).astype(np.int16)
    events = _events(model, over_the_phone(np.concatenate([music, clip("hours-flite-rms"), silence(500)])))
    assert events[0][0] == "started"
    assert events[0][1] == pytest.approx(60_000, abs=250)


def test_calls_do_not_mix(model: VadModel) -> None:
    alone, first, second = model.open(), model.open(), model.open()
    for window in _windows(clip("yes-hibari-1.0")):
        expected = alone.probability(window)
        assert first.probability(window) == pytest.approx(expected, abs=1e-6)
        assert second.probability(silence(32)) < 0.3


def test_reset_forgets(model: VadModel) -> None:
    vad = model.open()
    windows = _windows(clip("yes-hibari-1.0"))
    before = [vad.probability(window) for window in windows]
    vad.reset()
    assert [vad.probability(window) for window in windows] == pytest.approx(before, abs=1e-6)


def test_a_window_of_another_size_is_refused(model: VadModel) -> None:
    with pytest.raises(ValueError, match=r"\(512,\), got \(320,\)"):
        model.open().probability(silence(20))


def test_a_file_that_is_no_model_is_named() -> None:
    with pytest.raises(ModelError, match=r"manifest\.json"):
        VadModel(CLIPS / "manifest.json")
