"""A persona's own greeting, limits and way out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sipagent.call.recorded import keep_greetings, recorded_greetings
from sipagent.call.turn import Agent, Caller, Turn, step
from sipagent.call.turn_events import AttemptFailed, HandOver, HangUp, Say
from sipagent.call_parts import sampling_limits, turn_rules
from sipagent.config.persona import PersonaConfig
from sipagent.config.persona_engines import LostConfig, PersonaLlmConfig
from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.flows.load import load_flow
from sipagent.media.wav import write_wav
from sipagent.speech.phrases import PhraseCache
from tests.fakes.tts import FakeTts

pytestmark = pytest.mark.unit

FLOW = Path(__file__).resolve().parents[2] / "flows" / "survey.yaml"


def persona(**keys: object) -> PersonaConfig:
    known = {"name": "desk", "greeting": "Hello there.", "prompt_file": Path("p.md"), "voice": "v"}
    return PersonaConfig(**{**known, **keys})  # type: ignore[arg-type]  # keys of the section


def config(**keys: object) -> Config:
    return Config(personas={"desk": persona(**keys)})


def test_a_persona_may_limit_its_model() -> None:
    own = persona(llm=PersonaLlmConfig(max_reply_tokens=30, temperature=0.0))
    limits = sampling_limits(Config(), own)
    assert (limits.max_tokens, limits.temperature, limits.deadline_ms) == (30, 0.0, 8000)
    assert sampling_limits(Config(), persona()).max_tokens == 80


def failing(one: PersonaConfig, times: int) -> list[object]:
    rules, turn = turn_rules(Config(), one), Turn()
    told: list[object] = []
    for n in range(times):
        turn = replace(turn, agent=Agent.THINKING, caller=Caller.SILENT, attempt=turn.attempt + 1)
        turn, actions = step(turn, AttemptFailed(turn.attempt, 1000 * n), rules)
        told += actions
    return told


def test_who_is_lost_is_handed_over_where_there_is_somebody_and_else_told_goodbye() -> None:
    lost = LostConfig(after=2, transfer="desk")
    handed = failing(persona(lost=lost, transfer={"desk": "sip:a@10.0.0.1"}), 2)
    assert sum(isinstance(one, HandOver) for one in handed) == 1
    assert sum(isinstance(one, Say) for one in handed) == 1
    left = failing(persona(), 2)
    assert not any(isinstance(one, HandOver | HangUp) for one in left)
    assert sum(isinstance(one, Say) for one in left) == 2


def test_the_way_out_must_exist() -> None:
    assert "no target" in dict(persona(lost=LostConfig(transfer="nobody")).check())["lost.transfer"]


def test_a_recording_takes_the_place_of_the_voice(tmp_path: Path) -> None:
    tone = np.arange(1600, dtype=np.int16)
    write_wav(tmp_path / "hello.wav", tone)
    phrases = PhraseCache(FakeTts())
    keep_greetings(phrases, config(greeting_wav=tmp_path / "hello.wav"), "v", lambda _: None)
    sound = phrases.lookup("Hello there.")
    assert sound is not None
    assert np.array_equal(sound, tone)


def test_behind_it_comes_the_question_of_a_flow(tmp_path: Path) -> None:
    tone = np.arange(1600, dtype=np.int16)
    write_wav(tmp_path / "hello.wav", tone)
    phrases, flow = PhraseCache(FakeTts()), load_flow(FLOW)
    keep_greetings(phrases, config(greeting_wav=tmp_path / "hello.wav"), "v", lambda _: flow)
    opened = phrases.lookup(f"Hello there. {flow.states[flow.start].say}")
    assert opened is not None
    assert np.array_equal(opened[: tone.size], tone)
    assert opened.size > tone.size + 4000


def test_a_recording_that_is_none_is_a_problem_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(ConfigError, match=r"greeting_wav: .*bad\.wav"):
        recorded_greetings(config(greeting_wav=tmp_path / "bad.wav"))
    write_wav(tmp_path / "hello.wav", np.zeros(160, dtype=np.int16))
    with pytest.raises(ConfigError, match="variables"):
        recorded_greetings(config(greeting="Hi {name}.", greeting_wav=tmp_path / "hello.wav"))
