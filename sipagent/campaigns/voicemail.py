"""What is left on an answering machine: a campaign's own text, else that of the flow its persona follows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sipagent.config.campaign import CampaignConfig
from sipagent.config.schema import Config, PersonaConfig
from sipagent.flows.load import load_flow
from sipagent.flows.schema import VARIABLE, Flow


def with_voicemails(campaigns: Iterable[CampaignConfig], config: Config) -> tuple[CampaignConfig, ...]:
    """The campaigns, each with its voicemail. One that says ``voicemail: ""`` leaves none.

    :raises ConfigError: a flow is not usable.
    """
    return tuple(_with_voicemail(one, config.personas.get(one.persona)) for one in campaigns)


def _with_voicemail(campaign: CampaignConfig, persona: PersonaConfig | None) -> CampaignConfig:
    if persona is None or persona.flow is None or campaign.voicemail or campaign.source.has("voicemail"):
        return campaign
    flow = load_flow(persona.flow)
    return replace(campaign, voicemail=_text_of(flow, campaign.variables, persona.variables))


def _text_of(flow: Flow, of_contacts: Mapping[str, str], of_persona: Mapping[str, str]) -> str:
    """The flow's voicemail; variables that contacts bring stay open, others get their value."""
    known = {**flow.variables, **of_persona}

    def value(name: str) -> str:
        if name in of_contacts:
            return f"{{{name}}}"
        return known.get(name, "").replace("{", "{{").replace("}", "}}")

    return VARIABLE.sub(lambda match: value(match[1]), flow.voicemail)
