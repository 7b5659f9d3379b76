"""What every voice promises: the fake and the real ones alike."""

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sipagent.codecs.level import SPEECH_TARGET_DBOV, active_level_dbov, rms_dbov
from sipagent.errors import EngineError, JobCancelled
from sipagent.speech.shaping import split_for_voice
from sipagent.speech.tts import WarmableTts
from sipagent.speech.types import TtsEngine, never_cancelled
from sipagent.units import Pcm16, ms_to_samples
from tests.fakes.tts import FakeTts

pytestmark = pytest.mark.engine

PIPER_DIR = Path(__file__).parent.parent.parent / "models" / "piper-en_US-joe-medium"
TWO_SENTENCES = "We are open until five. Would Tuesday morning work for you?"


def _piper() -> WarmableTts:
    if not any(PIPER_DIR.glob("*.onnx")):
        pytest.skip(f"{PIPER_DIR.name} is not installed; run: sipagent models fetch {PIPER_DIR.name}")
    from sipagent.speech.tts_piper import PiperTts

    return PiperTts(PIPER_DIR)


def _hibari() -> WarmableTts:
    from sipagent.speech.tts_hibari import HibariTts

    return HibariTts()


VOICES: dict[str, Callable[[], WarmableTts]] = {"fake": FakeTts, "piper": _piper, "hibari": _hibari}


@pytest.fixture(scope="module", params=sorted(VOICES))
def tts(request: pytest.FixtureRequest) -> Iterator[WarmableTts]:
    engine = VOICES[request.param]()
    engine.warm()
    yield engine
    engine.close()


def _say(tts: TtsEngine, text: str) -> list[Pcm16]:
    return list(tts.synthesize(text, never_cancelled))


def _silent_ms(pcm: Pcm16) -> int:
    """Milliseconds before the first 5 ms that can be heard."""
    hop = ms_to_samples(5)
    for index in range(pcm.size // hop):
        if rms_dbov(pcm[index * hop : (index + 1) * hop]) > SPEECH_TARGET_DBOV - 42:
            return index * 5
    return pcm.size * 1000 // 16000


@pytest.mark.parametrize("text", ["Hello.", "One moment, please.", TWO_SENTENCES])
def test_chunks_are_16_khz_pcm_of_a_likely_length(tts: TtsEngine, text: str) -> None:
    chunks = _say(tts, text)
    assert all(c.dtype == np.int16 and c.ndim == 1 and c.size for c in chunks)
    duration_ms = sum(c.size for c in chunks) // 16
    words = len(text.split())
    assert 120 * words <= duration_ms <= 900 * words + 300


@pytest.mark.parametrize("text", ["Hello.", "Yes, of course.", TWO_SENTENCES])
def test_no_silence_at_the_edges(tts: TtsEngine, text: str) -> None:
    joined = np.concatenate(_say(tts, text))
    assert _silent_ms(joined) <= 20
    assert _silent_ms(joined[::-1]) <= 25  # a hop of the ruler more: ends are not aligned to it


def test_every_clause_is_near_the_target_level(tts: TtsEngine) -> None:
    for text in ("No.", "Hello, how are you?", "Please hold the line.", TWO_SENTENCES):
        for chunk in _say(tts, text):
            assert active_level_dbov(chunk) == pytest.approx(SPEECH_TARGET_DBOV, abs=3)


def test_nothing_is_clipped(tts: TtsEngine) -> None:
    joined = np.concatenate(_say(tts, TWO_SENTENCES)).astype(np.int32)
    assert np.abs(joined).max() < 32000


def test_no_click_where_chunks_meet(tts: TtsEngine) -> None:
    chunks = _say(tts, TWO_SENTENCES)
    assert len(chunks) == 2
    inside = max(int(np.abs(np.diff(c.astype(np.int32))).max()) for c in chunks)
    for before, after in pairwise(chunks):
        joint = np.concatenate([before[-2:], after[:2]]).astype(np.int32)
        assert np.abs(np.diff(joint)).max() <= inside / 8
        assert abs(int(before[-1])) <= 50
        assert abs(int(after[0])) <= 50
    assert abs(int(chunks[0][0])) <= 50  # the first begins behind whatever was queued


def test_sentences_are_apart(tts: TtsEngine) -> None:
    _, second = _say(tts, TWO_SENTENCES)
    assert 150 <= _silent_ms(second) <= 450


@pytest.mark.parametrize("text", ["", " ", "…", "...", "?!", "—", "\n", "😀", "()[]{}", "***"])
def test_nothing_to_say_yields_nothing(tts: TtsEngine, text: str) -> None:
    assert _say(tts, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "\ud800 hello",
        "日本語",
        "Привет",
        "ﷺ",
        "[[həlˈoʊ]] there",
        "[a](/b/)",
        "<b>hi</b> & <speak>",
        "e\u0301\u0327\u0308",
        "1" * 300,
        "²½",
        "A" * 500,
        "a\u200bb\u202ec",
        "$$$ 5 %%% @@@ ###",
        "x,;:.!?" * 40,
    ],
)
def test_odd_characters_raise_nothing_but_engine_errors(tts: TtsEngine, text: str) -> None:
    try:
        chunks = _say(tts, text)
    except EngineError:
        return
    assert all(c.dtype == np.int16 for c in chunks)


def test_long_text_comes_in_pieces(tts: TtsEngine) -> None:
    text = "and then we go on, " * 30
    chunks = _say(tts, text)
    assert len(split_for_voice(text)) > 1
    assert len(chunks) >= len(split_for_voice(text))
    assert max(c.size for c in chunks) < 16 * 25_000


def test_a_cancelled_job_says_nothing(tts: TtsEngine) -> None:
    with pytest.raises(JobCancelled):
        next(tts.synthesize("Hello.", lambda: True))


def test_cancelling_stops_between_sentences(tts: TtsEngine) -> None:
    is_cancelled = threading.Event()
    chunks = tts.synthesize(TWO_SENTENCES, is_cancelled.is_set)
    assert next(chunks).size
    is_cancelled.set()
    with pytest.raises(JobCancelled):
        next(chunks)


def test_two_threads_at_once(tts: TtsEngine) -> None:
    results: dict[int, list[Pcm16]] = {}

    def job(index: int) -> None:
        results[index] = [c for _ in range(2) for c in _say(tts, "Thank you for calling, goodbye.")]

    threads = [threading.Thread(target=job, args=(index,), name=f"tts-{index}") for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(results) == [0, 1]
    durations = [c.size for chunks in results.values() for c in chunks]
    assert len(durations) == 4
    assert max(durations) < 1.5 * min(durations)


@pytest.mark.parametrize("name", sorted(VOICES))
def test_a_closed_voice_refuses(name: str) -> None:
    engine = VOICES[name]()
    engine.close()
    engine.close()
    with pytest.raises(EngineError):
        list(engine.synthesize("Hello.", never_cancelled))
