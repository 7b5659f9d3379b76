"""llama.cpp through ctypes: model, context, batch, sampler. No policy here.

The library's small functions are asked as little as possible while a call is up: each ctypes call gives
the interpreter lock away, and under load it may take milliseconds to get it back.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("GGML_NO_BACKTRACE", "1")
# An assertion in the library ends the process; it shall not run a debugger first, the worker is restarted.

import llama_cpp
import numpy as np

from sipagent.errors import EngineError, ModelError

GREEDY_TEMPERATURE = 0.0
_TOP_K = 40
_TOP_P = 0.9
_MIN_P = 0.05
_REPEAT_PENALTY = 1.1
_REPEAT_LAST_TOKENS = 64
_CLOSINGS = (".", "?", "!", "...", ".\n", "?\n", "!\n", ".\n\n", "?\n\n", "!\n\n", "\n", "\n\n", '."', '?"')
"""What may follow the last word of a message that is over."""
_LOG_LEVEL_ERROR = 4
_MAX_PIECE_BYTES = 256

_log_errors: list[str] = []


def _on_log(level: int, text: bytes, _user_data: object) -> None:
    """Keep the library's last errors, for the message of the exception that follows; print nothing."""
    if level == _LOG_LEVEL_ERROR:
        _log_errors.append(text.decode("utf-8", "replace").strip())
        del _log_errors[:-8]


_log_callback = llama_cpp.llama_log_callback(_on_log)
"""Must outlive the library's use of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One token of a batch."""

    token: int
    position: int
    sequence: int
    wants_logits: bool


class NativeModel:
    """A loaded GGUF file: weights and vocabulary. Tokenising is thread-safe.

    :raises ModelError: the file is missing, truncated or not a model llama.cpp knows.
    """

    def __init__(self, path: Path, *, is_repacked: bool = True) -> None:
        llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        if not path.is_file():
            raise ModelError(f"{path}: no such file; fetch the model again")
        params = llama_cpp.llama_model_default_params()
        params.use_extra_bufts = is_repacked
        _log_errors.clear()
        handle = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        if not handle:
            reason = next((line for line in _log_errors if "error" in line), "not a GGUF model")
            raise ModelError(f"{path}: cannot be loaded: {reason}; fetch the model again")
        self.handle: Any = handle
        self.vocab: Any = llama_cpp.llama_model_get_vocab(handle)
        self.trained_context_tokens = llama_cpp.llama_model_n_ctx_train(handle)
        self.vocab_tokens = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.end_tokens = frozenset(
            token
            for token in range(self.vocab_tokens)
            if llama_cpp.llama_vocab_is_eog(self.vocab, token)
            or llama_cpp.llama_vocab_is_control(self.vocab, token)
        )
        """Tokens that end a reply: end-of-generation ones, and any other markup."""
        self.closing_tokens = tuple(self.end_tokens | self._single_tokens(_CLOSINGS))
        """Tokens that may follow the last word of a message that is over."""
        self.tokenize: Callable[[str, bool], tuple[int, ...]] = lru_cache(2048)(self._tokenize)
        """``(text, is_markup)`` → token ids. Special tokens are read in markup only."""
        self.piece: Callable[[int], bytes] = lru_cache(8192)(self._piece)
        """The bytes of one token; not always whole characters."""

    @property
    def chat_template(self) -> str:
        """Jinja source from the file; empty when the file has none."""
        source = llama_cpp.llama_model_chat_template(self.handle, None)
        return source.decode("utf-8", "replace") if source else ""

    @property
    def bos_tokens(self) -> tuple[int, ...]:
        """What every prompt must begin with: one token or none."""
        if not llama_cpp.llama_vocab_get_add_bos(self.vocab):
            return ()
        return (int(llama_cpp.llama_vocab_bos(self.vocab)),)

    def special_text(self, name: str) -> str:
        """Text of the ``bos`` or ``eos`` token, empty if there is none."""
        token = int(getattr(llama_cpp, f"llama_vocab_{name}")(self.vocab))
        return (llama_cpp.llama_vocab_get_text(self.vocab, token) or b"").decode() if token >= 0 else ""

    def close(self) -> None:
        """Free the weights. Every context of the model must be closed before."""
        if self.handle is not None:
            llama_cpp.llama_model_free(self.handle)
            self.handle = None

    def _single_tokens(self, texts: Sequence[str]) -> frozenset[int]:
        tokenized = [self._tokenize(text, False) for text in texts]
        return frozenset(tokens[0] for tokens in tokenized if len(tokens) == 1)

    def _tokenize(self, text: str, is_markup: bool) -> tuple[int, ...]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (llama_cpp.llama_token * room)()
        n = llama_cpp.llama_tokenize(self.vocab, data, len(data), tokens, room, False, is_markup)
        if n < 0:
            raise EngineError(f"llm: cannot tokenise {len(data)} bytes")
        return tuple(tokens[:n])

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(_MAX_PIECE_BYTES)
        n = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, _MAX_PIECE_BYTES, 0, False)
        return buffer.raw[: max(0, n)]


class NativeContext:
    """The KV cells of all sequences, and the batch they are decoded in. One thread uses it.

    :param cells: tokens it holds, all sequences together; sequences that share a beginning share cells.
    :param batch_tokens: most tokens of one ``decode``.
        At most two of each sequence may want logits.
    :param is_embedding: for ``embedding``; then all tokens must want logits.
    """

    def __init__(
        self,
        model: NativeModel,
        *,
        cells: int,
        sequences: int,
        batch_tokens: int,
        threads: int,
        is_embedding: bool = False,
    ) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = batch_tokens
        params.n_outputs_max = batch_tokens if is_embedding else 2 * sequences
        params.embeddings = is_embedding
        params.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = True
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.no_perf = True
        _log_errors.clear()
        handle = llama_cpp.llama_init_from_model(model.handle, params)
        if not handle:
            raise ModelError(f"llm: no context of {cells} tokens: {(_log_errors or ['out of memory'])[-1]}")
        self.handle: Any = handle
        self._vocab_tokens = model.vocab_tokens
        self._state_size = llama_cpp.llama_model_n_embd(model.handle)
        self._memory: Any = llama_cpp.llama_get_memory(handle)
        self._batch: Any = llama_cpp.llama_batch_init(batch_tokens, 0, 1)

    def decode(self, entries: Sequence[Entry]) -> int:
        """Run one step. Returns 0, or llama.cpp's code: 1 no free cells, 2 aborted, < 0 an error."""
        batch = self._batch
        batch.n_tokens = len(entries)
        for i, entry in enumerate(entries):
            batch.token[i] = entry.token
            batch.pos[i] = entry.position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = entry.sequence
            batch.logits[i] = entry.wants_logits
        return int(llama_cpp.llama_decode(self.handle, batch))

    def sample(self, sampler: "Sampler", batch_index: int) -> int:
        """Choose the token that follows the batch's entry ``batch_index``, which wanted logits."""
        return int(llama_cpp.llama_sampler_sample(sampler.handle, self.handle, batch_index))

    def probability(self, batch_index: int, tokens: Sequence[int]) -> float:
        """0..1 that one of ``tokens`` follows the batch's entry ``batch_index``, which wanted logits."""
        logits = self._logits(batch_index)
        weights = np.exp(logits - logits.max())
        return float(weights[list(tokens)].sum() / weights.sum())

    def weights(self, batch_index: int, tokens: Sequence[int]) -> tuple[float, ...]:
        """Log probabilities of ``tokens`` behind the entry, all of them off by the same sum."""
        return tuple(float(weight) for weight in self._logits(batch_index)[list(tokens)])

    def embedding(self, batch_index: int) -> "np.typing.NDArray[np.float32]":
        """The model's last state at the entry, copied; of a context that ``is_embedding``."""
        row = llama_cpp.llama_get_embeddings_ith(self.handle, batch_index)
        return np.ctypeslib.as_array(row, shape=(self._state_size,)).copy()

    def _logits(self, batch_index: int) -> "np.typing.NDArray[np.float32]":
        row = llama_cpp.llama_get_logits_ith(self.handle, batch_index)
        return np.ctypeslib.as_array(row, shape=(self._vocab_tokens,))

    def cut(self, sequence: int, length_tokens: int) -> bool:
        """Forget all of ``sequence`` after its first ``length_tokens``. False if the memory cannot."""
        return bool(llama_cpp.llama_memory_seq_rm(self._memory, sequence, length_tokens, -1))

    def share(self, source: int, target: int, length_tokens: int) -> None:
        """Let the empty sequence ``target`` begin with the cells of ``source``; nothing is computed."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length_tokens)

    def close(self) -> None:
        """Free the cells. Idempotent."""
        if self.handle is not None:
            llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self.handle)
            self.handle = None


class Sampler:
    """How one reply's tokens are chosen. The penalty looks at the best candidates only: over the whole
    vocabulary it would cost as much as a layer."""

    def __init__(self, vocab_tokens: int, *, temperature: float, seed: int) -> None:
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        stages = [
            llama_cpp.llama_sampler_init_top_k(_TOP_K),
            llama_cpp.llama_sampler_init_penalties(
                vocab_tokens, _REPEAT_LAST_TOKENS, _REPEAT_PENALTY, 0.0, 0.0
            ),
        ]
        if temperature <= GREEDY_TEMPERATURE:
            stages.append(llama_cpp.llama_sampler_init_greedy())
        else:
            stages += [
                llama_cpp.llama_sampler_init_top_p(_TOP_P, 1),
                llama_cpp.llama_sampler_init_min_p(_MIN_P, 1),
                llama_cpp.llama_sampler_init_temp(temperature),
                llama_cpp.llama_sampler_init_dist(seed),
            ]
        for stage in stages:
            llama_cpp.llama_sampler_chain_add(chain, stage)
        self.handle: Any = chain

    @classmethod
    def under(cls, model: NativeModel, grammar: str) -> "Sampler":
        """The likeliest token that a GBNF grammar allows, from its rule ``root``.

        :raises EngineError: the grammar cannot be read.
        """
        sampler = cls.__new__(cls)
        sampler.handle = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        _log_errors.clear()
        stage = llama_cpp.llama_sampler_init_grammar(model.vocab, grammar.encode(), b"root")
        if not stage:
            sampler.close()
            raise EngineError(f"llm: not a grammar: {(_log_errors or ['no reason given'])[-1]}")
        for one in (stage, llama_cpp.llama_sampler_init_greedy()):
            llama_cpp.llama_sampler_chain_add(sampler.handle, one)
        return sampler

    def close(self) -> None:
        """Free it. Idempotent."""
        if self.handle is not None:
            llama_cpp.llama_sampler_free(self.handle)
            self.handle = None
