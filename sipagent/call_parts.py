"""What one call gets of configuration and engines."""

from collections.abc import Mapping

from sipagent.brain.types import SamplingLimits
from sipagent.call.answers import KnowledgeParts
from sipagent.call.claim_rules import claim_rules
from sipagent.call.endpointing import CommitDelays, words_of
from sipagent.call.flow_talk import FlowParts
from sipagent.call.keys import KeyRules
from sipagent.call.memory import CallMemory
from sipagent.call.parts import SessionParts
from sipagent.call.ports import Offer
from sipagent.call.tape import plan_for
from sipagent.call.turn_rules import TurnRules
from sipagent.config.clock import AUTO_ZONE, clock_words, now_in
from sipagent.config.schema import Config, PersonaConfig
from sipagent.config.variables import as_said
from sipagent.engines import Engines, flow_for
from sipagent.flows.local_time import TIME_ZONE
from sipagent.flows.primer import primer_of


def session_parts(
    config: Config, engines: Engines, persona: PersonaConfig, offer: Offer, memory: CallMemory | None = None
) -> SessionParts:
    """What a call needs of the configuration and the engines.

    :param memory: what is remembered of the caller.
    :raises CapacityError: the language model has no place left.
    """
    stt, hearing = engines.ear_of(config, persona)
    variables = known_variables(persona, offer, memory)
    persona = as_said(persona, {**clock_words(now_in(persona.time_zone)), **variables})
    return SessionParts(
        persona=persona,
        rules=turn_rules(config, persona),
        hearing=hearing,
        speaking=engines.speaking[persona.voice],
        conversation=engines.llm.open_conversation(
            persona.prompt, is_local=persona.llm.engine == "llama.cpp"
        ),
        stream=stt.open_stream(),
        limits=sampling_limits(config, persona),
        tape=plan_for(config.recording, persona),
        claims=claim_rules(persona, persona.prompt, flow_for(engines.flows, persona)),
        keys=KeyRules(frozenset(persona.keys), persona.keypad.inter_digit_ms, config.speech.barge_in.dtmf),
        hold_s=config.limits.hold_s,
        flow=_flow_parts(engines, persona, variables),
        knowledge=_knowledge_parts(engines, persona),
        memory=memory,
        retry_after_s=config.limits.retry_after_s,
    )


def known_variables(persona: PersonaConfig, offer: Offer, memory: CallMemory | None) -> dict[str, str]:
    """What is known when a call begins; what the call does not bring, the persona's ``variables`` say."""
    known = {**offer.identity.variables(), **(memory.variables if memory else {})}
    zone = {} if persona.time_zone == AUTO_ZONE else {TIME_ZONE: persona.time_zone}
    return {**zone, **persona.variables, **{name: text for name, text in known.items() if text}}


def _knowledge_parts(engines: Engines, persona: PersonaConfig) -> KnowledgeParts | None:
    knowledge = engines.knowledge.get(persona.name) if persona.knowledge else None
    return KnowledgeParts(knowledge, persona.unknown) if knowledge else None


def _flow_parts(engines: Engines, persona: PersonaConfig, variables: Mapping[str, str]) -> FlowParts | None:
    flow = flow_for(engines.flows, persona)
    if flow is None:
        return None
    is_free = persona.name not in engines.flows  # rules alone decide there
    reader = None if is_free else engines.llm.open_reader(primer_of(flow))
    tools = engines.tools.of(persona, {name: tool.results for name, tool in flow.tools.items()})
    return FlowParts(flow, reader, engines.speaking[persona.voice].reply_lane, tools, variables)


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
