"""Personas of the tests."""

from collections.abc import Mapping
from pathlib import Path

from sipagent.config.persona import PersonaConfig
from sipagent.config.persona_engines import SttChoice, stt_choice
from sipagent.config.schema import Config
from sipagent.config.variables import as_said
from sipagent.speech.types import SttEngine


def persona_of(**keys: object) -> PersonaConfig:
    known = {"name": "desk", "greeting": "Hello there.", "prompt_file": Path("p.md"), "voice": "v"}
    return PersonaConfig(**{**known, **keys})  # type: ignore[arg-type]  # keys of the section


def filled(prompt: str, values: Mapping[str, str]) -> str:
    """A prompt as the model reads it in a call."""
    return as_said(persona_of(prompt=prompt), values).prompt


def ear_of(ears: Mapping[SttChoice, SttEngine], config: Config, name: str) -> SttEngine:
    """A persona's among those that were loaded."""
    persona = config.personas[name]
    return ears[stt_choice(persona.stt, config.speech.stt, persona.language)]
