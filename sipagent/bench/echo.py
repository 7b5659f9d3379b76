"""``sipagent bench echo``: the agent's own voice comes back; does it interrupt itself?"""

import argparse
import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, plain_table, publish, share_figure, share_text
from sipagent.bench.session import MeasuredCall, Session, in_rounds, measure_calls
from sipagent.bench.speech_set import speech_lines
from sipagent.errors import SipAgentError
from sipagent.lab.agent_config import talkative_config
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.child import ChildEvent
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine
from sipagent.lab.quality import gaps_within
from sipagent.lab.wire import Span

NAME = "echo"
HELP = "how often the agent's own voice as line echo interrupts it"
GAINS_DB = (-6.0, -12.0, -20.0)
DELAYS_MS = (0, 100, 200, 400)
DISTURBED_PCT = 5.0
"""Wanted at most."""
_UTTERANCES_A_CALL = 2
"""The greeting and one reply."""
_VERDICT_MS = 800.0
"""What the agent does within this after the caller's line may be the line's doing."""
_COMMIT_MS = 4000.0
"""The turn that is committed within this is the line's; a second one is not."""
_EVENTS = ("turn.spoken", "turn.heard", "turn.answered", "turn.acted")


@dataclass(frozen=True, slots=True)
class EchoCase:
    """One utterance of the agent under echo while the caller was silent."""

    call: str
    gain_db: float
    delay_ms: int
    found_delay_ms: float | None
    """The echo as it was in the packets; None: not found."""
    found_gain_db: float | None
    text: str
    """What was said, to where it was cut."""
    was_interrupted: bool
    holds: int
    """How often it fell silent for itself, by its log."""
    gaps_ms: tuple[float, ...]
    """Pauses longer than natural, by the wire; also those that the echo did not make."""
    heard: str
    """What the agent took for a turn of the silent caller."""
    log: tuple[str, ...]

    @property
    def is_disturbed(self) -> bool:
        """The echo changed what a caller hears."""
        return self.was_interrupted or self.holds > 0 or bool(self.heard)


@dataclass(frozen=True, slots=True)
class PathTally:
    """All utterances over one echo path."""

    gain_db: float
    delay_ms: int
    utterances: int
    interrupted: int
    disturbed: int
    """Interrupted, held, or an answer to itself."""


@dataclass(frozen=True, slots=True)
class EchoResult:
    """Everything measured."""

    utterances: int
    interrupted: int
    disturbed: int
    answered_itself: int
    with_gaps: int
    """Utterances with a pause longer than natural, whatever its cause."""
    paths: list[PathTally]
    failures: list[str]
    impairments: Impairments
    cases: list[EchoCase]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="utterances of the agent", default=24)
    add_speech_argument(parser, "lab/bench.yaml")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``echo.json`` and ``echo.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    plans = plan_calls(speech_lines(args.speech), args.n, impairments)
    agent = dataclasses.replace(agent, config=talkative_config(agent.config, args.out))
    rounds = list(in_rounds(plans, args.calls))
    session = measure_calls(rounds, agent, args.out, console, uri_to=args.to)
    if not session.calls:
        raise SipAgentError(f"bench echo: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def plan_calls(lines: Sequence[PlannedLine], count: int, impairments: Impairments) -> list[CallPlan]:
    """Calls of one question each, over all echo paths, the order of which is mixed."""
    paths = [(gain_db, delay_ms) for gain_db in GAINS_DB for delay_ms in DELAYS_MS]
    random.Random(impairments.seed).shuffle(paths)
    plans = []
    for index in range(-(-count // _UTTERANCES_A_CALL)):
        gain_db, delay_ms = paths[index % len(paths)]
        path = dataclasses.replace(
            impairments, echo_gain_db=gain_db, echo_delay_ms=delay_ms, seed=impairments.seed + index
        )
        plans.append(
            CallPlan(
                uri="",
                lines=(dataclasses.replace(lines[index % len(lines)], tag="question"),),
                reply_silence_ms=2500,
                reply_timeout_ms=20_000,
                max_call_ms=150_000,
                impairments=path,
            )
        )
    return plans


def cases_of(call: MeasuredCall) -> list[EchoCase]:
    """The agent's utterances in one call, each to the beginning of the next."""
    caller = [line.span for line in call.lines]
    told = [e for e in call.events if e.event in _EVENTS and _at_ms(e) < call.measured["left_ms"]]
    alone = without_callers(told, caller)
    gaps = gaps_within(call.agent_spans, caller)
    echo = call.measured["echo"] or {}
    path = call.plan.impairments
    assert path.echo_gain_db is not None
    cases = []
    start_ms = float(call.measured["answered_ms"])
    for spoken in (e for e in told if e.event == "turn.spoken"):
        during = [e for e in told if start_ms <= _at_ms(e) <= _at_ms(spoken)]
        own = [e for e in alone if start_ms <= _at_ms(e) <= _at_ms(spoken)]
        cases.append(
            EchoCase(
                call=call.name,
                gain_db=path.echo_gain_db,
                delay_ms=path.echo_delay_ms,
                found_delay_ms=echo.get("delay_ms"),
                found_gain_db=echo.get("gain_db"),
                text=str(spoken.facts.get("pii_text", "")),
                was_interrupted=bool(spoken.facts.get("interrupted")) and spoken in own,
                holds=sum(e.facts.get("action") == "HoldSpeech" for e in own),
                gaps_ms=tuple(g.duration_ms for g in gaps if start_ms <= g.start_ms < _at_ms(spoken)),
                heard=" | ".join(str(e.facts["pii_text"]) for e in own if e.event == "turn.heard"),
                log=tuple(
                    f"{_at_ms(e) - start_ms:+.0f} {e.facts.get('action') or e.event}"
                    + (f" {e.facts['pii_text']!r}" if e.event == "turn.heard" else "")
                    for e in during
                ),
            )
        )
        start_ms = _at_ms(spoken)
    return cases


def _at_ms(event: ChildEvent) -> float:
    return float(event.facts["at_ms"])


def without_callers(events: Sequence[ChildEvent], caller: Sequence[Span]) -> list[ChildEvent]:
    """The events that the caller's own lines did not cause."""
    alone = []
    open_lines = list(caller)
    for event in events:
        at_ms = _at_ms(event)
        committed = [line for line in open_lines if line.start_ms <= at_ms < line.end_ms + _COMMIT_MS]
        if event.event == "turn.heard" and committed:
            open_lines.remove(committed[0])
        elif not any(line.start_ms <= at_ms < line.end_ms + _VERDICT_MS for line in caller):
            alone.append(event)
    return alone


def summarize(session: Session, impairments: Impairments) -> EchoResult:
    """All calls in one result."""
    cases = [case for call in session.calls for case in cases_of(call)]
    paths = sorted({(case.gain_db, case.delay_ms) for case in cases}, reverse=True)
    return EchoResult(
        utterances=len(cases),
        interrupted=sum(case.was_interrupted for case in cases),
        disturbed=sum(case.is_disturbed for case in cases),
        answered_itself=sum(bool(case.heard) for case in cases),
        with_gaps=sum(bool(case.gaps_ms) for case in cases),
        paths=[_tally(path, [c for c in cases if (c.gain_db, c.delay_ms) == path]) for path in paths],
        failures=session.failures,
        impairments=impairments,
        cases=cases,
    )


def _tally(path: tuple[float, int], cases: Sequence[EchoCase]) -> PathTally:
    interrupted = sum(case.was_interrupted for case in cases)
    return PathTally(*path, len(cases), interrupted, sum(case.is_disturbed for case in cases))


def table_of(result: EchoResult) -> Table:
    """The result for people."""
    rows = [
        (_path_name(t.gain_db, t.delay_ms), t.utterances, t.interrupted, t.disturbed) for t in result.paths
    ]
    caption = (
        f"interrupted: {share_text(result.interrupted, result.utterances)}; disturbed at all: "
        f"{result.disturbed}; answered itself: {result.answered_itself}; with long gaps: {result.with_gaps}"
    )
    return plain_table("Line echo", ("echo", "utterances", "interrupted", "disturbed"), rows, caption)


def _path_name(gain_db: float, delay_ms: int) -> str:
    return f"{gain_db:.0f} dB, {delay_ms} ms".replace("-", "−")


def draw(result: EchoResult, png: Path) -> None:
    """One bar an echo path."""
    from sipagent.bench.plots import draw_shares  # matplotlib takes half a second to import

    groups = {_path_name(t.gain_db, t.delay_ms): (t.disturbed, t.utterances) for t in result.paths}
    title = f"Utterances disturbed by line echo: {share_text(result.disturbed, result.utterances)}"
    draw_shares(groups, png, title=title, subtitle=f"{result.interrupted} of them were not said to their end")


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``echo.json``."""
    count = plain["utterances"]
    return [
        share_figure("utterances interrupted by line echo", plain["interrupted"], count, DISTURBED_PCT),
        share_figure("utterances held or interrupted under echo", plain["disturbed"], count, DISTURBED_PCT),
    ]
