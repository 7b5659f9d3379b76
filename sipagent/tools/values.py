"""Between a flow's words and a tool's JSON. Pure."""

import json
import re
from collections.abc import Mapping

from sipagent.call.tool_port import Json
from sipagent.config.json_schema import JsonSchema

_LONGEST_CHARS = 500
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_TRUTH = {"yes": True, "true": True, "no": False, "false": False}


def arguments_for(schema: JsonSchema, given: Mapping[str, str]) -> Json:
    """Texts as the types that the schema wants; what has none of them stays text, for the schema to judge."""
    return {name: _as_type(schema.properties.get(name, {}).get("type"), text) for name, text in given.items()}


def _as_type(wanted: object, text: str) -> object:
    if wanted == "integer" and _WHOLE.fullmatch(text):
        return int(text)
    if wanted == "number" and _DECIMAL.fullmatch(text):
        return float(text)
    if wanted == "boolean" and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    return text


def variables_of(result: Mapping[str, object]) -> dict[str, str]:
    """A result as texts that can be spoken; ``status`` is left out."""
    return {name: _spoken(value) for name, value in result.items() if name != "status"}


def _spoken(value: object) -> str:
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = ", ".join(_spoken(one) for one in value)
    elif isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = "" if value is None else str(value)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_CHARS]
