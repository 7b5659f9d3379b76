"""What is wrong with a flow as a whole: references, dead ends, circles. Pure."""

from collections.abc import Iterator

from sipagent.config.fields import Problem
from sipagent.config.variables import OF_THE_CALL
from sipagent.flows.schema import (
    EVENTS,
    GOODBYE,
    KEYS,
    NO_MATCH,
    OPERATOR,
    REPEAT,
    VARIABLE,
    Flow,
    StateConfig,
    texts_of,
)

CLOCK = ("today", "now")
"""Variables that every flow has."""


def problems_of(flow: Flow) -> Iterator[Problem]:
    """Yield (key, problem)."""
    for key in ("start", "operator", "goodbye"):
        yield from _no_state(flow, key, getattr(flow, key))
    for event, step in flow.everywhere.items():
        yield from _no_state(flow, f"everywhere.{event}.go", step.go)
        if not (flow.is_intent(event) or (len(event) == 1 and event in KEYS)):
            yield f"everywhere.{event}", f"neither an intent nor a key; known here: {', '.join(flow.intents)}"
    for name in flow.states:
        yield from _state_problems(flow, name, flow.states[name])
    yield from _text_problems(flow)
    for name, tool in flow.tools.items():
        for one in tool.arguments:
            if one not in flow.slots and one not in flow.variables and not OF_THE_CALL.fullmatch(one):
                yield f"tools.{name}.arguments", f"{one!r} is neither a slot nor a variable"
    if flow.start in flow.states:
        yield from _reach_problems(flow)
        yield from _unused(flow)


def followers(flow: Flow, name: str) -> list[tuple[str, str]]:
    """(what leads there, state) of every state that may follow ``name``, without the ways of all states."""
    state = flow.states[name]
    found = [(event, step.go or name) for event, step in state.on.items()]
    if state.next:
        found.append(("filled" if state.collect else "", state.next))
    return found


def _no_state(flow: Flow, key: str, name: str) -> Iterator[Problem]:
    if name and name not in flow.states:
        yield key, f"no state {name!r}; there are: {', '.join(flow.states)}"


def _state_problems(flow: Flow, name: str, state: StateConfig) -> Iterator[Problem]:
    key = f"states.{name}"
    yield from _no_state(flow, f"{key}.next", state.next)
    for field in ("collect", "listen"):
        for slot in getattr(state, field):
            if slot not in flow.slots:
                yield f"{key}.{field}", f"no slot {slot!r}; there are: {', '.join(flow.slots) or 'none'}"
    for event, step in state.on.items():
        yield from _no_state(flow, f"{key}.on.{event}.go", step.go)
        yield from _unknown_event(flow, key, state, event)
        for slot in step.forget:
            if slot not in flow.slots:
                yield f"{key}.on.{event}.forget", f"no slot {slot!r}"
    yield from _missing(flow, key, state)


def _unknown_event(flow: Flow, key: str, state: StateConfig, event: str) -> Iterator[Problem]:
    if state.tool:
        tool = flow.tools.get(state.tool)
        if tool and event not in (*tool.results, "failed"):
            yield f"{key}.on.{event}", f"{state.tool} never returns it; it returns: {', '.join(tool.results)}"
    elif state.transfer:
        if event != "failed":
            yield f"{key}.on.{event}", "a transfer has only: failed"
    elif not (flow.is_intent(event) or event in EVENTS or (len(event) == 1 and event in KEYS)):
        known = ", ".join((*flow.intents, *EVENTS))
        yield f"{key}.on.{event}", f"neither an intent nor a key; known here: {known}"


def _missing(flow: Flow, key: str, state: StateConfig) -> Iterator[Problem]:
    """Ways out that a state needs."""
    if state.tool:
        if state.tool not in flow.tools:
            yield f"{key}.tool", f"no tool {state.tool!r}; there are: {', '.join(flow.tools) or 'none'}"
            return
        for status in (*flow.tools[state.tool].results, "failed"):
            if status not in state.on:
                yield f"{key}.on", f"nothing follows {status!r} of {state.tool}; add it"
    elif state.transfer:
        if "failed" not in state.on:
            yield f"{key}.on", "nothing follows a transfer that fails; add failed: {go: …}"
    elif state.end:
        if state.on or state.next:
            yield f"{key}.{'on' if state.on else 'next'}", "is never reached: the call ends here"
    elif state.collect:
        if not state.next:
            yield f"{key}.next", "required: where to go when all slots are filled"
    elif not state.next and not state.on:
        yield key, "is a dead end: give it next, on, or end: true"
    elif not state.next and not (state.say or state.word or state.free):
        yield key, "waits for an answer without having asked; give it say"


def _text_problems(flow: Flow) -> Iterator[Problem]:
    known = {*flow.variables, *flow.slots, *CLOCK}
    known.update(name for tool in flow.tools.values() for name in tool.returns)
    texts = [
        (f"states.{name}.{field}", text)
        for name, state in flow.states.items()
        for field, text in texts_of(state)
    ]
    texts += [(f"everywhere.{event}.say", step.say) for event, step in flow.everywhere.items()]
    texts += [(key, text) for key in ("confused", "voicemail") if (text := getattr(flow, key))]
    for name, slot in flow.slots.items():
        texts += [(f"slots.{name}.ask", slot.ask), (f"slots.{name}.again", slot.again)]
        unknown = set(VARIABLE.findall(slot.read_back)) - known - {"value"}
        if unknown or (slot.read_back and "{value}" not in slot.read_back):
            yield f"slots.{name}.read_back", "expected a sentence with {value} and known variables"
    for key, text in texts:
        for unknown_name in sorted(set(VARIABLE.findall(text)) - known):
            if OF_THE_CALL.fullmatch(unknown_name):
                continue
            yield key, f"no slot or variable {unknown_name!r}; there are: {', '.join(sorted(known))}"
        if not VARIABLE.sub("", text).isprintable() or "{" in VARIABLE.sub("", text):
            yield key, "has a line break or a brace that is no variable"


def _reach_problems(flow: Flow) -> Iterator[Problem]:
    everywhere = {step.go for step in flow.everywhere.values() if step.go}
    reached = _closure(flow, {flow.start, flow.operator, flow.goodbye, *everywhere})
    for name in flow.states:
        if name not in reached:
            yield f"states.{name}", "is never reached; lead there or delete it"
        elif name in _silent_circle(flow, name):
            yield f"states.{name}.next", "goes round in a circle without ever listening to the caller"
        elif not _may_end(flow, name):
            yield f"states.{name}", "never ends: no way from here leads to end: true or transfer"


def _closure(flow: Flow, names: set[str]) -> set[str]:
    reached: set[str] = set()
    todo = [name for name in names if name in flow.states]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += [other for _, other in followers(flow, name) if other in flow.states]
    return reached


def _may_end(flow: Flow, name: str) -> bool:
    """The ways of all states (goodbye, operator) are no excuse: a call must be able to end by itself."""
    return any(flow.states[one].end or flow.states[one].transfer for one in _closure(flow, {name}))


def _silent_circle(flow: Flow, name: str) -> set[str]:
    """The states of a circle through ``name`` in which nobody is listened to and no tool is called."""
    seen: list[str] = []
    while name in flow.states and name not in seen:
        state = flow.states[name]
        if state.is_listening or state.tool or state.transfer or state.end:
            return set()
        seen.append(name)
        name = state.next
    return set(seen[seen.index(name) :]) if name in seen else set()


def _unused(flow: Flow) -> Iterator[Problem]:
    """What callers may say and nobody ever reacts to."""
    events = {event for state in flow.states.values() for event in state.on} | set(flow.everywhere)
    for name in flow.intents:
        if name not in (*events, GOODBYE, OPERATOR, REPEAT):
            yield f"intents.{name}", "no state reacts to it; name it under on or delete it"
    told = {slot for state in flow.states.values() for slot in (*state.collect, *state.listen)}
    for name in flow.slots:
        if name not in told:
            yield f"slots.{name}", "no state collects it or listens for it"
    for name, tool in flow.tools.items():
        if not any(state.tool == name for state in flow.states.values()):
            yield f"tools.{name}", "no state calls it"
        if NO_MATCH in tool.results:
            yield f"tools.{name}.results", f"{NO_MATCH!r} is no status; choose another"
