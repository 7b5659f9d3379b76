"""The token ids of prompts: the persona's text, the history, a chat template around them. Thread-safe.

Texts never become markup, whatever a caller says: they are tokenised as plain text, and only the template's
own pieces may hold special tokens.
"""

from collections.abc import Callable, Sequence

from sipagent.brain.chat import ChatPiece, ChatTemplate
from sipagent.brain.context import LEAST_HISTORY_SHARE, REPLY_SHARE
from sipagent.brain.llama_native import NativeModel
from sipagent.brain.types import NOTE, Message, Role
from sipagent.errors import EngineError, ModelError


class PromptTokens:
    """How one model wants its prompts.

    :param name: of the model, for messages.
    :param context_tokens: persona's prompt, conversation and reply of one call.
    :raises ModelError: the file has no chat template for a phone call.
    """

    def __init__(self, native: NativeModel, name: str, context_tokens: int) -> None:
        self._native = native
        self.context_tokens = context_tokens
        self.template = _template(native, name)
        self.message_tokens, self._fixed_tokens = self._markup_tokens()

    def __repr__(self) -> str:
        return f"PromptTokens({self.message_tokens} for each message, {self._fixed_tokens} besides)"

    def length_of(self, message: Message) -> int:
        """Tokens of one message with its markup."""
        return len(self._native.tokenize(message.text.strip(), False)) + self.message_tokens

    def history_tokens(self, system_prompt: str) -> int:
        """Room for the history beside the persona's prompt and the reply."""
        used = (
            len(self._native.tokenize(system_prompt.strip(), False))
            + self.message_tokens
            + self._fixed_tokens
        )
        return self.context_tokens - int(self.context_tokens * REPLY_SHARE) - used

    def tokens(
        self,
        pieces: Sequence[ChatPiece],
        messages: Sequence[Message],
        said: Callable[[str], tuple[int, ...] | None],
    ) -> tuple[int, ...]:
        """Token ids of a rendered prompt. Texts never become special tokens.

        :param said: the ids of a reply as it was generated, which may differ from those of its text.
        """
        tokens = list(self._native.bos_tokens)
        for piece in pieces:
            if isinstance(piece, str):
                markup = self._native.tokenize(piece, True)
                tokens += markup[len(self._native.bos_tokens) :] if markup[:1] == tuple(tokens) else markup
                continue
            message = messages[piece]
            known = said(message.text) if message.role is Role.AGENT else None
            tokens += known or self._native.tokenize(message.text.strip(), False)
            tokens += self._note_tokens(message)
        return tuple(tokens)

    def _note_tokens(self, message: Message) -> tuple[int, ...]:
        return self._native.tokenize(NOTE.format(message.note), False) if message.note else ()

    def last_word(
        self, pieces: Sequence[ChatPiece], messages: Sequence[Message], tokens: Sequence[int]
    ) -> int | None:
        """Where the last word of the last message stands in its rendered prompt, before punctuation and note.

        :returns: the index of the word's last token. None: the message has no word.
        """
        last = max(n for n, piece in enumerate(pieces) if not isinstance(piece, str))
        behind = sum(
            len(self._native.tokenize(piece, True)) for piece in pieces[last + 1 :] if isinstance(piece, str)
        ) + len(self._note_tokens(messages[-1]))
        for n in range(len(tokens) - behind - 1, -1, -1):
            if tokens[n] in self._native.end_tokens:
                return None
            if any(
                character.isalnum() for character in self._native.piece(tokens[n]).decode(errors="ignore")
            ):
                return n
        return None

    def beginning(self, system_prompt: str) -> tuple[int, ...]:
        """What every conversation with this persona begins with, whoever speaks first."""
        room = self.history_tokens(system_prompt)
        least = int(self.context_tokens * LEAST_HISTORY_SHARE)
        if room < least:
            raise EngineError(
                f"llm: a persona's prompt leaves {room} of {self.context_tokens} tokens for the conversation "
                f"and needs to leave {least}; shorten it or raise llm.context_tokens"
            )
        begun = []
        for role in (Role.CALLER, Role.AGENT):
            messages = [Message(Role.SYSTEM, system_prompt), Message(role, "-"), Message(Role.CALLER, "-")]
            begun.append(self.tokens(self.template.pieces(messages), messages, lambda _: None))
        same = [a == b for a, b in zip(*begun, strict=False)]
        return begun[0][: same.index(False)] if False in same else begun[0]

    def _markup_tokens(self) -> tuple[int, int]:
        """Tokens the template adds to each message, at most, and to the whole."""

        def count(*roles: Role) -> int:
            pieces = self.template.pieces([Message(role, "") for role in roles])
            return sum(len(self._native.tokenize(p, True)) for p in pieces if isinstance(p, str))

        pair = count(Role.SYSTEM, Role.CALLER, Role.AGENT, Role.CALLER) - count(Role.SYSTEM, Role.CALLER)
        each = (pair + 1) // 2 + 1
        return each, max(0, count(Role.SYSTEM, Role.CALLER) - 2 * each) + len(self._native.bos_tokens) + 4


def _template(native: NativeModel, name: str) -> ChatTemplate:
    source = native.chat_template
    if not source:
        raise ModelError(f"{name}: the file has no chat template; choose an instruct model")
    return ChatTemplate(source, bos_text=native.special_text("bos"), eos_text=native.special_text("eos"))
