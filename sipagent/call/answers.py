"""Answers to callers' questions: what is written down word for word, else the language model's own words.

::

    caller's words ─▶ knowledge ─┬─ stored answer, or "I don't know that" ─▶ said as it stands, no model
                                 ├─ passages ─▶ a note behind the caller's words, this once ─▶ language model
                                 └─ no question for it ──────────────────────────────────────▶ language model
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sipagent.brain.types import Message, Role
from sipagent.call.utterance import Speaker, Utterance
from sipagent.knowledge.knowledge import Knowledge, Move


@dataclass(frozen=True, slots=True)
class KnowledgeParts:
    """What a persona knows, and what it says where it does not."""

    knowledge: Knowledge
    unknown: str


class Answers:
    """One call's answers. Call thread only.

    :param parts: None: the language model answers everything.
    """

    def __init__(self, speaker: Speaker, parts: KnowledgeParts | None) -> None:
        self._speaker = speaker
        self._parts = parts

    def __repr__(self) -> str:
        return f"Answers({self._parts!r})"

    def knows(self, text: str) -> bool:
        """The caller's words are a question with a stored answer."""
        return self._parts is not None and self._parts.knowledge.advise(text).move is Move.SAY

    def answer(
        self, utterance: Utterance, history: Sequence[Message], *, first: str = "", then: str = ""
    ) -> None:
        """Prepare the answer to ``history``, which ends with the caller's message.

        :param first: phrase before it. :param then: phrase behind it, as a question to come back to.
        """
        if self._parts is None:
            self._speaker.reply(utterance, history, first=first, then=then)
            return
        asked = history[-1]
        earlier = next((m.text for m in reversed(history[:-1]) if m.role is Role.CALLER), "")
        advice = self._parts.knowledge.advise(asked.text, earlier)
        utterance.by = advice.move.value
        match advice.move:
            case Move.SAY | Move.DECLINE:
                text = advice.text if advice.move is Move.SAY else self._parts.unknown
                self._speaker.tell(utterance, " ".join(filter(None, (first, text, then))))
            case Move.TELL:
                noted = [*history[:-1], replace(asked, note=advice.text)]
                self._speaker.reply(utterance, noted, first=first, then=then)
            case Move.LEAVE:
                self._speaker.reply(utterance, history, first=first, then=then)
