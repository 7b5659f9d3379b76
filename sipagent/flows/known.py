"""Which slots and returns of tools may have a value where. Pure.

A name is known in a state when some way from the start fills it before; what no way fills would be spoken as
nothing at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sipagent.flows.schema import Flow, StateConfig

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """State → names that may be known when it is entered, and once its caller or tool has answered."""

    entering: dict[str, frozenset[str]]
    answered: dict[str, frozenset[str]]

    def ever(self, flow: Flow) -> frozenset[str]:
        """Wherever a caller is listened to."""
        found = (names for state, names in self.answered.items() if flow.states[state].is_listening)
        return _NOTHING.union(*found)


def known_in(flow: Flow) -> Known:
    """What may be known in each state that is reached."""
    entering: dict[str, frozenset[str]] = {flow.start: _NOTHING} if flow.start in flow.states else {}
    todo = list(entering)
    while todo:
        name = todo.pop()
        for after, names in _ways(flow, flow.states[name], entering[name]):
            if after in flow.states and (after not in entering or not names <= entering[after]):
                entering[after] = entering.get(after, _NOTHING) | names
                todo.append(after)
    answered = {name: told_in(flow, flow.states[name], names) for name, names in entering.items()}
    return Known(entering, answered)


def told_in(flow: Flow, state: StateConfig, names: frozenset[str], event: str = "") -> frozenset[str]:
    """What may be known once ``event`` has come there: a tool that failed has told nothing."""
    if state.is_listening:
        return names.union(state.collect, state.listen)
    if state.tool in flow.tools and event != "failed":
        return names.union(flow.tools[state.tool].returns)
    return names


def _ways(flow: Flow, state: StateConfig, names: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """(next state, what may be known on the way there)."""
    for event, step in state.on.items():
        if step.go:
            yield step.go, told_in(flow, state, names, event).difference(step.forget)
    if state.next:
        yield state.next, told_in(flow, state, names)
    if state.is_listening:
        told = told_in(flow, state, names)
        yield flow.operator, told
        yield flow.goodbye, told
        for step in flow.everywhere.values():
            if step.go:
                yield step.go, told.difference(step.forget)
