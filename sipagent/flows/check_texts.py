"""What is wrong with what a flow says: unknown variables, and those that nobody can have told yet. Pure."""

from collections.abc import Iterator

from sipagent.config.clock import CLOCK
from sipagent.config.fields import Problem
from sipagent.config.variables import OF_THE_CALL
from sipagent.flows.known import known_in, told_in
from sipagent.flows.local_time import TIME_ZONE
from sipagent.flows.schema import VARIABLE, Flow, texts_of

_Text = tuple[str, str, frozenset[str]]
"""(key, text, slots and returns that may be known there)."""


def text_problems(flow: Flow) -> Iterator[Problem]:
    """Yield (key, problem)."""
    always = {*flow.variables, *CLOCK}
    returned = {name for tool in flow.tools.values() for name in tool.returns}
    known = {*always, *flow.slots, *returned}
    for key, text, told in _texts(flow):
        if not VARIABLE.sub("", text).isprintable() or "{" in VARIABLE.sub("", text):
            yield key, "has a line break or a brace that is no variable"
        for name in sorted(set(VARIABLE.findall(text)) - always):
            if OF_THE_CALL.fullmatch(name):
                continue
            if name not in known:
                yield key, f"no slot or variable {name!r}; there are: {', '.join(sorted(known))}"
            elif name not in told:
                yield key, _untold(flow, name)
    yield from _voicemail_problems(flow)
    yield from _argument_problems(flow, returned)


def _untold(flow: Flow, name: str) -> str:
    is_slot = name in flow.slots
    how = "no state before collects it or listens for it" if is_slot else "no tool before returns it"
    return f"{{{name}}} cannot be known yet: {how}; do so first, or give it a value under variables"


def _texts(flow: Flow) -> Iterator[_Text]:
    known = known_in(flow)
    ever, nothing = known.ever(flow), frozenset[str]()
    everything = frozenset(flow.slots).union(*(tool.returns for tool in flow.tools.values()))
    for name, state in flow.states.items():
        entering = known.entering.get(name, everything)  # what is never reached is told elsewhere
        first = nothing if name == flow.start else entering
        for field, text in texts_of(state):
            if field in ("say", "word"):
                yield f"states.{name}.{field}", text, first
            else:
                event = field.removeprefix("on.").removesuffix(".say")
                yield f"states.{name}.{field}", text, told_in(flow, state, entering, event)
        yield f"states.{name}.transfer", state.transfer, entering
    for event, step in flow.everywhere.items():
        yield f"everywhere.{event}.say", step.say, ever
    for intent, meant in flow.intents.items():
        yield f"intents.{intent}.sure", meant.sure, nothing
    yield "confused", flow.confused, ever
    for name, slot in flow.slots.items():
        asked = [(known.entering[one], known.answered[one]) for one in known.entering
                 if name in (*flow.states[one].collect, *flow.states[one].listen)]  # fmt: skip
        before = nothing.union(*(entering | (answered - {name}) for entering, answered in asked))
        yield f"slots.{name}.ask", slot.ask, before if asked else everything
        yield f"slots.{name}.again", slot.again, before if asked else everything
        text = slot.read_back.replace("{value}", "", 1)
        yield f"slots.{name}.read_back", text, before | {name} if asked else everything


def _voicemail_problems(flow: Flow) -> Iterator[Problem]:
    text = VARIABLE.sub("", flow.voicemail)
    if not text.isprintable() or "{" in text:
        yield "voicemail", "has a line break or a brace that is no variable"
    for name in sorted(set(VARIABLE.findall(flow.voicemail)) - set(flow.variables)):
        yield (
            "voicemail",
            f"{{{name}}} is not known on a machine; it may name variables: "
            + (", ".join(flow.variables) or "none"),
        )


def _argument_problems(flow: Flow, returned: set[str]) -> Iterator[Problem]:
    for name, tool in flow.tools.items():
        for one in tool.arguments:
            is_known = one in flow.slots or one in flow.variables or one in returned or one == TIME_ZONE
            if not is_known and not OF_THE_CALL.fullmatch(one):
                yield f"tools.{name}.arguments", f"{one!r} is neither a slot nor a variable"
    entering = known_in(flow).entering
    for name, state in flow.states.items():
        if state.tool not in flow.tools or name not in entering:
            continue
        told = {*flow.variables, *entering[name]}
        for one in flow.tools[state.tool].arguments:
            if one not in told and (one in flow.slots or one in returned):
                why = _untold(flow, one)
                yield f"states.{name}.tool", f"{state.tool} is given {one!r}, but {why}"
