"""The tools that every installation has: what they are given, and what of them needs no call's thread."""

from collections.abc import Mapping
from dataclasses import dataclass

from sipagent.call.tool_port import Json, Memory, ToolCall
from sipagent.config.json_schema import JsonSchema
from sipagent.config.tools import REMEMBER, SEND_DTMF, TAKE_MESSAGE
from sipagent.errors import ToolError
from sipagent.tools.messages import MessageBox

_TEXT = {"type": "string", "minLength": 1, "maxLength": 2000}
ARGUMENTS: Mapping[str, JsonSchema] = {
    TAKE_MESSAGE: JsonSchema(
        {
            "type": "object",
            "properties": {"message": _TEXT},
            "required": ["message"],
            "additionalProperties": {"type": "string", "maxLength": 2000},
        }
    ),
    REMEMBER: JsonSchema(
        {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string", "maxLength": 500}}
    ),
    SEND_DTMF: JsonSchema(
        {
            "type": "object",
            "properties": {"digits": {"type": "string", "pattern": "^[0-9A-D*#]{1,32}$"}},
            "required": ["digits"],
            "additionalProperties": False,
        }
    ),
}
"""Tools that a flow may name under ``tools`` → what they are given. To hand the call over and to hang up are
a flow's ``transfer`` and ``end``."""
TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """Does what they are for."""

    box: MessageBox
    memory: Memory | None = None

    def run(self, call: ToolCall, arguments: Json) -> Json:
        """:raises ToolError: it could not be done."""
        if call.tool == TAKE_MESSAGE:
            return self._take_message(call, arguments)
        if call.tool == REMEMBER:
            return self._remember(call, arguments)
        if call.tool == SEND_DTMF:
            return {
                "status": "ok",
                "digits": arguments["digits"],
            }  # allowed and well formed: the call presses them
        raise ToolError("is the call's own; a flow has states for it")

    def _take_message(self, call: ToolCall, arguments: Json) -> Json:
        context = call.context
        facts = {"call_id": context.call_id, "caller": context.caller, "dialled": context.dialled}
        about = {**facts, "persona": context.persona}
        path = self.box.keep({**arguments, **about}, f"{context.call_id}-{call.tool_call_id}")
        return {"status": "ok", "file": path.name}

    def _remember(self, call: ToolCall, arguments: Json) -> Json:
        if self.memory is None:
            raise ToolError("nothing is remembered: this installation keeps no memory of callers")
        if not call.context.caller:
            raise ToolError("nothing is remembered of callers who withhold their number")
        self.memory.remember(call.context, {key: str(value) for key, value in arguments.items()})
        return {"status": "ok"}
