"""The conversation as one pure machine: (talk, event, now) → (talk, actions).

::

    Opened ──▶ say, ask ──Heard──▶ intent ──▶ on / everywhere / operator / goodbye
                  ▲                slots ──▶ read back ──yes──▶ next missing slot ──all──▶ next state
                  │                question ──▶ Answer, then the open question again
                  └── again ◀── nothing of it (retries, then no_match)

Nothing is done here: the actions say what is to be done, and a talk that is thrown away has had no effect.
An event that does not fit (a tool's late result, a key after the end) changes nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sipagent.flows.deeds import leads_to_deed
from sipagent.flows.schema import (
    GOODBYE,
    NO,
    NO_INPUT,
    NO_MATCH,
    OPERATOR,
    QUESTION,
    REPEAT,
    YES,
    Flow,
    SlotConfig,
    StateConfig,
    StepConfig,
)
from sipagent.flows.slots.read import KEYED, is_read_back, least_digits, most_digits, read_back, read_slot
from sipagent.flows.slots.values import Refused, Said, Value
from sipagent.flows.talk import (
    Action,
    Answer,
    CallTool,
    Event,
    HangUp,
    Heard,
    KeysPaused,
    Meaning,
    Opened,
    Pressed,
    Say,
    SetOutcome,
    Silent,
    Talk,
    ToolReturned,
    Transfer,
    TransferFailed,
    Word,
)
from sipagent.flows.wording import filled

_MOST_HOPS = 20
"""States passed without listening; the check of the file finds circles before."""


def step(flow: Flow, talk: Talk, event: Event, now: datetime) -> tuple[Talk, tuple[Action, ...]]:
    """Advance the talk. Pure.

    :param now: in the flow's time zone.
    """
    run = _Run(flow, talk, now)
    run.take(event)
    return run.talk, tuple(run.actions)


class _Run:
    """One step under way: the talk so far, and what is to be done."""

    def __init__(self, flow: Flow, talk: Talk, now: datetime) -> None:
        self.flow = flow
        self.talk = talk
        self.now = now
        self.actions: list[Action] = []
        self.hops = 0

    def take(self, event: Event) -> None:
        if not isinstance(event, Heard):
            self.talk = replace(self.talk, doubted="")
        talk = self.talk
        match event:
            case Opened(variables):
                self.talk = Talk(variables={**self.flow.variables, **variables})
                self.enter(self.flow.start)
            case Heard() if talk.is_over:  # words over the goodbye: it is said again
                self.say(self.state.say)
                self.actions.append(HangUp())
            case _ if talk.is_over or not talk.state:
                return
            case ToolReturned(call_id, status, variables, apology):
                if talk.is_waiting and call_id == talk.calls:
                    self.returned(status, variables, apology)
            case TransferFailed():
                if talk.is_waiting and self.state.transfer:
                    self.returned("failed", {})
            case _ if talk.is_waiting:
                self.wished(event)
            case Heard(text, meaning):
                self.heard(text, meaning)
            case Pressed(key):
                self.pressed(key)
            case KeysPaused():
                self.keys_paused()
            case Silent():
                self.silent()

    # --- what came ---

    def wished(self, event: Event) -> None:
        """While a tool works only one thing counts: that a person is wanted, afterwards."""
        is_key = isinstance(event, Pressed) and event.key == "0"
        is_word = isinstance(event, Heard) and event.meaning.intent == OPERATOR
        if self.state.tool and (is_key or is_word):
            self.talk = replace(self.talk, wants_person=True)

    def heard(self, text: str, meaning: Meaning) -> None:
        doubted = self.talk.doubted
        self.talk = replace(self.talk, keyed="", doubted="")
        intent = meaning.intent
        if doubted and intent == YES:
            intent, meaning = doubted, Meaning(doubted, meaning.slots)
        elif doubted and intent == NO:
            self.ask(is_again=True)
            return
        if intent in (OPERATOR, GOODBYE) and intent not in self.state.on:
            self.enter(getattr(self.flow, intent))
        elif intent == REPEAT and REPEAT not in self.state.on:
            self.ask(is_again=False)
        elif self.talk.confirming and (intent in (YES, NO) or self.talk.confirming in meaning.slots):
            self.confirmed(intent, meaning.slots)
        elif intent == QUESTION and self.state.answer and QUESTION not in self.state.on:
            self.actions.append(Answer(text))
            if not self.state.free:
                self.ask(is_again=True)
        elif intent == YES and self.changed(meaning.slots):
            self.take_slots(meaning.slots)  # "yes, but the name is Smith": asked once more
        elif intent in self.state.on or intent in self.flow.everywhere:
            one = self.state.on.get(intent) or self.flow.everywhere[intent]
            if meaning.is_sure or not leads_to_deed(self.flow, one):
                self.decided(one, meaning.slots)
            else:
                self.doubt(intent)
        elif meaning.slots:
            self.take_slots(meaning.slots)
        else:
            self.not_understood(meaning.refused)

    def doubt(self, intent: str) -> None:
        """A model alone sets nothing going that cannot be undone."""
        if text := self.flow.intents[intent].sure:
            self.talk = replace(self.talk, doubted=intent)
            self.say(text)
        else:
            self.not_understood("")

    def changed(self, slots: Mapping[str, Value]) -> bool:
        """Something that was known is told otherwise."""
        known = self.talk.slots
        return any(name in known and known[name].value != value.value for name, value in slots.items())

    def take_slots(self, slots: Mapping[str, Value]) -> None:
        self.talk = replace(self.talk, failures=0)
        self.fill(slots)
        said = len(self.actions)
        self.go_on()
        if len(self.actions) == said:
            self.ask(is_again=False)

    def decided(self, one: StepConfig, slots: Mapping[str, Value]) -> None:
        """What follows an intent. What was told in the same words, and is asked for where that leads, has
        been mended by it: nothing is forgotten then."""
        self.fill(slots)
        wanted = self.flow.states[one.go].collect if one.go else ()
        is_mended = bool(one.forget) and any(name in wanted for name in slots)
        self.follow(replace(one, say="", forget=()) if is_mended else one)

    def confirmed(self, intent: str, slots: Mapping[str, Value]) -> None:
        slot = self.talk.confirming
        rest = self.talk.to_confirm[1:]
        if intent == YES and slot not in slots:
            self.talk = replace(self.talk, to_confirm=rest, failures=0, refusals=0)
            self.go_on()
            return
        self.talk = replace(self.talk, to_confirm=rest, refusals=self.talk.refusals + 1)
        if self.talk.refusals > self.state.retries:
            self.forget((slot,))
            self.give_up()
        elif slot in slots:
            self.fill(slots)
            self.mended(slot)
            self.go_on()
        else:
            self.forget((slot,))
            self.talk = replace(self.talk, asking=slot)
            if slot in self.state.collect:
                self.say(self.flow.slots[slot].again or self.flow.slots[slot].ask)
            else:
                self.go_on()

    def mended(self, slot: str) -> None:
        """What was mended is always read back."""
        if slot not in self.talk.to_confirm:
            self.talk = replace(self.talk, to_confirm=(slot, *self.talk.to_confirm))

    def fill(self, slots: Mapping[str, Value]) -> None:
        """Keep values, and remember which of them are to be read back."""
        if not slots:
            return
        unsure = [n for n, v in slots.items() if is_read_back(self.flow.slots[n], v)]
        old = [name for name in self.talk.to_confirm if name not in unsure]
        self.talk = replace(
            self.talk, slots={**self.talk.slots, **slots}, to_confirm=(*old, *unsure), asking=""
        )

    def pressed(self, key: str) -> None:
        slot = self.open_slot
        if slot is not None and slot.type in KEYED:
            self.keyed(slot, key)
        elif one := self.state.on.get(key) or self.flow.everywhere.get(key):
            self.follow(one)
        elif key == "0":
            self.enter(self.flow.operator)

    def keyed(self, slot: SlotConfig, key: str) -> None:
        if key == "*":
            self.talk = replace(self.talk, keyed="")
            return
        digits = self.talk.keyed + (key if key != "#" else "")
        self.talk = replace(self.talk, keyed=digits)
        if key == "#" or len(digits) >= most_digits(slot):
            self.keys_done(slot)

    def keys_paused(self) -> None:
        slot, digits = self.open_slot, self.talk.keyed
        if slot is None or not digits:
            return
        if digits == "0" and not isinstance(read_slot(slot, Said(digits, self.now)), Value):
            self.enter(self.flow.operator)
        elif len(digits) >= least_digits(slot):
            self.keys_done(slot)

    def keys_done(self, slot: SlotConfig) -> None:
        digits, self.talk = self.talk.keyed, replace(self.talk, keyed="")
        if not digits:
            return
        reading = read_slot(slot, Said(digits, self.now))
        if isinstance(reading, Value):
            self.talk = replace(self.talk, to_confirm=(), failures=0)
            self.fill({slot.name: reading})
            self.go_on()
        else:
            self.not_understood(reading.reason if isinstance(reading, Refused) else "")

    def silent(self) -> None:
        if one := self.state.on.get(NO_INPUT):
            self.follow(one)
        else:
            self.ask(is_again=True)

    def returned(self, status: str, variables: Mapping[str, str], apology: str = "") -> None:
        known = self.flow.tools[self.state.tool].returns if self.state.tool else ()
        told = {name: text for name, text in variables.items() if name in known}
        self.talk = replace(self.talk, is_waiting=False, variables={**self.talk.variables, **told})
        one = self.state.on.get(status) or self.state.on["failed"]
        self.say(apology if not one.say else "")
        self.follow(one)

    def not_understood(self, reason: str) -> None:
        self.talk = replace(self.talk, failures=self.talk.failures + 1)
        if self.talk.failures > self.state.retries:
            self.give_up()
            return
        self.say(reason or self.flow.confused)
        self.ask(is_again=True, has_failed=True)

    def give_up(self) -> None:
        if one := self.state.on.get(NO_MATCH):
            self.follow(one)
        else:
            self.enter(self.flow.operator)

    # --- what follows ---

    def follow(self, one: StepConfig) -> None:
        self.say(one.say)
        if one.outcome:
            self.outcome(one.outcome)
        self.forget(one.forget)
        if one.go:
            self.enter(one.go)
        else:
            self.talk = replace(self.talk, failures=0)
            self.ask(is_again=True)

    def forget(self, names: Collection[str]) -> None:
        kept = {name: value for name, value in self.talk.slots.items() if name not in names}
        left = tuple(name for name in self.talk.to_confirm if name not in names)
        self.talk = replace(self.talk, slots=kept, to_confirm=left)

    def enter(self, name: str) -> None:
        self.hops += 1
        if self.talk.wants_person and self.flow.states[name].is_listening:
            self.talk, name = replace(self.talk, wants_person=False), self.flow.operator
        self.talk = replace(
            self.talk, state=name, asking="", doubted="", failures=0, refusals=0, keyed="", is_waiting=False
        )
        state = self.state
        if state.outcome:
            self.outcome(state.outcome)
        is_again = name in self.talk.visited
        self.talk = replace(self.talk, visited=self.talk.visited | {name})
        self.say((state.again if is_again else "") or state.say)
        if state.word:
            self.actions.append(Word(self.filled(state.word)))
        if self.hops <= _MOST_HOPS:
            self.go_on()

    def go_on(self) -> None:
        """Do what the state does, from where it stands: read back, ask, or leave."""
        state, talk = self.state, self.talk
        if talk.confirming and state.is_listening:
            slot = self.flow.slots[talk.confirming]
            self.say(self.filled(read_back(slot, talk.slots[slot.name])))
        elif state.tool:
            self.call_tool()
        elif state.transfer:
            self.talk = replace(talk, is_waiting=True)
            self.actions.append(Transfer(self.filled(state.transfer)))
        elif state.end:
            self.talk = replace(talk, is_over=True)
            self.actions.append(HangUp())
        elif missing := [name for name in state.collect if name not in talk.slots]:
            self.talk = replace(talk, asking=missing[0])
            self.say(self.flow.slots[missing[0]].ask)
        elif state.next:
            self.enter(state.next)

    def ask(self, *, is_again: bool, has_failed: bool = False) -> None:
        """The open question once more; a slot's ``again`` helps where the answer was of no use."""
        state, talk, slot = self.state, self.talk, self.open_slot
        if talk.confirming and state.is_listening:
            self.say(self.filled(read_back(self.flow.slots[talk.confirming], talk.slots[talk.confirming])))
        elif slot is not None:
            self.say((slot.again if has_failed else "") or slot.ask)
        elif state.collect or not state.is_listening:
            self.go_on()
        elif text := (state.again if is_again else "") or state.say:
            self.say(text)
        elif state.word:
            self.actions.append(Word(self.filled(state.word)))

    def call_tool(self) -> None:
        tool = self.flow.tools[self.state.tool]
        slots = self.talk.slots
        arguments = {
            name: slots[name].value if name in slots else self.talk.variables.get(name, "")
            for name in tool.arguments
        }
        self.talk = replace(self.talk, calls=self.talk.calls + 1, is_waiting=True)
        self.actions.append(CallTool(self.talk.calls, self.state.tool, arguments, tool.safe))

    def outcome(self, name: str) -> None:
        returned = {name for tool in self.flow.tools.values() for name in tool.returns}
        data = {name: text for name, text in self.talk.variables.items() if name in returned and text}
        data |= {slot: value.value for slot, value in self.talk.slots.items()}
        self.actions.append(SetOutcome(name, data))

    # --- small things ---

    @property
    def state(self) -> StateConfig:
        return self.flow.states[self.talk.state]

    @property
    def open_slot(self) -> SlotConfig | None:
        name = self.talk.confirming or self.talk.asking
        return self.flow.slots[name] if name else None

    def say(self, text: str) -> None:
        if text:
            self.actions.append(Say(self.filled(text)))

    def filled(self, text: str) -> str:
        return filled(text, self.talk, self.now)
