"""Rendering of a conversation with the model's own chat template.

The template (Jinja, from the model file) never sees a message: it is rendered with placeholders, and
the texts are put in afterwards. So markup and text stay apart up to the tokeniser, which may read special
tokens in the first only: whatever a caller says, it stays text. The markup depends on the order of the
roles alone, and two prompts with the same beginning have the same tokens up to where they part.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sipagent.brain.types import Message, Role
from sipagent.errors import EngineError, ModelError

ChatPiece = str | int
"""A piece of a rendered prompt: markup, or the index of the message whose text stands here."""

_PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")
_PHONE_CALL = (Role.SYSTEM, Role.SYSTEM, Role.AGENT, Role.CALLER, Role.CALLER, Role.AGENT, Role.CALLER)
"""A call with a note on dropped turns, where the agent speaks first and the caller speaks twice."""


class ChatTemplate:
    """A model's chat template, checked against the order of roles of a phone call.

    :param source: Jinja text, ``tokenizer.chat_template`` of the model file.
    :param bos_text: what the template may insert as ``bos_token``.
    :raises ModelError: the template cannot render a phone call.
    """

    def __init__(self, source: str, *, bos_text: str = "", eos_text: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _raise_template_error
        try:
            self._template = environment.from_string(source)
        except TemplateError as exc:
            raise ModelError(f"chat template: line {getattr(exc, 'lineno', '?')}: {exc}") from exc
        self._special_texts = {"bos_token": bos_text, "eos_token": eos_text}
        self._rendered: Callable[[tuple[Role, ...]], tuple[ChatPiece, ...]] = lru_cache(256)(self._render)
        try:
            self._rendered(_PHONE_CALL)
        except EngineError as exc:
            raise ModelError(f"{exc}; choose a model whose template lets the assistant speak first") from exc

    def pieces(self, messages: Sequence[Message]) -> tuple[ChatPiece, ...]:
        """The prompt that asks for the agent's next message.

        :raises EngineError: the template refuses this order of roles.
        """
        return self._rendered(tuple(message.role for message in messages))

    def open_pieces(self, messages: Sequence[Message]) -> tuple[ChatPiece, ...]:
        """The prompt as far as the end of the last message's text, which may go on."""
        pieces = self.pieces(messages)
        return pieces[: pieces.index(len(messages) - 1) + 1]

    def text(self, messages: Sequence[Message]) -> str:
        """The whole prompt as text, for people to read; a model must be given pieces."""
        return "".join(p if isinstance(p, str) else messages[p].text for p in self.pieces(messages))

    def _render(self, roles: tuple[Role, ...]) -> tuple[ChatPiece, ...]:
        slots = [{"role": r.value, "content": f"\ue000{i}\ue001"} for i, r in enumerate(roles)]
        try:
            prompt = self._template.render(messages=slots, add_generation_prompt=True, **self._special_texts)
        except (TemplateError, TypeError) as exc:
            raise EngineError(f"chat template: refuses {[r.value for r in roles]}: {exc}") from exc
        parts = _PLACEHOLDER.split(prompt)  # markup at even places, indexes at odd ones
        pieces: list[ChatPiece] = [int(p) if n % 2 else p for n, p in enumerate(parts) if n % 2 or p]
        order = [p for p in pieces if isinstance(p, int)]
        if order != list(range(len(roles))):
            raise EngineError(f"chat template: of {len(roles)} messages it renders {order}")
        return tuple(pieces)


def _raise_template_error(problem: str) -> None:
    """What templates call to refuse a conversation."""
    raise TemplateError(problem)
