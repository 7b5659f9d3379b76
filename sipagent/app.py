"""Builds the objects and ties them together: engines, desk, SIP user agent. Nothing else builds them."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import structlog

from sipagent.brain.endpoint import EndpointModel, endpoint_of
from sipagent.brain.failover import FailoverModel
from sipagent.brain.late import LateModel
from sipagent.brain.llm import load_llm
from sipagent.brain.spoken import speakable
from sipagent.brain.types import LanguageModel, SamplingLimits
from sipagent.call.answers import KnowledgeParts
from sipagent.call.audit import Book
from sipagent.call.claim_rules import claim_rules
from sipagent.call.desk import Desk
from sipagent.call.ear import HearingEngines
from sipagent.call.endpointing import CommitDelays, words_of
from sipagent.call.flow_talk import FlowParts
from sipagent.call.identity import filled
from sipagent.call.keys import KeyRules
from sipagent.call.memory import CallMemory, Remembrance
from sipagent.call.outbound import CallProgress, OutboundCall, OutboundDesk, PlacedCall
from sipagent.call.parts import SessionParts
from sipagent.call.ports import Offer, SecondLegs
from sipagent.call.recorded import keep_greetings
from sipagent.call.tape import plan_for
from sipagent.call.tool_port import Memory
from sipagent.call.trunks import TrunkState
from sipagent.call.turn_rules import TurnRules
from sipagent.call.utterance import SpeakingEngines
from sipagent.call.work import Lane
from sipagent.campaigns.service import CampaignService
from sipagent.config.schema import Config, PersonaConfig
from sipagent.config.variables import fill, unfilled_of
from sipagent.flows.free_talk import free_flow
from sipagent.flows.machine import fixed_texts
from sipagent.flows.primer import primer_of
from sipagent.flows.schema import Flow
from sipagent.knowledge.knowledge import Knowledge
from sipagent.knowledge.load import knowledge_of
from sipagent.ledger import CallerMemory, Ledger
from sipagent.modelstore.store import ModelStore
from sipagent.sip.user_agent import SipUserAgent
from sipagent.speech.phrases import PhraseCache
from sipagent.speech.shaping import WARM_UP_TEXT
from sipagent.speech.smart_turn import SmartTurn
from sipagent.speech.stt import load_stt
from sipagent.speech.tts import load_tts
from sipagent.speech.types import SttEngine, never_cancelled
from sipagent.speech.vad import VadModel
from sipagent.supervision.policy import Vitals
from sipagent.tools.check import load_flows
from sipagent.tools.toolbox import Toolbox
from sipagent.units import monotonic_ms

MAX_CALLS = 4
"""What one worker serves; the SIP library at hand holds no more either."""
_END_MODEL_NICENESS = 5
"""Its answer is needed at the commit, the others' before it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Engines:
    """The loaded models and the lanes that lead to them."""

    stt: SttEngine
    llm: LateModel
    """Not loaded yet when calls begin."""
    hearing: HearingEngines
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
                self.llm.warm(fill(persona, {}).prompt)
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
        self.stt.close()


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
    lanes = {
        name: Lane(name, threads, log, niceness=niceness)
        for name, threads, niceness in (
            ("stt", 1, 0),
            ("eot", 1, _END_MODEL_NICENESS),
            ("reply", max_calls, 0),
            ("tts", 1, 0),
            ("tool", max_calls, 0),
        )
    }
    voices = sorted({persona.voice for persona in config.personas.values()})
    with ThreadPoolExecutor(4, thread_name_prefix="load") as pool:
        stt = pool.submit(timed, log, "stt", lambda: _load_stt(config, store))
        vad = pool.submit(timed, log, "vad", lambda: VadModel(store.path("silero-vad") / "silero_vad.onnx"))
        end_model = pool.submit(timed, log, "end_model", lambda: _load_end_model(config, store))
        speaking = {voice: pool.submit(load_voice, config, voice, lanes, flows, log) for voice in voices}
        hearing = HearingEngines(
            vad.result(), end_model.result(), lanes["stt"], lanes["eot"], stt.result().is_streaming
        )
        llm = LateModel(lambda: timed(log, "llm", lambda: _load_llm(config, store, max_calls)))
        engines = Engines(
            stt.result(),
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
    """What the personas with this voice say by themselves."""
    for named in config.personas.values():
        if named.voice != voice or unfilled_of(named):
            continue
        persona = fill(named, {})
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


def _load_stt(config: Config, store: ModelStore) -> SttEngine:
    stt = config.speech.stt
    language = next(iter(config.personas.values())).language.partition("-")[0]
    return load_stt(stt.engine, stt.model, store, language=language)


def _load_end_model(config: Config, store: ModelStore) -> SmartTurn | None:
    if not config.speech.turn.smart_turn:
        return None
    return SmartTurn(store.path("smart-turn-v3.2-cpu") / "smart-turn-v3.2-cpu.onnx")


def session_parts(
    config: Config, engines: Engines, persona: PersonaConfig, offer: Offer, memory: CallMemory | None = None
) -> SessionParts:
    """What a call needs of the configuration and the engines.

    :param memory: what is remembered of the caller.
    :raises CapacityError: the language model has no place left.
    """
    variables = {**persona.variables, **offer.identity.variables(), **(memory.variables if memory else {})}
    prompt = filled(persona.prompt, variables)
    return SessionParts(
        persona=persona,
        rules=turn_rules(config, persona),
        hearing=engines.hearing,
        speaking=engines.speaking[persona.voice],
        conversation=engines.llm.open_conversation(prompt, is_local=persona.llm.engine == "llama.cpp"),
        stream=engines.stt.open_stream(),
        limits=sampling_limits(config, persona),
        tape=plan_for(config.recording, persona),
        claims=claim_rules(persona, prompt, flow_for(engines.flows, persona)),
        keys=KeyRules(frozenset(persona.keys), persona.keypad.inter_digit_ms, config.speech.barge_in.dtmf),
        hold_s=config.limits.hold_s,
        flow=_flow_parts(engines, persona, variables),
        knowledge=_knowledge_parts(engines, persona),
        memory=memory,
        retry_after_s=config.limits.retry_after_s,
    )


def _knowledge_parts(engines: Engines, persona: PersonaConfig) -> KnowledgeParts | None:
    knowledge = engines.knowledge.get(persona.name) if persona.knowledge else None
    return KnowledgeParts(knowledge, persona.unknown) if knowledge else None


def _flow_parts(engines: Engines, persona: PersonaConfig, variables: Mapping[str, str]) -> FlowParts | None:
    flow = flow_for(engines.flows, persona)
    if flow is None:
        return None
    is_free = persona.name not in engines.flows  # rules alone decide there
    reader = None if is_free else engines.llm.open_reader(primer_of(flow))
    lane, tools = engines.speaking[persona.voice].reply_lane, engines.tools.of(persona)
    return FlowParts(flow, reader, lane, tools, variables)


def flow_for(flows: Mapping[str, Flow], persona: PersonaConfig) -> Flow | None:
    """What guides a persona: its flow, or where it has tools alone the one that leaves the talking to the
    language model; None: nothing does."""
    if persona.name in flows or not persona.tools:
        return flows.get(persona.name)
    return free_flow(tools=persona.tools, targets=persona.transfer, goodbye=persona.goodbye)


def sampling_limits(config: Config, persona: PersonaConfig) -> SamplingLimits:
    """Of a persona's replies: its own, else those of the section ``llm``."""
    own, usual = persona.llm, config.llm
    return SamplingLimits(
        max_tokens=usual.max_reply_tokens if own.max_reply_tokens is None else own.max_reply_tokens,
        temperature=usual.temperature if own.temperature is None else own.temperature,
        deadline_ms=usual.deadline_ms,
    )


def turn_rules(config: Config, persona: PersonaConfig) -> TurnRules:
    """The turn machine's rules for a persona."""
    turn, barge_in = config.speech.turn, config.speech.barge_in
    tool_ms = (config.tools[name].timeout_ms for name in persona.tools if name in config.tools)
    backchannels = frozenset(" ".join(words_of(text)) for text in barge_in.backchannels)
    return TurnRules(
        pause_ms=turn.pause_ms,
        delays=CommitDelays(turn.commit_ms.sure, turn.commit_ms.doubt, turn.commit_ms.latest),
        longest_ms=turn.longest_ms,
        barge_in=barge_in.enabled,
        min_voice_ms=barge_in.min_voice_ms,
        verdict_ms=barge_in.verdict_ms,
        backchannels=backchannels,
        no_input_after_ms=persona.no_input.after_ms,
        no_input_prompts=len(persona.no_input.prompts),
        max_failures=persona.lost.after,
        hands_over=bool(persona.lost.transfer),
        thinking_limit_ms=max(config.llm.deadline_ms, *tool_ms, 0) + 4000,
    )


class Switchboard:
    """The engines and the desk: everything of an agent but its line to the world."""

    _FAREWELL_S = 8.0

    def __init__(self, config: Config, log: structlog.stdlib.BoundLogger, book: Book | None = None) -> None:
        """:param book: the audit ledger of the calls; None: they leave no entries."""
        self._config = config
        self._log = log
        self.engines: Engines | None = None
        self.second_legs: SecondLegs | None = None
        """Who calls those that callers are handed to; None: nobody does."""
        store = CallerMemory.of(book.folder, book.keys) if isinstance(book, Ledger) else None
        self._memory = Remembrance(store, config.personas)
        self.desk = Desk(config, self._parts_for, log, book)

    def __repr__(self) -> str:
        return f"Switchboard({self._config.instance}, {self.desk!r})"

    def start(self, on_answering: Callable[[], None] = lambda: None) -> None:
        """Load the ears and voices, take calls, load the rest.

        :param on_answering: told when calls are taken.
        :raises ModelError: a model cannot be loaded.
        """
        self.engines = load_engines(self._config, self._log, self._memory)
        self.desk.open()
        on_answering()
        self.engines.llm.start()
        self.engines.warm(self._config)

    def use(self, config: Config) -> None:
        """Serve new calls by another configuration; those in progress keep theirs. After ``start``.

        Of what was loaded at the start only voices and prompts are added to.

        :raises ModelError: a voice cannot be loaded; nothing has changed then.
        """
        engines = self.engines
        assert engines is not None
        flows, knowledge = load_flows(config), knowledge_of(config)
        for name in [name for name in engines.flows if name not in flows]:
            del engines.flows[name]
        engines.flows.update(flows)
        engines.knowledge.update(knowledge)
        for voice in sorted({persona.voice for persona in config.personas.values()}):
            known = engines.speaking.get(voice)
            if known is None:
                engines.speaking[voice] = load_voice(config, voice, engines.lanes, engines.flows, self._log)
            else:
                known.phrases.preload(stock_phrases(config, voice, engines.flows))
                keep_greetings(known.phrases, config, voice, lambda persona: flow_for(flows, persona))
        self._config = config
        self._memory.use(config.personas)
        self.desk.use(config)
        engines.warm(config)

    def hang_up_all(self) -> None:
        """Take no more calls, say goodbye to those in progress."""
        self.desk.close(self._FAREWELL_S)

    def close(self) -> None:
        """Free the models. Idempotent."""
        if self.engines is not None:
            self.engines.close()
            self.engines = None

    def _parts_for(self, persona: PersonaConfig, offer: Offer) -> SessionParts:
        assert self.engines is not None  # the desk is closed until they are loaded
        memory = self._memory.begin(persona, offer, self._log)
        parts = session_parts(self._config, self.engines, persona, offer, memory)
        return replace(parts, second_legs=self.second_legs)


class Worker:
    """One process's agent: a switchboard on a SIP line. ``start``, then ``close``."""

    def __init__(self, config: Config, log: structlog.stdlib.BoundLogger, book: Book | None = None) -> None:
        """:param book: the audit ledger of the calls; None: they leave no entries."""
        self._config = config
        self._log = log
        self._switchboard = Switchboard(config, log, book)
        self._agent = SipUserAgent(config, self._switchboard.desk, log)
        self._outbound = OutboundDesk(config, self._switchboard.desk, self._agent.dialler, log)
        self._campaigns = CampaignService(config, self, log, book)
        self._switchboard.second_legs = self._outbound

    def __repr__(self) -> str:
        return f"Worker({self._switchboard!r}, {self._agent!r})"

    def start(self, on_answering: Callable[[], None] = lambda: None) -> None:
        """Listen at once (503 until somebody can be greeted), take calls, load the rest.

        :param on_answering: told when calls are taken; the language model is loaded during the greeting.
        :raises SipError: a listener cannot be opened. :raises ModelError: a model cannot be loaded.
        """
        began = time.monotonic()
        self._agent.start()
        if not self._agent.has_native_audio:
            self._log.warning(
                "media.fell_back", reason="unknown pjsua2: audio passes through the interpreter"
            )
        self._switchboard.start(on_answering)
        engines = self._switchboard.engines
        assert engines is not None
        listen = self._config.listen
        self._log.info(
            "agent.ready",
            ready_ms=round((time.monotonic() - began) * 1000),
            udp=str(listen.udp) if listen.udp else None,
            tcp=str(listen.tcp) if listen.tcp else None,
            tls=str(listen.tls.bind) if listen.tls else None,
            max_calls=self._agent.max_calls,
            llm=engines.llm.name,
            stt=engines.stt.name,
            voices=sorted(engines.speaking),
            rss_mib=rss_mib(),
            pid=os.getpid(),
        )
        self._campaigns.use(self._config)

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        """Call somebody. See ``OutboundDesk.place``."""
        return self._outbound.place(call, on_progress)

    @property
    def lines(self) -> tuple[int, int]:
        """How many calls it takes, and how many there are. Any thread."""
        return self._agent.max_calls, self._switchboard.desk.calls

    def trunk_states(self) -> tuple[TrunkState, ...]:
        """Every trunk: alive or not, since when and why. Any thread."""
        return self._agent.trunk_states()

    def use(self, config: Config) -> None:
        """As ``Switchboard.use``; campaigns are read again."""
        self._switchboard.use(config)
        self._outbound.use(config)
        self._campaigns.use(config)

    def drain(self, timeout_s: float) -> None:
        """Take no more calls, leave the registrars, wait for the calls in progress; then ``close``."""
        self._campaigns.stop()
        self._agent.leave_trunks()
        self._switchboard.desk.drain(timeout_s)

    def vitals(self) -> Vitals:
        """Who shows signs of life. Any thread; never waits."""
        now_ms = monotonic_ms()
        agent = self._agent
        return Vitals(
            sip_age_ms=now_ms - agent.heartbeat_ms if agent.heartbeat_ms else 0,
            clock_age_ms=now_ms - agent.clock_ms if agent.clock_ms else 0,
            call_ages_ms=self._switchboard.desk.ages_ms(now_ms),
        )

    def status(self) -> dict[str, object]:
        """What the operator may want to know of it. Any thread; never waits."""
        return {
            "calls": self._switchboard.desk.calls,
            "max_calls": self._agent.max_calls,
            "trunks": {
                one.trunk: {"state": one.health.value, "reason": one.reason, "registration": one.registration}
                for one in self._agent.trunk_states()
            },
            "why_not_ready": self._switchboard.desk.why_closed(),
            "campaigns": self._campaigns.status,
        }

    def close(self) -> None:
        """Say goodbye to the calls, hang up, free everything. Idempotent."""
        self._campaigns.stop()
        self._switchboard.hang_up_all()
        self._campaigns.close()
        self._agent.close()
        self._switchboard.close()


def rss_mib() -> int:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
