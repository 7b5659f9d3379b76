"""Greetings from recordings: they take the place of the voice's sound for the same words."""

from collections.abc import Callable

import numpy as np

from sipagent.codecs.tones import silence
from sipagent.config.schema import Config, PersonaConfig
from sipagent.config.variables import PLACEHOLDER, prepared
from sipagent.errors import AudioFormatError, ConfigError
from sipagent.flows.phrases import fixed_texts
from sipagent.flows.schema import Flow
from sipagent.media.wav import read_wav
from sipagent.speech.phrases import PhraseCache
from sipagent.units import Pcm16

_GAP_MS = 250
"""Between a recorded greeting and the question of a flow behind it."""


def recorded_greetings(config: Config) -> dict[str, Pcm16]:
    """The recordings, by persona, 16 kHz.

    :raises ConfigError: with file and line of every one that cannot be used.
    """
    found: dict[str, Pcm16] = {}
    problems: list[str] = []
    for name, persona in config.personas.items():
        if persona.greeting_wav is None:
            continue
        try:
            found[name] = read_wav(persona.greeting_wav)
        except AudioFormatError as error:
            problems.append(f"{config.source.at(f'personas.{name}.greeting_wav')}: {error}")
        if PLACEHOLDER.search(prepared(persona).greeting):
            key = f"personas.{name}.greeting"
            problems.append(f"{config.source.at(key)}: cannot have variables where greeting_wav is played")
    if problems:
        raise ConfigError(problems)
    return found


def keep_greetings(
    phrases: PhraseCache, config: Config, voice: str, flow_of: Callable[[PersonaConfig], Flow | None]
) -> None:
    """Let the cache play recordings instead of saying the same words.

    :raises ConfigError: a recording cannot be used.
    """
    for name, pcm in recorded_greetings(config).items():
        persona = prepared(config.personas[name])
        if persona.voice != voice:
            continue
        phrases.keep(persona.greeting, pcm)
        flow = flow_of(persona)
        opened = fixed_texts(flow, persona.greeting)[0] if flow is not None else persona.greeting
        question = opened.removeprefix(persona.greeting).strip()
        if question:
            phrases.preload([question])
            sound = phrases.lookup(question)
            assert sound is not None
            phrases.keep(opened, np.concatenate((pcm, silence(_GAP_MS), sound)))
