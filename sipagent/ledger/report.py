"""A call as one HTML file that needs nothing else: no script, no font, no address outside."""

from collections.abc import Iterator, Sequence
from html import escape

from sipagent.ledger.read import ChainEntry
from sipagent.ledger.story import STAGES, CallStory, StoryTurn
from sipagent.ledger.timeline import timeline_svg

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #667085; --line: #d5dae1; --paper: #fff;
  --caller: #2f6fb2; --agent: #3a8f6a; --stop: #b3541e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --dim: #98a2b3; --line: #374151; --paper: #14181f;
    --caller: #6ea8e0; --agent: #6cc39a; --stop: #e08d55; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.35rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
.wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--dim); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.dim, .lane, .tick { color: var(--dim); fill: var(--dim); }
code { font-size: .85em; overflow-wrap: anywhere; }
svg.timeline { width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; }
.tick { text-anchor: middle; }
.axis { stroke: var(--dim); }
.grid { stroke: var(--line); }
.event { fill: var(--dim); }
rect.caller { fill: var(--caller); }
rect.agent { fill: var(--agent); }
rect.interrupted { stroke: var(--stop); stroke-width: 2.5; }
.v2v { stroke: var(--stop); stroke-width: 3; }
td.caller { color: var(--caller); }
td.agent { color: var(--agent); }
"""


def html_report(story: CallStory, entries: Sequence[ChainEntry]) -> str:
    """The page: facts, timeline, transcript, latencies, events, and the entries with their hashes."""
    title = f"Call {story.call_id}"
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{escape(title)}</h1><p class="dim">{escape(_headline(story))}</p>',
        "<h2>Timeline</h2>",
        timeline_svg(story),
        '<p class="dim">Outlined: the agent was interrupted. Bar above the agent: from the caller\'s last '
        "sound to the agent's first.</p>",
        *_transcript(story),
        *_latencies(story),
        *_facts(story),
        *_events(story),
        *_proof(entries),
        "</body></html>\n",
    ]
    return "".join(parts)


def _headline(story: CallStory) -> str:
    length = f"{story.duration_ms / 1000:.1f} s" if story.is_ended else "not ended"
    facts = (story.began_utc, story.direction, story.trunk, story.persona, length, story.cause)
    return " · ".join(fact for fact in facts if fact)


def _facts(story: CallStory) -> Iterator[str]:
    yield "<h2>Facts</h2><table>"
    for key, value in story.as_row().items():
        if value not in (None, ""):
            yield f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>"
    yield "</table>"


def _transcript(story: CallStory) -> Iterator[str]:
    yield '<h2>Transcript</h2><table><tr><th class="n">at</th><th>who</th><th>what was heard</th></tr>'
    for turn in story.turns:
        yield (
            f'<tr><td class="n">{turn.began_ms / 1000:.1f} s</td><td class="{turn.who}">{turn.who}</td>'
            f"<td>{escape(turn.text)}{_aside(turn)}</td></tr>"
        )
    yield "</table>"


def _aside(turn: StoryTurn) -> str:
    parts = ["interrupted"] if turn.is_interrupted else []
    if turn.meant:
        parts.append(f"meant: {turn.meant}")
    return f' <span class="dim">({escape("; ".join(parts))})</span>' if parts else ""


def _latencies(story: CallStory) -> Iterator[str]:
    timed = [turn for turn in story.turns if turn.v2v_ms is not None or turn.stages_ms]
    if not timed:
        return
    stages = [stage for stage in STAGES[1:-1] if any(stage in turn.stages_ms for turn in timed)]
    yield '<h2>Latencies</h2><p class="dim">ms since the caller\'s last sound</p>'
    yield '<div class="wide"><table><tr>'
    yield '<th class="n">turn</th>' + "".join(f'<th class="n">{stage}</th>' for stage in stages)
    yield '<th class="n">voice to voice</th></tr>'
    for turn in timed:
        cells = [turn.stages_ms.get(stage, "") for stage in stages]
        v2v = "" if turn.v2v_ms is None else turn.v2v_ms
        yield "<tr>" + "".join(f'<td class="n">{cell}</td>' for cell in (turn.turn_id, *cells, v2v)) + "</tr>"
    yield "</table></div>"


def _events(story: CallStory) -> Iterator[str]:
    yield '<h2>Events</h2><table><tr><th class="n">at</th><th>kind</th><th></th></tr>'
    for event in story.events:
        yield (
            f'<tr><td class="n">{event.at_ms / 1000:.1f} s</td><td>{escape(event.kind)}</td>'
            f"<td><code>{escape(event.text)}</code></td></tr>"
        )
    yield "</table>"


def _proof(entries: Sequence[ChainEntry]) -> Iterator[str]:
    yield '<h2>Entries</h2><p class="dim">Their places in the ledger; sipagent ledger verify checks them</p>'
    yield '<div class="wide"><table><tr><th>chain</th><th class="n">entry</th><th>kind</th>'
    yield "<th>SHA-256</th></tr>"
    for one in entries:
        entry = one.entry
        yield (
            f'<tr><td>{escape(one.chain)}</td><td class="n">{entry.seq}</td><td>{escape(entry.kind)}</td>'
            f"<td><code>{escape(entry.sha256)}</code></td></tr>"
        )
    yield "</table></div>"
