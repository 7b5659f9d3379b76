"""A language model that calls need not wait for: they begin while it is still being loaded.

The caller hears the greeting meanwhile; a reply that comes too early waits on its own lane's thread, and the
turn machine says "one moment" as it does for any slow reply.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from sipagent.brain.failover import FailoverModel
from sipagent.brain.types import (
    Conversation,
    EndScored,
    LanguageModel,
    Message,
    Primer,
    Reader,
    Said,
    SamplingLimits,
)
from sipagent.errors import EngineError, JobCancelled, SipAgentError
from sipagent.speech.types import Cancelled

_POLL_S = 0.02


class _Place(Protocol):
    def close(self) -> None: ...


P = TypeVar("P", bound=_Place)


class LateModel:
    """A ``LanguageModel`` that is there when ``load`` has returned. ``start`` once; any thread."""

    def __init__(self, load: Callable[[], LanguageModel]) -> None:
        """:param load: called once, on a thread of its own."""
        self._load = load
        self._model: LanguageModel | None = None
        self._error: Exception | None = None
        self._is_settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load-llm", daemon=True)

    def __repr__(self) -> str:
        return f"LateModel({self._model!r})"

    @property
    def name(self) -> str:
        """The model's name; empty while it is not loaded."""
        return self._model.name if self._model else ""

    @property
    def loaded(self) -> LanguageModel | None:
        """The model itself; None: not yet, or it failed."""
        return self._model

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> LanguageModel | None:
        """The model once it is loaded; None: not within ``timeout_s``.

        :raises SipAgentError: it could not be loaded.
        """
        self._is_settled.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return self._model

    def open_conversation(self, system_prompt: str, *, is_local: bool = False) -> Conversation:
        """A place for a new call, at once.

        :param is_local: in this process, also where an endpoint makes the replies of others.
        :raises CapacityError: every sequence is in use.
        """
        if self._model is not None:
            return _part_of(self._model, is_local=is_local).open_conversation(system_prompt)
        return LateConversation(self, system_prompt, is_local=is_local)

    def open_reader(self, primer: Primer) -> Reader:
        """A place for understanding, at once.

        :raises CapacityError: every sequence is in use.
        """
        if self._model is not None:
            return self._model.open_reader(primer)
        return LateReader(self, primer)

    def warm_reader(self, primer: Primer) -> None:
        """Wait for the model, then read the primer into its cache."""
        model = self.wait()
        assert model is not None
        model.warm_reader(primer)

    def warm(self, system_prompt: str) -> None:
        """Wait for the model, then read the prompt into its cache."""
        model = self.wait()
        assert model is not None
        model.warm(system_prompt)

    def close(self) -> None:
        """Free the model. Idempotent."""
        if self._thread.is_alive():
            self._thread.join()
        if self._model is not None:
            self._model.close()

    def _run(self) -> None:
        try:
            self._model = self._load()
        except Exception as error:  # whoever waits for the model gets it
            self._error = error
        self._is_settled.set()


class _LatePlace(Generic[P]):
    """A call's place in a model that was not there when the call came. Any thread."""

    def __init__(self, model: LateModel, open_place: Callable[[LanguageModel], P]) -> None:
        self._model = model
        self._open_place = open_place
        self._real: P | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._real!r})"

    def close(self) -> None:
        """Free the place. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._real is not None:
                self._real.close()

    def _at_once(self) -> P | None:
        """The place itself; None: not yet, or closed."""
        return None if self._model.loaded is None or self._is_closed else self._open(self._model.loaded)

    def _wait(self, cancelled: Cancelled, deadline_s: float) -> P:
        """The place itself, once there is a model.

        :raises JobCancelled: nobody wants it any more. :raises EngineError: not in time, or never.
        """
        while True:
            try:
                model = self._model.wait(_POLL_S)
                if model is not None:
                    return self._open(model)
            except JobCancelled:
                raise
            except SipAgentError as error:  # it cannot be loaded, or has no room
                raise EngineError(str(error)) from error
            if cancelled() or self._is_closed:
                raise JobCancelled("llm: cancelled while the model was being loaded")
            if time.monotonic() > deadline_s:
                raise EngineError("llm: the model is still being loaded")

    def _open(self, model: LanguageModel) -> P:
        with self._lock:
            if self._is_closed:
                raise JobCancelled("llm: the place is closed")
            if self._real is None:
                self._real = self._open_place(model)
            return self._real


class LateConversation(_LatePlace[Conversation]):
    """A ``Conversation``."""

    def __init__(self, model: LateModel, system_prompt: str, *, is_local: bool = False) -> None:
        super().__init__(
            model, lambda loaded: _part_of(loaded, is_local=is_local).open_conversation(system_prompt)
        )

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """As ``Conversation.read_ahead``; nothing while there is no model."""
        real = self._at_once()
        if real is not None:
            real.read_ahead(history, caller_text)

    def reply(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        *,
        priority: int = 0,
        on_end_scored: EndScored | None = None,
    ) -> Iterator[str]:
        """As ``Conversation.reply``; the wait for the model is part of the deadline.

        :raises EngineError: also where the model was not loaded in time, or cannot be.
        """
        real = self._wait(cancelled, time.monotonic() + limits.deadline_ms / 1000)
        yield from real.reply(history, limits, cancelled, priority=priority, on_end_scored=on_end_scored)


class LateReader(_LatePlace[Reader]):
    """A ``Reader``."""

    def __init__(self, model: LateModel, primer: Primer) -> None:
        super().__init__(model, lambda loaded: loaded.open_reader(primer))

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
        """As ``Reader.read``, with its deadline for the wait for the model, too.

        :raises EngineError: also where the model was not loaded in time, or cannot be.
        """
        real = self._wait(cancelled, time.monotonic() + deadline_ms / 1000)
        return real.read(
            text, grammar, cancelled,
            choices=choices, said=said, max_tokens=max_tokens, deadline_ms=deadline_ms,
        )  # fmt: skip


def _part_of(model: LanguageModel, *, is_local: bool) -> LanguageModel:
    return model.local if is_local and isinstance(model, FailoverModel) else model
