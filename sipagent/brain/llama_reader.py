"""Short completions under a grammar, beside a call's conversation: how the program understands a caller.

The primer (what can be meant, with examples) is read once into a sequence of its own that all calls share;
the text behind it is a line or two, so that an answer costs a few tokens of reading and one or two of
writing. The text of a caller never becomes markup: it is tokenised as plain text.
"""

import queue
from collections.abc import Callable, Sequence

from sipagent.brain.llama_decoder import Decoder
from sipagent.brain.llama_jobs import Job, JobKind, Place, Prompt
from sipagent.brain.llama_native import NativeModel
from sipagent.brain.types import SamplingLimits
from sipagent.errors import EngineError
from sipagent.speech.types import Cancelled

TEXT_TOKENS = 256
"""Room behind the primer, the completion included; of a longer text the beginning is left out."""
_STUCK_GRACE_S = 5.0


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
    ) -> None:
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
        job.grammar = grammar
        job.choices = tuple(choices)
        self._decoder.submit(job)
        return self._collected(job)

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
