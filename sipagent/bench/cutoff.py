"""``sipagent bench cutoff``: callers who pause to think; does the agent wait until they are done?"""

import argparse
import dataclasses
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, plain_table, publish, share_figure, share_text
from sipagent.bench.session import MeasuredCall, Session, in_rounds, measure_calls
from sipagent.bench.speech_set import recordings, spoken_by_all
from sipagent.bench.stats import Distribution
from sipagent.errors import SipAgentError
from sipagent.lab.agent_config import telling_config
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine
from sipagent.lab.scenario import find_scenario, load_scenario
from sipagent.lab.voices import without_pauses

NAME = "cutoff"
HELP = "how often callers who pause in mid-sentence are cut off"
CUT_OFF_PCT = 100 / 12
"""Wanted at most."""
PAUSES_MS = (600, 800, 1000, 1200)
PAUSING_KINDS = ("pause", "number", "long")
"""Recordings of a folder that are taken, by the beginning of their names; all, where it has none of them."""
_SCENARIO = "bench-cutoff"
_LINES_A_CALL = 6
_PAUSE = re.compile(r"<\s*\d+\s*ms\s*>")


@dataclass(frozen=True, slots=True)
class CutoffCase:
    """One line with a pause in it."""

    call: str
    kind: str
    text: str
    cut_in_ms: float | None
    """Negative: the agent began this long before the line's last voiced sample. None: it waited."""
    v2v_ms: float | None
    """From the last voiced sample to the reply."""
    heard: str
    """What was taken for a whole turn before the line was over; empty where the agent only talked on."""
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindTally:
    """All lines of one kind."""

    kind: str
    lines: int
    cut_off: int


@dataclass(frozen=True, slots=True)
class CutoffResult:
    """Everything measured."""

    lines: int
    cut_off: int
    v2v: Distribution
    """Of the lines that were not cut off: patience has its price."""
    kinds: list[KindTally]
    unspoken: int
    failures: list[str]
    impairments: Impairments
    cases: list[CutoffCase]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="lines", default=48)
    add_speech_argument(parser, f"lab/{_SCENARIO}.yaml in several voices; with a folder: both, half and half")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``cutoff.json`` and ``cutoff.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    sets = [pausing_lines(console)]
    if args.speech:
        sets.append(pausing_recordings(Path(args.speech)))
    plans = plan_calls(sets, args.n, impairments)
    agent = dataclasses.replace(agent, config=telling_config(agent.config, args.out))
    rounds = list(in_rounds(plans, args.calls))
    session = measure_calls(rounds, agent, args.out, console, uri_to=args.to, counts="line.ended")
    if not session.calls:
        raise SipAgentError(f"bench cutoff: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, args.n, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def pausing_lines(console: Console) -> list[PlannedLine]:
    """Every line of the scenario with every pause in every voice."""
    scenario = load_scenario(find_scenario(_SCENARIO))
    lines = []
    for pause_ms in PAUSES_MS:
        paused = [
            dataclasses.replace(line, say=_PAUSE.sub(f"<{pause_ms}ms>", line.say)) for line in scenario.lines
        ]
        for line, voice, wav in spoken_by_all(paused, console):
            tag = f"{pause_ms / 1000:.1f} s {voice}"
            lines.append(PlannedLine(without_pauses(line.say), str(wav.absolute()), tag=tag))
    return lines


def pausing_recordings(folder: Path) -> list[PlannedLine]:
    """The folder's recordings of callers who pause."""
    found = recordings(folder)
    pausing = [one for one in found if one.kind in PAUSING_KINDS]
    return [one.as_line() for one in pausing or found]


def plan_calls(sets: Sequence[Sequence[PlannedLine]], count: int, impairments: Impairments) -> list[CallPlan]:
    """``count`` lines from all sets in turn; none a second time before all of its set were taken."""
    rng = random.Random(impairments.seed)
    decks: list[list[PlannedLine]] = [[] for _ in sets]
    chosen = []
    for index in range(count):
        deck = decks[index % len(sets)]
        if not deck:
            deck += rng.sample(list(sets[index % len(sets)]), len(sets[index % len(sets)]))
        chosen.append(deck.pop())
    return [
        CallPlan(
            uri="",
            lines=tuple(chosen[first : first + _LINES_A_CALL]),
            leaves_after_ms=300,
            reply_silence_ms=1000,
            reply_timeout_ms=20_000,
            max_call_ms=60_000 + 40_000 * _LINES_A_CALL,
            impairments=dataclasses.replace(impairments, seed=impairments.seed + first),
        )
        for first in range(0, count, _LINES_A_CALL)
    ]


def cases_of(call: MeasuredCall) -> list[CutoffCase]:
    """The lines of one call."""
    cases = []
    for line in call.lines:
        during = [
            event
            for event in call.events
            if event.event in ("turn.heard", "turn.answered", "turn.spoken", "turn.acted")
            and line.span.start_ms <= float(event.facts["at_ms"]) < line.span.end_ms
        ]
        heard = [str(e.facts.get("pii_text", "")) for e in during if e.event == "turn.heard"]
        log = tuple(
            f"{float(e.facts['at_ms']) - line.span.start_ms:+.0f} {e.facts.get('action') or e.event}"
            for e in during
        )
        facts = line.facts
        cases.append(
            CutoffCase(
                call.name,
                line.planned.tag,
                line.planned.text,
                facts["cut_in_ms"],
                facts["v2v_ms"],
                " | ".join(heard),
                log,
            )
        )
    return cases


def summarize(session: Session, planned: int, impairments: Impairments) -> CutoffResult:
    """All calls in one result."""
    cases = [case for call in session.calls for case in cases_of(call)]
    waited = [case for case in cases if case.cut_in_ms is None]
    kinds = sorted({case.kind for case in cases})
    return CutoffResult(
        lines=len(cases),
        cut_off=len(cases) - len(waited),
        v2v=Distribution.of([case.v2v_ms for case in waited if case.v2v_ms is not None]),
        kinds=[_tally(kind, [case for case in cases if case.kind == kind]) for kind in kinds],
        unspoken=planned - len(cases),
        failures=session.failures,
        impairments=impairments,
        cases=cases,
    )


def _tally(kind: str, cases: Sequence[CutoffCase]) -> KindTally:
    return KindTally(kind, len(cases), sum(case.cut_in_ms is not None for case in cases))


def table_of(result: CutoffResult) -> Table:
    """The result for people."""
    rows = [(t.kind, t.lines, t.cut_off) for t in result.kinds]
    caption = (
        f"cut off: {share_text(result.cut_off, result.lines)}; the others were answered after "
        f"p50 {result.v2v.p50:.0f}, p95 {result.v2v.p95:.0f} ms; {result.unspoken} unspoken"
    )
    return plain_table("Callers who pause", ("kind", "lines", "cut off"), rows, caption)


def draw(result: CutoffResult, png: Path) -> None:
    """One bar a kind."""
    from sipagent.bench.plots import draw_shares  # matplotlib takes half a second to import

    groups = {tally.kind: (tally.cut_off, tally.lines) for tally in result.kinds}
    title = f"Callers cut off in a pause: {share_text(result.cut_off, result.lines)}"
    subtitle = f"the others were answered after p50 {result.v2v.p50:.0f} ms, p95 {result.v2v.p95:.0f} ms"
    draw_shares(groups, png, title=title, subtitle=subtitle)


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``cutoff.json``."""
    return [
        share_figure("callers cut off in a pause", plain["cut_off"], plain["lines"], round(CUT_OFF_PCT, 1))
    ]
