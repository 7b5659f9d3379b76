"""What the benchmarks leave behind, what they are asked with, and the agent they measure."""

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from sipagent.bench import everything, stt
from sipagent.bench.barge_reaction import Outcome
from sipagent.bench.options import at_least_one
from sipagent.bench.plots import draw_dots, draw_histogram, draw_shares
from sipagent.bench.report import (
    Figure,
    markdown_summary,
    ms_figure,
    plain_table,
    publish,
    share_figure,
)
from sipagent.bench.speech_set import Recording, recordings
from sipagent.cli.main import build_parser
from sipagent.codecs.level import rms_dbov
from sipagent.codecs.tones import sine
from sipagent.config.load import load_config
from sipagent.errors import ConfigError
from sipagent.lab.agent_config import LONG_GREETING, talkative_config, telling_config
from sipagent.lab.agent_process import AgentOptions
from sipagent.lab.impairments import Impairments
from sipagent.media.wav import write_wav
from tests.fakes.stt import FakeStt
from tests.unit import bench_calls

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
CLEAN = Impairments()


def quiet() -> Console:
    return Console(file=io.StringIO())


def test_every_benchmark_has_its_command_and_the_common_options() -> None:
    parser = build_parser()
    for bench in (*everything.BENCHES, everything):
        args = parser.parse_args(
            ["bench", bench.NAME, "--json", "--out", "x", "--llm", "small", "-c", "y.yaml"]
        )
        assert args.module is bench
        assert (args.json, args.llm, args.out, args.config) == (True, "small", Path("x"), Path("y.yaml"))
        assert callable(bench.run)


def test_counting_arguments_begin_at_one() -> None:
    assert at_least_one("3") == 3
    for text in ("0", "-1", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="from 1 up"):
            at_least_one(text)


@dataclass(frozen=True, slots=True)
class Measured:
    outcome: Outcome
    failures: list[str]


def test_a_result_is_written_and_printed_and_unanswered_calls_fail_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = argparse.Namespace(out=tmp_path, json=True)
    result = Measured(Outcome.KEPT, ["call-1-1: busy"])
    drawn: list[Path] = []
    status = publish("x", result, [], drawn.append, args, quiet())
    assert drawn == [tmp_path / "x.png"]
    assert status == 1
    assert json.loads(capsys.readouterr().out) == {"outcome": "kept", "failures": ["call-1-1: busy"]}
    assert json.loads((tmp_path / "x.json").read_text())["outcome"] == "kept"
    args.json = False
    table = plain_table("A title", ("what", "n"), [("lines", 3), ("share", 1.25)], "")
    assert publish("x", Measured(Outcome.KEPT, []), [table], lambda png: None, args, quiet()) == 0
    assert "A title" in capsys.readouterr().out


def test_figures_know_whether_they_were_met() -> None:
    assert ms_figure("a", (400, 900), (450, 800), 5).is_met is False
    assert ms_figure("a", (400, 800), (450, 800), 5).is_met is True
    assert ms_figure("a", (0, 0), (450, 800), 0).is_met is None
    assert share_figure("b", 1, 20, 5).is_met is True
    assert share_figure("b", 2, 20, 5).is_met is False
    assert share_figure("b", 0, 0, 5).is_met is None
    rows = markdown_summary([Figure("a", "1 ms", 3, "≤ 2 ms", True), Figure("b", "9", 1, "0", False)])
    assert rows.splitlines()[2:] == ["| a | 1 ms | 3 | ≤ 2 ms | yes |", "| b | 9 | 1 | 0 | **no** |"]


def test_pictures_are_drawn_also_of_nothing(tmp_path: Path) -> None:
    draw_dots({"a": [1.0, 300.0], "b": []}, tmp_path / "1.png", title="t", subtitle="s", limits=(100, 200))
    draw_dots({}, tmp_path / "2.png", title="t", subtitle="s")
    draw_shares({"a": (1, 2), "b": (0, 0)}, tmp_path / "3.png", title="t", subtitle="s")
    draw_histogram([], tmp_path / "4.png", title="t", subtitle="s", bin_ms=1, limit_ms=22)
    assert all((tmp_path / f"{n}.png").stat().st_size > 1000 for n in (1, 2, 3, 4))


class Stub:
    """A benchmark that writes what it was told."""

    NAME = "stub"

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.seen: list[argparse.Namespace] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-n", type=int, default=7)
        parser.add_argument("--calls", type=int, default=1)

    def run(self, args: argparse.Namespace, *_: object) -> int:
        self.seen.append(args)
        if self.fails:
            raise ConfigError(["no voice"])
        (args.out / "stub.json").write_text(json.dumps({"n": args.n}))
        return 0

    def figures(self, plain: dict[str, int]) -> list[Figure]:
        return [Figure("stub", str(plain["n"]), 1, "–", None)]


def test_all_runs_each_with_its_own_defaults_and_goes_on_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Stub(), Stub(fails=True)
    steps = [
        everything._Step("bad", bad),  # type: ignore[arg-type]  # stands in for a module
        everything._Step("good", good, ("--calls", "4")),  # type: ignore[arg-type]  # the same
    ]
    monkeypatch.setattr(everything, "_steps", lambda speech: steps)
    args = argparse.Namespace(n=None, speech=None, json=True, out=tmp_path)
    assert everything.run(args, AgentOptions(), CLEAN, quiet()) == 1
    assert "| stub | 7 | 1 | – | – |" in (tmp_path / "summary.md").read_text()
    assert (good.seen[0].n, good.seen[0].calls, good.seen[0].out) == (7, 4, tmp_path / "good")


def test_recordings_have_a_kind_and_a_voice(tmp_path: Path) -> None:
    entries = [
        {"file": "pause-x.wav", "text": "a"},
        {"file": "no.wav", "text": "b", "engine": "e", "voice": "v"},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    with pytest.raises(ConfigError, match=r"pause-x\.wav is not a file"):
        recordings(tmp_path)
    for entry in entries:
        write_wav(tmp_path / entry["file"], np.zeros(160, dtype=np.int16))
    found = recordings(tmp_path)
    assert [(one.kind, one.voice) for one in found] == [("pause", tmp_path.name), ("no", "e-v")]
    (tmp_path / "manifest.json").write_text('["a.wav"]')
    with pytest.raises(ConfigError, match="expected a list of"):
        recordings(tmp_path)


def test_the_measured_agent_talks_much_and_knows_no_trunk_but_this_machine(tmp_path: Path) -> None:
    talkative = load_config(talkative_config(ROOT / "sip.yaml", tmp_path / "a"))
    assert {persona.greeting for persona in talkative.personas.values()} == {LONG_GREETING}
    assert talkative.logging.level == "debug"
    assert [trunk.name for trunk in talkative.trunks] == ["lab"]
    own = load_config(ROOT / "sip.yaml")
    telling = load_config(telling_config(ROOT / "sip.yaml", tmp_path / "b"))
    assert telling.personas["receptionist"].prompt == own.personas["receptionist"].prompt
    assert telling.models_dir.resolve() == own.models_dir.resolve()
    assert telling.speech == talkative.speech == own.speech
    with pytest.raises(ConfigError):
        telling_config(tmp_path / "none.yaml", tmp_path / "c")


def test_speech_over_g711_keeps_its_level_and_loses_what_is_above_4_khz() -> None:
    low = sine((1000,), 500, level_dbov=-20.0, rate_hz=16_000)
    high = sine((6000,), 500, level_dbov=-20.0, rate_hz=16_000)
    assert rms_dbov(stt.over_g711(low, CLEAN)) == pytest.approx(-20.0, abs=0.5)
    assert rms_dbov(stt.over_g711(high, CLEAN)) < -50
    noisy = stt.over_g711(low, Impairments(noise_snr_db=0))
    assert rms_dbov(noisy) == pytest.approx(-17.0, abs=1.0)


def test_an_engine_is_asked_once_for_a_whole_turn() -> None:
    stream = FakeStt([(0, "hello"), (900, "goodbye")]).open_stream()
    text, text_ms, total_ms = stt.hear(stream, np.ones(16_000, dtype=np.int16))
    assert text == "hello goodbye"
    assert 0 <= text_ms <= total_ms


def test_error_rates_are_weighted_by_words() -> None:
    def heard(voice: str, errors: int, words: int) -> stt.Utterance:
        return stt.Utterance("whisper", voice, "a.wav", "", "", errors, words, 100.0, 120.0, 1000.0)

    result = stt.summarize([heard("a", 1, 2), heard("a", 0, 8), heard("b", 0, 10)], ["vosk"], CLEAN)
    assert [(t.voice, t.wer_pct) for t in result.voices] == [("a", 10.0), ("b", 0.0)]
    assert [t.wer_pct for t in result.engines] == [5.0]


def test_a_few_recordings_are_taken_from_all_over() -> None:
    names = [Recording(Path(f"{n}.wav"), "", "", "") for n in range(10)]
    assert [one.wav.stem for one in stt.spread(names, 3)] == ["0", "3", "6"]
    assert stt.spread(names, 20) == stt.spread(names, None) == names


def test_offline_recognition_takes_no_network_faults(tmp_path: Path) -> None:
    args = argparse.Namespace(speech=None, n=1, engine=None, out=tmp_path, json=False)
    with pytest.raises(ConfigError, match="takes --noise-snr-db only"):
        stt.run(args, AgentOptions(), Impairments(loss_pct=3), quiet())


def test_made_up_calls_have_the_fields_of_real_ones() -> None:
    from sipagent.lab.quality import Quality, quality_of

    assert set(bench_calls.QUALITY) == set(Quality.__dataclass_fields__)
    assert quality_of([], []).speech_s == 0
