"""What the program itself answers in one call: insults, despair, other languages, "are you a robot?".

The model is not asked. An answer is prepared like any other and counts when it is committed: the first insult
is warned of, the second ends the call. Who wants to be forgotten is asked once more; a yes forgets at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sipagent.brain.conduct import Remark, Topic, remark_in
from sipagent.call.memory import CallMemory
from sipagent.call.utterance import Utterance
from sipagent.config.schema import PersonaConfig
from sipagent.flows.slots.yes_no import yes_or_no

FORGOTTEN = "forgotten"
"""Noted in place of a topic, when it has been done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, and what follows when it has been said."""

    topic: Topic
    text: str
    ends_call: bool = False
    transfer_to: str = ""
    """Name under the persona's ``transfer``."""
    asks_to_forget: bool = False
    """It asks for a yes."""
    forgets: bool = False
    """That yes has come."""

    @property
    def is_last(self) -> bool:
        """Nothing is asked behind it."""
        return self.ends_call or bool(self.transfer_to) or self.asks_to_forget or self.topic is Topic.CRISIS


class Conduct:
    """One call's. Call thread only.

    :param noted: told the topic of what was answered, once it is committed.
    :param memory: what is remembered of the caller; None: nothing is.
    """

    def __init__(
        self, persona: PersonaConfig, noted: Callable[[str], None], memory: CallMemory | None = None
    ) -> None:
        self._persona = persona
        self._memory = memory
        self._has_asked = False
        """Whether to forget; the answer is to come."""
        self._noted = noted
        self._warnings = 0
        self._prepared: tuple[Utterance, Answer] | None = None
        self._transfer_to = ""

    def __repr__(self) -> str:
        return f"Conduct(warnings={self._warnings})"

    def prepare(self, utterance: Utterance, text: str) -> Answer | None:
        """The answer to the caller's words; None: they are for the model or the flow."""
        self._prepared = None
        answer = self._to_forget(text) if self._has_asked else None
        if answer is None:
            remark = remark_in(text, self._persona.language.partition("-")[0])
            if remark is None:
                return None
            answer = self._answer(remark)
        self._prepared = (utterance, answer)
        return answer

    def commit(self, utterance: Utterance) -> None:
        """The caller's turn is over: what was prepared comes true."""
        prepared, self._prepared = self._prepared, None
        self._has_asked = False
        if prepared is None or prepared[0] is not utterance:
            return
        answer = prepared[1]
        self._warnings += answer.topic is Topic.ABUSE
        self._transfer_to = answer.transfer_to
        self._has_asked = answer.asks_to_forget
        if answer.forgets and self._memory is not None:
            self._memory.forget()
        self._noted(FORGOTTEN if answer.forgets else answer.topic.value)

    def said(self) -> str:
        """The agent has spoken: whom the caller is handed over to now, once; empty: nobody."""
        target, self._transfer_to = self._transfer_to, ""
        return target

    def _to_forget(self, text: str) -> Answer | None:
        """What the caller says to "shall I forget it?"; None: neither yes nor no."""
        match yes_or_no(text):
            case "yes":
                return Answer(Topic.FORGET, self._persona.guard.forgotten, forgets=True)
            case "no":
                return Answer(Topic.FORGET, self._persona.guard.not_forgotten)
        return None

    def _about_memory(self, topic: Topic) -> Answer:
        guard, memory = self._persona.guard, self._memory
        if memory is None:
            return Answer(topic, guard.not_remembered)
        if topic is Topic.FORGET:
            return Answer(topic, guard.forget, asks_to_forget=True)
        kinds = memory.kinds
        return Answer(topic, f"{guard.remembered} {kinds}." if kinds else guard.not_remembered)

    def _answer(self, remark: Remark) -> Answer:
        guard = self._persona.guard
        match remark.topic:
            case Topic.CRISIS:
                return Answer(remark.topic, guard.crisis, transfer_to=guard.crisis_transfer)
            case Topic.ABUSE if self._warnings:
                return Answer(remark.topic, guard.abuse_goodbye, ends_call=True)
            case Topic.ABUSE:
                return Answer(remark.topic, guard.abuse_warning)
            case Topic.LANGUAGE:
                target = guard.languages.get(remark.language, "")
                text = self._persona.one_moment if target else guard.language
                return Answer(remark.topic, text, transfer_to=target)
            case Topic.ROBOT:
                return Answer(remark.topic, guard.robot)
            case Topic.FORGET | Topic.KNOWN:
                return self._about_memory(remark.topic)
            case Topic.PRIVATE:
                return Answer(remark.topic, guard.private)
            case Topic.ORDERS:
                return Answer(remark.topic, guard.declined)
