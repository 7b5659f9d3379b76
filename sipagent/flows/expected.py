"""What the flow listens for at the moment. Pure."""

from dataclasses import dataclass

from sipagent.flows.schema import (
    GOODBYE,
    KEYS,
    NO,
    OPERATOR,
    QUESTION,
    REPEAT,
    YES,
    Flow,
    SlotConfig,
    StateConfig,
    StepConfig,
)
from sipagent.flows.slots.hints import hint_of
from sipagent.flows.slots.read import KEYED
from sipagent.flows.slots.values import Value
from sipagent.flows.talk import Talk

OPERATOR_KEY = "0"

_SPECIAL = (YES, NO, QUESTION, GOODBYE, OPERATOR, REPEAT)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the caller's next words may mean."""

    intents: tuple[str, ...]
    """Those of the flow that the state or every state reacts to, without the built-in ones."""
    passing: frozenset[str]
    """Of these the ones that are answered by the way: slots in the same words are no answers."""
    slots: tuple[SlotConfig, ...]
    """The open one first, where there is one."""
    filled: frozenset[str]
    """Slots that have a value."""
    is_asked: bool
    """The first slot has been asked for, or read back."""
    before: Value | None = None
    """What was read back and waits for a yes."""
    takes_yes_no: bool = False
    may_answer: bool = True
    is_free: bool = False
    """What is no intent is the language model's to answer."""

    @property
    def open_slot(self) -> SlotConfig | None:
        """The slot that is asked for or was read back."""
        return self.slots[0] if self.is_asked else None

    @property
    def takes_digits(self) -> bool:
        """The open slot may be keyed in."""
        return self.open_slot is not None and self.open_slot.type in KEYED

    @property
    def hint(self) -> str:
        """What the answer may look like in writing; empty: nothing is known of it."""
        slot = self.open_slot
        return hint_of(slot) if slot is not None and self.before is None else ""


def _step(flow: Flow, state: StateConfig, name: str) -> StepConfig:
    return state.on.get(name) or flow.everywhere[name]


def expected_of(flow: Flow, talk: Talk) -> Expected:
    """What the flow listens for after its last words."""
    state = flow.states[talk.state]
    own = [name for name in state.on if name in flow.intents and name not in _SPECIAL]
    others = [name for name in flow.everywhere if name in flow.intents and name not in own]
    open_name = talk.confirming or talk.asking
    names = dict.fromkeys((*([open_name] if open_name else ()), *state.collect, *state.listen))
    return Expected(
        intents=(*own, *others),
        passing=frozenset(name for name in (*own, *others) if not _step(flow, state, name).go),
        filled=frozenset(talk.slots),
        slots=tuple(flow.slots[name] for name in names),
        is_asked=bool(open_name),
        before=talk.slots[talk.confirming] if talk.confirming else None,
        takes_yes_no=bool(talk.confirming or talk.doubted) or YES in state.on or NO in state.on,
        may_answer=state.answer and QUESTION not in state.on,
        is_free=state.free,
    )


def takes_key(flow: Flow, talk: Talk, key: str, *, is_in_number: bool) -> bool:
    """The flow reacts to the key; else it is one of a number that nobody has asked for.

    :param is_in_number: such a number has been begun. Where the state has keys of its own that was a slip of
        the finger: they act all the same.
    """
    state = flow.states.get(talk.state)
    if state is None:
        return False
    if talk.is_over or (talk.is_waiting and state.transfer):
        return True  # nobody listens any more
    if talk.is_waiting:
        return key == OPERATOR_KEY and not is_in_number
    open_name = talk.confirming or talk.asking
    if open_name and flow.slots[open_name].type in KEYED:
        return True
    is_menu = any(name in KEYS for name in state.on)
    acts = key in state.on or key in flow.everywhere or key == OPERATOR_KEY
    return acts and (is_menu or not is_in_number)
