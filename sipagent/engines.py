"""The models, loaded, and the lanes that lead to them. Shared by all calls of a process."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from sipagent.brain.endpoint import EndpointModel, endpoint_of
from sipagent.brain.failover import FailoverModel
from sipagent.brain.late import LateModel
from sipagent.brain.llm import load_llm
from sipagent.brain.spoken import speakable
from sipagent.brain.types import LanguageModel
from sipagent.call.ear import HearingEngines
from sipagent.call.recorded import keep_greetings, recorded_greetings
from sipagent.call.tape import plan_for
from sipagent.call.tool_port import Memory
from sipagent.call.utterance import SpeakingEngines
from sipagent.call.work import Lane
from sipagent.config.persona_engines import SttChoice, stt_choice
from sipagent.config.schema import Config, PersonaConfig
from sipagent.config.variables import PLACEHOLDER, prepared, unfilled_of
from sipagent.flows.free_talk import free_flow
from sipagent.flows.phrases import fixed_texts
from sipagent.flows.primer import primer_of
from sipagent.flows.schema import Flow
from sipagent.knowledge.knowledge import Knowledge
from sipagent.knowledge.load import knowledge_of
from sipagent.modelstore.store import ModelStore
from sipagent.speech.phrases import PhraseCache
from sipagent.speech.shaping import WARM_UP_TEXT
from sipagent.speech.smart_turn import SmartTurn
from sipagent.speech.stt import AUTO, choose_model, load_stt
from sipagent.speech.tts import load_tts
from sipagent.speech.types import SttEngine, never_cancelled
from sipagent.speech.vad import VadModel
from sipagent.tools.check import load_flows
from sipagent.tools.toolbox import Toolbox

MAX_CALLS = 4
"""What one worker serves; the SIP library at hand holds no more either."""
_END_MODEL_NICENESS = 5
"""Its answer is needed at the commit, the others' before it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Engines:
    """The loaded models and the lanes that lead to them."""

    ears: dict[SttChoice, SttEngine]
    """What callers are understood with; personas may share one."""
    llm: LateModel
    """Not loaded yet when calls begin."""
    hearing: HearingEngines
    """Of the first ear."""
    speaking: dict[str, SpeakingEngines]
    """By voice."""
    lanes: dict[str, Lane]
    tools: Toolbox
    flows: dict[str, Flow] = field(default_factory=dict)
    """By persona."""
    knowledge: dict[str, Knowledge] = field(default_factory=dict)
    """By persona."""

    def warm(self, config: Config) -> None:
        """Read the prompts, say something to nobody: so that no caller waits for what comes first."""
        for persona in config.personas.values():
            if not unfilled_of(persona):
                self.llm.warm(prepared(persona).prompt)
        for flow in self.flows.values():
            self.llm.warm_reader(primer_of(flow))
        for voice in self.speaking.values():
            for _ in voice.phrases.speak(WARM_UP_TEXT, never_cancelled):
                pass

    def close(self) -> None:
        """Stop the lanes, free the models."""
        for lane in self.lanes.values():
            lane.close()
        self.llm.close()
        for ear in {id(ear): ear for ear in self.ears.values()}.values():
            ear.close()

    def ear_of(self, config: Config, persona: PersonaConfig) -> tuple[SttEngine, HearingEngines]:
        """A persona's speech-to-text engine, and what else its calls hear with."""
        stt = self.ears[_choice(config, persona)]
        return stt, replace(self.hearing, is_streaming=stt.is_streaming)


def max_calls_of(config: Config) -> int:
    """Calls that one worker takes at a time."""
    wanted = config.limits.max_calls
    return MAX_CALLS if isinstance(wanted, str) else wanted


def cores_of(config: Config) -> int:
    """Threads that the language model uses."""
    wanted = config.llm.threads
    return len(os.sched_getaffinity(0)) if isinstance(wanted, str) else wanted


def cache_dir() -> Path:
    """Where sounds that can be made again are kept over restarts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sipagent" / "phrases"


def load_engines(config: Config, log: structlog.stdlib.BoundLogger, memory: Memory) -> Engines:
    """Load what a greeting needs, at the same time: ears and voices. The language model comes later.

    :param memory: what tools remember of callers.
    :raises ModelError: a model is missing or damaged. :raises ConfigError: a flow is not usable.
    """
    flows, knowledge = load_flows(config), knowledge_of(config)
    store = ModelStore(config.models_dir)
    max_calls = max_calls_of(config)
    lanes = _lanes(max_calls, log)
    voices = sorted({persona.voice for persona in config.personas.values()})
    with ThreadPoolExecutor(4, thread_name_prefix="load") as pool:
        stt = pool.submit(load_ears, config, store, log, {})
        vad = pool.submit(timed, log, "vad", lambda: VadModel(store.path("silero-vad") / "silero_vad.onnx"))
        end_model = pool.submit(timed, log, "end_model", lambda: _load_end_model(config, store))
        speaking = {voice: pool.submit(load_voice, config, voice, lanes, flows, log) for voice in voices}
        ears = stt.result()
        is_streaming = next(iter(ears.values())).is_streaming
        hearing = HearingEngines(vad.result(), end_model.result(), lanes["stt"], lanes["eot"], is_streaming)
        llm = LateModel(lambda: timed(log, "llm", lambda: _load_llm(config, store, max_calls)))
        engines = Engines(
            ears,
            llm,
            hearing,
            {voice: future.result() for voice, future in speaking.items()},
            lanes,
            Toolbox(config, lanes["tool"], log, threads=max_calls, memory=memory),
            flows,
            knowledge,
        )
    for lane in engines.lanes.values():
        lane.start()
    return engines


def _lanes(max_calls: int, log: structlog.stdlib.BoundLogger) -> dict[str, Lane]:
    """By name, not yet started."""
    return {
        "stt": Lane("stt", 1, log),
        "eot": Lane("eot", 1, log, niceness=_END_MODEL_NICENESS),
        "reply": Lane("reply", max_calls, log),
        "tts": Lane("tts", 1, log),
        "tool": Lane("tool", max_calls, log),
    }


def renewed(engines: Engines, config: Config, log: structlog.stdlib.BoundLogger, memory: Memory) -> Engines:
    """What another configuration needs: flows, knowledge, tools, and ears and voices that are new.

    ``engines`` stay as they are, and go on serving calls; the models and lanes are theirs.

    :raises SipAgentError: something cannot be had.
    """
    flows, knowledge = load_flows(config), knowledge_of(config)
    recorded_greetings(config)
    ears = load_ears(config, ModelStore(config.models_dir), log, engines.ears)
    speaking = dict(engines.speaking)
    for voice in sorted({persona.voice for persona in config.personas.values()}):
        if voice in speaking:
            speaking[voice].phrases.preload(stock_phrases(config, voice, flows))
        else:
            speaking[voice] = load_voice(config, voice, engines.lanes, flows, log)
    tools = Toolbox(config, engines.lanes["tool"], log, threads=max_calls_of(config), memory=memory)
    return replace(engines, ears=ears, speaking=speaking, tools=tools, flows=flows, knowledge=knowledge)


def timed(log: structlog.stdlib.BoundLogger, name: str, load: Callable[[], T]) -> T:
    """Load an engine and say how long it took."""
    began = time.monotonic()
    engine = load()
    log.info("engine.loaded", engine=name, took_ms=round((time.monotonic() - began) * 1000))
    return engine


def load_voice(
    config: Config,
    voice: str,
    lanes: dict[str, Lane],
    flows: dict[str, Flow],
    log: structlog.stdlib.BoundLogger,
) -> SpeakingEngines:
    """A voice, and in its memory what its personas say by themselves.

    :raises ModelError: it is missing or damaged.
    """

    def load() -> SpeakingEngines:
        tts = load_tts(config.speech.tts.engine, voice, ModelStore(config.models_dir))
        phrases = PhraseCache(tts, prepare=speakable, cache_dir=cache_dir())
        missing = phrases.recall(stock_phrases(config, voice, flows))
        if missing:
            tts.warm()
            phrases.preload(missing)
        keep_greetings(phrases, config, voice, lambda persona: flow_for(flows, persona))
        return SpeakingEngines(phrases, lanes["reply"], lanes["tts"])

    return timed(log, voice, load)


def stock_phrases(config: Config, voice: str, flows: dict[str, Flow]) -> Iterator[str]:
    """What the personas with this voice say by themselves, the same in every call."""
    for text in _own_texts(config, voice, flows):
        if not PLACEHOLDER.search(text):
            yield text


def _own_texts(config: Config, voice: str, flows: dict[str, Flow]) -> Iterator[str]:
    for named in config.personas.values():
        if named.voice != voice:
            continue
        persona = prepared(named)
        yield from (persona.greeting, persona.goodbye, persona.apology, persona.one_moment)
        yield from persona.no_input.prompts
        if persona.knowledge:
            yield persona.unknown
        if persona.transfer:
            yield from (persona.connecting, persona.not_connected)
        tape = plan_for(config.recording, persona)
        yield from tape.phrases() if tape else ()
        if flow := flow_for(flows, persona):
            yield from fixed_texts(flow, persona.greeting)
        for tool in (config.tools[name] for name in persona.tools if name in config.tools):
            yield from filter(None, (tool.filler, tool.on_failure))


def _load_llm(config: Config, store: ModelStore, max_calls: int) -> LanguageModel:
    llm, remote = config.llm, None
    if llm.openai is not None:
        endpoint = endpoint_of(llm.openai)
        remote = EndpointModel(endpoint, max_calls=max_calls, context_tokens=llm.context_tokens)
        if not llm.openai.local:
            return remote
    local = load_llm(
        llm.model, store, max_calls=max_calls, context_tokens=llm.context_tokens, threads=cores_of(config)
    )
    if remote is None or llm.openai is None:
        return local
    return FailoverModel(remote, local, probe_s=llm.openai.probe_s)


def _choice(config: Config, persona: PersonaConfig) -> SttChoice:
    return stt_choice(persona.stt, config.speech.stt, persona.language)


def load_ears(
    config: Config,
    store: ModelStore,
    log: structlog.stdlib.BoundLogger,
    known: Mapping[SttChoice, SttEngine],
) -> dict[SttChoice, SttEngine]:
    """``known``, and what the personas want besides; each model once.

    :raises ModelError: one is missing or damaged.
    """
    ears = dict(known)
    models = {_model_of(choice, store): ear for choice, ear in known.items()}
    for choice in dict.fromkeys(_choice(config, persona) for persona in config.personas.values()):
        model = _model_of(choice, store)
        if model not in models:
            models[model] = timed(log, "stt", partial(load_stt, AUTO, model, store))
        ears[choice] = models[model]
    return ears


def _model_of(choice: SttChoice, store: ModelStore) -> str:
    return choose_model(choice.engine, choice.model, store, language=choice.language)


def _load_end_model(config: Config, store: ModelStore) -> SmartTurn | None:
    if not config.speech.turn.smart_turn:
        return None
    return SmartTurn(store.path("smart-turn-v3.2-cpu") / "smart-turn-v3.2-cpu.onnx")


def flow_for(flows: Mapping[str, Flow], persona: PersonaConfig) -> Flow | None:
    """What guides a persona: its flow, or where it has tools alone the one that leaves the talking to the
    language model; None: nothing does."""
    if persona.name in flows or not persona.tools:
        return flows.get(persona.name)
    return free_flow(tools=persona.tools, targets=persona.transfer, goodbye=persona.goodbye)
