"""A language model that calls need not wait for: they begin while it is still being loaded.

The caller hears the greeting meanwhile; a reply that comes too early waits on its own lane's thread, and the
turn machine says "one moment" as it does for any slow reply.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from sipagent.brain.failover import FailoverModel
from sipagent.brain.types import Conversation, EndScored, LanguageModel, Message, Reader, SamplingLimits
from sipagent.errors import EngineError, JobCancelled, SipAgentError
from sipagent.speech.types import Cancelled

_POLL_S = 0.02


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

    def open_reader(self, primer: str) -> Reader:
        """A place for understanding, once the model is there."""
        model = self.wait()
        assert model is not None
        return model.open_reader(primer)

    def warm_reader(self, primer: str) -> None:
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


class LateConversation:
    """A call's place in a model that was not there when the call came."""

    def __init__(self, model: LateModel, system_prompt: str, *, is_local: bool = False) -> None:
        self._is_local = is_local
        self._model = model
        self._system_prompt = system_prompt
        self._real: Conversation | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"LateConversation({self._real!r})"

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """As ``Conversation.read_ahead``; nothing while there is no model."""
        if self._model.loaded is not None and not self._is_closed:
            self._open().read_ahead(history, caller_text)

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
        deadline_s = time.monotonic() + limits.deadline_ms / 1000
        while not self._is_loaded():
            if cancelled() or self._is_closed:
                raise JobCancelled("llm: cancelled while the model was being loaded")
            if time.monotonic() > deadline_s:
                raise EngineError("llm: the model is still being loaded")
        yield from self._open().reply(
            history, limits, cancelled, priority=priority, on_end_scored=on_end_scored
        )

    def close(self) -> None:
        """Free the place. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._real is not None:
                self._real.close()

    def _is_loaded(self) -> bool:
        """Wait a moment for the model. :raises EngineError: it cannot be loaded."""
        try:
            return self._model.wait(_POLL_S) is not None
        except SipAgentError as error:
            raise EngineError(str(error)) from error

    def _open(self) -> Conversation:
        with self._lock:
            if self._is_closed:
                raise JobCancelled("llm: the conversation is closed")
            if self._real is None:
                assert self._model.loaded is not None
                model = _part_of(self._model.loaded, is_local=self._is_local)
                self._real = model.open_conversation(self._system_prompt)
            return self._real


def _part_of(model: LanguageModel, *, is_local: bool) -> LanguageModel:
    return model.local if is_local and isinstance(model, FailoverModel) else model
