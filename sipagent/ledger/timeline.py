"""The picture of a call: who spoke when, drawn as SVG from the entries' stamps."""

from collections.abc import Iterator
from html import escape

from sipagent.ledger.story import CallStory, StoryTurn

WIDTH, LEFT, RIGHT = 960, 64, 12
_LANES = {"caller": 34, "agent": 74}
_LANE_HEIGHT = 28
_EVENTS_Y, _AXIS_Y, HEIGHT = 120, 140, 164
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def timeline_svg(story: CallStory) -> str:
    """An ``<svg>`` element: a lane for each side, marks for events, latencies between them, an axis."""
    ends_ms = [turn.ended_ms for turn in story.turns] + [event.at_ms for event in story.events]
    span_ms = max(1000, story.duration_ms, *ends_ms) if ends_ms else max(1000, story.duration_ms)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Timeline of the call" class="timeline">',
        *_axis(span_ms),
        *(f'<text x="8" y="{y + 18}" class="lane">{who}</text>' for who, y in _LANES.items()),
        f'<text x="8" y="{_EVENTS_Y + 4}" class="lane">events</text>',
    ]
    for turn in story.turns:
        parts += _block(turn, span_ms)
    for event in story.events:
        x = _x(event.at_ms, span_ms)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{_EVENTS_Y}" r="3.5" class="event">'
            f"<title>{_seconds(event.at_ms)} {escape(event.kind)}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def _x(at_ms: int, span_ms: int) -> float:
    return LEFT + max(0, min(at_ms, span_ms)) / span_ms * (WIDTH - LEFT - RIGHT)


def _axis(span_ms: int) -> Iterator[str]:
    step_s = next((step for step in _STEPS_S if span_ms / 1000 / step <= 12), _STEPS_S[-1])
    yield f'<line x1="{LEFT}" y1="{_AXIS_Y}" x2="{WIDTH - RIGHT}" y2="{_AXIS_Y}" class="axis"/>'
    for at_s in range(0, span_ms // 1000 + 1, step_s):
        x = _x(at_s * 1000, span_ms)
        yield f'<line x1="{x:.1f}" y1="24" x2="{x:.1f}" y2="{_AXIS_Y + 4}" class="grid"/>'
        yield f'<text x="{x:.1f}" y="{_AXIS_Y + 18}" class="tick">{at_s} s</text>'


def _block(turn: StoryTurn, span_ms: int) -> Iterator[str]:
    x1, x2 = _x(turn.began_ms, span_ms), _x(turn.ended_ms, span_ms)
    y = _LANES[turn.who]
    state = " interrupted" if turn.is_interrupted else ""
    yield (
        f'<rect x="{x1:.1f}" y="{y}" width="{max(1.5, x2 - x1):.1f}" height="{_LANE_HEIGHT}" rx="3" '
        f'class="{turn.who}{state}"><title>{_seconds(turn.began_ms)} to {_seconds(turn.ended_ms)}: '
        f"{escape(turn.text)}{' (interrupted)' if state else ''}</title></rect>"
    )
    if turn.v2v_ms is not None:
        start = _x(turn.began_ms - turn.v2v_ms, span_ms)
        yield (
            f'<line x1="{start:.1f}" y1="{y - 6}" x2="{x1:.1f}" y2="{y - 6}" class="v2v">'
            f"<title>voice to voice {turn.v2v_ms} ms</title></line>"
        )


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s"
