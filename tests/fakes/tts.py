"""A scripted voice: as many milliseconds a word as told, no model."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sipagent.codecs.level import Leveller
from sipagent.errors import EngineError
from sipagent.speech.shaping import speak_pieces
from sipagent.speech.types import Cancelled
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, PcmFloat, ms_to_samples


class FakeTts:
    """Each word is a hum of ``word_ms`` whose pitch depends on the word; sentences are chunks.

    :param failures: texts that raise EngineError, and its message.

    ``said`` lists every text asked for, in order.
    """

    def __init__(self, *, word_ms: int = 200, failures: Mapping[str, str] | None = None) -> None:
        self.name = "fake"
        self.said: list[str] = []
        self.is_closed = False
        self._word_ms = word_ms
        self._failures = dict(failures or {})
        self._leveller = Leveller()

    def __repr__(self) -> str:
        return f"FakeTts({self._word_ms} ms a word, {len(self.said)} said)"

    def warm(self) -> None:
        """Nothing to do."""

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[Pcm16]:
        self.said.append(text)
        if text in self._failures:
            raise EngineError(self._failures[text])
        return speak_pieces(
            text,
            self._render,
            rate_hz=SAMPLE_RATE_HZ,
            leveller=self._leveller,
            cancelled=cancelled,
            engine=self.name,
        )

    def _render(self, piece: str) -> Sequence[PcmFloat]:
        if self.is_closed:
            raise EngineError("fake: closed")
        silence = np.zeros(ms_to_samples(100), dtype=np.float32)  # as real voices have it
        return [np.concatenate([silence, *(self._hum(word) for word in piece.split()), silence])]

    def _hum(self, word: str) -> PcmFloat:
        samples = ms_to_samples(self._word_ms)
        pitch_hz = 110 + sum(map(ord, word)) % 110
        time_s = np.arange(samples) / SAMPLE_RATE_HZ
        envelope = np.sin(np.pi * (np.arange(samples) + 1) / (samples + 1)) ** 0.5
        hum: PcmFloat = (0.2 * envelope * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)
        return hum

    def close(self) -> None:
        self.is_closed = True
