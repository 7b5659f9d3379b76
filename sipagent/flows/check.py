"""What is wrong with a flow as a whole: references, dead ends, circles. Pure."""

from collections.abc import Iterable, Iterator

from sipagent.config.fields import Problem
from sipagent.flows.check_texts import text_problems
from sipagent.flows.schema import (
    EVENTS,
    GOODBYE,
    KEYS,
    NO_MATCH,
    OPERATOR,
    REPEAT,
    Flow,
    StateConfig,
)

_OUT = {OPERATOR: "operator", "0": "operator", GOODBYE: "goodbye"}
"""What callers may say or press everywhere → where the flow names the state that follows."""
_ONLY_ASKED = ("text", "yes_no")
"""Types of slots that any words would fill."""


def problems_of(flow: Flow) -> Iterator[Problem]:
    """Yield (key, problem)."""
    for key in ("start", "operator", "goodbye"):
        yield from _no_state(flow, key, getattr(flow, key))
    yield from _everywhere_problems(flow)
    for name in flow.states:
        yield from _state_problems(flow, name, flow.states[name])
    yield from text_problems(flow)
    yield from _word_problems(flow)
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


def _everywhere_problems(flow: Flow) -> Iterator[Problem]:
    for event, step in flow.everywhere.items():
        key = f"everywhere.{event}"
        yield from _no_state(flow, f"{key}.go", step.go)
        yield from _no_slots(flow, f"{key}.forget", step.forget)
        if event in (OPERATOR, GOODBYE):
            yield (
                key,
                f"is never used: {event} leads to {getattr(flow, event)!r} from everywhere; say it there",
            )
        elif event == REPEAT:
            yield key, "is never used: the open question is said again; delete it"
        elif event == "0":
            yield key, f"is the key for the operator ({flow.operator!r}) everywhere; take another key"
        elif not (flow.is_intent(event) or (len(event) == 1 and event in KEYS)):
            yield key, f"neither an intent nor a key; known here: {', '.join(flow.intents)}"


def _no_slots(flow: Flow, key: str, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if name not in flow.slots:
            yield key, f"no slot {name!r}; there are: {', '.join(flow.slots) or 'none'}"


def _no_state(flow: Flow, key: str, name: str) -> Iterator[Problem]:
    if name and name not in flow.states:
        yield key, f"no state {name!r}; there are: {', '.join(flow.states)}"


def _state_problems(flow: Flow, name: str, state: StateConfig) -> Iterator[Problem]:
    key = f"states.{name}"
    yield from _no_state(flow, f"{key}.next", state.next)
    yield from _no_slots(flow, f"{key}.collect", state.collect)
    yield from _no_slots(flow, f"{key}.listen", state.listen)
    for event, step in state.on.items():
        yield from _no_state(flow, f"{key}.on.{event}.go", step.go)
        yield from _unknown_event(flow, key, state, event)
        yield from _no_slots(flow, f"{key}.on.{event}.forget", step.forget)
        if state.is_listening and event in _OUT:
            yield from _closed_way(flow, f"{key}.on.{event}", event, step.go)
    yield from _missing(flow, key, state)
    yield from _unheard(flow, key, state)


def _closed_way(flow: Flow, key: str, event: str, go: str) -> Iterator[Problem]:
    """Callers can leave every state; a state may have words of its own for it, and no more."""
    out = getattr(flow, _OUT[event])
    if event == GOODBYE and not go:
        yield key, f"keeps a caller who takes leave; let it go to {out!r}, or to a state that does"
    elif event != GOODBYE and go != out:
        yield (
            key,
            f"takes the way to a person from the caller; let it go to {out!r}, or take another "
            + ("key" if event == "0" else "intent"),
        )


def _unheard(flow: Flow, key: str, state: StateConfig) -> Iterator[Problem]:
    """What a state waits for and cannot get."""
    if not state.is_listening:
        if state.listen:
            yield f"{key}.listen", "nobody is listened to here; delete it"
        if state.free:
            yield f"{key}.free", "nobody is listened to here; delete it"
        if state.next and state.on and not (state.tool or state.transfer or state.end):
            yield f"{key}.on", "is never waited for, as next follows at once; delete one of them"
        return
    for name in state.listen:
        if name in flow.slots and flow.slots[name].type in _ONLY_ASKED and name not in state.collect:
            kind = flow.slots[name].type
            yield f"{key}.listen", f"{name} is of type {kind}, taken only where it is asked for: use collect"


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


def _reach_problems(flow: Flow) -> Iterator[Problem]:
    everywhere = {step.go for step in flow.everywhere.values() if step.go}
    reached = _closure(flow, {flow.start, flow.operator, flow.goodbye, *everywhere})
    for name in flow.states:
        if name not in reached:
            yield f"states.{name}", "is never reached; lead there or delete it"
        elif _is_in_silent_circle(flow, name):
            field = "next" if flow.states[name].next else "on"
            yield f"states.{name}.{field}", "goes round in a circle without ever listening to the caller"
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


def _is_in_silent_circle(flow: Flow, name: str) -> bool:
    """A way leads back there through states that listen to nobody: it would go round without end."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        one = todo.pop()
        if one not in flow.states or flow.states[one].is_listening or flow.states[one].end:
            continue
        for _, after in followers(flow, one):
            if after == name:
                return True
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return False


def _word_problems(flow: Flow) -> Iterator[Problem]:
    """Intents and options that cannot be told from one another, or not be understood at all."""
    for field in ("examples", "keywords"):
        seen: dict[str, str] = {}
        for name, intent in flow.intents.items():
            for text in getattr(intent, field):
                other = seen.setdefault(_plain(text), name)
                if other != name:
                    yield f"intents.{name}.{field}", f"{text!r} stands under {other}, too; keep one"
    for name, intent in flow.intents.items():
        if not intent.examples and not intent.keywords:
            yield f"intents.{name}", "has neither examples nor keywords, so it cannot be understood"
    for name, slot in flow.slots.items():
        seen = {}
        for option, others in slot.options.items():
            for text in (option.replace("_", " "), *others):
                other = seen.setdefault(_plain(text), option)
                if other != option:
                    yield f"slots.{name}.options.{option}", f"{text!r} stands under {other}, too; keep one"


def _plain(text: str) -> str:
    return " ".join(text.lower().strip(" .!?").split())


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
