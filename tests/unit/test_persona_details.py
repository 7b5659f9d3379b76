"""A persona's own greeting, limits and way out."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from sipagent.call.identity import Identity
from sipagent.call.ports import Offer
from sipagent.call.recorded import keep_greetings, recorded_greetings
from sipagent.call.turn import Agent, Caller, Turn, step
from sipagent.call.turn_events import AttemptFailed, HandOver, HangUp, Say
from sipagent.call_parts import known_variables, sampling_limits, turn_rules
from sipagent.config.clock import clock_words, now_in
from sipagent.config.guard import SENTENCES, GuardConfig
from sipagent.config.keys import KeyConfig, KeypadConfig
from sipagent.config.load import load_config
from sipagent.config.persona import NoInputConfig, PersonaConfig
from sipagent.config.persona_engines import LostConfig, PersonaLlmConfig
from sipagent.config.schema import Config
from sipagent.config.variables import as_said, fill, unfilled_of, variables_of
from sipagent.engines import stock_phrases
from sipagent.errors import ConfigError
from sipagent.flows.load import load_flow
from sipagent.media.wav import write_wav
from sipagent.speech.phrases import PhraseCache
from tests.fakes.files import sip_yaml
from tests.fakes.personas import persona_of
from tests.fakes.tts import FakeTts

pytestmark = pytest.mark.unit

FLOW = Path(__file__).resolve().parents[2] / "flows" / "survey.yaml"


def config(**keys: object) -> Config:
    return Config(personas={"desk": persona_of(**keys)})


def test_a_persona_may_limit_its_model() -> None:
    own = persona_of(llm=PersonaLlmConfig(max_reply_tokens=30, temperature=0.0))
    limits = sampling_limits(Config(), own)
    assert (limits.max_tokens, limits.temperature, limits.deadline_ms) == (30, 0.0, 8000)
    assert sampling_limits(Config(), persona_of()).max_tokens == 80


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
    handed = failing(persona_of(lost=lost, transfer={"desk": "sip:a@10.0.0.1"}), 2)
    assert sum(isinstance(one, HandOver) for one in handed) == 1
    assert sum(isinstance(one, Say) for one in handed) == 1
    left = failing(persona_of(), 2)
    assert not any(isinstance(one, HandOver | HangUp) for one in left)
    assert sum(isinstance(one, Say) for one in left) == 2


def test_the_way_out_must_exist() -> None:
    assert "no target" in dict(persona_of(lost=LostConfig(transfer="nobody")).check())["lost.transfer"]


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


def test_every_text_of_a_persona_is_filled_in() -> None:
    text = "Yes, {name}."
    guard = dict.fromkeys(SENTENCES, text)
    own = persona_of(
        **dict.fromkeys(
            ("greeting", "prompt", "goodbye", "apology", "one_moment", "connecting", "not_connected"), text
        ),
        unknown=text,
        no_input=NoInputConfig(prompts=(text,)),
        lost=LostConfig(say=text),
        guard=GuardConfig(facts=(text,), **guard),  # type: ignore[arg-type]  # texts all
        keys={"1": KeyConfig(transfer="a", summary=text)},
        keypad=KeypadConfig(says="{digits}, {name}."),
    )
    assert variables_of(own) == {"name": "greeting"}
    said = repr(fill(own, {"name": "Ann"}))
    assert "{name}" not in said
    assert "{digits}" in said
    assert said.count("Yes, Ann.") == 11 + len(SENTENCES)
    for key, changed in (
        ("connecting", persona_of(connecting=text)),
        ("unknown", persona_of(unknown=text)),
        ("lost.say", persona_of(lost=LostConfig(say=text))),
        ("guard.crisis", persona_of(guard=GuardConfig(crisis=text))),
        ("keys.1.summary", persona_of(keys={"1": KeyConfig(transfer="a", summary=text)})),
        ("keypad.says", persona_of(keypad=KeypadConfig(says="{digits} {name}"))),
    ):
        assert unfilled_of(changed) == {"name": key}
    assert unfilled_of(persona_of()) == {}


@pytest.mark.parametrize(
    ("text", "fallback", "brought", "said"),
    [
        ("Hello {caller_name}, how can I help?", "there", "Ann Lee", "Hello Ann Lee, how can I help?"),
        ("Hello {caller_name}, how can I help?", "there", "", "Hello there, how can I help?"),
        ("Hello {caller_name}, how can I help?", "", "", "Hello, how can I help?"),
        ("{caller_name}, good morning!", "", "", "Good morning!"),
        ("Hello, {caller_name}, how are you?", "", "", "Hello, how are you?"),
        ("Hello there , friend.", "", "", "Hello there , friend."),
    ],
)
def test_who_calls_may_be_greeted_by_name_and_without_one(
    text: str, fallback: str, brought: str, said: str
) -> None:
    own = fill(persona_of(greeting=text, variables={"caller_name": fallback}), {})
    offer = cast(Offer, SimpleNamespace(identity=Identity(caller_name=brought)))
    assert as_said(own, known_variables(own, offer, None)).greeting == said


def test_a_flow_keeps_to_the_personas_clock_unless_the_call_tells_another() -> None:
    offer = cast(Offer, SimpleNamespace(identity=Identity()))
    assert "time_zone" not in known_variables(persona_of(), offer, None)
    own = persona_of(time_zone="Asia/Tokyo")
    assert known_variables(own, offer, None)["time_zone"] == "Asia/Tokyo"
    told = persona_of(time_zone="Asia/Tokyo", variables={"time_zone": "Asia/Seoul"})
    assert known_variables(told, offer, None)["time_zone"] == "Asia/Seoul"


def test_what_the_call_may_not_bring_needs_something_to_say_instead(tmp_path: Path) -> None:
    path = sip_yaml(tmp_path)
    path.write_text(path.read_text().replace("Hello.", '"Hello {caller_name}, on {x_line}."'))
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    wants = "which a call that comes in may not bring; say under personas.desk.variables what holds then"
    assert caught.value.problems == [
        f"{path}:2: numbers[0].persona: desk's greeting wants {{{name}}}, {wants}"
        for name in ("caller_name", "x_line")
    ]


def test_the_clock_is_known_in_every_text() -> None:
    now = datetime(2026, 11, 28, 10, 15)
    assert clock_words(now) == {"today": "Saturday, November 28, 2026", "now": "10:15 AM"}
    assert clock_words(now.replace(hour=0, minute=5))["now"] == "12:05 AM"
    assert clock_words(now.replace(hour=12))["now"] == "12:15 PM"
    own = persona_of(greeting="It is {now}.", prompt="Today is {today}.")
    assert unfilled_of(own) == {}
    said = as_said(fill(own, {}), clock_words(now))
    assert (said.greeting, said.prompt) == ("It is 10:15 AM.", "Today is Saturday, November 28, 2026.")
    assert "time_zone" in dict(persona_of(time_zone="Mars/Olympus").check())
    assert "time_zone" not in dict(persona_of(time_zone="Asia/Seoul").check())
    assert now_in("Asia/Seoul").utcoffset() == timedelta(hours=9)
    assert now_in("auto").utcoffset() is not None


def test_what_differs_from_call_to_call_is_not_prepared_for_the_voice() -> None:
    own = persona_of(greeting="It is {now}.", goodbye="Bye, {name}.", variables={"name": "friend"})
    texts = list(stock_phrases(Config(personas={"desk": own}), "v", {}))
    assert "Bye, friend." in texts
    assert not any("{" in text for text in texts)
