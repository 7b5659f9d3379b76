"""The picture of ``sipagent bench turns``: how the voice-to-voice times spread, and where the median goes."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sipagent.bench.turns import TurnsResult
from sipagent.lab.timeline import INK, MUTED, PAPER, STAGE_COLOURS, v2v_colour

_BIN_MS = 50.0


def draw_turns(result: TurnsResult, png: Path) -> None:
    """Draw histogram and waterfall side by side."""
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": INK, "axes.edgecolor": "#ccd2da"}):
        figure = Figure(figsize=(13, 4.6))
        grid = figure.add_gridspec(1, 2, left=0.05, right=0.985, top=0.755, bottom=0.09, wspace=0.14)
        calls = f"{result.calls_at_once} call{'s' * (result.calls_at_once > 1)} at a time"
        title = f"Voice to voice on the wire: p50 {result.v2v.p50:.0f} ms, p95 {result.v2v.p95:.0f} ms"
        figure.text(0.05, 0.94, title, fontsize=14, fontweight="bold", va="center")
        figure.text(0.05, 0.875, f"{result.turns} turns, {calls}", fontsize=10, color=MUTED, va="center")
        _histogram(figure.add_subplot(grid[0]), result)
        _waterfall(figure.add_subplot(grid[1]), result)
        figure.savefig(png, dpi=110, facecolor=PAPER)


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, color=MUTED, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=MUTED)
    axes.set_axisbelow(True)


def _histogram(axes: Axes, result: TurnsResult) -> None:
    _plain(axes, "replies by voice-to-voice time")
    longest_ms = max([*result.v2v_ms, _BIN_MS])
    counts, edges = np.histogram(result.v2v_ms, bins=np.arange(0, longest_ms + 2 * _BIN_MS, _BIN_MS))
    colours = [v2v_colour(edge + _BIN_MS / 2) for edge in edges[:-1]]
    axes.bar(edges[:-1] + _BIN_MS / 2, counts, width=_BIN_MS * 0.92, color=colours)
    for name, at_ms in (("p50", result.v2v.p50), ("p95", result.v2v.p95)):
        axes.axvline(at_ms, color=INK, linewidth=1, linestyle="--")
        axes.text(at_ms, counts.max() * 1.04, f" {name}", fontsize=9)
    axes.set_ylim(0, counts.max() * 1.15 + 0.1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e9edf1")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} ms")


def _waterfall(axes: Axes, result: TurnsResult) -> None:
    """Median of each stage, each beginning where the one before ends."""
    _plain(axes, "median of each stage, in the order of the work")
    left_ms = 0.0
    for index, (name, shares) in enumerate(result.stages.items()):
        axes.barh(index, shares.p50, left=left_ms, height=0.66, color=STAGE_COLOURS[name])
        axes.text(left_ms + shares.p50, index, f" {shares.p50:.0f}", va="center", fontsize=9)
        left_ms += shares.p50
    axes.set_yticks(range(len(result.stages)), list(result.stages))
    axes.invert_yaxis()
    axes.set_xlim(0, max(left_ms, 1) * 1.1)
    axes.grid(axis="x", color="#e9edf1")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} ms")
