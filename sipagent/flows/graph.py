"""A flow as Mermaid text, and what its pictures share."""

from sipagent.flows.check import followers
from sipagent.flows.schema import Flow, StateConfig

_SHAPES = {"tool": "[[{}]]", "transfer": "[/{}/]", "end": "([{}])", "listens": "[{}]", "says": "({})"}
_ENTITIES = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
_ANYWHERE = "anywhere"


def kind_of(state: StateConfig) -> str:
    """What a state does, for its colour and shape."""
    if state.tool:
        return "tool"
    if state.transfer:
        return "transfer"
    if state.end:
        return "end"
    return "listens" if state.is_listening else "says"


def mermaid(flow: Flow) -> str:
    """The flow as a Mermaid flowchart. ``end`` means something to Mermaid, ``s_end`` does not."""
    lines = ["flowchart TD", f"  %% {flow.name}"]
    for name, state in flow.states.items():
        text = text_of(state)
        label = _quoted(f"{name}: {text}" if text else name)
        lines.append(f"  s_{name}{_SHAPES[kind_of(state)].format(label)}")
    for name in flow.states:
        for after, events in ways_of(flow, name).items():
            arrow = f"-->|{_quoted(', '.join(events))}|" if events else "-->"
            lines.append(f"  s_{name} {arrow} s_{after}")
    for after, events in ways_from_anywhere(flow).items():
        lines.append(f"  {_ANYWHERE}(({_ANYWHERE})) -.->|{_quoted(', '.join(events))}| s_{after}")
    return "\n".join(lines) + "\n"


def ways_of(flow: Flow, name: str) -> dict[str, list[str]]:
    """Next state → what leads there, nothing where it simply follows; ways back to the same state are left
    out."""
    found: dict[str, list[str]] = {}
    for event, after in followers(flow, name):
        if after != name:
            found.setdefault(after, []).extend([event] if event else [])
    return found


def ways_from_anywhere(flow: Flow) -> dict[str, list[str]]:
    """The same for what works in every state that listens."""
    found = {flow.operator: ["operator, key 0"]}
    found.setdefault(flow.goodbye, []).append("goodbye")
    for event, step in flow.everywhere.items():
        if step.go:
            found.setdefault(step.go, []).append(event)
    return found


def text_of(state: StateConfig) -> str:
    """What a state says or does, in short."""
    asked = f"asks for {', '.join(state.collect)}" if state.collect else ""
    return state.tool or state.transfer or asked or state.say or state.word


def _quoted(text: str) -> str:
    return '"' + "".join(_ENTITIES.get(char, char) for char in text) + '"'
