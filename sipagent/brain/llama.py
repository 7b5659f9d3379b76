"""The language model on llama.cpp: one model and one context for all calls of a worker.

Each call has a sequence of the KV cache, and so has each persona's prompt, which is read once and whose
cells the calls share. The cache remembers the token ids it holds; of a new prompt only what follows the
first difference is read. A reply that was interrupted is simply another history the next time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from sipagent.brain.likeness import Examples, Likeness, Vector
from sipagent.brain.llama_conversation import LlamaConversation
from sipagent.brain.llama_decoder import Decoder, common_length
from sipagent.brain.llama_jobs import (
    ASIDE_TOKENS,
    PREPARE_PRIORITY,
    STEP_TOKENS,
    Errand,
    Job,
    JobKind,
    Place,
    Prompt,
)
from sipagent.brain.llama_native import NativeContext, NativeModel
from sipagent.brain.llama_prompts import PromptTokens
from sipagent.brain.llama_reader import TEXT_TOKENS, LlamaReader
from sipagent.brain.llm import LlmCounters
from sipagent.brain.types import Primer
from sipagent.errors import CapacityError, EngineError, ModelError
from sipagent.units import monotonic_ms

KEPT_PROMPTS = 8
"""Personas whose prompt stays in the cache; of more, those used last."""
PROMPT_CONTEXTS = 3
"""Room for them, in contexts of one call: three flows' examples alone fill one. A context of 2048 tokens of
the usual model takes 25 MB."""
_WARM_LIMIT_S = 120.0


class LlamaModel:
    """A ``LanguageModel`` on a GGUF file.

    :param path: the file.
    :param max_calls: sequences for calls.
    :param context_tokens: persona's prompt, conversation and reply of one call.
    :param threads: CPU threads of a step.
    :param now_ms: monotonic clock of the deadlines.
    :param seed: of all sampling.
    :raises ModelError: the file is unusable, has no chat template for a phone call, or was not trained for
        so long a context.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        max_calls: int,
        context_tokens: int,
        threads: int,
        now_ms: Callable[[], int] = monotonic_ms,
        seed: int = 1,
    ) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self.now_ms = now_ms
        self._max_calls = max_calls
        self._lock = threading.Lock()
        self._free = list(range(2 * max_calls + KEPT_PROMPTS))[::-1]
        self._open: set[LlamaConversation] = set()
        self._readers: set[LlamaReader] = set()
        self._kept_prompts: OrderedDict[str, Prompt] = OrderedDict()
        self._comparisons: dict[str, _Comparison] = {}
        self._is_closed = False
        self.native = NativeModel(path)
        try:
            self.prompts = PromptTokens(self.native, name, context_tokens)
            self._context = self._make_context(threads)
            self.likeness = Likeness(self.native, threads=threads)
        except Exception:
            self.native.close()
            raise
        self.decoder = Decoder(self.native, self._context, now_ms=now_ms, seed=seed)
        self.decoder.start()

    def __repr__(self) -> str:
        return f"LlamaModel({self.name}, calls={len(self._open)}/{self._max_calls}, {self.counters()})"

    def open_conversation(self, system_prompt: str) -> LlamaConversation:
        """A place for a new call. Does not wait for a new prompt to be read.

        :raises CapacityError: every sequence is in use.
        :raises EngineError: the prompt leaves no room for a conversation, or the model is closed.
        """
        prompt = self._prompt(system_prompt)
        with self._lock:
            if len(self._open) >= self._max_calls:
                raise CapacityError(f"llm: all {self._max_calls} conversations are in use")
            conversation = LlamaConversation(
                self.prompts,
                self.decoder,
                prompt,
                Place(self._free.pop()),
                self.now_ms,
                self._conversation_closed,
            )
            self._open.add(conversation)
            return conversation

    def open_reader(self, primer: Primer) -> LlamaReader:
        """A new call's place for understanding. Does not wait for the primer to be read.

        :raises CapacityError: every sequence is in use.
        :raises EngineError: the primer is too long, or the model is closed.
        """
        prompt, comparison = self._primer(primer.text), self._comparison(primer)
        with self._lock:
            if len(self._readers) >= self._max_calls:
                raise CapacityError(f"llm: all {self._max_calls} readers are in use")
            place = Place(self._free.pop())
            reader = LlamaReader(
                self.native, self.decoder, prompt, place, self.now_ms, self._reader_closed, comparison
            )
            self._readers.add(reader)
            return reader

    def warm(self, system_prompt: str) -> None:
        """Read the prompt into the cache and wait for it.

        :raises EngineError: the prompt is too long, or it took two minutes.
        """
        self._wait_for(self._prompt(system_prompt))

    def warm_reader(self, primer: Primer) -> None:
        """Read the primer into the cache and wait for it; its examples follow when there is nothing to do.

        :raises EngineError: it is too long.
        """
        self._comparison(primer)
        self._wait_for(self._primer(primer.text))

    def _comparison(self, primer: Primer) -> "_Comparison":
        """Of a primer's examples, the model's view of which is begun once and kept as long as the model."""
        with self._lock:
            if primer.text not in self._comparisons:
                self._comparisons[primer.text] = _Comparison(primer, self.likeness, self.decoder)
            return self._comparisons[primer.text]

    def _primer(self, primer: str) -> Prompt:
        tokens = (*self.native.bos_tokens, *self.native.tokenize(primer, False))
        room = self.context_tokens - TEXT_TOKENS
        if len(tokens) > room:
            raise EngineError(
                f"llm: a flow's examples are {len(tokens)} tokens, of {room} that llm.context_tokens leaves; "
                "use fewer examples"
            )
        return self._kept(primer, tokens)

    def _wait_for(self, prompt: Prompt) -> None:
        if not prompt.is_settled.wait(_WARM_LIMIT_S):
            raise EngineError(f"llm: reading a prompt took more than {_WARM_LIMIT_S:.0f} s")
        if isinstance(prompt.error, EngineError):
            raise prompt.error

    def counters(self) -> LlmCounters:
        """What was decoded, reused and generated so far."""
        return self.decoder.counters()

    @property
    def is_idle(self) -> bool:
        """No job is waiting or running."""
        return self.decoder.is_idle

    def close(self) -> None:
        """End all jobs and free the model. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self.decoder.close()
        self.likeness.close()
        self._context.close()
        self.native.close()

    def _reader_closed(self, reader: LlamaReader, place: Place) -> None:
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
                self.decoder.release(place)
                self._free.append(place.sequence)

    def _conversation_closed(self, conversation: LlamaConversation, place: Place) -> None:
        with self._lock:
            if conversation in self._open:
                self._open.remove(conversation)
                self.decoder.release(place)
                self._free.append(place.sequence)

    def _prompt(self, system_prompt: str) -> Prompt:
        """The persona's prompt, being read if it is new; the least recently used one makes room."""
        return self._kept(system_prompt, self.prompts.beginning(system_prompt))

    def _kept(self, system_prompt: str, tokens: tuple[int, ...]) -> Prompt:
        """What many calls begin with, under its text."""
        with self._lock:
            if self._is_closed:
                raise EngineError("llm: the model is closed")
            prompt = self._kept_prompts.get(system_prompt)
            if prompt is not None and not prompt.is_lost:
                self._kept_prompts.move_to_end(system_prompt)
                return prompt
            self._make_room(system_prompt, len(tokens))
            like = max(
                self._kept_prompts.values(), key=lambda one: common_length(one.tokens, tokens), default=None
            )
            prompt = Prompt(system_prompt, tokens, Place(self._free.pop()), like=like)
            self._kept_prompts[system_prompt] = prompt
        self.decoder.submit(
            Job(JobKind.PROMPT, prompt.place, tokens, self.now_ms(), PREPARE_PRIORITY, prompt=prompt)
        )
        return prompt

    def _make_room(self, system_prompt: str, new_tokens: int) -> None:
        """Drop what is stale under this name, then old prompts until sequences and cells suffice. Locked."""
        stale = self._kept_prompts.get(system_prompt)
        if stale is not None:
            self._drop_prompt(stale)
        while len(self._kept_prompts) >= KEPT_PROMPTS or (
            self._kept_prompts
            and sum(len(p.tokens) for p in self._kept_prompts.values()) + new_tokens
            > self.context_tokens * PROMPT_CONTEXTS
        ):
            self._drop_prompt(next(iter(self._kept_prompts.values())))

    def _drop_prompt(self, prompt: Prompt) -> None:
        prompt.is_lost = True
        del self._kept_prompts[prompt.text]
        self.decoder.release(prompt.place)
        self._free.append(prompt.place.sequence)

    def _make_context(self, threads: int) -> NativeContext:
        trained = self.native.trained_context_tokens
        if self.context_tokens > trained:
            raise ModelError(
                f"{self.name}: trained for {trained} tokens, llm.context_tokens is {self.context_tokens}"
            )
        return NativeContext(
            self.native,
            cells=self.context_tokens * (self._max_calls + PROMPT_CONTEXTS) + TEXT_TOKENS * self._max_calls,
            sequences=2 * self._max_calls + KEPT_PROMPTS,
            batch_tokens=STEP_TOKENS + ASIDE_TOKENS + self._max_calls,
            threads=threads,
        )


class _Comparison:
    """A ``Comparison`` of one primer's examples. Any thread."""

    def __init__(self, primer: Primer, likeness: Likeness, decoder: Decoder) -> None:
        """The examples are looked at one by one, while there is nothing else to do."""
        self._primer, self._likeness, self._decoder = primer, likeness, decoder
        self._vectors: list[Vector] = []
        self._examples: Examples | None = None
        self._next()

    def examples(self) -> Examples | None:
        """What the model makes of them; None: not known yet, or there are none."""
        return self._examples

    def vector(self, words: str, deadline_ms: int) -> Vector:
        """What it makes of the caller's words. Blocks.

        :raises EngineError: the model failed or took longer.
        """
        found: list[Vector] = []
        errand = Errand(lambda: found.append(self._likeness.vector(words)), is_urgent=True)
        self._decoder.run_between(errand)
        if not errand.is_done.wait(deadline_ms / 1000):
            raise EngineError(f"llm: nothing to compare with within {deadline_ms} ms")
        if errand.error is not None:
            raise EngineError(f"llm: the caller's words cannot be compared: {errand.error}")
        return found[0]

    def _next(self) -> None:
        if len(self._vectors) < len(self._primer.examples):
            self._decoder.run_between(Errand(self._look, is_urgent=False))

    def _look(self) -> None:
        said = self._primer.examples[len(self._vectors)].said
        self._vectors.append(self._likeness.vector(said))
        if len(self._vectors) == len(self._primer.examples):
            self._examples = Examples.of(self._primer.examples, self._vectors)
        self._next()
