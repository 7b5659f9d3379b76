"""Personas of the tests."""

from collections.abc import Mapping
from pathlib import Path

from sipagent.config.persona import PersonaConfig
from sipagent.config.variables import as_said


def persona_of(**keys: object) -> PersonaConfig:
    known = {"name": "desk", "greeting": "Hello there.", "prompt_file": Path("p.md"), "voice": "v"}
    return PersonaConfig(**{**known, **keys})  # type: ignore[arg-type]  # keys of the section


def filled(prompt: str, values: Mapping[str, str]) -> str:
    """A prompt as the model reads it in a call."""
    return as_said(persona_of(prompt=prompt), values).prompt
