"""Are the models that ``sip.yaml`` asks for known and whole, and which engines come with them?"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sipagent.brain.llm import AUTO, PREFERRED
from sipagent.config.persona_engines import SttChoice, stt_choice
from sipagent.config.schema import Config
from sipagent.errors import ModelError
from sipagent.speech.stt import choose_model, engine_of, understands

HIBARI = "hibari"
VAD = "silero-vad"
END_OF_TURN = "smart-turn-v3.2-cpu"
FETCH = "run: sipagent models fetch"
SIP_LIBRARIES = ("pjsua2", "sipagent.media._bridge")
STT_LIBRARIES = {"vosk": ("vosk",), "whisper": ("ctranslate2", "tokenizers")}


class CatalogEntry(Protocol):
    """One model of the catalogue."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """``stt``, ``llm``, ``tts``, …"""

    @property
    def engine(self) -> str:
        """``vosk``, ``whisper``, …"""


class Models(Protocol):
    """The catalogue and what of it is installed."""

    def entries(self) -> Sequence[CatalogEntry]: ...

    def is_installed(self, name: str) -> bool: ...

    def path(self, name: str) -> Path: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one key that the operator should know."""

    key: str
    text: str
    is_fatal: bool = True
    """False: a call can be held all the same."""


def model_findings(config: Config, store: Models) -> Iterator[Finding]:
    """Yield what is wrong with the models, those for ``auto`` included."""
    yield from _needed(VAD, "models_dir", store)
    if config.speech.turn.smart_turn:
        for finding in _needed(END_OF_TURN, "speech.turn.smart_turn", store):
            yield Finding(finding.key, f"{finding.text}, or set it to false")
    yield from _stt(config, store)
    if not has_local_llm(config):
        pass
    elif config.llm.model != AUTO:
        yield from _named(config.llm.model, "llm", "llm.model", store)
    elif not any(store.is_installed(name) for name in PREFERRED):
        yield Finding("llm.model", f"no language model is installed; {FETCH}")
    for name, persona in config.personas.items():
        yield from _voice(config.speech.tts.engine, persona.voice, f"personas.{name}.voice", store)


def models_in_force(config: Config, store: Models) -> list[str]:
    """Names of the installed models that would be loaded, each once."""
    wanted = [VAD, *([END_OF_TURN] if config.speech.turn.smart_turn else [])]
    wanted += stt_models(config, store)
    llm = config.llm.model
    if has_local_llm(config):
        wanted += [llm] if llm != AUTO else [name for name in PREFERRED if store.is_installed(name)][:1]
    wanted += [persona.voice for persona in config.personas.values()]
    return [name for name in dict.fromkeys(wanted) if store.is_installed(name)]


def stt_models(config: Config, store: Models) -> list[str]:
    """The models that will be the personas' ears, each once, by the rule of the engines themselves.

    :raises ModelError: engine, model and the personas' languages do not go together.
    """
    return list(dict.fromkeys(_stt_model(choice, store) for choice in _choices(config).values()))


def _choices(config: Config) -> dict[str, SttChoice]:
    usual = config.speech.stt
    return {name: stt_choice(one.stt, usual, one.language) for name, one in config.personas.items()}


def _stt_model(choice: SttChoice, store: Models) -> str:
    return choose_model(choice.engine, choice.model, store, language=choice.language)


def has_local_llm(config: Config) -> bool:
    """A language model is loaded on this machine."""
    return config.llm.openai is None or config.llm.openai.local


def libraries_of(config: Config, store: Models) -> list[str]:
    """The native libraries that this configuration imports, each once."""
    names = [*SIP_LIBRARIES, "onnxruntime", *(["llama_cpp"] if has_local_llm(config) else [])]
    for model in stt_models(config, store):
        names += STT_LIBRARIES[engine_of(model)]
    for persona in config.personas.values():
        names.append("hibari" if _is_hibari(config, persona.voice, store) else "piper")
    return list(dict.fromkeys(names))


def _is_hibari(config: Config, voice: str, store: Models) -> bool:
    engine = config.speech.tts.engine
    return engine == HIBARI or voice.startswith(HIBARI) or (engine == AUTO and not store.is_installed(voice))


def _stt(config: Config, store: Models) -> Iterator[Finding]:
    """Of every persona's ear; what comes of the section ``speech.stt`` alone is told once, there."""
    choices = _choices(config)
    told: set[Finding] = set()
    for name, choice in choices.items():
        own = config.personas[name].stt
        of_section = own.model is None and own.engine is None
        language_key = f"personas.{name}.language"
        key = "speech.stt.model" if of_section else f"personas.{name}.stt.model"
        if choice.model == AUTO and of_section and len(set(choices.values())) > 1:
            key = language_key
        try:
            model = _stt_model(choice, store)
            found = list(_named(model, "stt", key, store))
            if not found and not understands(model, choice.language):
                text = f"{model} does not understand {choice.language!r}; name a model that does as stt.model"
                found = [Finding(language_key if of_section else key, text)]
        except ModelError as error:
            no_model = choice.model == AUTO
            found = [Finding(language_key if no_model else key, str(error).removeprefix("speech.stt: "))]
        yield from (one for one in found if one not in told)
        told.update(found)


def _voice(engine: str, voice: str, key: str, store: Models) -> Iterator[Finding]:
    is_hibari = voice == HIBARI or voice.startswith(f"{HIBARI}-")
    if engine == "piper" and is_hibari:
        yield Finding(key, f"{voice} is no Piper voice; set speech.tts.engine to auto or name another voice")
    if engine == HIBARI or is_hibari:
        return
    for finding in _named(voice, "tts", key, store):
        is_known = any(entry.name == voice and entry.kind == "tts" for entry in store.entries())
        if engine == AUTO and is_known:
            yield Finding(key, f"{finding.text}; until then hibari speaks", is_fatal=False)
        else:
            yield finding


def _named(name: str, kind: str, key: str, store: Models) -> Iterator[Finding]:
    """A model that the file names: known, of the right kind, installed?"""
    names = [entry.name for entry in store.entries() if entry.kind == kind]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names) or 'none'}"
        yield Finding(key, f"no {kind} model {name!r} in the catalogue; {hint}")
    else:
        yield from _needed(name, key, store)


def _needed(name: str, key: str, store: Models) -> Iterator[Finding]:
    if not store.is_installed(name):
        yield Finding(key, f"model {name} is not installed or not whole; {FETCH} {name}")
