"""Has the caller finished? Smart Turn hears it in melody and words, from the last 8 s of the turn.

The model was trained on Whisper features of exactly 8 s: earlier sound is cut off, a short turn is padded
with silence *in front*, and the wave is brought to mean 0 and variance 1 before the features are taken.
"""

from pathlib import Path

import numpy as np
import onnxruntime

from sipagent.errors import EngineError, ModelError
from sipagent.speech.mel import HOP_SAMPLES, N_MELS, log_mel
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, to_float

HEARD_SAMPLES = 8 * SAMPLE_RATE_HZ
"""What the model hears of a turn."""

_SHAPE = [N_MELS, HEARD_SAMPLES // HOP_SAMPLES]


class SmartTurn:
    """Smart Turn v3, loaded once and shared by every call. Thread-safe."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """:raises ModelError: ``path`` is missing or not the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to others
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # onnxruntime has no common base for its errors
            raise ModelError(f"{path}: not a usable end-of-turn model: {exc}") from exc
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != _SHAPE:
            shapes = {i.name: i.shape for i in inputs}
            raise ModelError(f"{path}: not Smart Turn v3: expected one input [batch, 80, 800], got {shapes}")
        self._input = inputs[0].name

    def score(self, pcm: Pcm16) -> float:
        """Probability 0..1 that the turn is over.

        :param pcm: shape ``(n,)``, int16, 16 kHz: the turn from its first word (or its last 8 s), and about
            200 ms of silence after it. Sound of a call at 8 kHz must have been resampled.
        :raises ValueError: no samples.
        :raises EngineError: the model failed.
        """
        if pcm.size == 0:
            raise ValueError("smart turn: no samples to score")
        wave = np.zeros(HEARD_SAMPLES, dtype=np.float32)
        heard = to_float(pcm[-HEARD_SAMPLES:])
        wave[-heard.size :] = heard
        wave = (wave - wave.mean()) / np.sqrt(wave.var() + np.float32(1e-7))
        try:
            (probability,) = self._session.run(None, {self._input: log_mel(wave)[None]})
        except Exception as exc:  # onnxruntime has no common base for its errors
            raise EngineError(f"smart turn: the model failed: {exc}") from exc
        return float(probability[0, 0])
