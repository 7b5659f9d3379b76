"""Sections ``stt``, ``llm`` and ``lost`` of a persona: its ear, its way with the model and with failure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sipagent.config.fields import Problem, not_sayable, out_of_range
from sipagent.config.speech import SttConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaSttConfig:
    """Section ``stt`` of a persona: the ear of its callers, instead of that of ``speech.stt``."""

    engine: Literal["auto", "vosk", "whisper"] | None = None
    """As in ``speech.stt``."""
    model: str | None = None
    """As in ``speech.stt``."""


@dataclass(frozen=True, slots=True)
class SttChoice:
    """What decides which speech-to-text model a persona hears with."""

    engine: str
    model: str
    language: str
    """Without the country, as ``en``."""


def stt_choice(own: PersonaSttConfig, usual: SttConfig, language: str) -> SttChoice:
    """Of a persona.

    :param own: its section. :param usual: section ``speech.stt``. :param language: as ``en-US``.
    """
    language = language.partition("-")[0]
    if own.engine is None and own.model is None:
        return SttChoice(usual.engine, usual.model, language)
    return SttChoice(own.engine or "auto", own.model or "auto", language)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaLlmConfig:
    """Section ``llm`` of a persona: what it does otherwise than the section ``llm`` says."""

    engine: Literal["default", "llama.cpp"] = "default"
    """``llama.cpp``: what its callers say never goes to the endpoint of ``llm.openai``."""
    max_reply_tokens: int | None = None
    """Longest reply. 8..512 tokens."""
    temperature: float | None = None
    """0: always the likeliest word. 0..2."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.max_reply_tokens is not None:
            yield from out_of_range(self, max_reply_tokens=(8, 512))
        if self.temperature is not None:
            yield from out_of_range(self, temperature=(0, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class LostConfig:
    """Section ``lost`` of a persona: the caller's turns fail, one after the other."""

    after: int = 2
    """Failed turns in a row. 1..9."""
    transfer: str = ""
    """Name under ``transfer`` that the caller is then handed over to; empty: goodbye."""
    say: str = "I'm sorry, I can't understand you well. I'll put you through to somebody."
    """Said before that."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, after=(1, 9))
        yield from not_sayable(self, "say")
