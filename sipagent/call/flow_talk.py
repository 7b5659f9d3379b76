"""A flow in a call: prepares its words while the caller may still go on, and acts when the turn is over.

::

    prepare ──rules──▶ step ──▶ words to the speaker            (nothing has happened yet)
       └─ in doubt ─▶ reply lane: model ─Understood─▶ step …
    commit  ──▶ the talk moves on: outcome, transfer, hang-up; tools run, unless they are safe and ran before
                                               └─ ToolDone ─▶ step ─▶ the rest of the words

A prepared step that is never committed is simply forgotten: the machine is pure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from sipagent.brain.types import Message, Reader, Role
from sipagent.call.answers import Answers
from sipagent.call.awaited import asked_of, form_of
from sipagent.call.dictation import ANY_FORM, AnswerForm, Asked
from sipagent.call.tool_calls import ToolCalls, ToolDone
from sipagent.call.tool_port import ToolAnswer, ToolRunner
from sipagent.call.turn_events import ReplyBegan
from sipagent.call.utterance import Speaker, Utterance, UtteranceFailed
from sipagent.call.work import Lane, Priority
from sipagent.config.tools import SEND_DTMF
from sipagent.errors import EngineError, JobCancelled
from sipagent.flows import talk as fm
from sipagent.flows.expected import Expected, expected_of, takes_key
from sipagent.flows.local_time import TIME_ZONE, zone_of
from sipagent.flows.machine import step as step_flow
from sipagent.flows.schema import QUESTION, REPEAT, Flow
from sipagent.flows.talk import Meaning, Talk
from sipagent.flows.understand import Understanding, is_question, understand_by_rules

_KEYS_PAUSE_MS = 3_000


@dataclass(frozen=True, slots=True)
class FlowParts:
    """What a flow in a call is built from."""

    flow: Flow
    reader: Reader | None
    lane: Lane
    tools: ToolRunner | None = None
    """Those of the persona; None: nothing is installed."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What is known of the call when it begins, in place of the flow's own values."""


@dataclass(frozen=True, slots=True)
class Deeds:
    """What the call does for a flow. Call thread."""

    begin_utterance: Callable[[], Utterance]
    """The agent speaks of its own accord."""
    end_call: Callable[[], None]
    """Hang up when what is being said has been said."""
    note_outcome: Callable[[str, Mapping[str, str]], None]
    """The call's outcome, for the log and the ledger."""
    transfer: Callable[[str, str], bool] = lambda target, text: False
    """Say the text, then hand the caller over to the target. False: that is not possible."""
    send_digits: Callable[[str], None] = lambda digits: None
    """Press keys on the caller's line."""


@dataclass(frozen=True, slots=True)
class Understood:
    """The model has understood the caller's words."""

    utterance_id: int
    meaning: Meaning


@dataclass(slots=True)
class _Step:
    """One utterance's way through the flow."""

    utterance: Utterance
    history: Sequence[Message]
    talk: Talk
    deeds: list[fm.Action] = field(default_factory=list)
    """To be done at the commit."""
    is_committed: bool = False
    has_acted: bool = False
    """A tool that is not safe has been called, or the call is being handed over."""
    before: Talk | None = None
    """Where the talk stood before the commit, as long as it can be taken back."""
    run_id: str = ""
    """The tool that works for it."""
    said: list[str] = field(default_factory=list)
    """What waits for the end of a tool to be spoken with what follows."""


class FlowTalk:
    """One call's flow. Call thread only.

    :param post: of the call's mailbox.
    """

    def __init__(
        self,
        parts: FlowParts,
        speaker: Speaker,
        answers: Answers,
        deeds: Deeds,
        tools: ToolCalls,
        post: Callable[[object], None],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._parts = parts
        self._flow = parts.flow
        self._understanding = Understanding(parts.flow, parts.reader)
        self._speaker = speaker
        self._answers = answers
        self._deeds = deeds
        self._tools = tools
        self._run_id = ""
        """The tool that the talk waits for."""
        self._post = post
        self._log = log
        self._zone = zone_of(parts.flow, parts.variables)
        if parts.variables.get(TIME_ZONE, self._zone.key) != self._zone.key:
            log.warning("flow.zone_unknown", zone=parts.variables[TIME_ZONE], used=self._zone.key)
        self._talk = Talk()
        self._step: _Step | None = None
        self._keyed_ms: int | None = None

    def __repr__(self) -> str:
        return f"FlowTalk({self._flow.name}, {self._talk.state})"

    @property
    def asked(self) -> Asked | None:
        """What the open question asks for, where the flow knows better than the words tell."""
        if not self._talk.state:
            return None
        return asked_of(expected_of(self._flow, self._talk))

    @property
    def form(self) -> AnswerForm:
        """What is known of the answer to the open question besides."""
        return form_of(expected_of(self._flow, self._talk)) if self._talk.state else ANY_FORM

    @property
    def hint(self) -> str:
        """What the answer may look like in writing, for speech-to-text."""
        return expected_of(self._flow, self._talk).hint if self._talk.state else ""

    @property
    def takes_digits(self) -> bool:
        """The open slot may be keyed in."""
        return bool(self._talk.state) and expected_of(self._flow, self._talk).takes_digits

    @property
    def question(self) -> str:
        """The open question, to be asked once more; empty where it is the model's to word."""
        _, actions = step_flow(self._flow, self._talk, fm.Heard("", Meaning(REPEAT)), self._now())
        return " ".join(_texts(actions))

    @property
    def is_keying(self) -> bool:
        """The number that the flow has asked for is being keyed in."""
        return bool(self._talk.keyed)

    @property
    def filler(self) -> str:
        """What the tool at work says while the caller waits; empty: what is usual."""
        return self._tools.filler

    def opened(self, greeting: str) -> str:
        """The greeting and the first question. The flow begins (again)."""
        variables = {**self._parts.variables, TIME_ZONE: self._zone.key}
        self._talk, actions = step_flow(self._flow, Talk(), fm.Opened(variables), self._now())
        self._step = None
        return " ".join([greeting, *_texts(actions)]).strip()

    def silent(self, prompt: str) -> str:
        """The persona's no-input prompt and the open question."""
        self._talk, actions = step_flow(self._flow, self._talk, fm.Silent(), self._now())
        return " ".join([prompt, *_texts(actions)]).strip()

    def prepare(self, utterance: Utterance, history: Sequence[Message], text: str) -> None:
        """Prepare the answer to the caller's words; ``history`` is what was said before them."""
        messages = [*history, Message(Role.CALLER, text)]
        step = self._step = _Step(utterance, messages, self._talk)
        expected, now = expected_of(self._flow, self._talk), self._now()
        meaning = understand_by_rules(self._flow, expected, text, now)
        if self._talk.is_waiting:  # a tool is at work: its answer is what is said
            step.talk, _ = step_flow(self._flow, self._talk, fm.Heard(text, meaning or Meaning()), now)
            return
        if self._is_known(expected, meaning, text):
            meaning = Meaning(QUESTION)
        if meaning is not None:
            self._advance(step, fm.Heard(text, meaning))
            return

        def job() -> None:
            try:
                found = self._understanding.by_model(expected, text, now, utterance.is_cancelled)
            except JobCancelled:
                return
            except EngineError as error:
                self._log.warning("flow.not_understood", reason=str(error))
                found = Meaning()
            utterance.stamp("understood")
            self._post(Understood(utterance.utterance_id, found))

        self._parts.lane.submit(
            job,
            priority=Priority.FIRST_CLAUSE,
            cancelled=utterance.is_cancelled,
            waited=utterance.waited,
        )

    def _is_known(self, expected: Expected, meaning: Meaning | None, text: str) -> bool:
        """A question with a stored answer, which fits better than what the flow says to its keywords."""
        is_open = meaning is None or meaning.intent in expected.passing
        is_asked = meaning is not None and meaning.intent in expected.intents and is_question(text)
        return expected.may_answer and (is_open or is_asked) and self._answers.knows(text)

    def pressed(self, key: str, now_ms: int, *, is_in_number: bool = False) -> bool:
        """The caller has pressed a key; False where the flow has no use for it.

        :param is_in_number: it may go on a number that nobody has asked for.
        """
        if not takes_key(self._flow, self._talk, key, is_in_number=is_in_number):
            return False
        self._keyed_ms = now_ms
        self._at_once(fm.Pressed(key))
        return True

    def clock(self, now_ms: int) -> None:
        """Time passes: a number that was being keyed in may be complete."""
        if self._keyed_ms is not None and now_ms - self._keyed_ms >= _KEYS_PAUSE_MS:
            self._keyed_ms = None
            self._at_once(fm.KeysPaused())
        if (late := self._tools.overdue(now_ms)) is not None:
            self.take(late)

    def transfer_failed(self) -> bool:
        """Nobody has taken the caller over. False: the flow has not asked for it, or has no words for it."""
        if not (self._talk.is_waiting and self._flow.states[self._talk.state].transfer):
            return False
        before = self._step
        self._at_once(fm.TransferFailed())
        return self._step is not before

    def take(self, event: Understood | ToolDone) -> None:
        """What a lane has found out. Late ones are ignored, but a tool that has been at work is not."""
        step = self._step
        is_open = step is not None and not step.utterance.is_cancelled()
        if isinstance(event, Understood):
            if step is not None and is_open and step.utterance.utterance_id == event.utterance_id:
                self._advance(step, fm.Heard(step.history[-1].text, event.meaning))
            return
        tool, answer = self._tools.take(event), event.answer
        if tool == SEND_DTMF and answer.is_ok:
            self._deeds.send_digits(answer.variables["digits"])
        if not tool:
            return
        if step is not None and is_open and step.run_id == event.run_id:
            self._advance(step, _returned(step.talk.calls, answer))
        elif self._talk.is_waiting and self._run_id == event.run_id:
            self._at_once(_returned(self._talk.calls, answer))

    def commit(self, utterance: Utterance) -> None:
        """The caller's turn is over: what was prepared comes true."""
        step = self._step
        if step is not None and step.utterance is utterance:
            step.is_committed, step.before = True, self._talk
            self._settle(step)

    def take_back(self) -> None:
        """Nothing of the committed answer was audible and the caller goes on: the turn is not over after
        all. What a tool has done stays done."""
        step = self._step
        if step is not None and step.before is not None and not step.has_acted:
            self._talk = step.before
            self._step = None

    def close(self) -> None:
        """Free the model's place; note the tools that are still at work."""
        self._tools.close()
        if self._parts.reader is not None:
            self._parts.reader.close()

    # --- inside ---

    def _now(self) -> datetime:
        return datetime.now(self._zone)

    def _at_once(self, event: fm.Event) -> None:
        """An event without the caller's words: it is committed as it comes."""
        talk, actions = step_flow(self._flow, self._talk, event, self._now())
        if not actions:
            self._talk = talk
            return
        utterance = self._deeds.begin_utterance()
        step = self._step = _Step(utterance, [Message(Role.CALLER, "-")], self._talk, is_committed=True)
        self._advance(step, event)

    def _advance(self, step: _Step, event: fm.Event) -> None:
        step.talk, actions = step_flow(self._flow, step.talk, event, self._now())
        self._log.debug("flow.stepped", state=step.talk.state, by=type(event).__name__)
        step.deeds += [action for action in actions if not isinstance(action, fm.Say | fm.Word | fm.Answer)]
        call = next((action for action in actions if isinstance(action, fm.CallTool)), None)
        is_open = call is not None or any(isinstance(action, fm.Transfer) for action in actions)
        if is_open:
            step.said += _texts(actions)
        else:
            self._speak(step, actions)
        if call is not None and call.is_safe and not step.is_committed:
            step.deeds.remove(call)
            self._run(step, call)
        if step.is_committed:
            self._settle(step)

    def _settle(self, step: _Step) -> None:
        """The talk stands where the step has led it, and what the step wants is done."""
        self._talk = step.talk
        self._run_id = step.run_id or self._run_id
        deeds, step.deeds = step.deeds, []
        for deed in deeds:
            match deed:
                case fm.SetOutcome(name, data):
                    self._deeds.note_outcome(name, data)
                case fm.HangUp():
                    self._deeds.end_call()
                case fm.CallTool():
                    self._run(step, deed)
                    self._run_id = step.run_id
                case fm.Transfer(target):
                    if self._deeds.transfer(target, " ".join(step.said)):
                        step.said, step.has_acted = [], True
                    else:
                        self._advance(step, fm.TransferFailed())

    def _speak(self, step: _Step, actions: Sequence[fm.Action]) -> None:
        """Say it in order; around what the model words only what follows is said besides."""
        before, step.said = step.said, []
        wording = next((action for action in actions if isinstance(action, fm.Word | fm.Answer)), None)
        if wording is None:
            text = " ".join([*before, *_texts(actions)])
            if text:
                if step.utterance.attempt is not None:
                    self._post(ReplyBegan(step.utterance.attempt))
                self._speaker.say(step.utterance, text)
            else:
                self._post(UtteranceFailed(step.utterance.utterance_id, "flow: there is nothing to say"))
            return
        at = list(actions).index(wording)
        messages = list(step.history)
        if isinstance(wording, fm.Word):
            messages[-1] = replace(messages[-1], text=f"{messages[-1].text} ({wording.instruction})")
        first, then = " ".join([*before, *_texts(actions[:at])]), " ".join(_texts(actions[at + 1 :]))
        if isinstance(wording, fm.Answer):
            self._answers.answer(step.utterance, messages, first=first, then=then)
        else:
            told = (wording.instruction,)
            self._speaker.reply(step.utterance, messages, first=first, then=then, told=told)

    def _run(self, step: _Step, call: fm.CallTool) -> None:
        step.has_acted |= not call.is_safe
        step.run_id = self._tools.begin(call.name, call.arguments)


def _returned(calls: int, answer: ToolAnswer) -> fm.ToolReturned:
    return fm.ToolReturned(calls, answer.status, answer.variables, answer.apology)


def _texts(actions: Sequence[fm.Action]) -> list[str]:
    return [action.text for action in actions if isinstance(action, fm.Say)]
