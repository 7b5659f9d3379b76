"""A language model behind an OpenAI-compatible endpoint (llama.cpp's server, vLLM, a cloud).

It keeps no cache that we could see: reading ahead does nothing, every reply sends the window anew.
"""

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

from sipagent.brain.context import LEAST_HISTORY_SHARE, REPLY_SHARE, fit_window
from sipagent.brain.endpoint_reader import EndpointReader, content_of
from sipagent.brain.http_events import Connections, Endpoint, EventStream
from sipagent.brain.llama_text import ReplyText
from sipagent.brain.llm import LlmCounters
from sipagent.brain.types import NOTE, EndScored, Message, Primer, Role, SamplingLimits
from sipagent.config.openai import OpenAiConfig
from sipagent.errors import CapacityError, EngineError, JobCancelled
from sipagent.speech.types import Cancelled
from sipagent.units import monotonic_ms

CHARS_PER_TOKEN = 3
"""Of prose to a tokenizer that we do not have, on the cautious side."""
MESSAGE_TOKENS = 8
"""Markup of one message, at most."""
_POLL_S = 0.02
_READ_GRACE_S = 2.0
_CONNECTED = "(The caller is connected.)"
"""Goes before an agent's first words: many templates want the user's message first."""


def endpoint_of(section: OpenAiConfig) -> Endpoint:
    """The endpoint that a configuration names."""
    return Endpoint(
        url=section.url,
        model=section.model,
        api_key=section.api_key,
        ca_file=section.ca_file,
        connect_ms=section.connect_ms,
        first_token_ms=section.first_token_ms,
        length_key=section.length_key,
    )


class EndpointModel:
    """A ``LanguageModel`` that is somewhere else.

    :param max_calls: conversations at a time.
    :param context_tokens: persona's prompt, conversation and reply of one call, estimated.
    :param now_ms: monotonic clock of the deadlines.
    :raises EngineError: its certificates cannot be used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        max_calls: int,
        context_tokens: int,
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self.endpoint = endpoint
        self.name = endpoint.model
        self.context_tokens = context_tokens
        self.now_ms = now_ms
        self.connections = Connections(endpoint)
        self._max_calls = max_calls
        self._lock = threading.Lock()
        self._open: set[EndpointConversation] = set()
        self._streams: set[EventStream] = set()
        self._counters = LlmCounters()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"EndpointModel({self.name} at {self.endpoint.url}, {len(self._open)}/{self._max_calls})"

    def open_conversation(self, system_prompt: str) -> "EndpointConversation":
        """A place for a new call.

        :raises CapacityError: every place is in use.
        :raises EngineError: the prompt leaves no room for a conversation, or the model is closed.
        """
        self.warm(system_prompt)
        with self._lock:
            if len(self._open) >= self._max_calls:
                raise CapacityError(f"llm: all {self._max_calls} conversations are in use")
            conversation = EndpointConversation(self, system_prompt)
            self._open.add(conversation)
            return conversation

    def open_reader(self, primer: Primer) -> EndpointReader:
        """A new call's place for understanding, by structured output."""
        return EndpointReader(self.stream, primer.text, self.now_ms, length_key=self.endpoint.length_key)

    def warm(self, system_prompt: str) -> None:
        """Nothing to compute. :raises EngineError: the prompt is too long, or the model is closed."""
        if self._is_closed:
            raise EngineError("llm: the model is closed")
        room, least = self.history_tokens(system_prompt), int(self.context_tokens * LEAST_HISTORY_SHARE)
        if room < least:
            raise EngineError(
                f"llm: a persona's prompt leaves about {room} of {self.context_tokens} tokens for the "
                f"conversation and needs to leave {least}; shorten it or raise llm.context_tokens"
            )

    def warm_reader(self, primer: Primer) -> None:
        """Nothing to compute."""

    def counters(self) -> LlmCounters:
        """What was asked and given so far; tokens are counted as pieces of the stream."""
        with self._lock:
            return replace(self._counters)

    @property
    def is_idle(self) -> bool:
        """No answer is under way."""
        with self._lock:
            self._streams = {one for one in self._streams if one.is_running}
            return not self._streams

    def probe(self) -> None:
        """Ask for one token.

        :raises EngineError: the endpoint, the key or the model is not right, or the answer is late.
        """
        body = {"messages": [{"role": "user", "content": "Say yes."}], self.endpoint.length_key: 1}
        stream = self.stream(body, self.endpoint.connect_ms + self.endpoint.first_token_ms)
        try:
            stream.next_event((self.endpoint.connect_ms + self.endpoint.first_token_ms) / 1000)
        except queue.Empty:
            raise EngineError(f"llm.openai: {self.endpoint.url}: no answer in time") from None
        finally:
            stream.stop()

    def close(self) -> None:
        """End all jobs. Idempotent."""
        with self._lock:
            self._is_closed = True
            conversations, streams = list(self._open), list(self._streams)
        for conversation in conversations:
            conversation.close()
        for stream in streams:
            stream.stop()
        self.connections.close()

    def stream(self, body: dict[str, Any], deadline_ms: int) -> EventStream:
        """Send a request of the model's.

        :raises EngineError: the model is closed.
        """
        whole = {"model": self.endpoint.model, "stream": True, **body}
        read_s = deadline_ms / 1000 + _READ_GRACE_S
        stream = EventStream(self.endpoint, self.connections, whole, read_s=read_s)
        with self._lock:
            if self._is_closed:
                raise EngineError("llm: the model is closed")
            self._streams = {one for one in self._streams if one.is_running}
            stream.start()
            self._streams.add(stream)
        return stream

    def tally(self, *, generated: int = 0, cancelled: int = 0, failed: int = 0) -> None:
        """Count."""
        with self._lock:
            self._counters.steps += generated
            self._counters.generated_tokens += generated
            self._counters.cancelled_jobs += cancelled
            self._counters.failed_jobs += failed

    def history_tokens(self, system_prompt: str) -> int:
        """Room for the history beside the persona's prompt and the reply."""
        prompt = tokens_of(Message(Role.SYSTEM, system_prompt))
        return self.context_tokens - int(self.context_tokens * REPLY_SHARE) - prompt

    def give_back(self, conversation: "EndpointConversation") -> None:
        """A conversation is closed."""
        with self._lock:
            self._open.discard(conversation)


class EndpointConversation:
    """A ``Conversation`` of an ``EndpointModel``."""

    def __init__(self, model: EndpointModel, system_prompt: str) -> None:
        self._model = model
        self._prompt = system_prompt
        self._job = 0
        """The newest one; older ones end."""
        self._is_closed = False

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """Nothing: the cache is the endpoint's own."""

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

        :raises JobCancelled: ``cancelled()`` turned true, the conversation was closed, or a later reply of
            this conversation took its place.
        :raises EngineError: the endpoint failed, or a deadline passed before the first token.
        """
        if self._is_closed:
            raise EngineError("llm: the conversation is closed")
        self._job += 1
        stream = self._pieces(self._messages(history), limits, cancelled, self._job)
        next(stream)  # begun: so that closing it or dropping it reaches the endpoint
        return stream

    def close(self) -> None:
        """Free the place at once; running jobs are cancelled. Idempotent."""
        self._is_closed = True
        self._model.give_back(self)

    def _pieces(
        self, messages: list[dict[str, str]], limits: SamplingLimits, cancelled: Cancelled, job: int
    ) -> Generator[str, None, None]:
        began_ms = self._model.now_ms()
        body = {
            "messages": messages,
            "temperature": limits.temperature,
            self._model.endpoint.length_key: limits.max_tokens,
        }
        if cancelled() or limits.deadline_ms <= 0:
            stream = None
        else:
            stream = self._model.stream(body, limits.deadline_ms)
        is_complete = False
        try:
            yield ""
            yield from self._told(stream, began_ms, limits, lambda: self._is_over(cancelled, job))
            is_complete = True
        except JobCancelled:
            self._model.tally(cancelled=1)
            raise
        except EngineError:
            self._model.tally(failed=1)
            raise
        finally:
            if stream is not None and not is_complete:
                stream.stop()

    def _told(
        self,
        stream: EventStream | None,
        began_ms: int,
        limits: SamplingLimits,
        is_over: Cancelled,
    ) -> Generator[str, None, None]:
        text, count = ReplyText(), 0
        while not text.is_stopped and count < limits.max_tokens:
            if is_over():
                raise JobCancelled("llm: the job was cancelled")
            waited_ms = self._model.now_ms() - began_ms
            first_ms = min(self._model.endpoint.first_token_ms, limits.deadline_ms)
            if stream is None or (not count and waited_ms >= first_ms):
                raise EngineError(f"llm: no word of the reply within {first_ms} ms")
            if waited_ms >= limits.deadline_ms:
                stream.stop()
                break
            try:
                event = stream.next_event(_POLL_S)
            except queue.Empty:
                continue
            if event is None:
                break
            if piece := content_of(event):
                count += 1
                self._model.tally(generated=1)
                if fed := text.feed(piece.encode()):
                    yield fed
        else:
            if stream is not None:
                stream.stop()
        if rest := text.finish():
            yield rest

    def _is_over(self, cancelled: Cancelled, job: int) -> bool:
        return self._is_closed or job != self._job or cancelled()

    def _messages(self, history: Sequence[Message]) -> list[dict[str, str]]:
        """The persona's prompt and what fits of the history: the user first, then in turn."""
        window = fit_window(
            history, tokens_of, budget_tokens=self._model.history_tokens(self._prompt)
        ).messages
        notes = [message.text for message in window if message.role is Role.SYSTEM]
        told = [{"role": "system", "content": "\n".join([self._prompt, *notes])}]
        for message in window:
            if message.role is Role.SYSTEM:
                continue
            if message.role is Role.AGENT and len(told) == 1:
                told.append({"role": "user", "content": _CONNECTED})
            if told[-1]["role"] == message.role.value:
                told[-1]["content"] += f" {message.text.strip()}"
            else:
                told.append({"role": message.role.value, "content": message.text.strip()})
        if history[-1].note:
            told[-1]["content"] += NOTE.format(history[-1].note)
        return told


def tokens_of(message: Message) -> int:
    """About how many tokens a message has."""
    return -(-len(message.text.strip()) // CHARS_PER_TOKEN) + MESSAGE_TOKENS
