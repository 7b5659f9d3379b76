"""``sipagent bench answering``: are people and machines told apart, how soon, and where is the beep?

Each greeting is fed as a call would be: window by window, with the words that speech to text makes of the
sound up to the moment of asking, ``TEXT_LAG_MS`` later.
"""

import argparse
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sipagent.bench.answering_set import Greeting, greetings, signal_greetings, windows_of
from sipagent.bench.options import at_least_one
from sipagent.bench.plots import draw_dots
from sipagent.bench.report import Figure, plain_table, publish, share_figure, share_text
from sipagent.bench.stats import Distribution, upper_pct
from sipagent.campaigns.answering import (
    Answerer,
    Answering,
    AskText,
    Beeped,
    Corrected,
    Decided,
    OurTurn,
    Window,
)
from sipagent.campaigns.line_tones import tones_in
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.voices import CACHE_DIR, MODELS_DIR
from sipagent.speech.stt_whisper import WhisperStt
from sipagent.speech.types import never_cancelled
from sipagent.speech.vad import WINDOW_SAMPLES, VadModel
from sipagent.units import Pcm16, ms_to_samples

NAME = "answering"
HELP = "people and machines that answer calls, told apart"
WANTED_PEOPLE_PCT, WANTED_MACHINES_PCT = 2.0, 10.0
WANTED_DECIDED_MS, WANTED_WAIT_MS = 3000, 1000
TEXT_LAG_MS = 450
_BEEP_SLACK_MS = 350
_STT = "whisper-tiny.en"

Listen = Callable[[Pcm16, int], str]
"""(sound, up to which ms) → words."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One greeting and what the detector made of it."""

    name: str
    truth: Answerer
    wording: str
    voice: str
    verdict: Answerer | None
    """The first one; None: none before the end."""
    final: Answerer | None
    """After corrections."""
    at_ms: int
    why: str
    was_machine: bool
    """The verdict was a machine at any time."""
    turn_ms: int | None
    """When we would have begun to talk as to a person; None: never."""
    waited_ms: int
    """How long nobody had spoken then."""
    texts: tuple[str, ...]
    beep_off_ms: int | None
    """The beep was told this long after its end; None: it was not, or there was none."""
    false_beeps: int

    @property
    def is_machine_for_person(self) -> bool:
        """A person taken for a machine, if only for a moment."""
        return self.truth is Answerer.HUMAN and (self.was_machine or self.turn_ms is None)

    @property
    def is_person_for_machine(self) -> bool:
        """A machine that we would have talked to as to a person."""
        return self.truth is not Answerer.HUMAN and self.turn_ms is not None

    @property
    def is_corrected_in_time(self) -> bool:
        """A machine that was a person for a while, when nobody had been talked to."""
        is_machine = self.truth is not Answerer.HUMAN and self.final is not Answerer.HUMAN
        return is_machine and self.verdict is Answerer.HUMAN and self.turn_ms is None


@dataclass(frozen=True, slots=True)
class AnsweringResult:
    """Everything measured."""

    part: str
    people: int
    people_as_machines: int
    machines: int
    machines_as_people: int
    machines_as_people_corrected: int
    machines_corrected_in_time: int
    """Judged a person first, and corrected before we would have talked."""
    kinds_right: int
    """Machines of the right kind in the end."""
    signals: int
    signals_right: int
    beeps: int
    beeps_found: int
    false_beeps: int
    decided: Distribution
    """People: ms from the answer to the verdict."""
    too_late: int
    """People decided upon later than wanted."""
    speaking: int
    """People who were still speaking 3 s after the answer."""
    waited: Distribution
    """People: silence before we would have begun to talk."""
    waited_long: int
    """People who waited longer than wanted."""
    failures: list[str] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    decided_ms: dict[str, list[float]] = field(default_factory=dict, repr=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    parser.add_argument("-n", type=at_least_one, metavar="N", help="people, and machines (default: all)")
    parser.add_argument(
        "--part", choices=("held-out", "dev"), default="held-out", help="which greetings (default: held-out)"
    )
    parser.add_argument("--no-words", action="store_true", help="without speech to text")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: object, console: Console) -> int:
    """Measure, print and write ``answering.json`` and ``answering.png``. Places no calls.

    :returns: 0; 1 where a share is beyond what is wanted.
    """
    del agent, impairments
    with console.status("Making the greetings …"):
        calls = [*greetings(args.part, most=args.n), *signal_greetings()]
    vad = VadModel(MODELS_DIR / "silero-vad" / "silero_vad.onnx")
    listen = None if args.no_words else remembering(WhisperStt(MODELS_DIR / _STT))
    with console.status("") as status:
        judged = []
        for index, call in enumerate(calls):
            status.update(f"Judging greeting {index + 1} of {len(calls)} …")
            judged.append(judge(call, vad, listen))
    result = summarize(args.part, judged)
    publish(NAME, result, [_table(result)], lambda png: _draw(result, png), args, console)
    return 0 if all(figure.is_met for figure in _shares(result)) else 1


def remembering(stt: WhisperStt, cache_dir: Path = CACHE_DIR) -> Listen:
    """Speech to text whose results are kept: the same sound is never decoded twice."""
    folder = cache_dir / "answering-words"
    folder.mkdir(parents=True, exist_ok=True)

    def listen(pcm: Pcm16, until_ms: int) -> str:
        sound = pcm[: ms_to_samples(until_ms)]
        path = folder / hashlib.sha256(sound.tobytes()).hexdigest()[:24]
        if not path.is_file():
            path.write_text(stt.transcribe(sound, never_cancelled).text)
        return path.read_text()

    return listen


def judge(call: Greeting, vad_model: VadModel, listen: Listen | None) -> Judged:
    """Feed one greeting to a new detector."""
    detector, vad = Answering(), vad_model.open()
    first: Decided | None = None
    texts: list[str] = []
    due: list[tuple[int, int]] = []
    beeps: list[int] = []
    verdicts: list[Answerer] = []
    turn_ms: int | None = None
    waited_ms = 0
    for start_ms, pcm in windows_of(call.pcm, WINDOW_SAMPLES):
        found = list(detector.step(Window(start_ms, vad.probability(pcm), tones_in(pcm))))
        while due and due[0][0] <= start_ms and listen is not None:
            texts.append(listen(call.pcm, due.pop(0)[1]))
            found += detector.heard(texts[-1])
        for finding in found:
            match finding:
                case Decided(answerer):
                    first = finding
                    verdicts.append(answerer)
                case Corrected(answerer):
                    verdicts.append(answerer)
                case OurTurn(at_ms):
                    turn_ms, waited_ms = at_ms, detector.silent_ms
                case Beeped(at_ms):
                    beeps.append(at_ms)
                case AskText(at_ms):
                    due.append((at_ms + TEXT_LAG_MS, at_ms))
    end_ms = call.beep_end_ms
    right = [
        at_ms - end_ms for at_ms in beeps if end_ms is not None and abs(at_ms - end_ms) <= _BEEP_SLACK_MS
    ]
    return Judged(
        call.name, call.answerer, call.wording, call.voice,
        first.answerer if first else None, verdicts[-1] if verdicts else None,
        first.at_ms if first else -1, first.why if first else "",
        any(one is not Answerer.HUMAN for one in verdicts), turn_ms, waited_ms,
        tuple(texts), right[0] if right else None, len(beeps) - bool(right),
    )  # fmt: skip


def summarize(part: str, judged: Sequence[Judged]) -> AnsweringResult:
    """The shares, and every greeting that was judged wrongly."""
    spoken = [one for one in judged if one.wording]
    people = [one for one in spoken if one.truth is Answerer.HUMAN]
    machines = [one for one in spoken if one.truth is not Answerer.HUMAN]
    signals = [one for one in judged if not one.wording]
    fooled = [one for one in machines if one.is_person_for_machine]
    with_beep = [one for one in machines if "<beep>" in one.wording]
    wrong = [
        one
        for one in judged
        if one.final is not one.truth or one.is_machine_for_person or one.is_person_for_machine
    ]
    return AnsweringResult(
        part=part,
        people=len(people),
        people_as_machines=sum(one.is_machine_for_person for one in people),
        machines=len(machines),
        machines_as_people=len(fooled),
        machines_as_people_corrected=sum(one.final is not Answerer.HUMAN for one in fooled),
        machines_corrected_in_time=sum(one.is_corrected_in_time for one in machines),
        kinds_right=sum(one.final is one.truth for one in machines),
        signals=len(signals),
        signals_right=sum(one.final is one.truth for one in signals),
        beeps=len(with_beep),
        beeps_found=sum(one.beep_off_ms is not None for one in with_beep),
        false_beeps=sum(one.false_beeps for one in spoken),
        decided=Distribution.of([one.at_ms for one in people]),
        too_late=sum(not 0 <= one.at_ms <= WANTED_DECIDED_MS for one in people),
        speaking=sum((one.turn_ms or 0) - one.waited_ms > WANTED_DECIDED_MS for one in people),
        waited=Distribution.of([one.waited_ms for one in people if one.turn_ms and one.texts]),
        waited_long=sum(_has_waited_long(one) for one in people),
        wrong=[_plain(one) for one in wrong],
        decided_ms={
            "people": [float(one.at_ms) for one in people],
            "machines": [float(one.at_ms) for one in machines],
        },
    )


def _has_waited_long(one: Judged) -> bool:
    """After their last word; who says nothing is spoken to 3 s after the answer."""
    return one.turn_ms is None or (one.waited_ms > WANTED_WAIT_MS and one.turn_ms > WANTED_DECIDED_MS)


def _plain(one: Judged) -> dict[str, Any]:
    return {
        "truth": one.truth.value,
        "verdict": one.verdict.value if one.verdict else None,
        "final": one.final.value if one.final else None,
        "at_ms": one.at_ms,
        "turn_ms": one.turn_ms,
        "why": one.why,
        "voice": one.voice,
        "wording": one.wording,
        "texts": list(one.texts),
    }


def _table(result: AnsweringResult) -> Table:
    decided, waited = result.decided, result.waited
    people, machines = result.people, result.machines
    rows = [
        ("people taken for machines", share_text(result.people_as_machines, people), "≤ 2 %"),
        _bound(result.people_as_machines, people),
        ("machines taken for people", share_text(result.machines_as_people, machines), "≤ 10 %"),
        _bound(result.machines_as_people, machines),
        ("  of these corrected later", str(result.machines_as_people_corrected), ""),
        (
            "machines judged people, corrected before our turn",
            share_text(result.machines_corrected_in_time, machines),
            "",
        ),
        ("machines of the right kind", share_text(result.kinds_right, machines), ""),
        ("tones of the network and fax right", share_text(result.signals_right, result.signals), ""),
        ("beeps found", share_text(result.beeps_found, result.beeps), ""),
        ("beeps heard that were none", str(result.false_beeps), ""),
        (
            "people decided upon after, p50 / p95 / max",
            f"{decided.p50:.0f} / {decided.p95:.0f} / {decided.max:.0f} ms",
            f"≤ {WANTED_DECIDED_MS} ms",
        ),
        ("  still speaking 3 s after the answer", share_text(result.speaking, people), ""),
        (
            "silence of people before our turn, p50 / max",
            f"{waited.p50:.0f} / {waited.max:.0f} ms",
            f"≤ {WANTED_WAIT_MS} ms",
        ),
    ]
    caption = f"wordings and voices: {result.part}; words {TEXT_LAG_MS} ms after they were asked for"
    return plain_table("Who answered", ("", "measured", "wanted"), rows, caption)


def _bound(bad: int, count: int) -> tuple[str, str, str]:
    return ("  upper end of the 95 % interval", f"{upper_pct(bad, count):.1f} %", "")


def _draw(result: AnsweringResult, png: Path) -> None:
    draw_dots(
        result.decided_ms,
        png,
        title=f"Who answered: decided after p50 {result.decided.p50:.0f} ms where it is a person",
        subtitle=f"{result.people_as_machines} of {result.people} people taken for machines, "
        f"{result.machines_as_people} of {result.machines} machines for people",
        limits=(float(WANTED_DECIDED_MS),),
    )


def _shares(result: AnsweringResult) -> list[Figure]:
    return figures(asdict(result))


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``answering.json``."""
    return [
        share_figure(
            "people taken for machines", plain["people_as_machines"], plain["people"], WANTED_PEOPLE_PCT
        ),
        share_figure(
            "machines taken for people", plain["machines_as_people"], plain["machines"], WANTED_MACHINES_PCT
        ),
        share_figure("people decided upon after 3 s", plain["too_late"], plain["people"], 0.0),
        share_figure("people who wait for more than 1 s", plain["waited_long"], plain["people"], 0.0),
    ]
