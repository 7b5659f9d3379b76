"""Scenario files and their mistakes, the caller's decisions, the plan on its way to the caller's process."""

import textwrap
from pathlib import Path

import numpy as np
import pytest

from sipagent.errors import ConfigError
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import CallPlan, Decision, Move, PlannedLine, Progress, Trigger, decide
from sipagent.lab.run import plan_call, sip_uri
from sipagent.lab.scenario import find_scenario, load_scenario
from sipagent.lab.voices import speak_with_pauses, without_pauses
from sipagent.lab.wire import Span
from sipagent.media.wav import write_wav

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scene.yaml"
    path.write_text(textwrap.dedent(text))
    return path


@pytest.mark.parametrize(
    "name", ["receptionist", "quick", "bench", "bench-barge", "bench-backchannel", "bench-cutoff"]
)
def test_the_scenarios_that_come_along_are_sound(name: str) -> None:
    scenario = load_scenario(ROOT / "lab" / f"{name}.yaml")
    assert len(scenario.lines) >= 2
    assert scenario.hang_up == "caller"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lines:\n- sya: hello\n", "scene.yaml:2: lines[0].sya: unknown key; did you mean say?"),
        ("name: x\n", "lines: required"),
        ("lines: []\n", "scene.yaml:1: lines: is empty"),
        ("lines:\n- wait: reply\n", "lines[0].say: a line has either say: (text) or wav: (a file)"),
        ("lines:\n- say: a\n  wav: b.wav\n", "scene.yaml:2: lines[0].say: a line has either"),
        ("lines:\n- wav: none.wav\n", "none.wav is not a file"),
        (
            "lines:\n- say: a\n  after_ms: 1\n  barge_in_after_ms: 2\n",
            "scene.yaml:3: lines[0].after_ms: cannot go",
        ),
        ("lines:\n- say: a\n  after_ms: -5\n", "expected 0..60000, got -5"),
        ("lines:\n- say: a\nhang_up: nobody\n", "scene.yaml:3: hang_up: expected caller or agent"),
        (
            "lines:\n- say: a\nvoice: {engine: festival}\n",
            "voice.engine: expected one of auto, hibari, piper, espeak",
        ),
        ("lines:\n- say: a\nreply_silence_ms: 5\n", "reply_silence_ms: expected 200"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_scenario(written(tmp_path, text))
    assert problem in str(caught.value)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_scenario(
            written(tmp_path, "hang_up: nobody\nlines:\n- sya: hello\n- say: fine\n  after_ms: x\n")
        )
    assert len(caught.value.problems) >= 3


def test_an_unknown_scenario_names_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert find_scenario("quick") == Path("lab/quick.yaml")
    with pytest.raises(ConfigError, match=r"bench, .*, quick, receptionist"):
        find_scenario("nosuch")


def test_a_scenario_becomes_a_plan_with_absolute_recordings(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.ones(160, dtype=np.int16))
    path = written(
        tmp_path,
        """\
        lines:
          - {wav: a.wav, text: "Recorded."}
          - {say: "For, <900ms> Tuesday.", barge_in_after_ms: 800}
          - {say: "Bye.", after_ms: 300}
        hang_up: agent
        """,
    )
    scenario = load_scenario(path)
    wavs = [tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "c.wav"]
    plan = plan_call(scenario, wavs, "sip:x@h:1", Impairments())
    assert [(line.text, line.trigger, line.delay_ms) for line in plan.lines] == [
        ("Recorded.", Trigger.REPLY, 0),
        ("For, … Tuesday.", Trigger.BARGE_IN, 800),
        ("Bye.", Trigger.AFTER, 300),
    ]
    assert not plan.caller_hangs_up


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = CallPlan(
        uri="sip:a@b",
        lines=(PlannedLine("Hi", "/x.wav", Trigger.BARGE_IN, 700),),
        impairments=Impairments(loss_pct=3, noise_snr_db=10),
        codecs=("PCMA",),
    )
    plan.save(tmp_path / "plan.json")
    assert CallPlan.load(tmp_path / "plan.json") == plan


def test_a_name_is_dialled_at_the_agent_and_an_address_as_it_is() -> None:
    assert sip_uri("receptionist", "127.0.0.1:5060") == "sip:receptionist@127.0.0.1:5060"
    assert sip_uri("sip:a@b", "127.0.0.1:5060") == "sip:a@b"


def test_a_pause_in_a_line_is_silence_of_its_length() -> None:
    tone = (8000 * np.sin(np.arange(8000))).astype(np.int16)
    spoken: list[str] = []

    def speak(text: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        spoken.append(text)
        return tone

    pcm = speak_with_pauses("For, <900ms> Tuesday.", speak)
    assert spoken == ["For,", "Tuesday."]
    assert pcm.size == 2 * tone.size + 900 * 16
    assert without_pauses("For, <900ms> Tuesday.") == "For, … Tuesday."


def choose(
    *spans: tuple[float, float],
    line: PlannedLine | None,
    now_ms: float,
    speaking: bool = False,
    caller_hangs_up: bool = True,
) -> Decision:
    """The decision 1 s after the line before ended, the call having been answered at 0."""
    plan = CallPlan(uri="", lines=(line,) if line else (), caller_hangs_up=caller_hangs_up)
    return decide(
        plan,
        Progress(0, 1000.0, 0.0),
        [Span(*span) for span in spans],
        is_agent_speaking=speaking,
        now_ms=now_ms,
    )


REPLY = PlannedLine("a", "a.wav")
AFTER = PlannedLine("a", "a.wav", Trigger.AFTER, 500)
BARGE = PlannedLine("a", "a.wav", Trigger.BARGE_IN, 800)
WAIT, SPEAK, HANG_UP = Decision(Move.WAIT), Decision(Move.SPEAK), Decision(Move.HANG_UP)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (choose((0, 900), line=REPLY, now_ms=5000), WAIT),  # it has said nothing since
        (choose((0, 900), (1500, 3000), line=REPLY, now_ms=3600), WAIT),
        (choose((0, 900), (1500, 3000), line=REPLY, now_ms=3700), SPEAK),
        (choose((1500, 9000), line=REPLY, now_ms=9000, speaking=True), WAIT),
        (choose((0, 900), line=REPLY, now_ms=16_000), Decision(Move.SPEAK, was_answered=False)),
        (choose((0, 40_000), line=REPLY, now_ms=40_000, speaking=True), WAIT),
        (
            choose((0, 46_000), line=REPLY, now_ms=46_000, speaking=True),
            Decision(Move.SPEAK, was_answered=False),
        ),
        (choose((0, 900), line=AFTER, now_ms=1499), WAIT),
        (choose((0, 900), line=AFTER, now_ms=1500), SPEAK),
        (choose((1500, 2200), line=BARGE, now_ms=2200, speaking=True), WAIT),
        (choose((1500, 2300), line=BARGE, now_ms=2300, speaking=True), SPEAK),
        (choose((0, 900), line=BARGE, now_ms=16_000), Decision(Move.SPEAK, was_answered=False)),
        (choose((1500, 1700), (2000, 2300), line=BARGE, now_ms=2300, speaking=True), SPEAK),  # one speech
        (choose((500, 1700), line=BARGE, now_ms=1700, speaking=True), WAIT),  # counts from the line before
        (choose((1500, 2000), line=BARGE, now_ms=2700), SPEAK),  # it was shorter than the delay
        (choose((1500, 3000), line=None, now_ms=3700), HANG_UP),
        (choose((1500, 3000), line=None, now_ms=3700, caller_hangs_up=False), WAIT),
        (choose(line=None, now_ms=31_000, caller_hangs_up=False), Decision(Move.HANG_UP, was_answered=False)),
        (choose(line=REPLY, now_ms=300_000), Decision(Move.HANG_UP, was_answered=False)),
    ],
)
def test_what_the_caller_does_next(decision: Decision, expected: Decision) -> None:
    assert decision == expected
