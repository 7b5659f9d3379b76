"""Speech to text with Vosk: computes while the caller speaks, so that little is left to do at the pause.

pcm → blocks of 100 ms → recogniser → end point? its result joins the turn → FinalResult at a snapshot
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import vosk

from sipagent.errors import EngineError, JobCancelled, ModelError
from sipagent.speech.types import Cancelled, Transcript, Word
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, ms_to_samples, samples_to_ms

_BLOCK_SAMPLES = ms_to_samples(100)  # Vosk looks for end points once a call: equal blocks, equal text
_NO_SAMPLES = np.zeros(0, dtype=np.int16)


class VoskStt:
    """A Vosk model. Thread-safe; its streams are not."""

    name = "vosk"
    is_streaming = True

    def __init__(self, model_dir: Path) -> None:
        """:raises ModelError: ``model_dir`` is missing or not a model."""
        vosk.SetLogLevel(-1)
        if not (model_dir / "am" / "final.mdl").is_file():
            raise ModelError(f"{model_dir}: am/final.mdl is missing; run: sipagent models fetch")
        try:
            self._model = vosk.Model(str(model_dir))
        except Exception as exc:  # vosk raises nothing but bare Exception
            raise ModelError(f"{model_dir}: not a usable Vosk model: {exc}") from exc

    def open_stream(self) -> "VoskStream":
        """A caller's ear; close it to free the decoder.

        :raises EngineError: no memory for another one.
        """
        return VoskStream(self._model)

    def close(self) -> None:
        """The model is freed when its last stream is closed. Idempotent."""
        self._model = None


class VoskStream:
    """One caller's ear. Word times count from the first sample after ``reset``."""

    def __init__(self, model: Any) -> None:
        if model is None:
            raise EngineError("vosk: the engine is closed")
        try:
            self._recogniser = vosk.KaldiRecognizer(model, SAMPLE_RATE_HZ)
            self._recogniser.SetWords(True)
        except Exception as exc:  # vosk raises nothing but bare Exception
            raise EngineError(f"vosk: no recogniser: {exc}") from exc
        self._fed_samples = 0  # since the stream was opened: Vosk's clock
        self._start_turn()

    def __repr__(self) -> str:
        return f"VoskStream({len(self._words)} words)"

    def reset(self) -> None:
        """Forget the turn; what the decoder learnt about the speaker stays."""
        if self._recogniser is not None:
            self._recogniser.Reset()
        self._start_turn()

    def _start_turn(self) -> None:
        self._from_ms = samples_to_ms(self._fed_samples)
        self._rest = _NO_SAMPLES  # less than a block, not computed yet
        self._words: list[Word] = []
        self._is_dirty = False  # sound since the last snapshot

    def close(self) -> None:
        """Free the decoder. Idempotent."""
        self._recogniser = None
        self._words = []

    def accept(self, pcm: Pcm16) -> None:
        """Compute 16 kHz PCM of any length: about a fifth of its duration on one core.

        :raises EngineError: the engine failed, or the stream is closed.
        """
        if not pcm.size:
            return
        self._is_dirty = True
        sound = np.concatenate((self._rest, pcm))
        whole = sound.size // _BLOCK_SAMPLES * _BLOCK_SAMPLES
        for start in range(0, whole, _BLOCK_SAMPLES):
            self._feed(sound[start : start + _BLOCK_SAMPLES])
        self._rest = sound[whole:].copy()

    def partial(self, cancelled: Cancelled) -> Transcript:
        """The text so far; its last words may still change.

        :raises JobCancelled: when ``cancelled()`` turned true.
        """
        _stop_if(cancelled)
        if not self._is_dirty:
            return self._settled()
        heard = str(self._ask("PartialResult").get("partial", ""))
        settled = self._settled()
        text = " ".join(t for t in (settled.text, _without_noises(heard)) if t)
        return Transcript(text, settled.words, settled.confidence)

    def snapshot(self, cancelled: Cancelled, hint: str = "") -> Transcript:
        """The text of the whole turn; the decoder's doubts are settled, so call it in a pause.

        :raises JobCancelled: when ``cancelled()`` turned true; nothing is lost.
        :raises EngineError: the engine failed.
        """
        _stop_if(cancelled)
        if self._is_dirty:
            if self._rest.size:
                self._feed(self._rest)
                self._rest = _NO_SAMPLES
            _stop_if(cancelled)
            self._keep(self._ask("FinalResult"))
            self._is_dirty = False
        return self._settled()

    def _feed(self, block: Pcm16) -> None:
        if self._recogniser is None:
            raise EngineError("vosk: the stream is closed")
        try:
            is_end_point = self._recogniser.AcceptWaveform(block.tobytes())
        except Exception as exc:  # vosk raises nothing but bare Exception
            raise EngineError(f"vosk: {exc}") from exc
        self._fed_samples += block.size
        if is_end_point:
            self._keep(self._ask("Result"))

    def _ask(self, question: str) -> dict[str, Any]:
        if self._recogniser is None:
            raise EngineError("vosk: the stream is closed")
        try:
            answer = json.loads(getattr(self._recogniser, question)())
        except ValueError as exc:
            raise EngineError(f"vosk: {question} is not JSON: {exc}") from exc
        return dict(answer)

    def _keep(self, result: dict[str, Any]) -> None:
        """Add the words of a finished stretch; Vosk's own times go on over it."""
        for word in result.get("result", ()):
            if not _is_noise(word["word"]):
                start_ms, end_ms = (round(word[edge] * 1000) - self._from_ms for edge in ("start", "end"))
                self._words.append(Word(word["word"], start_ms, end_ms, float(word["conf"])))

    def _settled(self) -> Transcript:
        words = tuple(self._words)
        confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
        return Transcript(" ".join(word.text for word in words), words, confidence)


def _is_noise(word: str) -> bool:
    """Vosk writes what is no word (a cough, a laugh, an unknown one) in brackets."""
    return word[:1] + word[-1:] in ("[]", "<>")


def _without_noises(text: str) -> str:
    return " ".join(word for word in text.split() if not _is_noise(word))


def _stop_if(cancelled: Cancelled) -> None:
    if cancelled():
        raise JobCancelled("speech to text: cancelled")
