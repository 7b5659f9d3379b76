"""The language model on llama.cpp: one model and one context for all calls of a worker.

Each call has a sequence of the KV cache, and so has each persona's prompt, which is read once and whose
cells the calls share. The cache remembers the token ids it holds; of a new prompt only what follows the
first difference is read. A reply that was interrupted is simply another history the next time.
"""

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

from sipagent.brain.chat import ChatPiece, ChatTemplate
from sipagent.brain.context import fit_window
from sipagent.brain.llama_decoder import Decoder
from sipagent.brain.llama_jobs import (
    ASIDE_TOKENS,
    PREPARE_PRIORITY,
    READ_AHEAD_PRIORITY,
    STEP_TOKENS,
    Job,
    JobKind,
    Place,
    Prompt,
)
from sipagent.brain.llama_native import NativeContext, NativeModel
from sipagent.brain.llama_reader import TEXT_TOKENS, LlamaReader
from sipagent.brain.llm import LlmCounters
from sipagent.brain.types import NOTE, EndScored, Message, Role, SamplingLimits
from sipagent.errors import CapacityError, EngineError, ModelError
from sipagent.speech.types import Cancelled
from sipagent.units import monotonic_ms

KEPT_PROMPTS = 8
"""Personas whose prompt stays in the cache; of more, those used last."""
REPLY_SHARE = 0.25
"""Share of a call's context that is kept free for the reply."""
LEAST_HISTORY_SHARE = 0.125
"""Share that must be left for the conversation beside the persona's prompt."""
_REMEMBERED_REPLIES = 64
_WARM_LIMIT_S = 120.0
_STUCK_GRACE_S = 5.0
"""A decoder that says nothing for this long after the deadline is stuck inside the library."""


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
        self._prompts: OrderedDict[str, Prompt] = OrderedDict()
        self._is_closed = False
        self.native = NativeModel(path)
        try:
            self.template = _template(self.native, name)
            self.message_tokens, self._fixed_tokens = self._markup_tokens()
            self._context = self._make_context(threads)
        except Exception:
            self.native.close()
            raise
        self.decoder = Decoder(self.native, self._context, now_ms=now_ms, seed=seed)
        self.decoder.start()

    def __repr__(self) -> str:
        return f"LlamaModel({self.name}, calls={len(self._open)}/{self._max_calls}, {self.counters()})"

    def open_conversation(self, system_prompt: str) -> "LlamaConversation":
        """A place for a new call. Does not wait for a new prompt to be read.

        :raises CapacityError: every sequence is in use.
        :raises EngineError: the prompt leaves no room for a conversation, or the model is closed.
        """
        prompt = self._prompt(system_prompt)
        with self._lock:
            if len(self._open) >= self._max_calls:
                raise CapacityError(f"llm: all {self._max_calls} conversations are in use")
            conversation = LlamaConversation(self, prompt, Place(self._free.pop()))
            self._open.add(conversation)
            return conversation

    def open_reader(self, primer: str) -> LlamaReader:
        """A new call's place for understanding. Does not wait for the primer to be read.

        :raises CapacityError: every sequence is in use.
        :raises EngineError: the primer is too long, or the model is closed.
        """
        prompt = self._primer(primer)
        with self._lock:
            if len(self._readers) >= self._max_calls:
                raise CapacityError(f"llm: all {self._max_calls} readers are in use")
            place = Place(self._free.pop())
            reader = LlamaReader(self.native, self.decoder, prompt, place, self.now_ms, self._reader_closed)
            self._readers.add(reader)
            return reader

    def warm(self, system_prompt: str) -> None:
        """Read the prompt into the cache and wait for it.

        :raises EngineError: the prompt is too long, or it took two minutes.
        """
        self._wait_for(self._prompt(system_prompt))

    def warm_reader(self, primer: str) -> None:
        """Read the primer into the cache and wait for it. :raises EngineError: it is too long."""
        self._wait_for(self._primer(primer))

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
        self._context.close()
        self.native.close()

    def _reader_closed(self, reader: LlamaReader, place: Place) -> None:
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
                self.decoder.release(place)
                self._free.append(place.sequence)

    def give_back(self, conversation: "LlamaConversation", place: Place) -> None:
        """Take a closed conversation's sequence back."""
        with self._lock:
            if conversation in self._open:
                self._open.remove(conversation)
                self.decoder.release(place)
                self._free.append(place.sequence)

    def tokens_of(self, message: Message) -> int:
        """Tokens of one message with its markup."""
        return len(self.native.tokenize(message.text.strip(), False)) + self.message_tokens

    def history_tokens(self, system_prompt: str) -> int:
        """Room for the history beside the persona's prompt and the reply."""
        used = (
            len(self.native.tokenize(system_prompt.strip(), False)) + self.message_tokens + self._fixed_tokens
        )
        return self.context_tokens - int(self.context_tokens * REPLY_SHARE) - used

    def tokens(
        self,
        pieces: Sequence[ChatPiece],
        messages: Sequence[Message],
        said: Callable[[str], tuple[int, ...] | None],
    ) -> tuple[int, ...]:
        """Token ids of a rendered prompt. Texts never become special tokens.

        :param said: the ids of a reply as it was generated, which may differ from those of its text.
        """
        tokens = list(self.native.bos_tokens)
        for piece in pieces:
            if isinstance(piece, str):
                markup = self.native.tokenize(piece, True)
                tokens += markup[len(self.native.bos_tokens) :] if markup[:1] == tuple(tokens) else markup
                continue
            message = messages[piece]
            known = said(message.text) if message.role is Role.AGENT else None
            tokens += known or self.native.tokenize(message.text.strip(), False)
            tokens += self._note_tokens(message)
        return tuple(tokens)

    def _note_tokens(self, message: Message) -> tuple[int, ...]:
        return self.native.tokenize(NOTE.format(message.note), False) if message.note else ()

    def last_word(
        self, pieces: Sequence[ChatPiece], messages: Sequence[Message], tokens: Sequence[int]
    ) -> int | None:
        """Where the last word of the last message stands in its rendered prompt, before punctuation and note.

        :returns: the index of the word's last token. None: the message has no word.
        """
        last = max(n for n, piece in enumerate(pieces) if not isinstance(piece, str))
        behind = sum(
            len(self.native.tokenize(piece, True)) for piece in pieces[last + 1 :] if isinstance(piece, str)
        ) + len(self._note_tokens(messages[-1]))
        for n in range(len(tokens) - behind - 1, -1, -1):
            if tokens[n] in self.native.end_tokens:
                return None
            if any(character.isalnum() for character in self.native.piece(tokens[n]).decode(errors="ignore")):
                return n
        return None

    def _prompt(self, system_prompt: str) -> Prompt:
        """The persona's prompt, being read if it is new; the least recently used one makes room."""
        return self._kept(system_prompt, self._prompt_tokens(system_prompt))

    def _kept(self, system_prompt: str, tokens: tuple[int, ...]) -> Prompt:
        """What many calls begin with, under its text."""
        with self._lock:
            if self._is_closed:
                raise EngineError("llm: the model is closed")
            prompt = self._prompts.get(system_prompt)
            if prompt is not None and not prompt.is_lost:
                self._prompts.move_to_end(system_prompt)
                return prompt
            self._make_room(system_prompt, len(tokens))
            prompt = Prompt(system_prompt, tokens, Place(self._free.pop()))
            self._prompts[system_prompt] = prompt
        self.decoder.submit(
            Job(JobKind.PROMPT, prompt.place, tokens, self.now_ms(), PREPARE_PRIORITY, prompt=prompt)
        )
        return prompt

    def _prompt_tokens(self, system_prompt: str) -> tuple[int, ...]:
        """What every conversation with this persona begins with, whoever speaks first."""
        room = self.history_tokens(system_prompt)
        least = int(self.context_tokens * LEAST_HISTORY_SHARE)
        if room < least:
            raise EngineError(
                f"llm: a persona's prompt leaves {room} of {self.context_tokens} tokens for the conversation "
                f"and needs to leave {least}; shorten it or raise llm.context_tokens"
            )
        begun = []
        for role in (Role.CALLER, Role.AGENT):
            messages = [Message(Role.SYSTEM, system_prompt), Message(role, "-"), Message(Role.CALLER, "-")]
            begun.append(self.tokens(self.template.pieces(messages), messages, lambda _: None))
        same = [a == b for a, b in zip(*begun, strict=False)]
        return begun[0][: same.index(False)] if False in same else begun[0]

    def _make_room(self, system_prompt: str, new_tokens: int) -> None:
        """Drop what is stale under this name, then old prompts until sequences and cells suffice. Locked."""
        stale = self._prompts.get(system_prompt)
        if stale is not None:
            self._drop_prompt(stale)
        while len(self._prompts) >= KEPT_PROMPTS or (
            self._prompts
            and sum(len(p.tokens) for p in self._prompts.values()) + new_tokens > self.context_tokens
        ):
            self._drop_prompt(next(iter(self._prompts.values())))

    def _drop_prompt(self, prompt: Prompt) -> None:
        prompt.is_lost = True
        del self._prompts[prompt.text]
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
            cells=self.context_tokens * (self._max_calls + 1)  # the calls', and one's worth of prompts
            + TEXT_TOKENS * self._max_calls,
            sequences=2 * self._max_calls + KEPT_PROMPTS,
            batch_tokens=STEP_TOKENS + ASIDE_TOKENS + self._max_calls,
            threads=threads,
        )

    def _markup_tokens(self) -> tuple[int, int]:
        """Tokens the template adds to each message, at most, and to the whole."""

        def count(*roles: Role) -> int:
            pieces = self.template.pieces([Message(role, "") for role in roles])
            return sum(len(self.native.tokenize(p, True)) for p in pieces if isinstance(p, str))

        pair = count(Role.SYSTEM, Role.CALLER, Role.AGENT, Role.CALLER) - count(Role.SYSTEM, Role.CALLER)
        each = (pair + 1) // 2 + 1
        return each, max(0, count(Role.SYSTEM, Role.CALLER) - 2 * each) + len(self.native.bos_tokens) + 4


class LlamaConversation:
    """A ``Conversation`` of a ``LlamaModel``: one sequence."""

    def __init__(self, model: LlamaModel, prompt: Prompt, place: Place) -> None:
        self._model = model
        self._prompt = prompt
        self._place = place
        self._said: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """Read what is certain of the next prompt, when nothing better is to be done. Does not wait."""
        if self._place.is_closed:
            return
        messages = self._messages([*history, Message(Role.CALLER, caller_text)])
        tokens = self._model.tokens(self._model.template.open_pieces(messages), messages, self._known)
        stable = tokens[:-1] if caller_text.strip() else tokens  # a word's end may merge with what follows
        self._model.decoder.submit(self._job(JobKind.READ_AHEAD, stable, READ_AHEAD_PRIORITY))

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
        pieces = self._model.template.pieces(messages)
        tokens = self._model.tokens(pieces, messages, self._known)
        if messages[-1].note and len(tokens) + limits.max_tokens > self._model.context_tokens:
            messages[-1] = replace(messages[-1], note="")
            tokens = self._model.tokens(pieces, messages, self._known)
        job = self._job(JobKind.REPLY, tokens, priority)
        job.limits = limits
        job.cancelled = cancelled
        job.on_end_scored = on_end_scored
        job.probe = self._model.last_word(pieces, messages, tokens) if on_end_scored else None
        job.max_tokens = min(limits.max_tokens, self._model.context_tokens - len(tokens))
        if job.max_tokens < 1:
            raise EngineError(f"llm: a prompt of {len(tokens)} tokens leaves no room for a reply")
        self._model.decoder.submit(job)
        stream = self._pieces(job)
        next(stream)  # begun: so that closing it or dropping it reaches the job
        return stream

    def close(self) -> None:
        """Free the sequence at once; running jobs are cancelled. Idempotent."""
        self._model.give_back(self, self._place)

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
        return Job(kind, self._place, tokens, self._model.now_ms(), priority, prompt=self._prompt)

    def _messages(self, history: Sequence[Message]) -> list[Message]:
        """The persona's prompt and what fits of the history. A caller's text may end in an empty message."""
        budget = self._model.history_tokens(self._prompt.text)
        window = fit_window(history, self._model.tokens_of, budget_tokens=budget)
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


def _template(native: NativeModel, name: str) -> ChatTemplate:
    source = native.chat_template
    if not source:
        raise ModelError(f"{name}: the file has no chat template; choose an instruct model")
    return ChatTemplate(source, bos_text=native.special_text("bos"), eos_text=native.special_text("eos"))
