"""One call's conversation with the language model: what it has read stays read, and what it says streams."""

import queue
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from sipagent.brain.context import fit_window
from sipagent.brain.llama_decoder import Decoder
from sipagent.brain.llama_jobs import READ_AHEAD_PRIORITY, Job, JobKind, Place, Prompt
from sipagent.brain.llama_prompts import PromptTokens
from sipagent.brain.types import EndScored, Message, Role, SamplingLimits
from sipagent.errors import EngineError
from sipagent.speech.types import Cancelled

_REMEMBERED_REPLIES = 64
_STUCK_GRACE_S = 5.0
"""A decoder that says nothing for this long after the deadline is stuck inside the library."""


class LlamaConversation:
    """A ``Conversation`` of a ``LlamaModel``: one sequence.

    :param prompt: the persona's.
    :param give_back: called once when it closes.
    """

    def __init__(
        self,
        prompts: PromptTokens,
        decoder: Decoder,
        prompt: Prompt,
        place: Place,
        now_ms: Callable[[], int],
        give_back: Callable[["LlamaConversation", Place], None],
    ) -> None:
        self._prompts = prompts
        self._decoder = decoder
        self._prompt = prompt
        self._place = place
        self._now_ms = now_ms
        self._give_back = give_back
        self._said: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """Read what is certain of the next prompt, when nothing better is to be done. Does not wait."""
        if self._place.is_closed:
            return
        messages = self._messages([*history, Message(Role.CALLER, caller_text)])
        tokens = self._prompts.tokens(self._prompts.template.open_pieces(messages), messages, self._known)
        stable = tokens[:-1] if caller_text.strip() else tokens  # a word's end may merge with what follows
        self._decoder.submit(self._job(JobKind.READ_AHEAD, stable, READ_AHEAD_PRIORITY))

    def reply(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        *,
        priority: int = 0,
        on_end_scored: EndScored | None = None,
    ) -> Generator[str, None, None]:
        """Stream the agent's next message. The job begins now; closing or dropping the generator ends it.

        :raises JobCancelled: ``cancelled()`` turned true, the conversation was closed, or a later job of
            this conversation took its place.
        :raises EngineError: the model failed or the deadline passed before the first token.
        """
        if self._place.is_closed:
            raise EngineError("llm: the conversation is closed")
        messages = self._messages(history)
        pieces = self._prompts.template.pieces(messages)
        tokens = self._prompts.tokens(pieces, messages, self._known)
        if messages[-1].note and len(tokens) + limits.max_tokens > self._prompts.context_tokens:
            messages[-1] = replace(messages[-1], note="")
            tokens = self._prompts.tokens(pieces, messages, self._known)
        job = self._job(JobKind.REPLY, tokens, priority)
        job.limits = limits
        job.cancelled = cancelled
        job.on_end_scored = on_end_scored
        job.probe = self._prompts.last_word(pieces, messages, tokens) if on_end_scored else None
        job.max_tokens = min(limits.max_tokens, self._prompts.context_tokens - len(tokens))
        if job.max_tokens < 1:
            raise EngineError(f"llm: a prompt of {len(tokens)} tokens leaves no room for a reply")
        self._decoder.submit(job)
        stream = self._pieces(job)
        next(stream)  # begun: so that closing it or dropping it reaches the job
        return stream

    def close(self) -> None:
        """Free the sequence at once; running jobs are cancelled. Idempotent."""
        self._give_back(self, self._place)

    def _pieces(self, job: Job) -> Generator[str, None, None]:
        limit_s = job.limits.deadline_ms / 1000 + _STUCK_GRACE_S
        try:
            yield ""
            while True:
                try:
                    item = job.output.get(timeout=limit_s)
                except queue.Empty:
                    raise EngineError(f"llm: the decoder said nothing for {limit_s:.0f} s") from None
                if isinstance(item, str):
                    yield item
                elif item.error is not None:
                    raise item.error
                else:
                    self._remember(job)
                    return
        finally:
            job.stop.set()

    def _job(self, kind: JobKind, tokens: tuple[int, ...], priority: int) -> Job:
        return Job(kind, self._place, tokens, self._now_ms(), priority, prompt=self._prompt)

    def _messages(self, history: Sequence[Message]) -> list[Message]:
        """The persona's prompt and what fits of the history. A caller's text may end in an empty message."""
        budget = self._prompts.history_tokens(self._prompt.text)
        window = fit_window(history, self._prompts.length_of, budget_tokens=budget)
        last = [m for m in history[-1:] if not m.text.strip()]
        return [Message(Role.SYSTEM, self._prompt.text), *window.messages, *last]

    def _remember(self, job: Job) -> None:
        """Keep the ids of a reply that ended by itself: read again, its text might give others."""
        if not job.text.is_stopped:
            self._said[_spoken(job.text.text)] = tuple(job.sampled)
            if len(self._said) > _REMEMBERED_REPLIES:
                self._said.popitem(last=False)

    def _known(self, text: str) -> tuple[int, ...] | None:
        return self._said.get(_spoken(text))


def _spoken(text: str) -> str:
    """Replies are compared word by word: white space changes on the way through the voice."""
    return " ".join(text.split())
