"""The phrase cache: what it keeps, what it forgets, what it never writes."""

from pathlib import Path

import numpy as np
import pytest

from sipagent.errors import EngineError, JobCancelled
from sipagent.speech.phrases import PhraseCache
from sipagent.speech.types import never_cancelled
from tests.fakes.tts import FakeTts

pytestmark = pytest.mark.unit

GREETING = "Hello, how can I help?"


def _spoken(cache: PhraseCache, text: str) -> int:
    return sum(chunk.size for chunk in cache.speak(text, never_cancelled))


def test_what_was_preloaded_is_there_at_once() -> None:
    tts = FakeTts()
    cache = PhraseCache(tts)
    assert cache.lookup(GREETING) is None
    cache.preload([GREETING, "Goodbye.", GREETING])
    assert tts.said == [GREETING, "Goodbye."]
    sound = cache.lookup("  hello,  HOW can I help? ")
    assert sound is not None
    assert sound.size > 0
    assert not sound.flags.writeable
    assert _spoken(cache, GREETING) == sound.size
    assert len(tts.said) == 2


def test_what_was_spoken_once_is_known() -> None:
    tts = FakeTts()
    cache = PhraseCache(tts)
    text = "One sentence. And one more."
    first = [c.copy() for c in cache.speak(text, never_cancelled)]
    assert len(first) == 2
    (again,) = cache.speak(text, never_cancelled)
    assert np.array_equal(again, np.concatenate(first))
    assert tts.said == [text]


def test_texts_that_are_prepared_alike_are_one_phrase() -> None:
    tts = FakeTts()
    cache = PhraseCache(tts, prepare=lambda text: text.replace("Dr.", "Doctor"))
    cache.preload(["Dr. Smith"])
    assert tts.said == ["Doctor Smith"]
    assert cache.lookup("Doctor Smith") is not None


def test_the_least_recently_used_is_forgotten_first() -> None:
    cache = PhraseCache(FakeTts(word_ms=100), max_bytes=3 * 4000)  # a word takes some 3.8 kB
    for text in ("alpha", "bravo", "charlie"):
        _spoken(cache, text)
    assert cache.lookup("alpha") is not None  # now the freshest
    _spoken(cache, "delta")
    assert cache.lookup("bravo") is None
    assert cache.lookup("alpha") is not None
    assert cache.lookup("delta") is not None


def test_what_exceeds_the_bound_alone_is_not_kept() -> None:
    cache = PhraseCache(FakeTts(), max_bytes=1000)
    assert _spoken(cache, "far too long for this") > 500
    assert cache.lookup("far too long for this") is None


def test_a_cancelled_or_failed_phrase_is_not_kept() -> None:
    cache = PhraseCache(FakeTts(failures={"Broken.": "fake: broken"}))
    with pytest.raises(JobCancelled):
        list(cache.speak("Hello.", lambda: True))
    next(cache.speak("First one. Second one.", never_cancelled))  # dropped behind the first sentence
    with pytest.raises(EngineError, match="fake: broken"):
        list(cache.speak("Broken.", never_cancelled))
    assert [cache.lookup(t) for t in ("Hello.", "First one. Second one.", "Broken.")] == [None, None, None]


def test_nothing_to_say_is_remembered_as_nothing() -> None:
    cache = PhraseCache(FakeTts())
    assert list(cache.speak("…", never_cancelled)) == []
    assert list(cache.speak("…", never_cancelled)) == []


def test_preloaded_phrases_outlive_the_process(tmp_path: Path) -> None:
    PhraseCache(FakeTts(), cache_dir=tmp_path / "deep" / "cache").preload([GREETING])
    later = FakeTts()
    cache = PhraseCache(later, cache_dir=tmp_path / "deep" / "cache")
    cache.preload([GREETING])
    assert later.said == []
    assert cache.lookup(GREETING) is not None


def test_replies_are_never_written_to_disk(tmp_path: Path) -> None:
    cache = PhraseCache(FakeTts(), cache_dir=tmp_path)
    _spoken(cache, "Your appointment is at nine, Missis Brown.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEfmt "])
def test_a_spoiled_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    PhraseCache(FakeTts(), cache_dir=tmp_path).preload([GREETING])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for spoiled in (content, whole[:-100]):
        file.write_bytes(spoiled)
        tts = FakeTts()
        PhraseCache(tts, cache_dir=tmp_path).preload([GREETING])
        assert tts.said == [GREETING]
        assert file.read_bytes() == whole
        assert list(tmp_path.iterdir()) == [file]


def test_another_voice_has_its_own_files(tmp_path: Path) -> None:
    PhraseCache(FakeTts(), cache_dir=tmp_path).preload([GREETING])
    other = FakeTts()
    other.name = "another"
    PhraseCache(other, cache_dir=tmp_path).preload([GREETING])
    assert other.said == [GREETING]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = PhraseCache(FakeTts(), cache_dir=tmp_path / "file" / "cache")
    cache.preload([GREETING])
    assert cache.lookup(GREETING) is not None
