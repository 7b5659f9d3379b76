"""A flow as a picture: Mermaid text, or a drawing in layers with matplotlib."""

from pathlib import Path

from sipagent.flows.check import followers
from sipagent.flows.schema import Flow, StateConfig

_WRAP_CHARS = 26
_COLORS = {
    "listens": "#dcebf7",
    "tool": "#fbe7c6",
    "transfer": "#e3d7f0",
    "end": "#f3d3d3",
    "says": "#eeeeee",
}


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
    """The flow as a Mermaid flowchart."""
    lines = ["flowchart TD", f"  %% {flow.name}"]
    shapes = {"tool": "[[{}]]", "transfer": "[/{}/]", "end": "([{}])", "listens": "[{}]", "says": "({})"}
    for name, state in flow.states.items():
        lines.append(f"  {name}{shapes[kind_of(state)].format(_quoted(_label(name, state)))}")
    for name in flow.states:
        for after, events in _edges(flow, name).items():
            arrow = f"-->|{_quoted(', '.join(events))}|" if any(events) else "-->"
            lines.append(f"  {name} {arrow} {after}")
    everywhere = [(event, step.go) for event, step in flow.everywhere.items() if step.go]
    for event, name in (("operator, key 0", flow.operator), ("goodbye", flow.goodbye), *everywhere):
        lines.append(f"  anywhere((anywhere)) -.->|{_quoted(event)}| {name}")
    return "\n".join(lines) + "\n"


def draw(flow: Flow, path: Path) -> None:
    """Write the picture; the ending of ``path`` says in which format (svg, png, pdf)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    places = _places(flow)
    wide = max(x for x, _ in places.values()) + 1
    deep = max(y for _, y in places.values()) + 1
    figure, axes = plt.subplots(figsize=(3.4 * wide + 1, 1.9 * deep + 0.6))
    for name in flow.states:
        for after, events in _edges(flow, name).items():
            _arrow(axes, places[name], places[after], ", ".join(event for event in events if event))
    for name, (x, y) in places.items():
        state = flow.states[name]
        axes.text(
            x, -y, _wrapped(_label(name, state)), ha="center", va="center", fontsize=8, zorder=3,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": _COLORS[kind_of(state)], "edgecolor": "#555555"},
        )  # fmt: skip
    axes.set_title(f"{flow.name}   (anywhere: operator or 0 → {flow.operator}, goodbye → {flow.goodbye})")
    axes.set_xlim(-0.7, wide - 0.3)
    axes.set_ylim(-deep + 0.4, 0.6)
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", dpi=110)
    plt.close(figure)


def _edges(flow: Flow, name: str) -> dict[str, list[str]]:
    """Next state → what leads there; ways back to the same state are left out."""
    found: dict[str, list[str]] = {}
    for event, after in followers(flow, name):
        if after != name:
            found.setdefault(after, []).append(event)
    return found


def _places(flow: Flow) -> dict[str, tuple[int, int]]:
    """Column and row of each state: the row is the least number of steps from the start."""
    rows: dict[str, int] = {}
    todo = [(flow.start, 0)]
    while todo:
        name, depth = todo.pop(0)
        if name not in rows:
            rows[name] = depth
            todo += [(after, depth + 1) for after in _edges(flow, name)]
    last = max(rows.values()) + 1
    for name in flow.states:
        rows.setdefault(name, last)
    columns: dict[int, int] = {}
    places = {}
    for name, row in rows.items():
        places[name] = (columns.get(row, 0), row)
        columns[row] = columns.get(row, 0) + 1
    return places


def _arrow(axes: object, start: tuple[int, int], end: tuple[int, int], label: str) -> None:
    (x, y), (to_x, to_y) = start, end
    bend = 0.12 if to_y > y else -0.28
    axes.annotate(  # type: ignore[attr-defined]  # an Axes; matplotlib is imported where it is used
        "", (to_x, -to_y), (x, -y), zorder=1,
        arrowprops={"arrowstyle": "-|>", "color": "#888888", "shrinkA": 26, "shrinkB": 26,
                    "connectionstyle": f"arc3,rad={bend}"},
    )  # fmt: skip
    share = 0.42
    axes.text(  # type: ignore[attr-defined]
        x + (to_x - x) * share, -(y + (to_y - y) * share), _wrapped(label), fontsize=7, color="#444444",
        ha="center", va="center", zorder=2, backgroundcolor="#ffffffcc",
    )  # fmt: skip


def _label(name: str, state: StateConfig) -> str:
    what = state.tool or state.transfer or ", ".join(state.collect) or state.say or state.word
    return f"{name}: {what}" if what else name


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'


def _wrapped(text: str) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= _WRAP_CHARS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > 3:
        lines = [*lines[:2], lines[2] + " …"]
    return "\n".join(lines)
