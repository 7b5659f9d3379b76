"""Understanding by an endpoint's structured output: one label of a list, as JSON under a schema."""

import json
import queue
from collections.abc import Callable, Sequence
from typing import Any

from sipagent.brain.http_events import EventStream
from sipagent.brain.types import Said
from sipagent.errors import EngineError, JobCancelled
from sipagent.speech.types import Cancelled

_POLL_S = 0.02
_LABEL_TOKENS = 24
"""Braces, the key and a label."""

Send = Callable[[dict[str, Any], int], EventStream]
"""(request, deadline in ms) → its answer."""


class EndpointReader:
    """A ``Reader`` for labels. It knows no GBNF: without ``choices`` it reads nothing, so that nothing is
    invented."""

    def __init__(self, send: Send, primer: str, now_ms: Callable[[], int], *, length_key: str) -> None:
        self._length_key = length_key
        self._send = send
        self._primer = primer
        self._now_ms = now_ms

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
        """The label behind primer and ``text``; empty where there are no ``choices``.

        :raises JobCancelled: ``cancelled()`` turned true.
        :raises EngineError: the endpoint failed, offers no structured output, or the deadline passed.
        """
        if not choices:
            return ""
        body = {**_request(self._primer, text, choices), self._length_key: _LABEL_TOKENS}
        answer = self._answer(body, cancelled, deadline_ms)
        try:
            label = json.loads(answer)["label"]
        except (ValueError, KeyError, TypeError):
            raise EngineError(f"llm.openai: expected a label as JSON, got {answer[:80]!r}") from None
        if label not in choices:
            raise EngineError("llm.openai: the endpoint does not keep to the schema (response_format)")
        return str(label)

    def close(self) -> None:
        """Nothing to free."""

    def _answer(self, body: dict[str, Any], cancelled: Cancelled, deadline_ms: int) -> str:
        began_ms = self._now_ms()
        stream = self._send(body, deadline_ms)
        pieces: list[str] = []
        is_complete = False
        try:
            while not cancelled():
                if self._now_ms() - began_ms >= deadline_ms:
                    raise EngineError(f"llm.openai: no label within {deadline_ms} ms")
                try:
                    event = stream.next_event(_POLL_S)
                except queue.Empty:
                    continue
                if event is None:
                    is_complete = True
                    return "".join(pieces)
                pieces.append(content_of(event))
            raise JobCancelled("llm: the job was cancelled")
        finally:
            if not is_complete:
                stream.stop()


def _request(primer: str, text: str, choices: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(choices)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    task = "Continue the notes: answer with the one label that belongs behind the last line."
    return {
        "messages": [
            {"role": "system", "content": f"{primer}\n{task}"},
            {"role": "user", "content": text},
        ],
        "temperature": 0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "label", "strict": True, "schema": schema},
        },
    }


def content_of(event: dict[str, Any]) -> str:
    """The text in an event of a stream, or of a whole answer; empty where it has none."""
    choices = event.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    part = first.get("delta") or first.get("message") if isinstance(first, dict) else None
    content = part.get("content") if isinstance(part, dict) else None
    return content if isinstance(content, str) else ""
