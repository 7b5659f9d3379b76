"""Calls over time as a picture: when which outcomes came, drawn as SVG. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from sipagent.campaigns.outcomes import Outcome
from sipagent.campaigns.store_views import AttemptRow

COLOURS = {
    Outcome.ANSWERED: "#2b8a3e", Outcome.VOICEMAIL: "#1971c2", Outcome.MACHINE: "#74a7d6",
    Outcome.SILENT: "#9775b5", Outcome.FAX: "#868e96", Outcome.BUSY: "#e8a33d", Outcome.NO_ANSWER: "#f0c36d",
    Outcome.INVALID_NUMBER: "#a61e4d", Outcome.REJECTED: "#d9480f", Outcome.FAILED: "#c92a2a",
    Outcome.OPTED_OUT: "#5f3dc4", Outcome.UNSETTLED: "#212529",
}  # fmt: skip
OTHER_COLOUR = "#868e96"
_WIDTH, _HEIGHT, _LEFT, _FOOT, _LEGEND_PX = 900, 190, 40, 30, 122
_MOST_HOURS = 96
"""Of a longer time each bar is a day."""


def colour_of(outcome: str) -> str:
    """One for each outcome, the same in every picture."""
    return COLOURS.get(Outcome(outcome), OTHER_COLOUR) if outcome in set(Outcome) else OTHER_COLOUR


def hours_svg(attempts: Sequence[AttemptRow]) -> str:
    """One bar for each hour, or day, from the first call to the last; its parts the outcomes. Empty: none."""
    times = [datetime.fromisoformat(one.dialled_utc.replace("Z", "+00:00")) for one in attempts]
    if not times:
        return ""
    is_hourly = max(times) - min(times) <= timedelta(hours=_MOST_HOURS)
    step = timedelta(hours=1) if is_hourly else timedelta(days=1)
    first = _floor(min(times), is_hourly=is_hourly)
    names = [one.outcome or "in progress" for one in attempts]
    counts = Counter(((at - first) // step, name) for at, name in zip(times, names, strict=True))
    totals = Counter((at - first) // step for at in times)
    bars, most = max(totals) + 1, max(totals.values())
    order = [name for name, _ in Counter(names).most_common()]
    width = (_WIDTH - _LEFT) / bars
    top = 24 * (1 + (len(order) - 1) // ((_WIDTH - _LEFT) // _LEGEND_PX))
    parts = [_legend(order), f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{most}</text>']
    label_every = -(-bars // 8)
    for bar in range(bars):
        x, y = _LEFT + bar * width, float(top + _HEIGHT)
        begins = first + bar * step
        for name in order:
            if count := counts[bar, name]:
                height = count / most * _HEIGHT
                y -= height
                when = f"{begins:%Y-%m-%d %H:%M}" if is_hourly else f"{begins:%Y-%m-%d}"
                parts.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width - 1, 0.8):.1f}" height="{height:.1f}" '
                    f'fill="{colour_of(name)}"><title>{when}: {count} {escape(name)}</title></rect>'
                )
        if bar % label_every == 0:
            label = f"{begins:%d %b %H:%M}" if is_hourly else f"{begins:%d %b}"
            parts.append(f'<text x="{x:.1f}" y="{top + _HEIGHT + 18}">{label}</text>')
    what = "hour" if is_hourly else "day"
    return (
        f'<h2>Calls by {what} (UTC)</h2><svg viewBox="0 0 {_WIDTH} {top + _HEIGHT + _FOOT}" role="img" '
        f'aria-label="calls by {what} and outcome">{"".join(parts)}</svg>'
    )


def _legend(names: Sequence[str]) -> str:
    """Names with their colours, in rows."""
    a_row = (_WIDTH - _LEFT) // _LEGEND_PX
    parts = []
    for index, name in enumerate(names):
        x, y = _LEFT + index % a_row * _LEGEND_PX, 4 + index // a_row * 22
        parts.append(f'<rect x="{x}" y="{y}" width="11" height="11" fill="{colour_of(name)}"/>')
        parts.append(f'<text x="{x + 16}" y="{y + 10}">{escape(name)}</text>')
    return "".join(parts)


def _floor(at: datetime, *, is_hourly: bool) -> datetime:
    at = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return at if is_hourly else at.replace(hour=0)
