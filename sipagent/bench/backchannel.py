"""``sipagent bench backchannel``: callers who murmur, cough and type over the agent; does it go on?"""

import argparse
import dataclasses
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.backchannel_sounds import sound_files
from sipagent.bench.barge import over_speech_plan
from sipagent.bench.barge_reaction import Outcome, Reaction, reaction_to
from sipagent.bench.options import add_call_arguments, add_speech_argument
from sipagent.bench.report import Figure, plain_table, publish, share_figure, share_text
from sipagent.bench.session import MeasuredCall, Session, in_rounds, measure_calls
from sipagent.bench.speech_set import scenario_by_all, speech_lines
from sipagent.bench.stats import Distribution
from sipagent.errors import SipAgentError
from sipagent.lab.agent_config import talkative_config
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, PlannedLine, Trigger
from sipagent.lab.quality import NATURAL_GAP_MS

NAME = "backchannel"
HELP = "how often an mm-hm, a cough or a noise costs the agent its turn"
LOST_PCT = 5.0
"""Wanted at most."""
_SCENARIO = "bench-backchannel"
_LINES_A_CALL = 4
"""As many as find room in the greeting."""
_FIRST_MS = (600, 2500)
_APART_MS = (3200, 4200)
"""Behind the sound before: its verdict has fallen by then."""


@dataclass(frozen=True, slots=True)
class BackchannelCase:
    """One sound in the agent's speech."""

    call: str
    sound: str
    voice: str
    reaction: Reaction


@dataclass(frozen=True, slots=True)
class SoundTally:
    """All cases of one sound."""

    sound: str
    count: int
    lost: int
    paused: int
    """The agent went on after a pause longer than natural."""
    gap: Distribution
    """Pauses where it went on, 0 where there was none."""


@dataclass(frozen=True, slots=True)
class BackchannelResult:
    """Everything measured."""

    count: int
    """Sounds that met the agent's speech."""
    missed: int
    lost: int
    paused: int
    answered: int
    """The agent took the sound for a turn of the caller's and answered it."""
    gap: Distribution
    sounds: list[SoundTally]
    failures: list[str]
    impairments: Impairments
    cases: list[BackchannelCase]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    add_call_arguments(parser, counted="sounds", default=42)
    add_speech_argument(parser, f"lab/{_SCENARIO}.yaml in several voices, and noises")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``backchannel.json`` and ``backchannel.png``.

    :returns: 0: every call was answered; 1: some were not.
    """
    words = speech_lines(args.speech) if args.speech else scenario_by_all(_SCENARIO, console)
    noises = [PlannedLine(name, str(wav.absolute()), tag="noise") for name, wav in sound_files().items()]
    plans = plan_calls(words, noises, args.n, impairments)
    agent = dataclasses.replace(agent, config=talkative_config(agent.config, args.out))
    rounds = list(in_rounds(plans, args.calls))
    session = measure_calls(rounds, agent, args.out, console, uri_to=args.to, counts="line.ended")
    if not session.calls:
        raise SipAgentError(f"bench backchannel: no call was answered: {'; '.join(session.failures)}")
    result = summarize(session, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def plan_calls(
    words: Sequence[PlannedLine], noises: Sequence[PlannedLine], count: int, impairments: Impairments
) -> list[CallPlan]:
    """Words and noises in turn, a few into one long greeting."""
    rng = random.Random(impairments.seed)
    pools = []
    for pool in (words, noises):
        shuffled = list(pool)
        rng.shuffle(shuffled)
        pools.append(itertools.cycle(shuffled))
    plans = []
    for first in range(0, count, _LINES_A_CALL):
        spoken = []
        for place in range(min(_LINES_A_CALL, count - first)):
            line = next(pools[(first + place) % len(pools)])
            delay_ms = rng.randint(*(_APART_MS if place else _FIRST_MS))
            spoken.append(dataclasses.replace(line, trigger=Trigger.BARGE_IN, delay_ms=delay_ms))
        plan = over_speech_plan(spoken, dataclasses.replace(impairments, seed=impairments.seed + first))
        plans.append(dataclasses.replace(plan, leaves_after_ms=_APART_MS[0]))
    return plans


def cases_of(call: MeasuredCall) -> list[BackchannelCase]:
    """The sounds of one call."""
    return [
        BackchannelCase(
            call.name,
            line.planned.text,
            line.planned.tag,
            reaction_to(line.span, call.agent_spans, call.events, line.until_ms),
        )
        for line in call.lines
    ]


def summarize(session: Session, impairments: Impairments) -> BackchannelResult:
    """All calls in one result."""
    cases = [case for call in session.calls for case in cases_of(call)]
    met = [case for case in cases if case.reaction.outcome is not Outcome.MISSED]
    names = sorted({case.sound for case in met})
    tallies = [_tally(name, [case.reaction for case in met if case.sound == name]) for name in names]
    total = _tally("all", [case.reaction for case in met])
    return BackchannelResult(
        count=total.count,
        missed=len(cases) - len(met),
        lost=total.lost,
        paused=total.paused,
        answered=sum(bool(case.reaction.heard) for case in met),
        gap=total.gap,
        sounds=tallies,
        failures=session.failures,
        impairments=impairments,
        cases=cases,
    )


def _tally(name: str, reactions: Sequence[Reaction]) -> SoundTally:
    gaps_ms = [r.gap_ms for r in reactions if r.outcome is Outcome.KEPT]
    return SoundTally(
        name,
        len(reactions),
        sum(r.outcome is Outcome.LOST for r in reactions),
        sum(gap_ms > NATURAL_GAP_MS for gap_ms in gaps_ms),
        Distribution.of(gaps_ms),
    )


def table_of(result: BackchannelResult) -> Table:
    """The result for people."""
    rows = [(t.sound, t.count, t.lost, t.paused, t.gap.p50, t.gap.max) for t in result.sounds]
    caption = (
        f"turn lost in {share_text(result.lost, result.count)}, paused for longer than "
        f"{NATURAL_GAP_MS:.0f} ms in {result.paused}, {result.answered} answered; "
        f"{result.missed} missed the agent's speech"
    )
    headings = ("sound", "n", "lost", "paused", "gap p50 ms", "gap max ms")
    return plain_table("Sounds that are no turn", headings, rows, caption)


def draw(result: BackchannelResult, png: Path) -> None:
    """One bar a sound."""
    from sipagent.bench.plots import draw_shares  # matplotlib takes half a second to import

    groups = {tally.sound: (tally.lost, tally.count) for tally in result.sounds}
    title = f"Turns lost to sounds that are none: {share_text(result.lost, result.count)}"
    subtitle = f"{result.paused} more made the agent pause for longer than {NATURAL_GAP_MS:.0f} ms"
    draw_shares(groups, png, title=title, subtitle=subtitle)


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``backchannel.json``."""
    return [share_figure("turns lost to backchannels and noises", plain["lost"], plain["count"], LOST_PCT)]
