"""The wire's view and the agent's log, joined; stages; the benchmark's rounds."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.bench.speech_set import speech_lines
from sipagent.bench.stats import Distribution
from sipagent.bench.turns import plan_rounds
from sipagent.call.stages import STAGE_NAMES, STAGE_STAMPS, stages_of
from sipagent.errors import ConfigError
from sipagent.lab.child import ChildEvent
from sipagent.lab.conversation import Conversation, Party, Utterance, join
from sipagent.lab.impairments import Impairments
from sipagent.lab.plan import PlannedLine
from sipagent.lab.scenario import ExpectConfig, LineConfig
from sipagent.lab.timeline import ROW_S, draw_timeline, split_rows
from sipagent.lab.transcript import unmet_expectations, write_transcript
from sipagent.media.wav import write_wav

pytestmark = pytest.mark.unit

STAMPS = {
    "speech_end": 2990.0,
    "pause": 3200.0,
    "stt_final": 3350.0,
    "eot_score": 3290.0,
    "llm_first_token": 3500.0,
    "first_clause": None,
    "tts_first_pcm": 3600.0,
    "commit": 3550.0,
    "first_rtp": 3610.0,
}


def line(start_ms: float, end_ms: float, onset_ms: float | None, text: str) -> dict[str, Any]:
    v2v_ms = None if onset_ms is None else onset_ms - end_ms
    return {
        "text": text,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "onset_ms": onset_ms,
        "v2v_ms": v2v_ms,
        "cut_in_ms": None,
        "yielded_ms": None,
    }


def measured(lines: list[dict[str, Any]], spans: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {
        "answered_ms": 1000.0,
        "ended_ms": 9000.0,
        "setup_ms": 4.0,
        "greeting_ms": 100.0,
        "lines": lines,
        "agent_spans": [{"start_ms": start, "end_ms": end} for start, end in spans],
    }


def said(turn_id: int, text: str, *, interrupted: bool = False) -> ChildEvent:
    return ChildEvent(
        "agent", "turn.spoken", {"turn_id": turn_id, "at_ms": 0, "pii_text": text, "interrupted": interrupted}
    )


def test_a_reply_on_the_wire_finds_its_turn_its_words_and_its_stages() -> None:
    conversation = join(
        measured([line(2000, 3000, 3612, "Open?")], [(1100, 1900), (3612, 4000), (4400, 5000)]),
        [
            ChildEvent("agent", "turn.heard", {"turn_id": 1, "at_ms": 3500, "pii_text": "open"}),
            ChildEvent("agent", "turn.answered", {"turn_id": 1, "at_ms": 3611, "stamps": STAMPS}),
            said(0, "Hello."),
            said(1, "Yes. Until five.", interrupted=True),
        ],
    )
    greeting, question, reply = conversation.utterances
    assert (greeting.party, greeting.text, greeting.v2v_ms) == (Party.AGENT, "Hello.", None)
    assert (question.text, question.heard) == ("Open?", "open")
    assert (reply.text, reply.v2v_ms, reply.was_interrupted) == ("Yes. Until five.", 612, True)
    assert (reply.start_ms, reply.end_ms) == (2612, 4000)  # both stretches: one turn
    shares = {stage.name: stage.duration_ms for stage in reply.stages}
    assert shares == {"pause": 200, "STT": 150, "LLM": 150, "clause": 0, "TTS": 100, "commit": 0, "wire": 12}


def test_the_answer_behind_a_filler_is_counted_and_the_filler_apart() -> None:
    facts = {"turn_id": 1, "at_ms": 5612, "stamps": {**STAMPS, "first_rtp": 5610.0}}
    conversation = join(
        measured([line(2000, 3000, 3612, "Open?")], [(1100, 1900), (3612, 4400), (5612, 6000)]),
        [ChildEvent("agent", "turn.answered", {**facts, "v2v_ms": 2620, "filler_ms": 620})],
    )
    reply = conversation.utterances[-1]
    assert (reply.turn_id, reply.v2v_ms, reply.filler_ms) == (1, 2612, 612)
    assert sum(stage.duration_ms for stage in reply.stages) == 2612


def test_without_the_agents_log_the_wire_still_tells_the_turns() -> None:
    spans = [(1100, 1900), (3612, 4000), (4400, 5000), (6500, 7000)]
    lines = [line(2000, 3000, 3612, "a"), line(5500, 6000, 6500, "b")]
    conversation = join(measured(lines, spans), [])
    assert [u.party for u in conversation.utterances] == [
        Party.AGENT,
        Party.CALLER,
        Party.AGENT,
        Party.CALLER,
        Party.AGENT,
    ]
    assert conversation.v2v_ms == [612, 500]


@given(
    st.dictionaries(
        st.sampled_from([stamp for _, stamp in STAGE_STAMPS]),
        st.none() | st.floats(-500, 5000, allow_nan=False),
    ),
    st.floats(0, 3000),
)
def test_stages_add_up_to_voice_to_voice_whatever_the_stamps(
    stamps: dict[str, float | None], v2v_ms: float
) -> None:
    stages = stages_of(100.0, stamps, 100.0 + v2v_ms)
    assert [stage.name for stage in stages] == list(STAGE_NAMES)
    assert all(stage.duration_ms >= 0 for stage in stages)
    assert sum(stage.duration_ms for stage in stages) == pytest.approx(v2v_ms, abs=1e-6)


def spoken() -> Conversation:
    """Thirty seconds with a question every six."""
    utterances = []
    for start_ms in range(0, 30_000, 6000):
        utterances.append(
            Utterance(Party.CALLER, start_ms, start_ms + 2000, "Are you open on Friday?", heard="x")
        )
        stages = stages_of(start_ms + 2000, {"pause": start_ms + 2200.0}, start_ms + 2600)
        reply = Utterance(Party.AGENT, start_ms + 2600, start_ms + 5000, "Yes.", v2v_ms=600, stages=stages)
        utterances.append(reply)
    return Conversation(utterances, 30_000, 3.0, 50.0)


def test_missing_words_are_reported_by_line() -> None:
    script = [
        LineConfig(say="Are you open on Friday?", expect=ExpectConfig(heard=("friday",), said=("yes",))),
        LineConfig(say="Again?", expect=ExpectConfig(said=("maple",))),
    ]
    problems = unmet_expectations(spoken(), script)
    assert [problem.split(": ", 1)[1] for problem in problems] == ["not heard: friday", "not said: maple"]


def test_rows_end_where_nobody_speaks() -> None:
    conversation = spoken()
    rows = split_rows(conversation.utterances, 30.0)
    assert rows[0][0] == 0
    assert rows[-1][1] == 30.0
    for (start_s, end_s), (next_s, _) in itertools.pairwise(rows):
        assert end_s == next_s
        assert end_s - start_s <= ROW_S
        assert not any(u.start_ms < end_s * 1000 < u.end_ms for u in conversation.utterances)


def test_the_files_of_a_call_are_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    track = rng.integers(-8000, 8000, 16_000 * 30).astype(np.int16)
    write_wav(tmp_path / "call.wav", track, track)
    draw_timeline(spoken(), tmp_path / "call.wav", tmp_path / "timeline.png", title="A test")
    write_transcript(spoken(), "A test", tmp_path)
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "transcript.txt").read_text()
    assert "CALLER  Are you open on Friday?" in text
    assert "600 ms voice to voice (pause 200 · wire 400)" in text


@pytest.mark.parametrize(("turns", "calls_at_once"), [(1, 1), (16, 1), (17, 2), (3, 4), (40, 4)])
def test_every_turn_is_planned_once(turns: int, calls_at_once: int) -> None:
    lines = [PlannedLine(str(n), "") for n in range(5)]
    rounds = plan_rounds(lines, turns, calls_at_once, Impairments(loss_pct=1))
    said_lines = [line.text for plans in rounds for plan in plans for line in plan.lines]
    assert said_lines == [str(n % 5) for n in range(turns)]
    assert all(1 <= len(plans) <= calls_at_once for plans in rounds)
    assert all(1 <= len(plan.lines) <= 8 for plans in rounds for plan in plans)
    seeds = [plan.impairments.seed for plans in rounds for plan in plans]
    assert len(seeds) == len(set(seeds))


def test_a_speech_folder_without_its_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"manifest\.json: cannot be read"):
        speech_lines(str(tmp_path))
    (tmp_path / "manifest.json").write_text('[{"file": "a.wav", "text": "hello"}]')
    with pytest.raises(ConfigError, match=r"a\.wav is not a file"):
        speech_lines(str(tmp_path))
    (tmp_path / "manifest.json").write_text('[{"name": "a.wav"}]')
    with pytest.raises(ConfigError, match="expected a list of"):
        speech_lines(str(tmp_path))


def test_a_distribution_of_nothing_says_so() -> None:
    assert Distribution.of([]).count == 0
    assert Distribution.of([1.0, 2.0, 3.0]).p50 == 2.0
