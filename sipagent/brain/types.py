"""What the language model gives and takes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sipagent.speech.types import Cancelled


class Role(Enum):
    """Who a message is from, in the chat template's words."""

    SYSTEM = "system"
    CALLER = "user"
    AGENT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class SamplingLimits:
    """Limits of one reply."""

    max_tokens: int = 80
    temperature: float = 0.3
    deadline_ms: int = 8000
    """From submission; past it the reply ends where it stands."""


EndScored = Callable[[float], None]
"""Told 0..1, how likely the model finds that the caller's message is over where it stands. Called at most
once for a reply, before its first piece, from the model's thread: it must only pass the number on."""


class Conversation(Protocol):
    """One call's place in the model: a sequence in the KV cache.

    Thread-safe towards the model; used by one call. The persona's prompt is always kept; oldest turns
    are dropped when the context fills. Nothing is read twice: only what differs from the cache is.
    """

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """Put ``history`` and the stable beginning of the caller's next message into the cache, with
        low priority and without blocking. A later ``reply`` that continues it is quicker."""

    def reply(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        *,
        priority: int = 0,
        on_end_scored: EndScored | None = None,
    ) -> Iterator[str]:
        """Stream the agent's next message as text pieces. Blocks the iterating thread only.

        ``history`` ends with the caller's message. Lower ``priority`` is sooner. Closing the iterator or
        ``cancelled()`` turning true stops decoding within one token. An engine that cannot tell how likely
        the message's end is does not call ``on_end_scored``.

        :raises JobCancelled: ``cancelled()`` turned true, the conversation was closed, or a later reply of
            this conversation took its place.
        :raises EngineError: the model failed or the deadline passed before the first token.
        """

    def close(self) -> None:
        """Free the sequence at once; running jobs are cancelled. Idempotent."""


class LanguageModel(Protocol):
    """A loaded model that several calls share."""

    name: str

    def open_conversation(self, system_prompt: str) -> Conversation:
        """A place for a new call. The prompt's KV cells are computed once and shared by all calls with it.

        :raises CapacityError: every sequence is in use.
        """

    def warm(self, system_prompt: str) -> None:
        """Compute the prompt's KV cells now, so that the first call need not wait."""

    def close(self) -> None: ...
