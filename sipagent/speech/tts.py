"""Choosing and loading the voice."""

from pathlib import Path
from typing import Literal, Protocol

from sipagent.errors import ModelError
from sipagent.speech.types import TtsEngine

HIBARI = "hibari"


class VoiceStore(Protocol):
    """Where installed models are."""

    def path(self, name: str) -> Path:
        """The model's folder."""

    def is_installed(self, name: str) -> bool:
        """Whether all its files are there."""


class WarmableTts(TtsEngine, Protocol):
    """A voice that can be made ready before the first call."""

    def warm(self) -> None:
        """Say a sentence to nobody."""


def load_tts(
    engine: Literal["auto", "piper", "hibari"], voice: str, store: VoiceStore, *, threads: int = 1
) -> WarmableTts:
    """Load ``voice`` ("hibari", "hibari-<voice>", or a Piper voice of the catalogue).

    ``auto`` takes the voice's own engine, and hibari where the Piper voice is not installed; which one
    it became is its ``name``. The engines are imported only here, when chosen.

    :raises ModelError: the voice is not installed, unusable, or not of the engine asked for.
    """
    is_hibari = voice == HIBARI or voice.startswith(f"{HIBARI}-")
    if engine == "piper" and is_hibari:
        raise ModelError(
            f"tts: {voice} is not a Piper voice; set speech.tts.engine to auto or name another voice"
        )
    if engine == "piper" and not store.is_installed(voice):
        raise ModelError(f"tts: voice {voice} is not installed; run: sipagent models fetch {voice}")
    if engine != HIBARI and not is_hibari and store.is_installed(voice):
        from sipagent.speech.tts_piper import PiperTts

        return PiperTts(store.path(voice), threads=threads)
    from sipagent.speech.tts_hibari import DEFAULT_VOICE, HibariTts

    wanted = voice.removeprefix(HIBARI).removeprefix("-") if is_hibari else ""
    return HibariTts(wanted or DEFAULT_VOICE)
