"""``sipagent bench understanding``: do guided conversations understand callers on the telephone?

No call is placed: the lines of ``tests/golden/flows`` are spoken by the lab's voices, pass through 8 kHz and
µ-law (and noise, with ``--noise-snr-db``), are heard by the speech-to-text engine and understood where the
flow stands at that point. ``--text`` leaves the telephone out.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from sipagent.bench.options import at_least_one
from sipagent.bench.report import Figure, plain_table, publish
from sipagent.bench.stats import Distribution
from sipagent.bench.stt import spread, transcribed
from sipagent.bench.understanding_set import SET_DIR, Case, is_intent_right, load_cases, slot_marks
from sipagent.brain.llm import CountedLanguageModel, load_llm
from sipagent.brain.types import Reader
from sipagent.config.load import load_config
from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.flows.primer import primer_of
from sipagent.flows.talk import Meaning
from sipagent.flows.understand import Understanding, understand_by_rules
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.scenario import LineConfig
from sipagent.modelstore.store import ModelStore
from sipagent.speech.types import never_cancelled

NAME = "understanding"
HELP = "intents and slots that guided conversations understand, over G.711 (offline)"
INTENTS_PCT, SLOTS_PCT, ADDED_MS = 95.0, 90.0, 150.0
"""Wanted: at least, at least, at most at the median."""
_PAUSE_MS = 180
_CONTEXT_TOKENS = 2048
_EXAMPLES_S = 300.0
"""For looking at the flows' examples, which a server does before its first calls."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One line, heard and understood."""

    flow: str
    voice: str
    place: str
    said: str
    heard: str
    is_held_out: bool
    is_intent_right: bool
    slots: int
    slots_right: int
    by: str
    """``rules`` or ``model``."""
    added_ms: float
    """From the text to its meaning."""
    intent: str
    found: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tally:
    """One flow and one part of its lines."""

    flow: str
    part: str
    """``tuned``, ``held out``, or ``all``."""
    lines: int
    intents_pct: float
    slots: int
    slots_pct: float
    by_rules_pct: float
    added: Distribution
    """ms from the text to its meaning."""


@dataclass(frozen=True, slots=True)
class UnderstandingResult:
    """Everything measured."""

    source: str
    """``text``, or the speech-to-text engine."""
    llm: str
    tallies: list[Tally]
    failures: list[str]
    impairments: Impairments
    lines: list[Heard]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    parser.add_argument("-n", type=at_least_one, metavar="N", help="lines of each flow (default: all)")
    parser.add_argument("--text", action="store_true", help="the lines as they are written, without speech")
    parser.add_argument(
        "--voice",
        choices=("hibari", "piper", "espeak"),
        help="this one alone (default: every one that is installed)",
    )


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``understanding.json`` and ``understanding.png``.

    :raises ConfigError: an impairment that needs a call.
    :raises ModelError: a model is not installed.
    """
    if impairments.loss_pct or impairments.jitter_ms or impairments.echo_gain_db is not None:
        raise ConfigError(["bench understanding: places no call; it takes --noise-snr-db only"])
    config = load_config(agent.config)
    cases = [one for path in sorted(SET_DIR.glob("*.yaml")) for one in spread_cases(path, args.n)]
    if args.text:
        texts = [(case, "text", case.line.say) for case in cases]
        source = "text"
    else:
        texts, source = _transcribed(cases, args.voice, config, impairments, console)
    llm = load_llm(
        agent.llm or config.llm.model,
        ModelStore(config.models_dir),
        max_calls=1,
        context_tokens=max(_CONTEXT_TOKENS, config.llm.context_tokens),
        threads=2,
    )
    try:
        heard = understood(texts, llm, lambda items: track(items, "understand", console=console))
    finally:
        llm.close()
    result = UnderstandingResult(source, llm.name, tallies(heard), [], impairments, heard)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def spread_cases(path: Path, count: int | None) -> list[Case]:
    """``count`` lines from all over the file; None: all."""
    cases = load_cases(path)
    return cases if count is None else spread(cases, count)


def _transcribed(
    cases: Sequence[Case], voice: str | None, config: Config, impairments: Impairments, console: Console
) -> tuple[list[tuple[Case, str, str]], str]:
    """(case, voice, what speech-to-text wrote) of every line in every voice, and the engine."""
    lines = [LineConfig(say=case.line.say) for case in cases]
    by_line = {id(line): case for line, case in zip(lines, cases, strict=True)}
    texts, engine = transcribed(
        lines, voice, config, impairments, console, lambda line: by_line[id(line)].expected.hint
    )
    return [(by_line[id(line)], name, text) for line, name, text in texts], engine


def understood(
    texts: Sequence[tuple[Case, str, str]],
    llm: CountedLanguageModel,
    progress: Callable[[Sequence[tuple[Case, str, str]]], Any] = lambda items: items,
) -> list[Heard]:
    """Understand each text where its flow stands."""
    readers: dict[str, Reader] = {}
    for flow in {case.flow.name: case.flow for case, _, _ in texts}.values():
        llm.warm_reader(primer_of(flow))
    until_s = time.monotonic() + _EXAMPLES_S
    while not llm.is_idle and time.monotonic() < until_s:  # in a server they are looked at between the calls
        time.sleep(0.05)
    done = []
    for case, voice, text in progress(texts):
        if case.flow.name not in readers:
            for reader in readers.values():
                reader.close()
            readers = {case.flow.name: llm.open_reader(primer_of(case.flow))}
            readers[case.flow.name].read("Caller: hello\nWants:", 'root ::= " a"', never_cancelled)
        done.append(_measured(Understanding(case.flow, readers[case.flow.name]), case, voice, text))
    for reader in readers.values():
        reader.close()
    return done


def _measured(understanding: Understanding, case: Case, voice: str, text: str) -> Heard:
    began_s = time.perf_counter()
    by, meaning = "rules", understand_by_rules(case.flow, case.expected, text, case.now)
    if meaning is None:
        by, meaning = "model", understanding.by_model(case.expected, text, case.now, never_cancelled)
    added_ms = (time.perf_counter() - began_s) * 1000
    marks = list(slot_marks(case.line, meaning))
    return Heard(
        flow=Path(case.flow.source.path).stem,
        voice=voice,
        place=case.place,
        said=case.line.say,
        heard=text,
        is_held_out=case.is_held_out,
        is_intent_right=is_intent_right(case.line, meaning),
        slots=len(marks),
        slots_right=sum(marks),
        by=by,
        added_ms=round(added_ms, 1),
        intent=_shown(meaning),
        found={name: value.value for name, value in meaning.slots.items()},
    )


def _shown(meaning: Meaning) -> str:
    return f"refused: {meaning.refused}" if meaning.refused else meaning.intent


def tallies(lines: Sequence[Heard]) -> list[Tally]:
    """Each flow's two parts, and both parts of all flows together."""
    flows = list(dict.fromkeys(line.flow for line in lines))
    found = []
    for flow in (*flows, "all"):
        for part, is_held_out in (("tuned", False), ("held out", True)):
            mine = [x for x in lines if flow in (x.flow, "all") and x.is_held_out is is_held_out]
            found.append(_tally(flow, part, mine))
    return [*found, _tally("all", "all", lines)]


def _tally(flow: str, part: str, lines: Sequence[Heard]) -> Tally:
    count, slots = max(1, len(lines)), sum(line.slots for line in lines)
    return Tally(
        flow=flow,
        part=part,
        lines=len(lines),
        intents_pct=round(100 * sum(line.is_intent_right for line in lines) / count, 1),
        slots=slots,
        slots_pct=round(100 * sum(line.slots_right for line in lines) / max(1, slots), 1),
        by_rules_pct=round(100 * sum(line.by == "rules" for line in lines) / count, 1),
        added=Distribution.of([line.added_ms for line in lines]),
    )


def table_of(result: UnderstandingResult) -> Table:
    """The result for people."""
    rows = [
        (
            f"{t.flow}, {t.part}",
            t.lines,
            t.intents_pct,
            t.slots,
            t.slots_pct,
            t.by_rules_pct,
            t.added.p50,
            t.added.p95,
        )
        for t in result.tallies
    ]
    headings = ("flow, lines", "n", "intents %", "slots", "slots %", "by rules %", "added p50 ms", "p95 ms")
    return plain_table(f"Understanding, {result.source}", headings, rows, f"model: {result.llm}")


def draw(result: UnderstandingResult, png: Path) -> None:
    """One bar for each flow and part: lines whose intent was not understood."""
    from sipagent.bench.plots import draw_shares  # matplotlib takes half a second to import

    groups = {
        f"{t.flow}, {t.part}": (round(t.lines * (100 - t.intents_pct) / 100), t.lines) for t in result.tallies
    }
    draw_shares(groups, png, title=f"Intents not understood, {result.source}", subtitle=result.llm)


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``understanding.json``."""
    found = []
    for tally in (one for one in plain["tallies"] if one["flow"] == "all"):
        part, lines = f"{tally['part']}, {plain['source']}", tally["lines"]
        for name, key, wanted in (("intents", "intents_pct", INTENTS_PCT), ("slots", "slots_pct", SLOTS_PCT)):
            is_met = tally[key] >= wanted if lines else None
            text = f"{tally[key]:.1f} %"
            found.append(Figure(f"{name} understood, {part}", text, lines, f"≥ {wanted:g} %", is_met))
        p50 = tally["added"]["p50"]
        found.append(
            Figure(
                f"understanding adds, p50, {part}",
                f"{p50:.0f} ms",
                lines,
                f"≤ {ADDED_MS:g} ms",
                p50 <= ADDED_MS,
            )
        )
    return found
