"""Runs tools on a lane of their own: allowed? arguments right? done in time? result right?

::

    submit ──▶ allow-list ──▶ arguments ──schema──▶ python | command | http | built in ──schema──▶ answer
                   └──────────────┴──── whatever goes wrong: status "failed", with a sentence ────────┘
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import structlog

from sipagent.call.tool_port import FAILED, OK, Json, Memory, ToolAnswer, ToolCall
from sipagent.call.work import Lane, Priority
from sipagent.config.schema import Config, PersonaConfig, ToolConfig
from sipagent.config.tools import BUILT_IN, TAKE_MESSAGE
from sipagent.errors import SipAgentError, ToolError
from sipagent.speech.types import never_cancelled
from sipagent.tools.built_in import ARGUMENTS, TIMEOUT_MS, BuiltIn
from sipagent.tools.messages import MessageBox
from sipagent.tools.process import run_process
from sipagent.tools.request import parse_object, request
from sipagent.tools.values import arguments_for, variables_of
from sipagent.units import monotonic_ms

HOST = Path(__file__).with_name("python_host.py")
_PAUSE_MS = 100
"""Before a tool that failed is tried again."""
_BUILT_IN_APOLOGY = "I'm sorry, I couldn't note that."
_WAITING_PER_THREAD = 2


class Toolbox:
    """All tools of the installation, for all calls. Any thread."""

    def __init__(
        self,
        config: Config,
        lane: Lane,
        log: structlog.stdlib.BoundLogger,
        *,
        threads: int,
        memory: Memory | None = None,
    ) -> None:
        """:param lane: whose threads the tools run on. :param threads: how many it has."""
        self._tools = config.tools
        self._folder = config.tools_dir
        self._lane = lane
        self._log = log
        self._most_waiting = threads * _WAITING_PER_THREAD
        self._box = MessageBox(config.messages, config.tools_dir)
        self._built_in = BuiltIn(self._box, memory)
        self._lock = threading.Lock()
        self._at_work = 0

    def __repr__(self) -> str:
        return f"Toolbox({', '.join(self._tools) or 'none'}, at_work={self._at_work})"

    def of(
        self, persona: PersonaConfig, expected: Mapping[str, Collection[str]] | None = None
    ) -> "PersonaTools":
        """What a persona may use.

        :param expected: tool → the statuses that its flow knows, besides ``failed``; one that is not there
            may return any.
        """
        return PersonaTools(self, frozenset(persona.tools), expected or {})

    def unexpected(self, call: ToolCall, answer: ToolAnswer, expected: Collection[str]) -> None:
        """Log a status that the flow does not know: for the caller the tool has failed."""
        known = ", ".join(expected) or "none"
        self._log.warning(
            "tool.failed",
            call_id=call.context.call_id,
            tool=call.tool,
            reason=f"returned a status that the flow does not list under results: {known}",
            took_ms=answer.took_ms,
            pii_detail=answer.status,
        )

    def tool(self, name: str) -> ToolConfig | None:
        """A tool of the operator's own."""
        return self._tools.get(name)

    def submit(self, call: ToolCall, done: Callable[[ToolAnswer], None]) -> None:
        """Run it; ``done`` is told once. Never blocks."""
        until_ms = monotonic_ms() + self.timeout_ms(call.tool)
        with self._lock:
            is_full = self._at_work >= self._most_waiting
            self._at_work += not is_full
        if is_full:
            done(self.failed(call, ToolError("too many tools are at work"), 0))
            return

        def job() -> None:
            try:
                answer = self._answer(call, until_ms)
            finally:
                with self._lock:
                    self._at_work -= 1
            done(answer)
            if call.tool == TAKE_MESSAGE and answer.is_ok and self._box.delivers:
                self._lane.submit(self._deliver, priority=Priority.BACKGROUND, cancelled=never_cancelled)

        self._lane.submit(job, priority=Priority.FIRST_CLAUSE, cancelled=never_cancelled)

    def timeout_ms(self, name: str) -> int:
        """Time after which a tool is given up."""
        tool = self._tools.get(name)
        return tool.timeout_ms if tool is not None else TIMEOUT_MS

    def failed(self, call: ToolCall, error: SipAgentError, took_ms: int) -> ToolAnswer:
        """The answer of a tool that has not done its work; logged."""
        detail = error.detail if isinstance(error, ToolError) else ""
        self._log.warning(
            "tool.failed",
            call_id=call.context.call_id,
            tool=call.tool,
            reason=str(error),
            took_ms=took_ms,
            pii_detail=detail,
        )
        tool = self._tools.get(call.tool)
        apology = tool.on_failure if tool is not None else _BUILT_IN_APOLOGY
        return ToolAnswer(FAILED, {}, ": ".join(filter(None, (str(error), detail))), apology, took_ms)

    def _answer(self, call: ToolCall, until_ms: int) -> ToolAnswer:
        began_ms = monotonic_ms()
        try:
            result = self._tried(call, until_ms)
            status = result.get("status", OK)
            if not isinstance(status, str):
                raise ToolError("returned a status that is no text")
        except SipAgentError as error:
            return self.failed(call, error, monotonic_ms() - began_ms)
        except Exception:  # a fault of ours costs the tool, never the call
            self._log.exception("tool.crashed", call_id=call.context.call_id, tool=call.tool)
            return self.failed(call, ToolError("could not be run"), monotonic_ms() - began_ms)
        return ToolAnswer(status, variables_of(result), result, took_ms=monotonic_ms() - began_ms)

    def _tried(self, call: ToolCall, until_ms: int) -> Json:
        """The tool's result, at the last try that the tool allows."""
        tool = self._tools.get(call.tool)
        if tool is None and call.tool not in BUILT_IN:
            raise ToolError("is not installed; declare it under tools in sip.yaml")
        schema = tool.arguments if tool is not None else ARGUMENTS.get(call.tool)
        arguments = arguments_for(schema, call.arguments) if schema is not None else dict[str, object]()
        if schema is not None and (problem := schema.problem_of(arguments)):
            raise ToolError(f"its arguments are not right: {problem}")
        if tool is None:
            return self._built_in.run(call, arguments)
        for tries_left in range(tool.retries, -1, -1):
            try:
                return self._run(tool, call, arguments, until_ms)
            except ToolError as error:
                if not tries_left or monotonic_ms() + _PAUSE_MS >= until_ms:
                    raise
                self._log.info("tool.tried_again", tool=tool.name, reason=str(error))
                time.sleep(_PAUSE_MS / 1000)
        raise AssertionError("unreachable: the last try returns or raises")

    def _run(self, tool: ToolConfig, call: ToolCall, arguments: Json, until_ms: int) -> Json:
        about = {"call_id": call.context.call_id, "tool_call_id": call.tool_call_id}
        if monotonic_ms() >= until_ms:
            raise ToolError("took too long")
        if tool.http is not None:
            data = request(tool.http, {"arguments": arguments, "call": about}, until_ms=until_ms)
        else:
            context = call.context
            about |= {"caller": context.caller, "dialled": context.dialled, "persona": context.persona}
            given = json.dumps({"arguments": arguments, "call": about}).encode() + b"\n"
            argv = tool.command or (sys.executable, "-P", str(HOST), str(self._folder), tool.python)
            data = run_process(argv, given, folder=self._folder, until_ms=until_ms)
        result = parse_object(data)
        if problem := tool.result.problem_of(result):
            raise ToolError(f"its result is not right: {problem}")
        return result

    def _deliver(self) -> None:
        try:
            if count := self._box.deliver_all():
                self._log.info("message.delivered", count=count)
        except (ToolError, OSError) as error:
            self._log.error(
                "message.not_delivered", reason=str(error), pii_detail=getattr(error, "detail", "")
            )


class PersonaTools:
    """The tools of one persona: all others fail. Any thread."""

    def __init__(
        self, toolbox: Toolbox, allowed: frozenset[str], expected: Mapping[str, Collection[str]]
    ) -> None:
        self._toolbox = toolbox
        self._allowed = allowed
        self._expected = expected

    def __repr__(self) -> str:
        return f"PersonaTools({', '.join(sorted(self._allowed)) or 'none'})"

    def submit(self, call: ToolCall, done: Callable[[ToolAnswer], None]) -> None:
        """Run it where the persona may use it; ``done`` is told once. Never blocks."""
        if call.tool in self._allowed:
            self._toolbox.submit(call, lambda answer: self._judged(call, answer, done))
        else:
            persona = call.context.persona
            error = ToolError(f"persona {persona} may not use it; add it to personas.{persona}.tools")
            done(self._toolbox.failed(call, error, 0))

    def _judged(self, call: ToolCall, answer: ToolAnswer, done: Callable[[ToolAnswer], None]) -> None:
        known = self._expected.get(call.tool)
        if known is not None and answer.status not in (*known, FAILED):
            self._toolbox.unexpected(call, answer, known)
        done(answer)

    def timeout_ms(self, tool: str) -> int:
        """Time after which it is given up."""
        return self._toolbox.timeout_ms(tool)

    def filler(self, tool: str) -> str:
        """Said while it runs; empty: what is usual."""
        own = self._toolbox.tool(tool)
        return own.filler if own is not None else ""
