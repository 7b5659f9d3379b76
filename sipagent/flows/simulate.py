"""A flow in text: what the caller types, what the agent would say. For trying a flow out, and for tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sipagent.brain.types import Reader
from sipagent.flows import talk as fm
from sipagent.flows.expected import expected_of
from sipagent.flows.local_time import TIME_ZONE, zone_of
from sipagent.flows.machine import step
from sipagent.flows.schema import Flow
from sipagent.flows.talk import Meaning, Talk
from sipagent.flows.understand import Understanding, understand_by_rules
from sipagent.speech.types import never_cancelled

RunTool = Callable[[str, Mapping[str, str]], fm.ToolReturned]
"""(tool, arguments) → what came of it; its ``call_id`` does not matter."""
Results = Mapping[str, Sequence[str]]
"""Tool → the statuses that it returns, one call after the other; the last one again and again."""


@dataclass(slots=True)
class Simulation:
    """One call in text.

    :param reader: the model's understanding; None: what the rules leave open is not understood.
    :param results: of the tools; without an entry a tool returns its first result.
    :param run_tool: really runs those that have no entry.
    :param variables: of the persona and the call; they go before the flow's own.
    """

    flow: Flow
    now: datetime
    reader: Reader | None = None
    results: Results = field(default_factory=dict)
    run_tool: RunTool | None = None
    talk: Talk = field(default_factory=Talk)
    called: dict[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> list[str]:
        """What is said first."""
        zone = zone_of(self.flow, self.variables).key
        return list(self._take(fm.Opened({**self.variables, TIME_ZONE: zone})))

    def hear(self, line: str) -> list[str]:
        """What follows the caller's line; ``#1`` is a key, ``#`` alone too, an empty line is silence, or the
        pause behind a number that is being keyed in."""
        line = line.strip()
        if not line and self.talk.keyed:
            return self.pause()
        if not line:
            return list(self._take(fm.Silent()))
        if line.startswith("#") and len(line) > 1:
            return [text for key in line[1:] for text in self._take(fm.Pressed(key))]
        return list(self._take(fm.Heard(line, self.understand(line))))

    def pause(self) -> list[str]:
        """What follows when no more keys come; without a number under way nothing."""
        return list(self._take(fm.KeysPaused())) if self.talk.keyed else []

    def understand(self, line: str) -> Meaning:
        """Rules first, then the model, as in a call."""
        expected = expected_of(self.flow, self.talk)
        meaning = understand_by_rules(self.flow, expected, line, self.now)
        if meaning is not None:
            return meaning
        understanding = Understanding(self.flow, self.reader)
        return understanding.by_model(expected, line, self.now, never_cancelled)

    def _take(self, event: fm.Event) -> Iterator[str]:
        todo = [event]
        while todo:
            self.talk, actions = step(self.flow, self.talk, todo.pop(), self.now)
            for action in actions:
                match action:
                    case fm.Say(text):
                        yield f"Agent: {text}"
                    case fm.Word(instruction):
                        yield f"Agent: <in the model's words: {instruction}>"
                    case fm.Answer(text):
                        yield f"Agent: <the model answers: {text}>"
                    case fm.CallTool(call_id, name, arguments):
                        answer = self._answer(name, arguments)
                        told = ", ".join(f"{key}={value}" for key, value in arguments.items())
                        yield f"[tool {name}({told}) → {answer.status}]"
                        todo.append(replace(answer, call_id=call_id))
                    case fm.Transfer(target):
                        yield f"[transfer to {target}]"
                    case fm.SetOutcome(name, data):
                        told = ", ".join(f"{key}={value}" for key, value in data.items())
                        yield f"[outcome {name}{f': {told}' if told else ''}]"
                    case fm.HangUp():
                        yield "[hang up]"

    def _answer(self, name: str, arguments: Mapping[str, str]) -> fm.ToolReturned:
        if self.run_tool is None or name in self.results:
            return fm.ToolReturned(0, self._result(name))
        return self.run_tool(name, arguments)

    def _result(self, name: str) -> str:
        statuses = self.results.get(name) or self.flow.tools[name].results
        at = self.called[name] = self.called.get(name, -1) + 1
        return statuses[min(at, len(statuses) - 1)] if name in self.results else statuses[0]
