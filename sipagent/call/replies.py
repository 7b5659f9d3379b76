"""The agent's words in one call: what it answers the caller, and what it says by itself. Call thread only.

::

    caller's words ─▶ consent ─▶ conduct ─▶ flow ─▶ goodbye ─▶ knowledge, language model
                      the first that has an answer gives it

An answer is prepared before anybody knows whether the caller's turn is over; what it changes comes true with
its ``commit``.
"""

from collections.abc import Callable

import structlog

from sipagent.brain.types import Message, Role
from sipagent.call.answers import Answers
from sipagent.call.conduct import Conduct
from sipagent.call.dictation import ANY_FORM, AnswerForm, Asked
from sipagent.call.endpointing import asked_by, is_farewell
from sipagent.call.flow_talk import Deeds, FlowTalk
from sipagent.call.parts import SessionParts, phrase_text
from sipagent.call.record import CallRecord
from sipagent.call.tape import CallTape
from sipagent.call.tool_calls import ToolCalls
from sipagent.call.turn_events import Phrase, ReplyBegan, ReplyEndsCall
from sipagent.call.utterance import Speaker, Utterance
from sipagent.units import Pcm16


class Replies:
    """What one call's agent says, and what was said so far."""

    def __init__(
        self,
        parts: SessionParts,
        record: CallRecord,
        tape: CallTape,
        tools: ToolCalls,
        deeds: Deeds,
        post: Callable[[object], None],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._persona, self._conversation = parts.persona, parts.conversation
        self._phrases, self._tape = parts.speaking.phrases, tape
        self._speaker = Speaker(parts.speaking, parts.conversation, parts.limits, post, parts.claims)
        self._conduct = Conduct(parts.persona, record.conduct, parts.memory)
        self._answers = Answers(self._speaker, parts.knowledge)
        self.flow: FlowTalk | None = None
        """What guides the conversation; None: the language model alone."""
        if parts.flow is not None:
            self.flow = FlowTalk(parts.flow, self._speaker, self._answers, deeds, tools, post, log)
        self.announcement = ""
        """Said before the greeting."""
        self._history: list[Message] = []

    def __repr__(self) -> str:
        return f"Replies(flow={self.flow}, messages={len(self._history)})"

    # --- what was said ---

    def caller_told(self, text: str) -> None:
        """The caller's turn, once its answer is heard."""
        self._history.append(Message(Role.CALLER, text))

    def agent_told(self, text: str) -> None:
        """What the caller has heard of the agent."""
        self._history.append(Message(Role.AGENT, text))
        self.read_ahead("")

    def read_ahead(self, text: str) -> None:
        """Let the language model read what is known: ``text`` of the caller's turn so far."""
        self._conversation.read_ahead(self._history, text)

    # --- what is answered ---

    @property
    def expected_words(self) -> str:
        """What the answer to the flow's open question may look like in writing; empty: nobody knows."""
        return self.flow.hint if self.flow is not None and not self._tape.is_asking else ""

    def prepare(self, utterance: Utterance, text: str) -> ReplyBegan | ReplyEndsCall | None:
        """Prepare the answer to the caller's words; what is known of it at once."""
        utterance.caller_text = text
        answer = None if is_farewell(text) else self._tape.reply_to(text)
        if answer is not None:
            return self._fixed(utterance, answer)
        if not self._tape.is_asking and (fixed := self._conduct.prepare(utterance, text)):
            return self._fixed(utterance, fixed.text, asks_again=not fixed.is_last, ends_call=fixed.ends_call)
        if self.flow is not None and not self._tape.is_asking:
            self.flow.prepare(utterance, self._history, text)
            return None
        if is_farewell(text):
            return self._fixed(utterance, self._persona.goodbye, asks_again=False, ends_call=True)
        self._answers.answer(utterance, [*self._history, Message(Role.CALLER, text)])
        return None

    def _fixed(
        self, utterance: Utterance, text: str, *, asks_again: bool = True, ends_call: bool = False
    ) -> ReplyBegan | ReplyEndsCall:
        """What the program answers itself, and a flow's open question once more."""
        assert utterance.attempt is not None
        is_open = asks_again and not self._tape.is_asking
        question = self.flow.question if self.flow is not None and is_open else ""
        self._speaker.say(utterance, f"{text} {question}".strip())
        return ReplyEndsCall(utterance.attempt) if ends_call else ReplyBegan(utterance.attempt)

    def commit(self, utterance: Utterance) -> None:
        """The caller's turn is over: what was prepared comes true."""
        self._conduct.commit(utterance)
        if self.flow is not None:
            self.flow.commit(utterance)

    def take_back(self) -> None:
        """It is not, after all."""
        if self.flow is not None:
            self.flow.take_back()

    def transfer_due(self) -> str:
        """The agent has spoken: whom the caller is handed over to now, once; empty: nobody."""
        return self._conduct.said()

    def asks(self, text: str) -> tuple[Asked, AnswerForm]:
        """What ``text``, the agent's last words, asks the caller for."""
        asked, form = (self.flow.asked, self.flow.form) if self.flow is not None else (None, ANY_FORM)
        return asked or asked_by(text), form

    # --- what is said without being asked ---

    def rehearse(self) -> None:
        """Have the opening's sound ready."""
        self._speaker.rehearse(*self._opening())

    def say(self, utterance: Utterance, text: str) -> None:
        """Say a text of the program's own."""
        self._speaker.say(utterance, text)

    def say_phrase(self, utterance: Utterance, phrase: Phrase, index: int) -> None:
        """Say one of the persona's phrases. ``index`` counts the no-input prompts."""
        if phrase is Phrase.GREETING:
            self._speaker.say(utterance, *self._opening())
            return
        text = phrase_text(self._persona, phrase, index)
        is_last_prompt = index == len(self._persona.no_input.prompts) - 1
        if self.flow is not None and phrase is Phrase.NO_INPUT and not is_last_prompt:
            text = self.flow.silent(text)
        self._speaker.say(utterance, text)

    def filler(self) -> tuple[Pcm16 | None, str]:
        """ "One moment", or what the tool at work says: its sound, where that is there, and its words."""
        text = (self.flow.filler if self.flow is not None else "") or self._persona.one_moment
        return self._phrases.lookup(text), text

    def _opening(self) -> tuple[str, ...]:
        """What is said first; the flow begins with it."""
        text = self._tape.opening or phrase_text(self._persona, Phrase.GREETING, 0)
        if self.flow is not None and not self._tape.is_asking:
            text = self.flow.opened(text)
        return (self.announcement, text) if self.announcement else (text,)

    def close(self) -> None:
        """Let go of what the flow holds."""
        if self.flow is not None:
            self.flow.close()
