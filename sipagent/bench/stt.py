"""``sipagent bench stt``: word error rate of the speech-to-text engines on speech as a telephone carries it.

No call is placed: recordings pass through 8 kHz and µ-law (and noise, with ``--noise-snr-db``), then every
installed engine for English hears them as a turn.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sipagent.bench.options import at_least_one
from sipagent.bench.report import Figure, plain_table, publish
from sipagent.bench.speech_set import Recording, recordings, spoken_by_all
from sipagent.bench.stats import Distribution
from sipagent.bench.wer import word_errors
from sipagent.codecs.g711 import decode_mulaw, encode_mulaw
from sipagent.codecs.level import active_level_dbov
from sipagent.codecs.resample import resample
from sipagent.codecs.tones import silence
from sipagent.config.load import load_config
from sipagent.config.schema import Config
from sipagent.errors import ConfigError, ModelError
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments, LineMixer
from sipagent.lab.scenario import LineConfig, VoiceConfig, find_scenario, load_scenario
from sipagent.lab.voices import without_pauses
from sipagent.lab.wire import LINE_HZ, PACKET_SAMPLES
from sipagent.media.wav import read_wav
from sipagent.modelstore.store import ModelStore
from sipagent.speech.stt import load_stt
from sipagent.speech.types import SttEngine, SttStream, never_cancelled
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, ms_to_samples

T = TypeVar("T")

NAME = "stt"
HELP = "word error rate over G.711, and how long the text takes (offline)"
WER_PCT = 8.0
"""Wanted at most."""
ENGINES = ("whisper", "vosk")
_PAUSE_MS = 180
"""What the ear hears of the silence behind a turn before it asks for the text."""
_FEED_SAMPLES = ms_to_samples(200)
_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording heard by one engine."""

    engine: str
    voice: str
    file: str
    said: str
    heard: str
    errors: int
    words: int
    text_ms: float
    """From the last sample handed over to the text."""
    total_ms: float
    """All computing, also while the caller speaks."""
    sound_ms: float


@dataclass(frozen=True, slots=True)
class VoiceTally:
    """One engine and one voice, or all voices."""

    engine: str
    voice: str
    utterances: int
    words: int
    errors: int
    wer_pct: float
    text: Distribution
    """ms from the last sample to the text."""


@dataclass(frozen=True, slots=True)
class SttResult:
    """Everything measured."""

    engines: list[VoiceTally]
    """All voices."""
    voices: list[VoiceTally]
    not_installed: list[str]
    failures: list[str]
    impairments: Impairments
    utterances: list[Utterance]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options beyond those of every benchmark."""
    parser.add_argument("-n", type=at_least_one, metavar="N", help="recordings in all (default: every one)")
    parser.add_argument(
        "--speech",
        metavar="DIR",
        action="append",
        help="WAV folder with manifest.json; may be repeated (default: lab/bench.yaml in several voices)",
    )
    parser.add_argument("--engine", choices=ENGINES, help="this one alone")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: Impairments, console: Console) -> int:
    """Measure, print and write ``stt.json`` and ``stt.png``.

    :raises ConfigError: an impairment that needs a call.
    :raises ModelError: no engine is installed.
    """
    if impairments.loss_pct or impairments.jitter_ms or impairments.echo_gain_db is not None:
        raise ConfigError(["bench stt: places no call; of the line's options it takes --noise-snr-db only"])
    chosen = spread(speech_of(args.speech, console), args.n)
    config = load_config(agent.config)
    engines, missing = open_engines(ModelStore(config.models_dir), args.engine)
    for name in missing:
        console.print(f"! {name}: no model for {_LANGUAGE} is installed", style="yellow")
    if not engines:
        raise ModelError("bench stt: no speech-to-text model is installed; run: sipagent models fetch")
    utterances = []
    for engine in engines:
        stream = engine.open_stream()
        hear(stream, _as_heard(read_wav(chosen[0].wav), impairments))  # the first one warms the engine up
        for recording in track(chosen, engine.name, console=console, transient=True):
            utterances.append(_measured(engine, stream, recording, impairments))
        stream.close()
        engine.close()
    result = summarize(utterances, missing, impairments)
    return publish(NAME, result, [table_of(result)], lambda png: draw(result, png), args, console)


def speech_of(folders: Sequence[str] | None, console: Console) -> list[Recording]:
    """All recordings of the folders, or the benchmark's own lines in every voice that is installed."""
    if folders:
        return [one for folder in folders for one in recordings(Path(folder))]
    scenario = load_scenario(find_scenario("bench"))
    return [
        Recording(wav, without_pauses(line.say), "line", voice)
        for line, voice, wav in spoken_by_all(scenario.lines, console)
    ]


def spread(found: Sequence[T], count: int | None) -> list[T]:
    """``count`` of them from all over the list; None: all."""
    if count is None or count >= len(found):
        return list(found)
    return [found[index * len(found) // count] for index in range(count)]


def open_engines(store: ModelStore, only: str | None) -> tuple[list[SttEngine], list[str]]:
    """The installed engines, and the names of those without a model."""
    engines, missing = [], []
    for name in ENGINES if only is None else (only,):
        try:
            engines.append(load_stt(name, "auto", store, language=_LANGUAGE))
        except ModelError:
            missing.append(name)
    return engines, missing


def _measured(
    engine: SttEngine, stream: SttStream, recording: Recording, impairments: Impairments
) -> Utterance:
    pcm = _as_heard(read_wav(recording.wav), impairments)
    heard, text_ms, total_ms = hear(stream, pcm)
    errors, words = word_errors(recording.text, heard)
    return Utterance(
        engine=engine.name,
        voice=recording.voice,
        file=recording.wav.name,
        said=recording.text,
        heard=heard,
        errors=errors,
        words=words,
        text_ms=round(text_ms, 1),
        total_ms=round(total_ms, 1),
        sound_ms=round(pcm.size * 1000 / SAMPLE_RATE_HZ, 1),
    )


def _as_heard(pcm: Pcm16, impairments: Impairments) -> Pcm16:
    return over_g711(np.concatenate((pcm, silence(_PAUSE_MS))), impairments)


def over_g711(pcm: Pcm16, impairments: Impairments) -> Pcm16:
    """16 kHz sound as it arrives at the other end of a telephone line, 16 kHz again."""
    line_pcm = resample(pcm, SAMPLE_RATE_HZ, LINE_HZ)
    mixer = LineMixer(impairments, active_level_dbov(line_pcm, LINE_HZ))
    packets = [mixer.mix(packet) for packet in _packets(line_pcm)]
    return resample(decode_mulaw(encode_mulaw(np.concatenate(packets)).tobytes()), LINE_HZ, SAMPLE_RATE_HZ)


def _packets(pcm: Pcm16) -> Iterator[Pcm16]:
    padded = np.pad(pcm, (0, -pcm.size % PACKET_SAMPLES))
    yield from padded.reshape(-1, PACKET_SAMPLES)


def hear(stream: SttStream, pcm: Pcm16, hint: str = "") -> tuple[str, float, float]:
    """(text, ms from the last sample to it, ms of all computing) for one turn."""
    stream.reset()
    began_s = time.perf_counter()
    for start in range(0, pcm.size, _FEED_SAMPLES):
        stream.accept(pcm[start : start + _FEED_SAMPLES])
    last_s = time.perf_counter()
    text = stream.snapshot(never_cancelled, hint).text
    done_s = time.perf_counter()
    return text, (done_s - last_s) * 1000, (done_s - began_s) * 1000


def transcribed(
    lines: Sequence[LineConfig],
    voice: str | None,
    config: Config,
    impairments: Impairments,
    console: Console,
    hint_for: Callable[[LineConfig], str] = lambda line: "",
) -> tuple[list[tuple[LineConfig, str, str]], str]:
    """(line, voice, what the configured engine wrote) of every line in every voice, and the engine.

    :param voice: this one alone. :param hint_for: what the engine is told of a line, as in a call.
    """
    voices = {"voices": (VoiceConfig(engine=voice),)} if voice else {}  # type: ignore[arg-type]  # one of them
    spoken = spoken_by_all(lines, console, **voices)
    chosen = config.speech.stt
    engine = load_stt(chosen.engine, chosen.model, ModelStore(config.models_dir), language=_LANGUAGE)
    stream = engine.open_stream()
    texts = []
    for line, name, wav in track(spoken, engine.name, console=console):
        text, _, _ = hear(stream, _as_heard(read_wav(wav), impairments), hint_for(line))
        texts.append((line, name, text))
    stream.close()
    engine.close()
    return texts, engine.name


def summarize(utterances: Sequence[Utterance], missing: list[str], impairments: Impairments) -> SttResult:
    """All utterances in one result."""
    engines = sorted({one.engine for one in utterances})
    voices = sorted({(one.engine, one.voice) for one in utterances})
    return SttResult(
        engines=[_tally(name, "all", [u for u in utterances if u.engine == name]) for name in engines],
        voices=[
            _tally(name, voice, [u for u in utterances if (u.engine, u.voice) == (name, voice)])
            for name, voice in voices
        ],
        not_installed=missing,
        failures=[],
        impairments=impairments,
        utterances=list(utterances),
    )


def _tally(engine: str, voice: str, utterances: Sequence[Utterance]) -> VoiceTally:
    errors, words = sum(u.errors for u in utterances), sum(u.words for u in utterances)
    wer_pct = round(100 * errors / max(words, 1), 1)
    text = Distribution.of([u.text_ms for u in utterances])
    return VoiceTally(engine, voice, len(utterances), words, errors, wer_pct, text)


def table_of(result: SttResult) -> Table:
    """The result for people."""
    rows = [
        (f"{t.engine}, {t.voice}", t.utterances, t.words, t.errors, t.wer_pct, t.text.p50, t.text.p95)
        for t in [*result.voices, *result.engines]
    ]
    headings = ("engine, voice", "n", "words", "errors", "WER %", "text p50 ms", "text p95 ms")
    missing = f"not installed: {', '.join(result.not_installed)}" if result.not_installed else ""
    return plain_table("Word error rate over G.711", headings, rows, missing)


def draw(result: SttResult, png: Path) -> None:
    """One bar a voice."""
    from sipagent.bench.plots import draw_shares  # matplotlib takes half a second to import

    groups = {f"{t.engine}, {t.voice}": (t.errors, t.words) for t in result.voices}
    title = "Words wrong over G.711: " + ", ".join(f"{t.engine} {t.wer_pct:.1f} %" for t in result.engines)
    draw_shares(groups, png, title=title, subtitle=f"{len(result.utterances)} utterances")


def figures(plain: dict[str, Any]) -> list[Figure]:
    """For the summary of all benchmarks, of ``stt.json``."""
    return [
        Figure(
            f"word error rate over G.711, {tally['engine']}",
            f"{tally['wer_pct']:.1f} %",
            tally["words"],
            f"≤ {WER_PCT:g} %",
            tally["wer_pct"] <= WER_PCT if tally["words"] else None,
        )
        for tally in plain["engines"]
    ]
