"""A picture of a call: both waveforms with what was said, and where the time of every reply went.

::

    row of 20 s:   CALLER ▂▅▇▅▂ "Hi, are you open…"
                               ├ 512 ms ┤
                   AGENT                 ▂▅▇▇▅▂ "Yes, from eight…"
    …
    bars:          reply 1  pause│STT│LLM│clause│TTS│commit│wire
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sipagent.call.stages import STAGE_NAMES
from sipagent.lab.conversation import Conversation, Party, Utterance
from sipagent.lab.live import QUICK_MS, SLOW_MS, summary_line
from sipagent.media.wav import read_wav_channels
from sipagent.units import Pcm16

ROW_S = 20.0
_WIDTH_IN, _ROW_IN, _BAR_IN, _HEAD_IN = 15.0, 2.75, 0.34, 0.75
_SHORTEST_ROW = 0.5
"""A row may end this early rather than cut through somebody's words or a wait."""
_CHARS_A_SECOND = 11.0
_MOST_TEXT_LINES = 3
_TEXT_ROOM_S = 2.2
"""Words may be written wider than they were spoken, up to this."""

INK, MUTED, PAPER = "#1d2430", "#6b7585", "#ffffff"
COLOURS = {Party.CALLER: "#0b7285", Party.AGENT: "#7048a8"}
TINTS = {Party.CALLER: "#e3f4f6", Party.AGENT: "#f0eaf8"}
_CENTRES = {Party.CALLER: 1.0, Party.AGENT: -1.0}
STAGE_COLOURS = dict(
    zip(
        STAGE_NAMES,
        ("#adb5bd", "#1c7ed6", "#f59f00", "#fab005", "#37b24d", "#e8590c", "#495057"),
        strict=True,
    )
)


def draw_timeline(conversation: Conversation, wav: Path, png: Path, *, title: str) -> None:
    """Draw the call.

    :param wav: stereo, caller left, agent right, beginning with the answer.
    :raises AudioFormatError: the recording cannot be read.
    """
    tracks, rate_hz = read_wav_channels(wav)
    duration_s = max(tracks[0].size / rate_hz, 1.0)
    rows = split_rows(conversation.utterances, duration_s)
    replies = [u for u in conversation.utterances if u.v2v_ms is not None]
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": INK, "axes.edgecolor": "#ccd2da"}):
        figure = _draw(conversation, rows, replies, tracks, rate_hz, title)
        figure.savefig(png, dpi=110, facecolor=PAPER)


def split_rows(utterances: Sequence[Utterance], duration_s: float) -> list[tuple[float, float]]:
    """(start, end) of each row in seconds: at most ``ROW_S``, if possible ending where nobody
    speaks or is waited for."""
    rows = []
    start_s = 0.0
    while duration_s - start_s > ROW_S:
        end_s = start_s + ROW_S
        candidates = np.arange(end_s, start_s + ROW_S * _SHORTEST_ROW, -0.1)
        quiet = (t for t in candidates if not any(_spans_moment(u, t * 1000) for u in utterances))
        end_s = float(next(quiet, end_s))
        rows.append((start_s, end_s))
        start_s = end_s
    return [*rows, (start_s, duration_s)]


def _spans_moment(utterance: Utterance, at_ms: float) -> bool:
    """Whether somebody speaks then, or is waited for."""
    return utterance.start_ms - (utterance.v2v_ms or 0.0) < at_ms < utterance.end_ms


def _draw(
    conversation: Conversation,
    rows: list[tuple[float, float]],
    replies: list[Utterance],
    tracks: Sequence[Pcm16],
    rate_hz: int,
    title: str,
) -> Figure:
    bars_in = _BAR_IN * (len(replies) + 1.6) + 0.3 if replies else 0.2
    height_in = _HEAD_IN + _ROW_IN * len(rows) + bars_in
    figure = Figure(figsize=(_WIDTH_IN, height_in))
    grid = figure.add_gridspec(
        len(rows) + 1,
        1,
        height_ratios=[_ROW_IN] * len(rows) + [bars_in],
        left=0.055,
        right=0.985,
        top=1 - _HEAD_IN / height_in,
        bottom=0.42 / height_in,
        hspace=0.16,
    )
    figure.text(0.055, 1 - 0.28 / height_in, title, fontsize=15, fontweight="bold", va="center")
    summary = summary_line(conversation)
    figure.text(0.055, 1 - 0.55 / height_in, summary, fontsize=9.5, color=MUTED, va="center")
    for index, (start_s, end_s) in enumerate(rows):
        axes = figure.add_subplot(grid[index])
        _draw_row(axes, conversation.utterances, tracks, rate_hz, start_s, end_s)
    bars = figure.add_subplot(grid[len(rows)])
    if replies:
        _draw_bars(bars, replies)
    else:
        bars.axis("off")
    return figure


def _draw_row(
    axes: Axes,
    utterances: Sequence[Utterance],
    tracks: Sequence[Pcm16],
    rate_hz: int,
    start_s: float,
    end_s: float,
) -> None:
    axes.set_xlim(start_s, start_s + ROW_S)
    axes.set_ylim(-2.45, 2.15)
    axes.set_yticks([_CENTRES[p] for p in Party], [p.value for p in Party], fontsize=10, fontweight="bold")
    for label, party in zip(axes.get_yticklabels(), Party, strict=True):
        label.set_color(COLOURS[party])
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(np.ceil(start_s / 2) * 2, end_s + 0.01, 2))
    axes.xaxis.set_major_formatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02d}")
    axes.tick_params(axis="x", labelsize=8, labelcolor=MUTED, pad=1)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    for party, track in zip(Party, tracks, strict=True):
        axes.hlines(_CENTRES[party], start_s, end_s, color="#dde2e8", linewidth=0.6, zorder=1)
        _draw_wave(axes, track, rate_hz, start_s, end_s, party)
    for index, utterance in enumerate(utterances):
        if utterance.end_ms > start_s * 1000 and utterance.start_ms < end_s * 1000:
            later = (u.start_ms for u in utterances[index + 1 :] if u.party is utterance.party)
            _draw_utterance(axes, utterance, start_s, end_s, next(later, float("inf")) / 1000)


def _draw_wave(axes: Axes, track: Pcm16, rate_hz: int, start_s: float, end_s: float, party: Party) -> None:
    """The envelope, its loudest point half a lane high."""
    pcm = track[int(start_s * rate_hz) : int(end_s * rate_hz)].astype(np.float64)
    step = max(rate_hz // 80, 1)
    whole = pcm.size // step * step
    if whole == 0:
        return
    blocks = pcm[:whole].reshape(-1, step)
    scale = 0.52 / max(float(np.abs(track.astype(np.float64)).max()), 1.0)
    seconds = start_s + (np.arange(len(blocks)) + 0.5) * step / rate_hz
    low, high = blocks.min(axis=1) * scale, blocks.max(axis=1) * scale
    centre = _CENTRES[party]
    axes.fill_between(seconds, centre + low, centre + high, color=COLOURS[party], linewidth=0, zorder=3)


def _draw_utterance(axes: Axes, utterance: Utterance, start_s: float, end_s: float, next_s: float) -> None:
    """Shade one turn and write its words beside it; ``next_s``: where the same party's next turn begins."""
    party, centre = utterance.party, _CENTRES[utterance.party]
    left = max(utterance.start_ms / 1000, start_s)
    right = min(utterance.end_ms / 1000, end_s)
    axes.fill_betweenx([centre - 0.58, centre + 0.58], left, right, color=TINTS[party], linewidth=0, zorder=0)
    visible = (right - left) * 1000 / max(utterance.end_ms - utterance.start_ms, 1)
    if visible >= 0.5 and utterance.text:
        is_above = party is Party.CALLER
        text = utterance.text + (" ✂" if utterance.was_interrupted else "")
        axes.text(
            left,
            centre + (0.68 if is_above else -0.68),
            _short(text, min(max(right - left, _TEXT_ROOM_S), next_s - left)),
            fontsize=8.2,
            va="bottom" if is_above else "top",
            color=INK,
            linespacing=1.15,
            zorder=4,
        )
    if utterance.v2v_ms is not None and utterance.start_ms / 1000 >= start_s:
        _draw_v2v(axes, utterance)


def _draw_v2v(axes: Axes, reply: Utterance) -> None:
    """The wait between the two lanes, on the time axis, in the colours of its stages."""
    assert reply.v2v_ms is not None
    begin_s = (reply.start_ms - reply.v2v_ms) / 1000
    at_s = begin_s
    for stage in reply.stages:
        width_s = stage.duration_ms / 1000
        axes.barh(0, width_s, left=at_s, height=0.26, color=STAGE_COLOURS[stage.name], linewidth=0, zorder=3)
        at_s += width_s
    if not reply.stages:
        axes.barh(0, reply.v2v_ms / 1000, left=begin_s, height=0.26, color=MUTED, linewidth=0, zorder=3)
    axes.vlines([begin_s], 0, 0.42, color=COLOURS[Party.CALLER], linewidth=1.0, zorder=2)
    axes.vlines([reply.start_ms / 1000], -0.42, 0, color=COLOURS[Party.AGENT], linewidth=1.0, zorder=2)
    axes.text(
        reply.start_ms / 1000 + 0.08,
        0,
        f"{reply.v2v_ms:.0f} ms",
        fontsize=9,
        fontweight="bold",
        va="center",
        color=v2v_colour(reply.v2v_ms),
        zorder=4,
    )


def _draw_bars(axes: Axes, replies: list[Utterance]) -> None:
    """One stacked bar a reply, with the milliseconds of each stage."""
    longest_ms = max(reply.v2v_ms or 0.0 for reply in replies)
    for index, reply in enumerate(replies):
        left_ms = 0.0
        for stage in reply.stages:
            colour = STAGE_COLOURS[stage.name]
            axes.barh(index, stage.duration_ms, left=left_ms, height=0.66, color=colour, linewidth=0)
            if stage.duration_ms > 0.022 * longest_ms:
                middle_ms = left_ms + stage.duration_ms / 2
                ink = {"color": "white", "fontsize": 7.8, "ha": "center", "va": "center"}
                axes.text(middle_ms, index, f"{stage.duration_ms:.0f}", **ink)  # type: ignore[arg-type]
            left_ms += stage.duration_ms
        assert reply.v2v_ms is not None
        if not reply.stages:
            axes.barh(index, reply.v2v_ms, height=0.66, color=MUTED, linewidth=0)
        total = f" {reply.v2v_ms:.0f} ms"
        axes.text(
            reply.v2v_ms,
            index,
            total,
            va="center",
            fontsize=9,
            fontweight="bold",
            color=v2v_colour(reply.v2v_ms),
        )
    axes.set_ylim(len(replies) - 0.4, -2.0)
    axes.set_xlim(0, longest_ms * 1.08)
    axes.set_yticks(range(len(replies)), [f"reply {i + 1}" for i in range(len(replies))], fontsize=8.5)
    axes.tick_params(length=0, labelcolor=MUTED, labelsize=8.5)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(axis="x", color="#e9edf1", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} ms")
    _draw_legend(axes)


def _draw_legend(axes: Axes) -> None:
    handles = [axes.barh([0], [0], color=colour, label=name) for name, colour in STAGE_COLOURS.items()]
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.0,
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.4,
        title="Where the time went, from the caller's last sound to the agent's first, on the wire",
        title_fontsize=9.5,
        alignment="left",
    )


def v2v_colour(v2v_ms: float) -> str:
    """Green, amber or red."""
    return "#2b8a3e" if v2v_ms <= QUICK_MS else "#e67700" if v2v_ms <= SLOW_MS else "#c92a2a"


def _short(text: str, room_s: float) -> str:
    """The text in a few lines as wide as its speech is long."""
    width = max(int(room_s * _CHARS_A_SECOND), 8)
    lines = textwrap.wrap(text, width)
    if len(lines) > _MOST_TEXT_LINES:
        lines = lines[:_MOST_TEXT_LINES]
        lines[-1] = lines[-1][: width - 1].rstrip(" ,.") + "…"
    return "\n".join(lines)
