"""A flow as a picture: its states one under the other, and their ways beside them.

::

    ┌──────────┐◀───────────┐
    │ main     │ yes ───────│──●     each way begins at its own words, so none lies over another;
    └──────────┘            │  │     all ways to one state share its line, in its colour
    ┌──────────┐◀───────────│──┘
    │ booking  │ no ────────●
    └──────────┘
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sipagent.flows.graph import kind_of, text_of, ways_from_anywhere, ways_of
from sipagent.flows.schema import Flow

if TYPE_CHECKING:  # it takes a second to import
    from matplotlib.axes import Axes

_COLORS = {
    "listens": "#dcebf7",
    "says": "#eeeeee",
    "tool": "#fbe7c6",
    "transfer": "#e3d7f0",
    "end": "#f3d3d3",
}
_LINE_COLORS = (
    "#1f77b4",
    "#d9730d",
    "#2f8f2f",
    "#c23b3b",
    "#7d5ba6",
    "#8c564b",
    "#c2559d",
    "#6b6b6b",
    "#1f9ba8",
)
_BOX_CHARS, _WAY_CHARS, _MOST_LINES = 48, 40, 4
_CHAR_INCHES, _ROW_INCHES, _LANE_INCHES = 0.066, 0.2, 0.17
_BOX_INCHES = _BOX_CHARS * _CHAR_INCHES + 0.2
_GAP_INCHES, _EDGE_INCHES, _HEAD_INCHES = 0.16, 0.3, 0.95
_ANYWHERE = ""
"""In the place of a state's name: what works in all of them."""


@dataclass(frozen=True, slots=True)
class Way:
    """What leads from a state to another."""

    target: str
    lines: tuple[str, ...]
    y_inches: float


@dataclass(frozen=True, slots=True)
class Box:
    """A state in the picture; the y axis points down."""

    name: str
    lines: tuple[str, ...]
    color: str
    top_inches: float
    height_inches: float
    ways: tuple[Way, ...]

    @property
    def entry_inches(self) -> float:
        """Where ways arrive."""
        return self.top_inches + _ROW_INCHES * 0.65


def boxes_of(flow: Flow) -> list[Box]:
    """Every state in the order of the file, the first one first, under what works everywhere."""
    names = sorted(flow.states, key=lambda name: name != flow.start)
    boxes: list[Box] = []
    top = _HEAD_INCHES
    for name in (_ANYWHERE, *names):
        state = flow.states.get(name)
        said = textwrap.wrap(text_of(state), _BOX_CHARS) if state else ["in every state that listens"]
        if len(said) > _MOST_LINES:
            said = [*said[: _MOST_LINES - 1], f"{said[_MOST_LINES - 1]} …"]
        found = ways_of(flow, name) if state else ways_from_anywhere(flow)
        ways, rows = [], 1
        for target, events in found.items():
            lines = textwrap.wrap(", ".join(events), _WAY_CHARS) or [""]
            ways.append(Way(target, tuple(lines), top + _ROW_INCHES * (rows + 0.65)))
            rows += len(lines)
        height = _ROW_INCHES * (max(rows, len(said) + 1) + 0.35)
        color = _COLORS[kind_of(state)] if state else "#ffffff"
        boxes.append(Box(name, tuple(said), color, top, height, tuple(ways)))
        top += height + _GAP_INCHES
    return boxes


def lanes_of(boxes: list[Box]) -> dict[str, int]:
    """State → which of the vertical lines beside the boxes leads to it; none lies over another."""
    spans: dict[str, tuple[float, float]] = {}
    for box in boxes:
        at = [way.y_inches for other in boxes for way in other.ways if way.target == box.name]
        if at:
            spans[box.name] = min(*at, box.entry_inches), max(*at, box.entry_inches)
    lanes: dict[str, int] = {}
    for name in sorted(
        spans, key=lambda one: spans[one][1] - spans[one][0]
    ):  # the shortest next to the boxes
        low, high = spans[name]
        taken = {lanes[one] for one in lanes if spans[one][0] <= high and low <= spans[one][1]}
        lanes[name] = next(lane for lane in range(len(spans)) if lane not in taken)
    return lanes


def draw(flow: Flow, path: Path) -> None:
    """Write the picture; the ending of ``path`` says in which format (svg, png, pdf).

    :raises OSError: it cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    boxes = boxes_of(flow)
    lanes = lanes_of(boxes)
    longest = max((len(line) for box in boxes for way in box.ways for line in way.lines), default=0)
    first_lane = _EDGE_INCHES + _BOX_INCHES + longest * _CHAR_INCHES + 0.3
    wide = first_lane + (max(lanes.values(), default=0) + 1) * _LANE_INCHES + _EDGE_INCHES
    deep = boxes[-1].top_inches + boxes[-1].height_inches + _EDGE_INCHES
    figure = plt.figure(figsize=(wide, deep))
    try:
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(deep, 0))
        axes.axis("off")
        _draw_head(axes, flow)
        for box in boxes:
            _draw_box(axes, box)
        for index, name in enumerate(lanes):
            x = first_lane + lanes[name] * _LANE_INCHES
            _draw_ways(axes, boxes, name, x, _LINE_COLORS[index % len(_LINE_COLORS)])
        figure.savefig(path, dpi=110, facecolor="white")
    finally:
        plt.close(figure)


def _draw_head(axes: "Axes", flow: Flow) -> None:
    axes.text(_EDGE_INCHES, 0.4, flow.name, fontsize=12, weight="bold", va="center", parse_math=False)
    x = _EDGE_INCHES
    for kind, color in _COLORS.items():
        box = {"boxstyle": "round,pad=0.25", "facecolor": color, "edgecolor": "#555555", "linewidth": 0.8}
        axes.text(x + 0.06, 0.72, kind, fontsize=7, va="center", bbox=box)
        x += len(kind) * _CHAR_INCHES + 0.22


def _draw_box(axes: "Axes", box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (_EDGE_INCHES, box.top_inches), _BOX_INCHES, box.height_inches,
            boxstyle="round,pad=0,rounding_size=0.06", facecolor=box.color, edgecolor="#555555",
            linestyle="-" if box.name else "--", linewidth=0.9,
        )
    )  # fmt: skip
    x, y = _EDGE_INCHES + 0.1, box.entry_inches
    axes.text(x, y, box.name or "anywhere", fontsize=8.5, weight="bold", va="center")
    for row, line in enumerate(box.lines, 1):
        axes.text(x, y + row * _ROW_INCHES, line, fontsize=8, va="center", parse_math=False)
    for way in box.ways:
        for row, line in enumerate(way.lines):
            at = way.y_inches + row * _ROW_INCHES
            axes.text(_EDGE_INCHES + _BOX_INCHES + 0.08, at, line, fontsize=7.5, va="center", color="#333333",
                      parse_math=False)  # fmt: skip


def _draw_ways(axes: "Axes", boxes: list[Box], target: str, x: float, color: str) -> None:
    """The line of one state: from the words of every way to it, along its lane, into its box."""
    side = _EDGE_INCHES + _BOX_INCHES
    entry = next(box.entry_inches for box in boxes if box.name == target)
    ways = [way for box in boxes for way in box.ways if way.target == target]
    for way in ways:
        begin = side + 0.14 + len(way.lines[0]) * _CHAR_INCHES if way.lines[0] else side
        axes.plot((begin, x), (way.y_inches, way.y_inches), color=color, linewidth=1, zorder=1)
        axes.plot(x, way.y_inches, "o", color=color, markersize=2.6, zorder=2)
    at = [entry, *(way.y_inches for way in ways)]
    axes.plot((x, x), (min(at), max(at)), color=color, linewidth=1, zorder=1)
    axes.annotate(
        "", (side, entry), (x, entry), zorder=3,
        arrowprops={"arrowstyle": "-|>", "color": color, "shrinkA": 0, "shrinkB": 0, "linewidth": 1},
    )  # fmt: skip
