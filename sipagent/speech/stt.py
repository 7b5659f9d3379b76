"""Which speech-to-text engine runs: the configuration names it, or what is installed decides."""

from pathlib import Path
from typing import Protocol

from sipagent.errors import ModelError
from sipagent.speech.types import SttEngine

AUTO = "auto"
_WHISPER_DEFAULT = "whisper-tiny.en"
_VOSK_BY_LANGUAGE = {"en": ("vosk-small-en-us",), "ko": ("vosk-small-ko",)}


class ModelPaths(Protocol):
    """Where models are; the model store satisfies it."""

    def path(self, name: str) -> Path:
        """The folder of model ``name``."""

    def is_installed(self, name: str) -> bool:
        """Whether all its files are there."""


def load_stt(
    engine: str, model: str, store: ModelPaths, *, language: str = "en", threads: int = 2
) -> SttEngine:
    """Load the engine of ``speech.stt``.

    :param engine: ``auto`` (Vosk where a model of it for the language is installed, else Whisper),
        ``vosk`` or ``whisper``.
    :param model: a name of the catalogue, or ``auto``.
    :raises ModelError: the model is not installed, does not load, or is of another engine.
    """
    name = choose_model(engine, model, store, language=language)
    if not store.is_installed(name):
        raise ModelError(f"speech.stt: model {name} is not installed; fetch it: sipagent models fetch {name}")
    if engine_of(name) == "vosk":
        from sipagent.speech.stt_vosk import VoskStt

        return VoskStt(store.path(name))
    from sipagent.speech.stt_whisper import WhisperOptions, WhisperStt

    return WhisperStt(store.path(name), WhisperOptions(intra_threads=threads))


def choose_model(engine: str, model: str, store: ModelPaths, *, language: str = "en") -> str:
    """The catalogue name of the model that ``speech.stt`` means. Loads nothing.

    :raises ModelError: engine and model contradict each other, or the language has no model.
    """
    if model != AUTO:
        if engine not in (AUTO, engine_of(model)):
            raise ModelError(f"speech.stt: {model} is not a model of {engine}, but of {engine_of(model)}")
        return model
    for_vosk = _VOSK_BY_LANGUAGE.get(language, ())
    installed = [name for name in for_vosk if store.is_installed(name)]
    if engine in (AUTO, "vosk") and installed:
        return installed[0]
    if engine != "vosk" and language == "en":
        return _WHISPER_DEFAULT
    if engine in (AUTO, "vosk") and for_vosk:
        return for_vosk[0]
    raise ModelError(f"speech.stt: no {engine} model for language {language!r}; name one as stt.model")


def understands(model: str, language: str) -> bool:
    """Can a model be the ear of who speaks ``language``? Of one that is not known here it is believed."""
    if engine_of(model) == "whisper":
        return language == "en"  # the decoder's prompt is for English
    known = [one for one, models in _VOSK_BY_LANGUAGE.items() if model in models]
    return not known or language in known


def engine_of(model: str) -> str:
    """The engine of a model, by the first part of its name.

    :raises ModelError: not a speech-to-text model.
    """
    engine = model.split("-", 1)[0]
    if engine not in ("vosk", "whisper"):
        raise ModelError(f"speech.stt: {model} is not a speech-to-text model (vosk-…, whisper-…)")
    return engine
