"""What the language model gives and takes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sipagent.speech.types import Cancelled

NOTE = "\n(Answer with this alone: {})"
"""How a message's note is shown."""


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
    note: str = ""
    """What the model is shown behind the text of the last message, to answer it: this once, for in the
    history of the next turn it is left out."""


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


@dataclass(frozen=True, slots=True)
class Example:
    """One thing that callers say, and its label."""

    said: str
    question: str
    """What the label answers: ``Wants``."""
    label: str


@dataclass(frozen=True, slots=True)
class Primer:
    """What a reader begins with."""

    text: str
    """Notes that the model reads once."""
    examples: tuple[Example, ...] = ()
    """Of these notes, to compare a caller's words with."""


@dataclass(frozen=True, slots=True)
class Said:
    """A caller's words by themselves, and the question whose examples they are compared with."""

    words: str
    question: str


class Reader(Protocol):
    """One call's place for understanding: short completions of a text, kept to a grammar.

    The text begins with the primer that the reader was opened with, whose KV cells all calls share.
    """

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
        """The likeliest completion of primer and ``text`` under a GBNF grammar. Blocks.

        :param choices: all completions, where they can be listed: it ends as soon as one is left.
        :param said: compared with the primer's examples where the choice between ``choices`` is close.
        :raises JobCancelled: ``cancelled()`` turned true, or the reader was closed.
        :raises EngineError: the model failed, the grammar is none, or the deadline passed.
        """

    def close(self) -> None:
        """Free the sequence. Idempotent."""


class LanguageModel(Protocol):
    """A loaded model that several calls share."""

    name: str

    def open_conversation(self, system_prompt: str) -> Conversation:
        """A place for a new call. The prompt's KV cells are computed once and shared by all calls with it.

        :raises CapacityError: every sequence is in use.
        """

    def open_reader(self, primer: Primer) -> Reader:
        """A new call's place for understanding.

        :raises CapacityError: every sequence is in use.
        """

    def warm_reader(self, primer: Primer) -> None:
        """Compute the primer's KV cells now, and its examples when there is nothing else to do."""

    def warm(self, system_prompt: str) -> None:
        """Compute the prompt's KV cells now, so that the first call need not wait."""

    def close(self) -> None: ...
