"""``sipagent bench knowledge``: are callers' questions answered from what is written down, and declined where
nothing is?

No call is placed: the questions of ``tests/golden/knowledge`` are spoken by the lab's voices, pass through
8 kHz and µ-law (and noise, with ``--noise-snr-db``), are heard by the speech-to-text engine and decided
about. ``--text`` leaves the telephone out. What the language model would word is not judged here.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.knowledge_set import Question, Verdict, judged, load_questions
from sipagent.bench.options import at_least_one
from sipagent.bench.report import Figure, plain_table, publish
from sipagent.bench.stats import Distribution
from sipagent.bench.stt import spread, transcribed
from sipagent.config.load import load_config
from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.lab.scenario import LineConfig

NAME = "knowledge"
HELP = "questions answered, declined and left to the conversation, over G.711 (offline)"
RIGHT_PCT, WRONG_PCT = 85.0, 5.0
"""Wanted: right decisions at least, wrong answers at most."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One question, heard and decided about."""

    part: str
    kind: str
    voice: str
    said: str
    heard: str
    verdict: str
    move: str
    told: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class Tally:
    """One part of the questions."""

    part: str
    """``tuned`` or ``held out``."""
    answerable: int
    answered_rightly: int
    too_cautious: int
    """Declined, or left to the model, though it is written down."""
    unanswerable: int
    declined_rightly: int
    others: int
    """Small talk, requests, answers."""
    left_rightly: int
    wrong: int
    """Something was said that does not answer the question."""
    took: Distribution
    """ms from the text to the decision."""

    @property
    def asked(self) -> int:
        """All of them."""
        return self.answerable + self.unanswerable + self.others

    @property
    def right_pct(self) -> float:
        """Of all."""
        right = self.answered_rightly + self.declined_rightly + self.left_rightly
        return round(100 * right / max(1, self.asked), 1)

    @property
    def wrong_pct(self) -> float:
        """Of all."""
        return round(100 * self.wrong / max(1, self.asked), 1)


@dataclass(frozen=True, slots=True)
class KnowledgeResult:
    """Everything measured."""

    source: str
    """``text``, or the speech-to-text engine."""
    tallies: list[Tally]
    failures: list[str]
    impairments: Impairments
    questions: list[Decided]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    parser.add_argument("-n", type=at_least_one, metavar="N", help="questions (default: all)")
    parser.add_argument(
        "--text", action="store_true", help="the questions as they are written, without speech"
    )
    parser.add_argument(
        "--voice",
        choices=("hibari", "piper", "espeak"),
        help="this one alone (default: every one that is installed)",
    )


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``knowledge.json`` and ``knowledge.png``.

    :raises ConfigError: an impairment that needs a call.
    """
    if impairments.loss_pct or impairments.jitter_ms or impairments.echo_gain_db is not None:
        raise ConfigError(["bench knowledge: places no call; it takes --noise-snr-db only"])
    knowledge, questions = load_questions()
    questions = questions if args.n is None else spread(questions, args.n)
    heard, source = _heard(questions, args, load_config(agent.config), impairments, console)
    decided = []
    for question, voice, text in heard:
        began_s = time.perf_counter()
        advice = knowledge.advise(text)
        took_ms = round((time.perf_counter() - began_s) * 1000, 2)
        verdict = judged(question, advice)
        part = "held out" if question.is_held_out else "tuned"
        decided.append(
            Decided(
                part,
                question.kind,
                voice,
                question.ask,
                text,
                verdict.value,
                advice.move.value,
                advice.text,
                took_ms,
            )
        )
    result = KnowledgeResult(source, tallies(decided), [], impairments, decided)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def _heard(
    questions: Sequence[Question],
    args: argparse.Namespace,
    config: Config,
    impairments: Impairments,
    console: Console,
) -> tuple[list[tuple[Question, str, str]], str]:
    """(question, voice, what is heard of it), and by which engine."""
    if args.text:
        return [(question, "text", question.ask) for question in questions], "text"
    lines = [LineConfig(say=question.ask) for question in questions]
    texts, engine = transcribed(lines, args.voice, config, impairments, console)
    by_line = {id(line): question for line, question in zip(lines, questions, strict=True)}
    return [(by_line[id(line)], voice, text) for line, voice, text in texts], engine


def tallies(questions: Sequence[Decided]) -> list[Tally]:
    """Both parts."""
    return [_tally(part, [one for one in questions if one.part == part]) for part in ("tuned", "held out")]


def _tally(part: str, questions: Sequence[Decided]) -> Tally:
    def count(kind: str, verdict: Verdict | None = None) -> int:
        return sum(one.kind == kind and verdict in (None, Verdict(one.verdict)) for one in questions)

    return Tally(
        part=part,
        answerable=count("answered"),
        answered_rightly=count("answered", Verdict.RIGHT),
        too_cautious=count("answered", Verdict.CAUTIOUS),
        unanswerable=count("declined"),
        declined_rightly=count("declined", Verdict.RIGHT),
        others=count("left"),
        left_rightly=count("left", Verdict.RIGHT),
        wrong=sum(one.verdict == Verdict.WRONG.value for one in questions),
        took=Distribution.of([one.took_ms for one in questions]),
    )


def table_of(result: KnowledgeResult) -> Table:
    """The result for people."""
    rows = [
        (
            t.part,
            f"{t.answered_rightly}/{t.answerable}",
            t.too_cautious,
            f"{t.declined_rightly}/{t.unanswerable}",
            f"{t.left_rightly}/{t.others}",
            t.wrong,
            t.right_pct,
            t.took.p50,
            t.took.p95,
        )
        for t in result.tallies
    ]
    headings = (
        "questions",
        "answered",
        "too cautious",
        "declined",
        "left",
        "wrong",
        "right %",
        "p50 ms",
        "p95 ms",
    )
    return plain_table(f"Knowledge, {result.source}", headings, rows, "wrong: something else was told")


def draw(result: KnowledgeResult, png: Path) -> None:
    """One bar for each part: questions that were not decided rightly."""
    from sipagent.bench.plots import draw_shares  # matplotlib takes half a second to import

    groups = {t.part: (round(t.asked * (100 - t.right_pct) / 100), t.asked) for t in result.tallies}
    draw_shares(groups, png, title=f"Questions not decided rightly, {result.source}", subtitle="")


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``knowledge.json``."""
    found = []
    for one in plain["tallies"]:
        asked = one["answerable"] + one["unanswerable"] + one["others"]
        right = (
            100 * (one["answered_rightly"] + one["declined_rightly"] + one["left_rightly"]) / max(1, asked)
        )
        wrong, part = 100 * one["wrong"] / max(1, asked), f"{one['part']}, {plain['source']}"
        found += [
            Figure(
                f"questions decided rightly, {part}",
                f"{right:.1f} %",
                asked,
                f"≥ {RIGHT_PCT:g} %",
                right >= RIGHT_PCT,
            ),
            Figure(
                f"questions answered wrongly, {part}",
                f"{wrong:.1f} %",
                asked,
                f"≤ {WRONG_PCT:g} %",
                wrong <= WRONG_PCT,
            ),
        ]
    return found
