"""Piper voices (VITS on ONNX, phonemes by espeak-ng inside the library)."""

import json
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
from piper import PiperConfig, PiperVoice, SynthesisConfig

from sipagent.codecs.level import Leveller
from sipagent.errors import EngineError, ModelError
from sipagent.speech.shaping import WARM_UP_TEXT, speak_pieces
from sipagent.speech.types import Cancelled, never_cancelled
from sipagent.units import Pcm16, PcmFloat

_RAW_LEVEL = SynthesisConfig(normalize_audio=False)  # by peak, clauses would jump: the leveller does it


class PiperTts:
    """One Piper voice.

    Thread-safe: ONNX sessions run concurrently, espeak-ng (one per process) is under the library's lock,
    and the leveller has its own. Concurrent jobs share ``threads``; more of them do not finish sooner.
    """

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        """Load the voice, about a second.

        :param model_dir: holds one ``*.onnx`` and its ``*.onnx.json``.
        :param threads: of the ONNX session.
        :raises ModelError: missing or unusable files.
        """
        self.name = model_dir.name
        self._voice: PiperVoice | None = _load(model_dir, threads)
        self._rate_hz = self._voice.config.sample_rate
        self._leveller = Leveller()

    def __repr__(self) -> str:
        return f"PiperTts({self.name}, {self._rate_hz} Hz)"

    def warm(self) -> None:
        """Say a sentence to nobody: loads what is loaded lazily and finds the voice's level."""
        for _ in self.synthesize(WARM_UP_TEXT, never_cancelled):
            pass

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[Pcm16]:
        """As ``TtsEngine.synthesize``; one chunk a sentence. Text without words yields nothing."""
        return speak_pieces(
            text,
            self._render,
            rate_hz=self._rate_hz,
            leveller=self._leveller,
            cancelled=cancelled,
            engine=self.name,
        )

    def _render(self, piece: str) -> Iterator[PcmFloat]:
        voice = self._voice
        if voice is None:
            raise EngineError(f"{self.name}: closed")
        for sentence in voice.synthesize(piece, _RAW_LEVEL):
            yield sentence.audio_float_array

    def close(self) -> None:
        """Free the session when the last running job ends. Idempotent."""
        self._voice = None


def _load(model_dir: Path, threads: int) -> PiperVoice:
    models = sorted(model_dir.glob("*.onnx"))
    if len(models) != 1:
        raise ModelError(
            f"{model_dir}: a Piper voice has one .onnx file, found {len(models)}; fetch it again"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores have other work
    try:
        config = PiperConfig.from_dict(json.loads(Path(f"{models[0]}.json").read_text(encoding="utf-8")))
        session = onnxruntime.InferenceSession(models[0], options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime's errors share no base but this
        raise ModelError(f"{models[0]}: not a usable Piper voice: {exc}; fetch it again") from exc
    return PiperVoice(session=session, config=config)
