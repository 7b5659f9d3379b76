"""Short completions under a grammar, beside a call's conversation: how the program understands a caller.

The primer (what can be meant, with examples) is read once into a sequence of its own that all calls share;
the text behind it is a line or two, so that an answer costs a few tokens of reading and one or two of
writing. Of labels that begin differently none is written: their first tokens are weighed, and where the first
two are close the caller's words are compared with the primer's examples. The text of a caller never becomes
markup: it is tokenised as plain text.
"""

import queue
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from sipagent.brain.likeness import Examples, Vector
from sipagent.brain.llama_decoder import Decoder
from sipagent.brain.llama_jobs import Job, JobKind, Place, Prompt
from sipagent.brain.llama_native import NativeModel
from sipagent.brain.types import Said, SamplingLimits
from sipagent.errors import EngineError
from sipagent.speech.types import Cancelled

TEXT_TOKENS = 256
"""Room behind the primer, the completion included; of a longer text the beginning is left out."""
_STUCK_GRACE_S = 5.0
_CLOSE = 3.0
"""Between the log probabilities of the first two labels. Of 85 lines that no rule decides six in ten are
closer, and comparing the others, too, changes nothing."""


class Comparison(Protocol):
    """Compares a caller's words with the examples of one primer. ``LlamaModel`` makes it."""

    def examples(self) -> Examples | None:
        """What the model makes of them; None: not known yet, or there are none."""

    def vector(self, words: str, deadline_ms: int) -> Vector:
        """What it makes of the caller's words. Blocks.

        :raises EngineError: the model failed or took longer.
        """


class LlamaReader:
    """A ``Reader`` of a ``LlamaModel``: one sequence. Used by one thread at a time.

    :param prompt: the primer.
    :param give_back: called once when it closes.
    """

    def __init__(
        self,
        native: NativeModel,
        decoder: Decoder,
        prompt: Prompt,
        place: Place,
        now_ms: Callable[[], int],
        give_back: Callable[["LlamaReader", Place], None],
        comparison: Comparison,
    ) -> None:
        self._comparison = comparison
        self._native = native
        self._decoder = decoder
        self._prompt = prompt
        self._place = place
        self._now_ms = now_ms
        self._give_back = give_back

    def read(
        self,
        text: str,
        grammar: str,
        cancelled: Cancelled,
        *,
        choices: Sequence[str] = (),
        said: Said | None = None,
        max_tokens: int = 32,
        deadline_ms: int = 3000,
    ) -> str:
        """The likeliest completion of primer and ``text`` under ``grammar``.

        :raises JobCancelled: ``cancelled()`` turned true, or the reader was closed.
        :raises EngineError: the model failed, the grammar is none, or the deadline passed.
        """
        if self._place.is_closed:
            raise EngineError("llm: the reader is closed")
        job = Job(JobKind.REPLY, self._place, self._tokens(text), self._now_ms(), 0, prompt=self._prompt)
        job.limits = SamplingLimits(max_tokens=max_tokens, temperature=0.0, deadline_ms=deadline_ms)
        job.cancelled = cancelled
        job.max_tokens = max_tokens
        first = tuple(self._native.tokenize(f" {choice}", False)[0] for choice in choices)
        if first and len(set(first)) == len(first):
            job.weighed = first
        else:
            job.grammar, job.choices = grammar, tuple(choices)
        self._decoder.submit(job)
        told = self._collected(job)
        return self._chosen(job.weights, choices, said, deadline_ms) if job.weights else told

    def _chosen(
        self, weights: Sequence[float], choices: Sequence[str], said: Said | None, deadline_ms: int
    ) -> str:
        """The label that most speaks for, its examples counted in where the first two are close."""
        best, second = sorted(weights, reverse=True)[:2] if len(weights) > 1 else (0.0, -np.inf)
        examples = self._comparison.examples() if said is not None and best - second < _CLOSE else None
        counted = np.asarray(weights, dtype=np.float64)
        if examples is not None and said is not None:
            vector = self._comparison.vector(said.words, deadline_ms)
            counted = counted + examples.weights(vector, said.question, choices)
        return choices[int(np.argmax(counted))]

    def close(self) -> None:
        """Free the sequence at once. Idempotent."""
        self._give_back(self, self._place)

    def _collected(self, job: Job) -> str:
        limit_s = job.limits.deadline_ms / 1000 + _STUCK_GRACE_S
        pieces: list[str] = []
        while True:
            try:
                item = job.output.get(timeout=limit_s)
            except queue.Empty:
                job.stop.set()
                raise EngineError(f"llm: the decoder said nothing for {limit_s:.0f} s") from None
            if isinstance(item, str):
                pieces.append(item)
            elif item.error is not None:
                raise item.error
            else:
                return job.decided or "".join(pieces)

    def _tokens(self, text: str) -> tuple[int, ...]:
        return (*self._prompt.tokens, *self._native.tokenize(text, False)[-TEXT_TOKENS:])
