"""What a session is built from."""

from dataclasses import dataclass, field, replace

from sipagent.brain.guarded import ClaimRules
from sipagent.brain.types import Conversation, SamplingLimits
from sipagent.call.answers import KnowledgeParts
from sipagent.call.ear import HearingEngines
from sipagent.call.flow_talk import FlowParts
from sipagent.call.guide import Guide
from sipagent.call.keys import KeyRules
from sipagent.call.memory import CallMemory
from sipagent.call.outbound import OutboundCall
from sipagent.call.ports import SecondLegs
from sipagent.call.tape import TapePlan
from sipagent.call.turn_events import Phrase
from sipagent.call.turn_rules import TurnRules
from sipagent.call.utterance import SpeakingEngines
from sipagent.config.schema import PersonaConfig
from sipagent.speech.types import SttStream


@dataclass(frozen=True, slots=True)
class SessionParts:
    """Everything a session is built from; ``app`` puts it together."""

    persona: PersonaConfig
    rules: TurnRules
    hearing: HearingEngines
    speaking: SpeakingEngines
    stream: SttStream
    conversation: Conversation
    limits: SamplingLimits
    tape: TapePlan | None = None
    """How the call is recorded; None: not."""
    keys: KeyRules = field(default_factory=KeyRules)
    hold_s: int = 900
    """Longest time on hold."""
    claims: ClaimRules | None = None
    """What the model may claim; None: anything."""
    flow: FlowParts | None = None
    """What guides the conversation; None: the language model alone."""
    knowledge: KnowledgeParts | None = None
    """What questions are answered from; None: the language model alone answers."""
    second_legs: SecondLegs | None = None
    """Calls to whoever may take the caller; None: there are none."""
    memory: CallMemory | None = None
    """What is remembered of the caller; None: nothing is."""
    retry_after_s: int = 10
    """Told to the peer whose call cannot be taken."""
    guide: Guide | None = None
    """Decides when the conversation begins; None: with the answer."""


def for_order(parts: SessionParts, order: OutboundCall) -> SessionParts:
    """The parts of a call that we place: its guide, and the flow with the order's values."""
    flow = parts.flow
    if flow is not None:
        flow = replace(flow, variables={**flow.variables, **order.flow_variables})
    return replace(parts, guide=order.guide, flow=flow)


def phrase_text(persona: PersonaConfig, phrase: Phrase, index: int) -> str:
    """What the persona says by itself. ``index`` counts the no-input prompts."""
    return {
        Phrase.GREETING: persona.greeting,
        Phrase.APOLOGY: persona.apology,
        Phrase.GOODBYE: persona.goodbye,
        Phrase.NO_INPUT: persona.no_input.prompts[index],
    }[phrase]
