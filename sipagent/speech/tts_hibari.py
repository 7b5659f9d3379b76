"""The hibari voice: small, quick, English, and inside its package."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import hibari
from hibari.voices import VOICES, voice_path

from sipagent.codecs.level import Leveller
from sipagent.errors import EngineError, ModelError
from sipagent.speech.shaping import WARM_UP_TEXT, speak_pieces
from sipagent.speech.types import Cancelled, never_cancelled
from sipagent.units import Pcm16, PcmFloat

DEFAULT_VOICE = "heart"


class HibariTts:
    """One hibari voice.

    Thread-safe: ONNX sessions run concurrently and the signal processing keeps no state; the
    pronunciation part does, so one thread at a time is in it (a few ms).
    """

    def __init__(self, voice: str = DEFAULT_VOICE, *, threads: int = 1) -> None:
        """Load the voice, about half a second. Downloads nothing.

        :raises ModelError: no such voice, or not on this machine.
        """
        self.name = f"hibari-{voice}"
        self._voice: hibari.Hibari | None = _load(voice, threads)
        self._pronouncing = Lock()
        self._leveller = Leveller()

    def __repr__(self) -> str:
        return f"HibariTts({self.name}, {hibari.Hibari.sample_rate} Hz)"

    def warm(self) -> None:
        """Say a sentence to nobody: loads the lexicon and finds the voice's level."""
        for _ in self.synthesize(WARM_UP_TEXT, never_cancelled):
            pass

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[Pcm16]:
        """As ``TtsEngine.synthesize``; one chunk a sentence. Text without words yields nothing."""
        return speak_pieces(
            text,
            self._render,
            rate_hz=hibari.Hibari.sample_rate,
            leveller=self._leveller,
            cancelled=cancelled,
            engine=self.name,
        )

    def _render(self, piece: str) -> Iterator[PcmFloat]:
        voice = self._voice
        if voice is None:
            raise EngineError(f"{self.name}: closed")
        with self._pronouncing:
            sentences: list[str] = voice.phonemize(piece)
        for phonemes in sentences:
            yield voice.from_phonemes(phonemes)

    def close(self) -> None:
        """Free the session when the last running job ends. Idempotent."""
        self._voice = None


def _load(voice: str, threads: int) -> "hibari.Hibari":
    if voice not in VOICES:
        raise ModelError(f"hibari: no voice {voice!r}; there are {', '.join(VOICES)}")
    try:
        model = Path(voice_path(voice, download_missing=False))
        return hibari.Hibari(voice=voice, model=str(model), threads=threads)
    except FileNotFoundError as exc:
        raise ModelError(f"hibari: voice {voice!r} is not on this machine; copy it to {exc}") from exc
    except Exception as exc:  # onnxruntime's errors share no base but this
        raise ModelError(f"hibari: voice {voice!r} cannot be loaded: {exc}; reinstall hibari-tts") from exc
