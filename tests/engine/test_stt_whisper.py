"""Whisper for real: what it hears over the phone, what it must not hear, long turns, cancelling."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from sipagent.bench.wer import word_errors
from sipagent.errors import JobCancelled, ModelError
from sipagent.speech.stt_whisper import WhisperOptions, WhisperStt
from sipagent.speech.types import Cancelled, Transcript, never_cancelled
from sipagent.units import Pcm16
from tests.engine.speech_clips import CLIPS, clip, model_dir, over_the_phone, silence, transcripts

pytestmark = pytest.mark.engine

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def whisper() -> Iterator[WhisperStt]:
    engine = WhisperStt(model_dir("whisper-tiny.en"))
    engine.warm()
    yield engine
    engine.close()


def _hear(engine: WhisperStt, pcm: Pcm16) -> str:
    return engine.transcribe(pcm, never_cancelled).text


def test_word_error_rate_over_the_phone_is_under_the_bar(whisper: WhisperStt) -> None:
    errors = words = 0
    for name, said in transcripts().items():
        heard = _hear(whisper, over_the_phone(clip(name)))
        found, of = word_errors(said, heard)
        errors, words = errors + found, words + of
    assert errors / words <= 0.08


def test_every_clip_is_described() -> None:
    files = {path.stem for path in CLIPS.glob("*.wav")}
    entries = json.loads((CLIPS / "manifest.json").read_text())
    assert {entry["file"].removesuffix(".wav") for entry in entries} == files
    assert all(entry["origin"] for entry in entries)


def _noises() -> dict[str, Pcm16]:
    rng = np.random.default_rng(20)
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    hiss = rng.normal(0, 1, time_s.size)
    breath = hiss * np.exp(-(((time_s - 1) / 0.2) ** 2))
    clicks = np.zeros(time_s.size)
    clicks[rng.integers(0, time_s.size, 5)] = 6000
    ring = np.sin(2 * np.pi * 440 * time_s) + np.sin(2 * np.pi * 480 * time_s)
    thump = np.sin(2 * np.pi * 90 * time_s) * (np.abs(time_s - 0.6) < 0.1)
    sounds = {
        "hiss": hiss * 300,
        "loud hiss": hiss * 2000,
        "breath": breath * 600,
        "clicks": clicks + hiss * 8,
        "ring tone": ring * 300 * (time_s < 1),
        "hum": np.sin(2 * np.pi * 50 * time_s) * 1000,
        "thump": thump * 3000 + hiss * 8,
    }
    return {name: np.clip(sound, -32768, 32767).astype(np.int16) for name, sound in sounds.items()}


@pytest.mark.parametrize("noise", sorted(_noises()))
def test_noise_is_no_text(whisper: WhisperStt, noise: str) -> None:
    assert _hear(whisper, over_the_phone(_noises()[noise])) == ""


HINTS = ("201-555-0123.", "10:30. Half past two.", "I'd say a seven.", "Tuesday, the 14th of December.")


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("noise", sorted(_noises()))
def test_noise_is_not_heard_as_what_is_hinted_at(whisper: WhisperStt, noise: str, hint: str) -> None:
    pcm = over_the_phone(_noises()[noise])
    assert whisper.transcribe(pcm, never_cancelled, hint).text == ""


@pytest.mark.parametrize("hint", HINTS)
def test_a_hint_changes_no_word_of_other_sentences(whisper: WhisperStt, hint: str) -> None:
    for name in ("hours-hibari-1.0", "no-hibari-1.0", "price-hibari-1.0", "human-0870"):
        pcm = over_the_phone(clip(name))
        with_hint = whisper.transcribe(pcm, never_cancelled, hint).text
        assert word_errors(_hear(whisper, pcm), with_hint)[0] <= 1


def test_a_number_is_heard_in_the_manner_of_the_hint(whisper: WhisperStt) -> None:
    heard = whisper.transcribe(
        over_the_phone(clip("number-hibari-1.0")), never_cancelled, "201-555-0123."
    ).text
    assert "555-0123" in heard


def test_a_single_short_word_is_heard(whisper: WhisperStt) -> None:
    yes = clip("yes-hibari-1.0")[: 450 * 16]
    assert "yes" in _hear(whisper, over_the_phone(yes)).lower()


def test_a_faint_caller_is_heard(whisper: WhisperStt) -> None:
    faint = (clip("price-hibari-1.0") // 16).astype(np.int16)
    assert "cost" in _hear(whisper, faint)


def test_a_loop_is_decoded_again(whisper: WhisperStt) -> None:
    engine = whisper
    usual = engine.options
    try:
        engine.options = WhisperOptions(lead_ms=0, tail_ms=1500, retry_tail_ms=())
        plain = [_hear(engine, over_the_phone(clip(name))) for name in transcripts()]
        engine.options = WhisperOptions(lead_ms=0, tail_ms=1500)
        retried = [_hear(engine, over_the_phone(clip(name))) for name in transcripts()]
    finally:
        engine.options = usual
    errors = [
        sum(word_errors(said, heard)[0] for said, heard in zip(transcripts().values(), texts, strict=True))
        for texts in (plain, retried)
    ]
    assert errors[1] < errors[0]


def test_each_segment_of_a_long_turn_is_decoded_once(
    whisper: WhisperStt, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    transcribe = whisper.transcribe

    def measured(pcm: Pcm16, cancelled: Cancelled, hint: str = "") -> Transcript:
        lengths.append(pcm.size)
        return transcribe(pcm, cancelled)

    monkeypatch.setattr(whisper, "transcribe", measured)
    sentence = np.concatenate([clip("long-hibari-1.0"), silence(700)])
    stream = whisper.open_stream()
    for _ in range(10):
        stream.accept(sentence)
    first = stream.snapshot(never_cancelled)
    assert first.text.count("toothache") == 10
    assert len(lengths) == -(-10 * sentence.size // (26 * RATE_HZ))
    assert sum(lengths) == 10 * sentence.size
    del lengths[:]
    stream.accept(clip("bye-hibari-1.0"))
    assert stream.snapshot(never_cancelled).text.lower().endswith("goodbye.")
    assert sum(lengths) < 28 * RATE_HZ


def test_cancelled_between_segments_keeps_those_done(whisper: WhisperStt) -> None:
    stream = whisper.open_stream()
    for _ in range(6):
        stream.accept(np.concatenate([clip("long-hibari-1.0"), silence(700)]))
    answers = iter([False] * 3)
    with pytest.raises(JobCancelled):
        stream.snapshot(lambda: next(answers, True))
    assert stream.snapshot(never_cancelled).text.count("toothache") == 6


def test_partial_is_stale_until_enough_is_new(whisper: WhisperStt) -> None:
    stream = whisper.open_stream()
    stream.accept(clip("price-hibari-1.0"))
    first = stream.partial(never_cancelled)
    assert "cost" in first.text
    stream.accept(clip("hours-hibari-1.0")[: 500 * 16])
    assert stream.partial(never_cancelled) == first
    stream.accept(clip("hours-hibari-1.0")[500 * 16 :])
    assert "Friday" in stream.partial(never_cancelled).text


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ModelError, match=r"model\.bin is missing"):
        WhisperStt(CLIPS)
