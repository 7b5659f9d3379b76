"""The tools at work for one call: begun, noted in the ledger, given up when their time is over."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sipagent.call.ports import Offer
from sipagent.call.tool_port import FAILED, CallContext, ToolAnswer, ToolCall, ToolRunner
from sipagent.config.schema import PersonaConfig
from sipagent.units import monotonic_ms

_GRACE_MS = 1_000
"""Behind a tool's own time: whoever runs it ends it before."""
_MOST_NOTED_CHARS = 16_384
_WITHHELD = frozenset({"anonymous", "unavailable", "restricted", "withheld"})
_GONE = "I'm sorry, that isn't possible right now."


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool has returned."""

    run_id: str
    answer: ToolAnswer


@dataclass(frozen=True, slots=True)
class _Run:
    tool: str
    began_ms: int
    until_ms: int


class ToolRecord(Protocol):
    """Where it is noted what tools do."""

    def tool_called(self, tool: str, run_id: str, arguments: Mapping[str, str]) -> None: ...

    def tool_returned(self, tool: str, run_id: str, answer: ToolAnswer) -> None: ...


def context_of(call_id: str, offer: Offer, persona: PersonaConfig) -> CallContext:
    """What a tool may know of the call; the number of a caller who withholds it is not for tools."""
    is_withheld = offer.direction == "in" and (offer.identity.is_private or offer.person in _WITHHELD)
    return CallContext(call_id, "" if is_withheld else offer.person, offer.dialled, persona.name)


class ToolCalls:
    """One call's tools. Call thread only; the answers come through ``post``."""

    def __init__(
        self,
        runner: ToolRunner | None,
        context: CallContext,
        record: ToolRecord,
        post: Callable[[object], None],
    ) -> None:
        """:param runner: None: nothing is installed, every tool fails."""
        self._runner, self._context, self._record, self._post = runner, context, record, post
        self._open: dict[str, _Run] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"ToolCalls({', '.join(run.tool for run in self._open.values()) or 'idle'})"

    @property
    def filler(self) -> str:
        """What the tool at work says while the caller waits; empty: none is, or what is usual."""
        for run in self._open.values():
            if self._runner is not None and (text := self._runner.filler(run.tool)):
                return text
        return ""

    def begin(self, tool: str, arguments: Mapping[str, str]) -> str:
        """Have it done; ``ToolDone`` follows.

        :returns: the run's id, unique within the call.
        """
        self._count += 1
        run_id = f"t{self._count}"
        now_ms = monotonic_ms()
        self._record.tool_called(tool, run_id, arguments)
        limit_ms = self._runner.timeout_ms(tool) if self._runner is not None else 0
        self._open[run_id] = _Run(tool, now_ms, now_ms + limit_ms + _GRACE_MS)
        if self._runner is None:
            self._post(ToolDone(run_id, ToolAnswer(FAILED, {}, "no tools are installed", _GONE)))
            return run_id
        call = ToolCall(tool, arguments, run_id, self._context)
        self._runner.submit(call, lambda answer: self._post(ToolDone(run_id, answer)))
        return run_id

    def take(self, done: ToolDone) -> str:
        """Note what came of it.

        :returns: the tool; empty where it had been given up before.
        """
        run = self._open.pop(done.run_id, None)
        if run is None:
            return ""
        self._record.tool_returned(run.tool, done.run_id, done.answer)
        return run.tool

    def overdue(self, now_ms: int) -> ToolDone | None:
        """A tool that nobody has ended in time, as a failure."""
        for run_id, run in self._open.items():
            if now_ms >= run.until_ms:
                took_ms = now_ms - run.began_ms
                return ToolDone(run_id, ToolAnswer(FAILED, {}, "was given up: too late", _GONE, took_ms))
        return None

    def close(self) -> None:
        """The call is over: what is still at work goes on, but nobody waits for it."""
        now_ms = monotonic_ms()
        for run_id, run in self._open.items():
            took_ms = now_ms - run.began_ms
            answer = ToolAnswer(FAILED, {}, "the call ended before it returned", took_ms=took_ms)
            self._record.tool_returned(run.tool, run_id, answer)
        self._open.clear()


def noted(result: object) -> object:
    """A result as the ledger keeps it: what is too long is cut, as text."""
    text = json.dumps(result)
    if len(text) <= _MOST_NOTED_CHARS:
        return result
    return f"{text[:_MOST_NOTED_CHARS]}… ({len(text)} characters)"
