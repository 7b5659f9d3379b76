"""Speech to text with Whisper on CTranslate2: whole turns, decoded when somebody asks.

    pcm of the turn → cut at the quietest point every ≤ 26 s → trim → silence, sound, silence → log-mel
        → encode → generate → guards (nothing said? going round in circles?) → text

Whisper hears 30 s at a time by design; most of a short turn's cost would be silence. The window is cut to the
sound plus silence on both sides. Too little of it makes the decoder repeat itself, so a text that looks so is
decoded again with more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import ctranslate2
import numpy as np
import tokenizers

from sipagent.errors import EngineError, JobCancelled, ModelError
from sipagent.speech.guards import NOISE_LOGPROB, is_hallucination, is_stammer, without_repeats, words_of
from sipagent.speech.mel import log_mel
from sipagent.speech.segments import loud_ms, loud_span, quietest_cut
from sipagent.speech.types import Cancelled, Transcript, never_cancelled
from sipagent.units import Pcm16, ms_to_samples, samples_to_ms, to_float

_WINDOW_MS = 30_000  # what Whisper's positions reach
_CUT_FROM_MS, _CUT_TO_MS = 18_000, 26_000
_STEP_MS = 500
_FILES = ("model.bin", "config.json", "tokenizer.json")
_HINT_TOKENS = 64
_NOTHING = Transcript("", confidence=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperOptions:
    """How the decoder works. The defaults are the measured best for calls at 8 kHz."""

    intra_threads: int = 2
    beam: int = 1
    """Texts followed at once; 1 is greedy."""
    doubt_beam: int = 5
    """The same in the second look that a doubtful text gets. 1: no second look."""
    doubt_logprob: float = -0.45
    """Mean log probability below which a text is doubtful."""
    lead_ms: int = 1000
    """Silence before the sound."""
    tail_ms: int = 6000
    """Silence after it, at least."""
    retry_tail_ms: tuple[int, ...] = (9000, _WINDOW_MS)
    """Silence after it in the second and third try, when the text goes round in circles."""
    partial_every_ms: int = 800
    """New sound that makes ``partial`` decode again."""
    min_loud_ms: int = 80
    """Sound that stands out of the noise; with less, nobody has spoken."""
    max_words_per_s: float = 6.0
    """Faster than anybody speaks: then a repetition is the decoder's own."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    logprob: float
    """Mean log probability of the tokens."""
    no_speech: float
    """Probability that nobody spoke."""


class WhisperStt:
    """A Whisper model on CTranslate2 for English. Thread-safe; its streams are not."""

    name = "whisper"
    is_streaming = False

    def __init__(self, model_dir: Path, options: WhisperOptions | None = None) -> None:
        """:raises ModelError: a file is missing or is not what it should be."""
        self.options = options or WhisperOptions()
        for name in _FILES:
            if not (model_dir / name).is_file():
                raise ModelError(f"{model_dir}: {name} is missing; run: sipagent models fetch")
        try:
            self._tokens = tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json"))
            self._model = ctranslate2.models.Whisper(
                str(model_dir), compute_type="int8", inter_threads=1, intra_threads=self.options.intra_threads
            )
        except Exception as exc:  # the libraries raise RuntimeError, ValueError and bare Exception
            raise ModelError(f"{model_dir}: not a usable Whisper model: {exc}") from exc
        self._before, *self._prompt = self._prompt_tokens(model_dir)

    def _prompt_tokens(self, model_dir: Path) -> list[int]:
        names = ["<|startofprev|>", "<|startoftranscript|>", "<|notimestamps|>"]
        if self._model.is_multilingual:
            names[2:2] = ["<|en|>", "<|transcribe|>"]
        ids = [self._tokens.token_to_id(name) for name in names]
        if None in ids:
            raise ModelError(f"{model_dir}/tokenizer.json: not Whisper's: no {names[ids.index(None)]}")
        return [int(i) for i in ids if i is not None]

    def open_stream(self) -> "WhisperStream":
        """A caller's ear; it holds no native memory."""
        return WhisperStream(self)

    def warm(self) -> None:
        """Decode a second of silence, so that the first caller does not pay for the first allocation."""
        self._decode(np.zeros(ms_to_samples(1000), dtype=np.int16), self.options.tail_ms, never_cancelled, "")

    def close(self) -> None:
        """Free the model. Idempotent; streams fail afterwards."""
        self._model.unload_model()

    def transcribe(self, pcm: Pcm16, cancelled: Cancelled, hint: str = "") -> Transcript:
        """The text of at most 28 s of sound; empty where nobody seems to speak.

        :param hint: stands where Whisper has the text before the sound, whose manner it keeps to.
        :raises JobCancelled: between the steps.
        :raises EngineError: the model failed.
        """
        options = self.options
        pcm = pcm[loud_span(pcm)]
        sound_ms = loud_ms(pcm)
        if sound_ms < options.min_loud_ms:
            return _NOTHING
        tries: list[_Decoded] = []
        for tail_ms in (options.tail_ms, *options.retry_tail_ms):
            tries.append(self._decode(pcm, tail_ms, cancelled, hint))
            if not is_stammer(tries[-1].text):
                break
        best = self._settle(tries, samples_to_ms(pcm.size))
        if hint and words_of(best.text) == words_of(hint):  # said, or only read from the hint?
            return self.transcribe(pcm, cancelled)
        if is_hallucination(best.text, best.logprob, best.no_speech, sound_ms):
            return _NOTHING
        return Transcript(best.text, confidence=min(1.0, exp(best.logprob)))

    def _settle(self, tries: Sequence[_Decoded], sound_ms: int) -> _Decoded:
        """The last try; where all went round in circles, said faster than anybody speaks: said once."""
        last = tries[-1]
        rate = len(words_of(last.text)) * 1000 / sound_ms
        if is_stammer(last.text) and rate > self.options.max_words_per_s:
            return _Decoded(without_repeats(last.text), last.logprob, last.no_speech)
        return last

    def _decode(self, pcm: Pcm16, tail_ms: int, cancelled: Cancelled, hint: str) -> _Decoded:
        """One try; a text that the model itself doubts gets a second look, with more of them followed."""
        options, prompt = self.options, self._prompt_with(hint)
        _stop_if(cancelled)
        features = ctranslate2.StorageView.from_array(log_mel(self._window(pcm, tail_ms))[None])
        try:
            encoded = self._model.encode(features)
            _stop_if(cancelled)
            decoded = self._generate(encoded, prompt, pcm.size, options.beam)
            if options.doubt_beam > options.beam and NOISE_LOGPROB < decoded.logprob < options.doubt_logprob:
                _stop_if(cancelled)
                second = self._generate(encoded, prompt, pcm.size, options.doubt_beam)
                decoded = max(decoded, second, key=_by_logprob)
        except (RuntimeError, ValueError) as exc:
            raise EngineError(f"whisper: {exc}") from exc
        return decoded

    def _prompt_with(self, hint: str) -> list[int]:
        if not hint:
            return self._prompt
        before = self._tokens.encode(f" {hint}", add_special_tokens=False).ids[-_HINT_TOKENS:]
        return [self._before, *before, *self._prompt]

    def _generate(
        self, encoded: ctranslate2.StorageView, prompt: list[int], samples: int, beam: int
    ) -> _Decoded:
        (result,) = self._model.generate(
            encoded,
            [prompt],
            beam_size=beam,
            max_length=len(prompt) + _max_tokens(samples),
            return_scores=True,
            return_no_speech_prob=True,
        )
        text = " ".join(self._tokens.decode(result.sequences_ids[0]).split())
        return _Decoded(text, float(result.scores[0]), float(result.no_speech_prob))

    def _window(self, pcm: Pcm16, tail_ms: int) -> "np.typing.NDArray[np.float32]":
        """Silence, the sound, silence: a multiple of half a second, 30 s at most."""
        sound_ms = samples_to_ms(pcm.size) + 1
        lead_ms = min(self.options.lead_ms, (_WINDOW_MS - sound_ms) // 2)
        whole_ms = -(-(lead_ms + sound_ms + tail_ms) // _STEP_MS) * _STEP_MS
        window = np.zeros(ms_to_samples(min(whole_ms, _WINDOW_MS)), dtype=np.float32)
        lead = ms_to_samples(lead_ms)
        window[lead : lead + pcm.size] = to_float(pcm)
        return window


class WhisperStream:
    """One caller's ear: keeps the turn's sound until somebody asks for its text."""

    def __init__(self, engine: WhisperStt) -> None:
        self._engine = engine
        self.reset()

    def __repr__(self) -> str:
        return f"WhisperStream({self._settled_samples + self._kept_samples} samples)"

    def reset(self) -> None:
        """Forget the turn."""
        self._chunks: list[Pcm16] = []
        self._kept_samples = 0
        self._settled: list[Transcript] = []  # the turn's earlier segments, decoded for good
        self._settled_samples = 0
        self._last, self._last_hint = _NOTHING, ""
        self._last_at_samples = 0

    def close(self) -> None:
        """Forget the turn. Idempotent."""
        self.reset()

    def accept(self, pcm: Pcm16) -> None:
        """Append 16 kHz PCM of any length. Copied, nothing is computed."""
        if pcm.size:
            self._chunks.append(pcm.copy())
            self._kept_samples += pcm.size

    def partial(self, cancelled: Cancelled) -> Transcript:
        """The last text, or a new one where ``partial_every_ms`` of sound have come since."""
        fresh_ms = samples_to_ms(self._accepted_samples - self._last_at_samples)
        if fresh_ms < self._engine.options.partial_every_ms:
            return self._last
        return self.snapshot(cancelled)

    def snapshot(self, cancelled: Cancelled, hint: str = "") -> Transcript:
        """The text of the whole turn so far.

        :param hint: of the turn's end; what came before its last long piece is heard without.
        :raises JobCancelled: when ``cancelled()`` turned true; nothing is lost.
        :raises EngineError: the model failed.
        """
        _stop_if(cancelled)
        is_same = hint == self._last_hint or not self._chunks
        if self._accepted_samples == self._last_at_samples and is_same:
            return self._last
        pcm = np.concatenate(self._chunks)
        while samples_to_ms(pcm.size) >= _CUT_TO_MS:
            cut = quietest_cut(pcm, from_ms=_CUT_FROM_MS, to_ms=_CUT_TO_MS)
            self._settled.append(self._engine.transcribe(pcm[:cut], cancelled))
            self._settled_samples += cut
            pcm = pcm[cut:]
            self._chunks, self._kept_samples = [pcm], pcm.size
        tail = self._engine.transcribe(pcm, cancelled, hint)
        self._last, self._last_hint = _joined([*self._settled, tail]), hint
        self._last_at_samples = self._accepted_samples
        return self._last

    @property
    def _accepted_samples(self) -> int:
        return self._settled_samples + self._kept_samples


def _by_logprob(decoded: _Decoded) -> float:
    return decoded.logprob


def _joined(parts: Sequence[Transcript]) -> Transcript:
    """The segments of a turn as one text."""
    said = [part for part in parts if part.text]
    if not said:
        return _NOTHING
    weights = [len(part.text) for part in said]
    confidence = sum(w * part.confidence for w, part in zip(weights, said, strict=True)) / sum(weights)
    return Transcript(" ".join(part.text for part in said), confidence=confidence)


def _max_tokens(samples: int) -> int:
    """More than the fastest speaker needs (8 a second), so that a loop ends soon."""
    return 10 + samples_to_ms(samples) * 8 // 1000


def _stop_if(cancelled: Cancelled) -> None:
    if cancelled():
        raise JobCancelled("speech to text: cancelled")
