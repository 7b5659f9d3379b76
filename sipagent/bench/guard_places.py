"""Every place of a flow where a caller may say something: for ``bench guard`` and its unit test."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sipagent.bench.guard_set import GuardCase
from sipagent.bench.understanding_set import FLOW_DIR
from sipagent.flows import talk as fm
from sipagent.flows.load import load_flow
from sipagent.flows.schema import Flow
from sipagent.flows.slots.values import Value

EXAMPLES = ("receptionist", "reminder", "survey", "appointment")
"""The flows in ``flows/``."""
_OUTCOMES = frozenset(("wants_person", "refused", "wrong_person", "not_reached", "call_back"))
"""They promise nothing: the caller does not want to talk, or somebody else will. The call may end there."""
_OWN_WORDS = frozenset(("keep_answers",))
"""Tools that keep no more than what the caller has told of themselves."""
_VALUES: Mapping[str, Value] = {
    "date": Value("2026-11-26", "Thursday, November 26"),
    "time": Value("10:00", "ten o'clock"),
    "name": Value("Sarah Miller", "Sarah Miller"),
    "phone": Value("+12015550123", "2 0 1, 5 5 5, 0 1 2 3"),
    "number": Value("7", "seven"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a talk stands."""

    flow: Flow
    name: str
    """State, and behind a slash the slot that is asked for or (with ``?``) read back."""
    talk: fm.Talk


def example_flows() -> list[Flow]:
    """All of them."""
    return [load_flow(FLOW_DIR / f"{name}.yaml") for name in EXAMPLES]


def places_of(flow: Flow) -> Iterator[Place]:
    """Every state that listens, every slot that is asked for, every read-back."""
    everything = {name: _value(flow, name) for name in flow.slots}
    for name, state in flow.states.items():
        talk = fm.Talk(state=name, variables=flow.variables, visited=frozenset({name}))
        for slot in state.collect:
            told = {one: everything[one] for one in state.collect[: state.collect.index(slot)]}
            yield Place(flow, f"{name}/{slot}", replace(talk, slots=told, asking=slot))
            with_it = {**told, slot: everything[slot]}
            yield Place(
                flow, f"{name}/{slot}?", replace(talk, slots=with_it, asking=slot, to_confirm=(slot,))
            )
        if not state.collect and state.on and not state.tool and not state.transfer:
            yield Place(flow, name, replace(talk, slots=everything))


def forbidden_in(case: GuardCase, actions: Sequence[fm.Action]) -> list[str]:
    """What of it a line of this kind may not lead to."""
    is_harmless = any(isinstance(action, fm.SetOutcome) and action.name in _OUTCOMES for action in actions)
    allowed = {*case.kind.allows, "hang_up"} if is_harmless else set(case.kind.allows)
    return [deed for action in actions if (deed := _deed_name(action)) and deed not in allowed]


def _value(flow: Flow, name: str) -> Value:
    slot = flow.slots[name]
    if slot.type == "choice":
        option = next(iter(slot.options))
        return Value(option, option)
    return _VALUES.get(slot.type, Value("something", "something"))


def _deed_name(action: fm.Action) -> str:
    """Empty: it is no deed, only words."""
    match action:
        case fm.CallTool(_, name) if name not in _OWN_WORDS:
            return f"tool {name}"
        case fm.Transfer():
            return "transfer"
        case fm.HangUp():
            return "hang_up"
        case fm.SetOutcome(name) if name not in _OUTCOMES:
            return f"outcome {name}"
    return ""
