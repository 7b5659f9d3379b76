"""Vosk for real, with the small Korean model: partial results, end points, word times, 8 kHz sound."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sipagent.errors import EngineError, ModelError
from sipagent.speech.segments import loud_span
from sipagent.speech.stt_vosk import VoskStt
from sipagent.speech.types import Transcript, never_cancelled
from sipagent.units import Pcm16, samples_to_ms
from tests.engine.speech_clips import korean, model_dir, over_the_phone, silence

pytestmark = pytest.mark.engine

SONG = "노래"


@pytest.fixture(scope="module")
def vosk() -> Iterator[VoskStt]:
    engine = VoskStt(model_dir("vosk-small-ko"))
    yield engine
    engine.close()


def _song() -> Pcm16:
    return np.concatenate([silence(400), korean(SONG, words_per_min=120), silence(600)])


def _starts_ms(heard: Transcript) -> list[int]:
    return [word.start_ms for word in heard.words if word.text == SONG]


def test_sound_of_8_khz_is_understood(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    stream.accept(over_the_phone(_song()))
    assert SONG in stream.snapshot(never_cancelled).text
    stream.close()


def test_partial_comes_before_the_end(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    sound = _song()
    heard_at_ms = None
    for start in range(0, sound.size, 1600):
        stream.accept(sound[start : start + 1600])
        if heard_at_ms is None and stream.partial(never_cancelled).text:
            heard_at_ms = samples_to_ms(start + 1600)
    stream.close()
    assert heard_at_ms is not None
    assert heard_at_ms < samples_to_ms(sound.size)


def test_word_times_are_where_the_sound_is(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    stream.accept(_song())
    (word,) = stream.snapshot(never_cancelled).words
    stream.close()
    sound = loud_span(_song(), margin_ms=0)
    assert word.start_ms == pytest.approx(samples_to_ms(sound.start), abs=150)
    assert word.end_ms == pytest.approx(samples_to_ms(sound.stop), abs=150)
    assert 0 < word.confidence <= 1


def test_word_times_go_on_after_end_points_and_snapshots(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    pause_ms = 2500  # longer than Vosk's own end point
    for _ in range(3):
        stream.accept(np.concatenate([_song(), silence(pause_ms)]))
        stream.snapshot(never_cancelled)
    starts_ms = _starts_ms(stream.snapshot(never_cancelled))
    stream.close()
    round_ms = samples_to_ms(_song().size) + pause_ms
    assert starts_ms == pytest.approx([400 + i * round_ms for i in range(3)], abs=200)


def test_word_times_start_again_at_reset(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    for _ in range(2):
        stream.accept(_song()[:-1000])  # not a whole number of blocks
        stream.reset()
    stream.accept(_song())
    (start_ms,) = _starts_ms(stream.snapshot(never_cancelled))
    stream.close()
    assert start_ms == pytest.approx(400, abs=150)


def test_an_end_point_loses_nothing(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    stream.accept(np.concatenate([_song(), silence(3000), _song()]))
    assert stream.partial(never_cancelled).text.count(SONG) == 2
    assert stream.snapshot(never_cancelled).text.count(SONG) == 2
    stream.close()


def test_a_closed_stream_says_so(vosk: VoskStt) -> None:
    stream = vosk.open_stream()
    stream.close()
    with pytest.raises(EngineError, match="closed"):
        stream.accept(silence(200))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"am/final\.mdl is missing"):
        VoskStt(tmp_path)
