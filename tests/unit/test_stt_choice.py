"""Which speech-to-text model the configuration means."""

from pathlib import Path

import pytest

from sipagent.errors import ModelError
from sipagent.speech.stt import choose_model, load_stt

pytestmark = pytest.mark.unit


class Store:
    """A model store with these models."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def path(self, name: str) -> Path:
        return Path("/nowhere") / name

    def is_installed(self, name: str) -> bool:
        return name in self.names


@pytest.mark.parametrize(
    ("engine", "model", "language", "installed", "chosen"),
    [
        ("auto", "auto", "en", ("vosk-small-en-us", "whisper-tiny.en"), "vosk-small-en-us"),
        ("auto", "auto", "en", ("vosk-small-ko", "whisper-tiny.en"), "whisper-tiny.en"),
        ("auto", "auto", "en", (), "whisper-tiny.en"),
        ("auto", "auto", "ko", ("vosk-small-ko",), "vosk-small-ko"),
        ("auto", "auto", "ko", ("whisper-tiny.en",), "vosk-small-ko"),
        ("whisper", "auto", "en", ("vosk-small-en-us",), "whisper-tiny.en"),
        ("vosk", "auto", "en", (), "vosk-small-en-us"),
        ("auto", "vosk-small-ko", "en", (), "vosk-small-ko"),
        ("whisper", "whisper-base", "en", (), "whisper-base"),
    ],
)
def test_choice(engine: str, model: str, language: str, installed: tuple[str, ...], chosen: str) -> None:
    assert choose_model(engine, model, Store(*installed), language=language) == chosen


@pytest.mark.parametrize(
    ("engine", "model", "language", "problem"),
    [
        ("vosk", "whisper-tiny.en", "en", "not a model of vosk"),
        ("auto", "piper-en_US-joe-medium", "en", "not a speech-to-text model"),
        ("whisper", "auto", "ko", "no whisper model for language 'ko'"),
        ("auto", "auto", "xx", "no auto model for language 'xx'"),
    ],
)
def test_contradictions_are_named(engine: str, model: str, language: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        choose_model(engine, model, Store(), language=language)


def test_a_missing_model_names_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"not installed; fetch it: sipagent models fetch whisper-tiny\.en"):
        load_stt("auto", "auto", Store())
