"""What every ear promises: the fake and the real ones alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest

from sipagent.errors import JobCancelled
from sipagent.speech.types import SttEngine, SttStream, never_cancelled
from sipagent.units import Pcm16
from tests.engine.speech_clips import clip, korean, model_dir, over_the_phone, silence
from tests.fakes.stt import FakeStt

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Case:
    """An engine and speech that it understands."""

    engine: SttEngine
    said: tuple[tuple[Pcm16, str], ...]
    """Sentences, and a word (in lower case) that the engine hears in each and in no other."""
    is_repeatable: bool = True
    """False: the engine adds noise of its own (Kaldi's dither), and uncertain words differ."""


def _sound(duration_ms: int) -> Pcm16:
    return np.full(duration_ms * 16, 1000, dtype=np.int16)


def _fake() -> Case:
    lines = ["hello", "goodbye", "thanks"]
    engine = FakeStt([(i * 1000 + 500, lines[i % 3]) for i in range(60)])
    return Case(engine, tuple((_sound(1000), line) for line in lines))


def _whisper() -> Case:
    folder = model_dir("whisper-tiny.en")
    from sipagent.speech.stt_whisper import WhisperStt

    said = (("hours-hibari-1.0", "friday"), ("price-hibari-1.0", "cost"), ("pause-hibari-1.0", "thursday"))
    return Case(WhisperStt(folder), tuple((over_the_phone(clip(name)), word) for name, word in said))


def _vosk() -> Case:
    folder = model_dir("vosk-small-ko")
    from sipagent.speech.stt_vosk import VoskStt

    paces = {"아버지": 130, "노래": 120}  # words of this robotic voice that the model understands
    said = tuple((korean(word, words_per_min=pace), word) for word, pace in paces.items())
    return Case(VoskStt(folder), said, is_repeatable=False)


CASES: dict[str, Callable[[], Case]] = {"fake": _fake, "whisper": _whisper, "vosk": _vosk}


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    case = CASES[request.param]()
    yield case
    case.engine.close()


@pytest.fixture
def stream(case: Case) -> Iterator[SttStream]:
    stream = case.engine.open_stream()
    yield stream
    stream.close()


def _turn(*sentences: Pcm16) -> Pcm16:
    """The sentences with silence around each."""
    return np.concatenate([silence(400), *(part for s in sentences for part in (s, silence(1200)))])


def _text(stream: SttStream) -> str:
    return stream.snapshot(never_cancelled).text.lower()


def _accept_in(stream: SttStream, pcm: Pcm16, sizes: Sequence[int]) -> None:
    start = i = 0
    while start < pcm.size:
        size = sizes[i % len(sizes)]
        stream.accept(pcm[start : start + size])
        start, i = start + size, i + 1


def test_a_sentence_is_heard(case: Case, stream: SttStream) -> None:
    sound, word = case.said[0]
    stream.accept(_turn(sound))
    heard = stream.snapshot(never_cancelled)
    assert word in heard.text.lower()
    assert 0 < heard.confidence <= 1
    assert heard.text == " ".join(heard.text.split())


def test_a_hint_is_for_the_doubtful_only(case: Case, stream: SttStream) -> None:
    sound, word = case.said[0]
    stream.accept(_turn(sound))
    assert word in stream.snapshot(never_cancelled, "10:30. Half past two.").text.lower()


def test_a_hint_without_sound_is_no_text(stream: SttStream) -> None:
    assert stream.snapshot(never_cancelled, "201-555-0123.").text == ""


def test_nothing_accepted_is_no_text(stream: SttStream) -> None:
    assert _text(stream) == ""
    assert stream.partial(never_cancelled).text == ""


def test_silence_is_no_text(stream: SttStream) -> None:
    stream.accept(silence(3000))
    assert _text(stream) == ""


def test_snapshot_without_new_sound_repeats_itself(case: Case, stream: SttStream) -> None:
    stream.accept(_turn(case.said[0][0]))
    first = stream.snapshot(never_cancelled)
    assert stream.snapshot(never_cancelled) == first
    assert stream.partial(never_cancelled).text == first.text


def test_accepting_goes_on_after_a_snapshot(case: Case, stream: SttStream) -> None:
    (first, first_word), (second, second_word) = case.said[:2]
    stream.accept(_turn(first))
    assert second_word not in _text(stream)
    stream.accept(_turn(second))
    text = _text(stream)
    assert first_word in text
    assert second_word in text
    assert text.index(first_word) < text.index(second_word)


def test_reset_forgets_the_turn(case: Case, stream: SttStream) -> None:
    (first, first_word), (second, second_word) = case.said[:2]
    stream.accept(_turn(first))
    assert first_word in _text(stream)
    stream.reset()
    assert _text(stream) == ""
    stream.accept(_turn(second))
    text = _text(stream)
    assert second_word in text
    assert first_word not in text


def test_a_cancelled_snapshot_loses_nothing(case: Case, stream: SttStream) -> None:
    sound, word = case.said[0]
    stream.accept(_turn(sound))
    with pytest.raises(JobCancelled):
        stream.snapshot(lambda: True)
    assert word in _text(stream)


@pytest.mark.parametrize("asked", [1, 2])
def test_a_snapshot_cancelled_halfway_loses_nothing(case: Case, stream: SttStream, asked: int) -> None:
    sound, word = case.said[0]
    stream.accept(_turn(sound))
    answers = iter([False] * asked)
    with suppress(JobCancelled):  # an engine that asks less often is done by then
        stream.snapshot(lambda: next(answers, True))
    assert word in _text(stream)


def test_partial_hears_what_there_is(case: Case, stream: SttStream) -> None:
    sound, _ = case.said[0]
    stream.accept(_turn(sound))
    assert stream.partial(never_cancelled).text != ""


def test_close_is_idempotent(case: Case) -> None:
    stream = case.engine.open_stream()
    stream.accept(_turn(case.said[0][0]))
    stream.close()
    stream.close()


def test_text_does_not_depend_on_the_size_of_the_pieces(case: Case, stream: SttStream) -> None:
    sound = _turn(case.said[0][0], case.said[1][0])
    other = case.engine.open_stream()
    stream.accept(sound)
    _accept_in(other, sound, (320, 1, 333, 5000))
    whole, pieces = _text(stream), _text(other)
    other.close()
    if case.is_repeatable:
        assert pieces == whole
    for _, word in case.said[:2]:
        assert word in whole
        assert word in pieces


def test_accepted_sound_is_the_streams_own(case: Case, stream: SttStream) -> None:
    sound, word = case.said[0]
    frame = np.zeros(320, dtype=np.int16)
    turn = _turn(sound)
    for start in range(0, turn.size - 320, 320):
        frame[:] = turn[start : start + 320]
        stream.accept(frame)
        frame.fill(0)
    assert word in _text(stream)


def test_two_streams_do_not_mix(case: Case, stream: SttStream) -> None:
    sound, word = case.said[0]
    other = case.engine.open_stream()
    turn = _turn(sound)
    for start in range(0, turn.size, 1600):
        stream.accept(turn[start : start + 1600])
        other.accept(silence(100))
    mine, others = _text(stream), _text(other)
    other.close()
    assert word in mine
    assert others == ""


def test_a_long_turn_keeps_everything(case: Case, stream: SttStream) -> None:
    rounds = 0
    accepted = 0
    while accepted < 40 * 16_000:
        turn = _turn(*(sound for sound, _ in case.said))
        stream.accept(turn)
        accepted += turn.size
        rounds += 1
    text = _text(stream)
    counts = {word: text.count(word) for _, word in case.said}
    surest = min(counts.values()) if case.is_repeatable else max(counts.values())
    assert surest >= 0.8 * rounds, counts
    assert len(text.split()) >= rounds * len(case.said)
    assert _text(stream) == text
