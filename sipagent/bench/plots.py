"""Pictures that several benchmarks draw: one row of dots a group on a time axis, and bars of shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sipagent.lab.timeline import INK, MUTED, PAPER

GOOD, FAIR, BAD = "#2b8a3e", "#e67700", "#c92a2a"
_ROW_IN, _HEAD_IN, _FOOT_IN = 0.46, 1.0, 0.55


def draw_dots(
    groups: Mapping[str, Sequence[float]],
    png: Path,
    *,
    title: str,
    subtitle: str,
    limits: Sequence[float] = (),
    unit: str = "ms",
    starts_at_zero: bool = True,
) -> None:
    """One row a group, one dot a measurement, a bar at its median.

    :param limits: where green ends and amber ends; none: all dots are green.
    """
    figure, axes = _figure(len(groups), title, subtitle)
    rng = np.random.default_rng(0)
    for row, values in enumerate(groups.values()):
        spread = rng.uniform(-0.22, 0.22, len(values))
        colours = [_colour(value, limits) for value in values]
        axes.scatter(values, row + spread, s=22, color=colours, alpha=0.75, linewidths=0)
        if len(values):
            axes.plot([np.median(values)] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=1.6)
    for limit in limits:
        axes.axvline(limit, color=MUTED, linewidth=0.8, linestyle="--")
    if starts_at_zero:
        axes.set_xlim(left=0.0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} {unit}")
    _finish(figure, axes, list(groups), png)


def draw_shares(groups: Mapping[str, tuple[int, int]], png: Path, *, title: str, subtitle: str) -> None:
    """One bar a group: how many (bad) of how many."""
    figure, axes = _figure(len(groups), title, subtitle)
    for row, (bad, count) in enumerate(groups.values()):
        share_pct = 100 * bad / count if count else 0.0
        axes.barh(row, 100 if count else 0, height=0.56, color="#e9edf1")
        axes.barh(row, share_pct, height=0.56, color=BAD)
        axes.text(1.0, row, f"{bad} of {count}", va="center", fontsize=9, color=INK)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    _finish(figure, axes, list(groups), png)


def draw_histogram(
    values_ms: Sequence[float], png: Path, *, title: str, subtitle: str, bin_ms: float, limit_ms: float
) -> None:
    """How often each duration came, on a logarithmic scale; what is beyond the limit is red."""
    figure, axes = _figure(6, title, subtitle)
    counts, edges = np.histogram(values_ms, bins=np.arange(0.0, max([*values_ms, 40.0]) + bin_ms, bin_ms))
    colours = [GOOD if edge < limit_ms else BAD for edge in edges[:-1]]
    axes.bar(edges[:-1] + bin_ms / 2, counts, width=bin_ms * 0.92, color=colours)
    axes.axvline(limit_ms, color=MUTED, linewidth=0.8, linestyle="--")
    axes.set_yscale("symlog")
    axes.set_xlim(left=0.0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} ms")
    _save(figure, axes, png)


def _colour(value: float, limits: Sequence[float]) -> str:
    passed = sum(value > limit for limit in limits)
    return (GOOD, FAIR, BAD)[min(passed, 2)]


def _figure(rows: int, title: str, subtitle: str) -> tuple[Figure, Axes]:
    height_in = _HEAD_IN + _ROW_IN * max(rows, 1) + _FOOT_IN
    figure = Figure(figsize=(10, height_in))
    figure.text(0.02, 1 - 0.3 / height_in, title, fontsize=14, fontweight="bold", va="center", color=INK)
    figure.text(0.02, 1 - 0.62 / height_in, subtitle, fontsize=10, color=MUTED, va="center")
    axes = figure.add_axes((0.2, _FOOT_IN / height_in, 0.77, 1 - (_HEAD_IN + _FOOT_IN) / height_in))
    return figure, axes


def _finish(figure: Figure, axes: Axes, names: list[str], png: Path) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _save(figure, axes, png)


def _save(figure: Figure, axes: Axes, png: Path) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=MUTED)
    axes.grid(axis="x", color="#e9edf1")
    axes.set_axisbelow(True)
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(png, dpi=110, facecolor=PAPER)
