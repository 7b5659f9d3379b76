"""Which of a flow's examples a caller's words are like, by what the language model makes of both.

Behind ``This sentence : "…" means in one word:"`` the state of the model sums the sentence up (Jiang et al.
2023, "Scaling Sentence Embeddings with Large Language Models"). Small models compare better so than they
choose: where the choice behind the primer is close, the nearest examples of each label are counted in.

Everything here is the decoder's thread's; only ``Examples`` may be read by others once it is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sipagent.brain.llama_native import Entry, NativeContext, NativeModel
from sipagent.brain.types import Example
from sipagent.errors import EngineError

Vector = NDArray[np.float32]

_BEFORE, _BEHIND = 'This sentence : "', '" means in one word:"'
_MOST_TOKENS = 48
"""Of a longer text the end is compared."""
_NEAREST = 2
"""Examples of each label that count."""
_WEIGHT = 16.0
"""Of a cosine among log probabilities. 8 to 16 make no great difference."""


class Likeness:
    """A small context of its own beside that of the calls: all of its tokens are read out."""

    def __init__(self, model: NativeModel, *, threads: int) -> None:
        self._model = model
        self._before = model.tokenize(_BEFORE, False)
        self._behind = model.tokenize(_BEHIND, False)
        cells = _MOST_TOKENS + len(self._before) + len(self._behind)
        self._context = NativeContext(
            model, cells=cells, sequences=1, batch_tokens=cells, threads=threads, is_embedding=True
        )

    def vector(self, said: str) -> Vector:
        """What the model makes of a sentence, shape ``(d,)``. Takes as long as reading 40 tokens.

        :raises EngineError: llama.cpp could not decode.
        """
        body = self._model.tokenize(" ".join(said.split()), False)[-_MOST_TOKENS:]
        tokens = (*self._before, *body, *self._behind)
        self._context.cut(0, 0)
        failure = self._context.decode([Entry(token, at, 0, True) for at, token in enumerate(tokens)])
        if failure:
            raise EngineError(f"llm: llama.cpp could not decode (code {failure})")
        return self._context.embedding(len(tokens) - 1)

    def close(self) -> None:
        """Free the context. Idempotent."""
        self._context.close()


@dataclass(frozen=True, slots=True)
class Examples:
    """What the model makes of a primer's examples."""

    examples: tuple[Example, ...]
    centre: Vector
    directions: NDArray[np.float32]
    """Of each example from the centre, of length one; shape ``(n, d)``."""

    @classmethod
    def of(cls, examples: Sequence[Example], vectors: Sequence[Vector]) -> "Examples":
        """``vectors``: of the examples, in their order; at least one."""
        stacked = np.stack(vectors)
        centre = stacked.mean(axis=0)
        return cls(tuple(examples), centre, _directions(stacked - centre))

    def weights(self, vector: Vector, question: str, choices: Sequence[str]) -> NDArray[np.float64]:
        """What speaks for each choice, shape ``(len(choices),)``; a choice without examples gets the mean.

        :param vector: of the caller's words. :param question: whose examples count.
        """
        cosines = self.directions @ _directions((vector - self.centre)[None])[0]
        found = [
            [c for c, one in zip(cosines, self.examples, strict=True) if (one.question, one.label) == key]
            for key in ((question, choice) for choice in choices)
        ]
        nearest = [float(np.mean(sorted(of)[-_NEAREST:])) if of else np.nan for of in found]
        if np.all(np.isnan(nearest)):
            return np.zeros(len(choices))
        return np.where(np.isnan(nearest), np.nanmean(nearest), nearest) * _WEIGHT


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)
