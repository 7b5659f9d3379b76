"""Two language models as one: an endpoint answers, the local model steps in within the same turn.

::

    reply ─▶ endpoint up? ──▶ its pieces          (the local model tells whether the sentence is over)
                  │             └─ fails before a word ─┐
                  └─ down ────────────────────────────▶ local model
    down ──probe, every ``probe_s``──▶ up
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

import structlog

from sipagent.brain.endpoint import EndpointConversation, EndpointModel
from sipagent.brain.types import (
    Conversation,
    EndScored,
    LanguageModel,
    Message,
    Primer,
    Reader,
    SamplingLimits,
)
from sipagent.errors import EngineError, JobCancelled, SipAgentError
from sipagent.speech.types import Cancelled

log = structlog.get_logger()

_LEAST_DEADLINE_MS = 1000
"""What the local model is given at least, however long the endpoint was waited for."""


class EndpointHealth:
    """Whether the endpoint is asked at all. Any thread."""

    def __init__(self, model: EndpointModel, *, probe_s: float) -> None:
        self._model = model
        self._probe_s = probe_s
        self._lock = threading.Lock()
        self._prober: threading.Thread | None = None
        self._is_closing = threading.Event()

    @property
    def is_up(self) -> bool:
        """It has answered last time."""
        return self._prober is None

    def failed(self, reason: str) -> None:
        """Ask it no more, until a probe succeeds."""
        with self._lock:
            if self._prober is not None or self._is_closing.is_set():
                return
            self._prober = threading.Thread(target=self._probe, name="llm-probe", daemon=True)
            self._prober.start()
        log.warning("llm.failed_over", reason=reason)

    def close(self) -> None:
        """Probe no more. Idempotent."""
        self._is_closing.set()
        prober = self._prober
        if prober is not None:
            prober.join(1)

    def _probe(self) -> None:
        while not self._is_closing.wait(self._probe_s):
            try:
                self._model.probe()
            except EngineError as error:
                log.info("llm.endpoint_down", reason=str(error))
                continue
            with self._lock:
                self._prober = None
            log.info("llm.endpoint_back")
            return


class FailoverModel:
    """A ``LanguageModel`` of an endpoint and a local model; understanding is the local one's."""

    def __init__(self, remote: EndpointModel, local: LanguageModel, *, probe_s: float) -> None:
        """:param local: closed with this model."""
        self.name = f"{remote.name}, else {local.name}"
        self.local = local
        self.remote = remote
        self.health = EndpointHealth(remote, probe_s=probe_s)

    def __repr__(self) -> str:
        return f"FailoverModel({self.remote!r}, {self.local!r}, is_up={self.health.is_up})"

    def open_conversation(self, system_prompt: str) -> "FailoverConversation":
        """A place for a new call in both.

        :raises CapacityError: every place is in use.
        """
        local = self.local.open_conversation(system_prompt)
        try:
            remote = self.remote.open_conversation(system_prompt)
        except SipAgentError:
            local.close()
            raise
        return FailoverConversation(remote, local, self.health, self.remote.now_ms)

    def open_reader(self, primer: Primer) -> Reader:
        """The local model's."""
        return self.local.open_reader(primer)

    def warm_reader(self, primer: Primer) -> None:
        """As the local model."""
        self.local.warm_reader(primer)

    def warm(self, system_prompt: str) -> None:
        """As the local model; the prompt must suit both."""
        self.remote.warm(system_prompt)
        self.local.warm(system_prompt)

    def close(self) -> None:
        """Free both. Idempotent."""
        self.health.close()
        self.remote.close()
        self.local.close()


class FailoverConversation:
    """One call's place in both."""

    def __init__(
        self,
        remote: EndpointConversation,
        local: Conversation,
        health: EndpointHealth,
        now_ms: Callable[[], int],
    ) -> None:
        self._remote = remote
        self._local = local
        self._health = health
        self._now_ms = now_ms

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        """Into the local model's cache: it must be ready to step in."""
        self._local.read_ahead(history, caller_text)

    def reply(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        *,
        priority: int = 0,
        on_end_scored: EndScored | None = None,
    ) -> Iterator[str]:
        """As ``Conversation.reply``. What fails after its first word is not begun again.

        :raises JobCancelled: as there. :raises EngineError: both failed.
        """
        if not self._health.is_up:
            return self._local.reply(
                history, limits, cancelled, priority=priority, on_end_scored=on_end_scored
            )
        stream = self._pieces(history, limits, cancelled, priority, on_end_scored)
        next(stream)
        return stream

    def close(self) -> None:
        """Free both places. Idempotent."""
        self._remote.close()
        self._local.close()

    def _pieces(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        priority: int,
        on_end_scored: EndScored | None,
    ) -> Generator[str, None, None]:
        began_ms = self._now_ms()
        remote = self._remote.reply(history, limits, cancelled, priority=priority)
        score = None if on_end_scored is None else _once(on_end_scored)
        scorer = None
        if score is not None:
            one_token = replace(limits, max_tokens=1)
            scorer = self._local.reply(history, one_token, cancelled, on_end_scored=score)
        has_begun = False
        try:
            yield ""
            for piece in remote:
                has_begun = True
                yield piece
        except EngineError as error:
            self._health.failed(str(error))
            if has_begun:
                raise
        finally:
            remote.close()
            del scorer  # let go of: its job ends
        if not has_begun:
            if cancelled():
                raise JobCancelled("llm: the job was cancelled")
            left_ms = max(_LEAST_DEADLINE_MS, limits.deadline_ms - (self._now_ms() - began_ms))
            rest = replace(limits, deadline_ms=left_ms)
            yield from self._local.reply(history, rest, cancelled, priority=priority, on_end_scored=score)


def _once(told: EndScored) -> EndScored:
    """The local model may be asked twice; the first answer counts."""
    scores: list[float] = []

    def score(value: float) -> None:
        scores.append(value)
        if len(scores) == 1:
            told(value)

    return score
