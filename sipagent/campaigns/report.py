"""A campaign as one HTML file that needs nothing else, with its pictures drawn as SVG."""

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from sipagent.campaigns.report_hours import colour_of, hours_svg
from sipagent.campaigns.store_views import AttemptRow, CampaignView

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #667085; --line: #d5dae1; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --dim: #98a2b3; --line: #374151; --paper: #14181f; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.35rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
th, .dim { color: var(--dim); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
"""
_WIDTH, _ROW, _LEFT = 900, 26, 150


def html_report(
    view: CampaignView, attempts: Sequence[AttemptRow], contacts: Sequence[dict[str, Any]]
) -> str:
    """The page: counts, pictures, every contact."""
    title = f"Campaign {view.name}"
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(headline(view, attempts))}</p>',
        "<h2>Attempts by outcome</h2>",
        outcome_svg(attempts),
        hours_svg(attempts),
        *_results(contacts),
        *_contacts(contacts),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def headline(view: CampaignView, attempts: Sequence[AttemptRow]) -> str:
    """The campaign in one line."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(view.contacts.items()))
    talk_min = sum(one.talk_ms for one in attempts) / 60_000
    why = f" ({view.why})" if view.why else ""
    calls = f"{len(attempts)} attempts, {talk_min:.1f} min of talk"
    return f"{view.state}{why}; {view.total} contacts: {states or 'none'}; {calls}"


def outcome_svg(attempts: Sequence[AttemptRow]) -> str:
    """One bar for each outcome, its parts the first, second, third … attempt."""
    counts = Counter((one.outcome or "in progress", one.n) for one in attempts)
    totals = Counter(one.outcome or "in progress" for one in attempts)
    longest = max(totals.values(), default=1)
    height = _ROW * max(1, len(totals)) + 10
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="attempts by outcome">']
    for row, (outcome, total) in enumerate(totals.most_common()):
        y, x = row * _ROW + 4, float(_LEFT)
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(outcome)}</text>')
        colour = colour_of(outcome)
        for n in sorted(number for name, number in counts if name == outcome):
            width = counts[outcome, n] / longest * (_WIDTH - _LEFT - 60)
            shade = max(0.35, 1.0 - 0.22 * (n - 1))
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{max(width - 1, 1):.1f}" height="20" fill="{colour}" '
                f'opacity="{shade:.2f}"><title>attempt {n}: {counts[outcome, n]}</title></rect>'
            )
            x += width
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{total}</text>')
    return "".join([*parts, "</svg>", '<p class="dim">Paler: second and later attempts.</p>'])


def _results(contacts: Sequence[dict[str, Any]]) -> Iterator[str]:
    names = Counter(result["name"] for one in contacts for result in one["results"])
    if not names:
        return
    yield "<h2>What the conversations came to</h2><table><tr><th>result</th><th class=n>contacts</th></tr>"
    for name, count in names.most_common():
        yield f"<tr><td>{escape(name)}</td><td class=n>{count}</td></tr>"
    yield "</table>"


def _contacts(contacts: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield '<h2>Contacts</h2><div class="wide"><table><tr><th>key</th><th>number</th><th>state</th>'
    yield "<th>outcome</th><th>result</th><th>why</th><th class=n>attempts</th></tr>"
    for one in contacts:
        told = "; ".join(_told(result) for result in one["results"])
        why = one["why"] if one["why"] != one["outcome"] else ""
        cells = (one["key"], one["number"], one["state"], one["outcome"], told, why)
        row = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        yield f"<tr>{row}<td class=n>{one['attempts']}</td></tr>"
    yield "</table></div>"


def _told(result: dict[str, Any]) -> str:
    data = ", ".join(f"{key} {value}" for key, value in result["data"].items())
    return f"{result['name']} ({data})" if data else str(result["name"])
