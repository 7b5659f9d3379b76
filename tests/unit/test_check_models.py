"""Which models and libraries a configuration needs, and what is said where one is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from sipagent.cli.check_models import Models, libraries_of, model_findings, models_in_force
from sipagent.config.persona_engines import PersonaSttConfig
from sipagent.config.schema import (
    Config,
    LlmConfig,
    PersonaConfig,
    SpeechConfig,
    SttConfig,
    TtsConfig,
    TurnConfig,
)

pytestmark = pytest.mark.unit

KINDS = {
    "whisper-tiny.en": ("stt", "whisper"),
    "vosk-small-en-us": ("stt", "vosk"),
    "vosk-small-ko": ("stt", "vosk"),
    "qwen2.5-0.5b-instruct": ("llm", "llama.cpp"),
    "piper-en_US-joe-medium": ("tts", "piper"),
    "silero-vad": ("vad", "onnx"),
    "smart-turn-v3.2-cpu": ("eot", "onnx"),
}
COMPLETE = tuple(KINDS)


@dataclass(frozen=True)
class Entry:
    name: str
    kind: str
    engine: str


class FakeModels:
    """A catalogue of which only some models are installed."""

    def __init__(self, *installed: str) -> None:
        self._installed = installed

    def entries(self) -> Sequence[Entry]:
        return [Entry(name, *kinds) for name, kinds in KINDS.items()]

    def is_installed(self, name: str) -> bool:
        return name in self._installed

    def path(self, name: str) -> Path:
        return Path("models") / name


def without(*missing: str) -> FakeModels:
    return FakeModels(*(name for name in COMPLETE if name not in missing))


def config_of(voice: str = "piper-en_US-joe-medium", language: str = "en-US") -> Config:
    persona = PersonaConfig(
        name="maple", greeting="Hi.", prompt_file=Path("prompt.md"), voice=voice, language=language
    )
    return Config(personas={"maple": persona})


def with_stt(
    engine: Literal["auto", "vosk", "whisper"] = "auto", model: str = "auto", language: str = "en-US"
) -> Config:
    speech = SpeechConfig(stt=SttConfig(engine=engine, model=model))
    return replace(config_of(language=language), speech=speech)


def fatal(config: Config, store: Models) -> list[tuple[str, str]]:
    return [(one.key, one.text) for one in model_findings(config, store) if one.is_fatal]


def test_all_installed_is_fine() -> None:
    assert list(model_findings(config_of(), FakeModels(*COMPLETE))) == []


def test_nothing_installed_names_each_with_the_remedy() -> None:
    found = dict(fatal(config_of(), FakeModels()))
    assert set(found) == {"models_dir", "speech.turn.smart_turn", "speech.stt.model", "llm.model"}
    assert all("run: sipagent models fetch" in text for text in found.values())


def test_end_of_turn_model_is_needed_only_where_it_is_used() -> None:
    store = without("smart-turn-v3.2-cpu")
    assert [key for key, _ in fatal(config_of(), store)] == ["speech.turn.smart_turn"]
    assert fatal(replace(config_of(), speech=SpeechConfig(turn=TurnConfig(smart_turn=False))), store) == []


def test_auto_takes_vosk_where_it_is_installed_else_whisper() -> None:
    assert "vosk-small-en-us" in models_in_force(config_of(), FakeModels(*COMPLETE))
    assert "whisper-tiny.en" in models_in_force(config_of(), without("vosk-small-en-us"))


def test_auto_does_not_take_a_model_of_another_language() -> None:
    found = fatal(
        with_stt(), FakeModels("silero-vad", "smart-turn-v3.2-cpu", "vosk-small-ko", "qwen2.5-0.5b-instruct")
    )
    assert [key for key, _ in found] == ["speech.stt.model"]
    assert "model whisper-tiny.en is not installed" in found[0][1]
    assert "vosk-small-ko" in models_in_force(with_stt(language="ko"), FakeModels(*COMPLETE))


def test_engine_asked_for_without_its_model() -> None:
    found = fatal(with_stt("vosk"), without("vosk-small-en-us"))
    assert found[0][1].startswith(
        "model vosk-small-en-us is not installed or not whole; run: sipagent models"
    )


def test_engine_and_model_that_do_not_match() -> None:
    found = fatal(with_stt("vosk", "whisper-tiny.en"), FakeModels(*COMPLETE))
    assert found == [("speech.stt.model", "whisper-tiny.en is not a model of vosk, but of whisper")]


def with_seoul(language: str = "ko", speech: SttConfig | None = None, **own: str) -> Config:
    """The English persona and another one."""
    maple = config_of().personas["maple"]
    stt = PersonaSttConfig(**own)  # type: ignore[arg-type]  # engine, model
    both = {"maple": maple, "seoul": replace(maple, language=language, stt=stt)}
    return replace(config_of(), personas=both, speech=SpeechConfig(stt=speech or SttConfig()))


def test_each_persona_has_the_ear_of_its_language() -> None:
    store = without("vosk-small-en-us")
    assert fatal(with_seoul(), store) == []
    assert {"whisper-tiny.en", "vosk-small-ko"} <= set(models_in_force(with_seoul(), store))
    assert {"ctranslate2", "vosk"} <= set(libraries_of(with_seoul(), store))


def test_a_missing_ear_is_named_for_each_persona() -> None:
    ((key, text),) = fatal(with_seoul(), without("vosk-small-ko"))
    assert key == "personas.seoul.language"
    assert text.startswith("model vosk-small-ko is not installed")
    ((key, text),) = fatal(with_seoul(engine="vosk"), without("vosk-small-ko"))
    assert key == "personas.seoul.stt.model"
    assert text.startswith("model vosk-small-ko is not installed")
    found = fatal(with_seoul(), without("whisper-tiny.en", "vosk-small-en-us", "vosk-small-ko"))
    assert [key for key, _ in found] == ["personas.maple.language", "personas.seoul.language"]


@pytest.mark.parametrize(
    ("config", "key", "problem"),
    [
        (with_seoul("fr"), "personas.seoul.language", "no auto model for language 'fr'"),
        (with_seoul(model="whisper-tiny.en"), "personas.seoul.stt.model", "does not understand 'ko'"),
        (
            with_seoul(speech=SttConfig(model="whisper-tiny.en")),
            "personas.seoul.language",
            "whisper-tiny.en does not understand 'ko'",
        ),
        (with_seoul(engine="whisper"), "personas.seoul.language", "no whisper model for language 'ko'"),
    ],
)
def test_a_language_that_no_model_understands_names_its_persona(
    config: Config, key: str, problem: str
) -> None:
    ((found_key, text),) = fatal(config, FakeModels(*COMPLETE))
    assert found_key == key
    assert problem in text


def test_what_the_section_says_is_told_once() -> None:
    config = with_seoul("en-GB", speech=SttConfig(engine="vosk"))
    assert [key for key, _ in fatal(config, without("vosk-small-en-us"))] == ["speech.stt.model"]


def test_misspelt_model_gets_a_suggestion() -> None:
    config = replace(config_of(), llm=LlmConfig(model="qwen2.5-0.5b-instrukt"))
    assert fatal(config, FakeModels(*COMPLETE)) == [
        (
            "llm.model",
            "no llm model 'qwen2.5-0.5b-instrukt' in the catalogue; did you mean qwen2.5-0.5b-instruct?",
        )
    ]


def test_model_of_another_kind_is_no_voice() -> None:
    assert fatal(config_of(voice="silero-vad"), FakeModels(*COMPLETE))[0][0] == "personas.maple.voice"


def test_voice_that_is_missing_is_a_note_where_hibari_can_speak() -> None:
    store = without("piper-en_US-joe-medium")
    found = list(model_findings(config_of(), store))
    assert [(one.key, one.is_fatal) for one in found] == [("personas.maple.voice", False)]
    assert "hibari" in libraries_of(config_of(), store)
    piper = replace(config_of(), speech=SpeechConfig(tts=TtsConfig(engine="piper")))
    assert [key for key, _ in fatal(piper, store)] == ["personas.maple.voice"]


def test_hibari_needs_no_model() -> None:
    assert fatal(config_of(voice="hibari"), without("piper-en_US-joe-medium")) == []
    piper = replace(config_of(voice="hibari"), speech=SpeechConfig(tts=TtsConfig(engine="piper")))
    assert "is no Piper voice" in fatal(piper, FakeModels(*COMPLETE))[0][1]


def test_libraries_follow_the_choices() -> None:
    whisper = libraries_of(with_stt("whisper"), FakeModels(*COMPLETE))
    assert {"pjsua2", "sipagent.media._bridge", "llama_cpp", "ctranslate2", "piper"} <= set(whisper)
    assert not {"vosk", "hibari"} & set(whisper)
    assert "vosk" in libraries_of(with_stt(), FakeModels(*COMPLETE))
