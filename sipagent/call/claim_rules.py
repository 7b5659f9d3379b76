"""What a persona's model may claim."""

from sipagent.brain.claims import facts_of
from sipagent.brain.guarded import ClaimRules
from sipagent.config.schema import PersonaConfig
from sipagent.flows.schema import Flow, texts_of


def claim_rules(persona: PersonaConfig, prompt: str, flow: Flow | None) -> ClaimRules | None:
    """What the persona's model may claim: its prompt, its own sentences and its flow's; None: anything.

    :param prompt: filled in for the call.
    """
    guard = persona.guard
    if not guard.claims:
        return None
    texts = [prompt, persona.greeting, *persona.variables.values(), *guard.facts]
    if flow is not None:
        said = (text for state in flow.states.values() for _, text in texts_of(state))
        everywhere = (one.say for one in flow.everywhere.values())
        texts += [*said, *everywhere, *flow.variables.values()]
    return ClaimRules(facts_of(texts), guard.unknown, guard.undone, guard.declined, guard.robot)
