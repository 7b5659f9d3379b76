"""JSON Schemas in ``sip.yaml``: read as they stand, checked by the library ``jsonschema``."""

import json
from functools import cached_property
from typing import Any

import yaml

_LONGEST_CHARS = 200


class JsonSchema:
    """A JSON Schema (draft 2020-12) of an object. It never fetches anything: a ``$ref`` stays inside."""

    def __init__(self, plain: dict[str, Any]) -> None:
        self.plain = plain
        """The schema itself, as JSON."""

    def __repr__(self) -> str:
        return f"JsonSchema({json.dumps(self.plain)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonSchema) and self.plain == other.plain

    def __hash__(self) -> int:
        return hash(json.dumps(self.plain, sort_keys=True))

    def __reduce__(self) -> tuple[type["JsonSchema"], tuple[dict[str, Any]]]:
        return JsonSchema, (self.plain,)

    @classmethod
    def from_node(cls, node: yaml.Node) -> "JsonSchema":
        """The schema that stands in the file.

        :raises ValueError: it is none; the text says why.
        """
        try:
            plain = yaml.SafeLoader("").construct_object(node, deep=True)
            plain = json.loads(json.dumps(plain, allow_nan=False))
        except (yaml.YAMLError, TypeError, ValueError, RecursionError):
            raise ValueError("expected a JSON Schema: text such as a date goes in quotes") from None
        if not isinstance(plain, dict):
            raise ValueError("expected a JSON Schema, as in {type: object, properties: {…}}")
        if plain.get("type", "object") != "object":
            raise ValueError(f"expected the schema of an object, got type {plain['type']!r}")
        plain = {"type": "object", **plain}
        from jsonschema import Draft202012Validator, SchemaError  # takes a tenth of a second to import

        try:
            Draft202012Validator.check_schema(plain)
        except SchemaError as exc:
            where = ".".join(map(str, exc.path)) or "the whole"
            raise ValueError(f"no JSON Schema: {where}: {_short(exc.message)}") from None
        return cls(plain)

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        """What the object may have, with the schema of each."""
        found = self.plain.get("properties", {})
        return {name: one if isinstance(one, dict) else {} for name, one in found.items()}

    @property
    def required(self) -> tuple[str, ...]:
        """What it must have."""
        return tuple(self.plain.get("required", ()))

    def problem_of(self, value: object) -> str:
        """What is wrong with a value; empty: nothing. Never quotes the value, which may be personal."""
        from jsonschema.exceptions import best_match

        try:
            error = best_match(self._validator.iter_errors(value))
        except Exception as exc:  # a reference that leads nowhere, or a pattern that is none
            return f"the schema cannot be used: {_short(str(exc))}"
        if error is None:
            return ""
        where = ".".join(map(str, error.absolute_path)) or "the object"
        return f"{where} breaks the rule {error.validator}: {_short(json.dumps(error.validator_value))}"

    @cached_property
    def _validator(self) -> Any:
        from jsonschema import Draft202012Validator
        from referencing import Registry

        return Draft202012Validator(self.plain, registry=Registry())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_CHARS else text[: _LONGEST_CHARS - 1] + "…"
