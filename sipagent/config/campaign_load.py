"""Campaign file → ``CampaignConfig``, or every problem at once."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from string import Formatter

from sipagent.config.campaign import CampaignConfig
from sipagent.config.document import compose_file
from sipagent.config.fields import Problem
from sipagent.config.walk import Unusable, Walker
from sipagent.errors import ConfigError


def load_campaign(
    path: Path, *, personas: Collection[str] | None = None, trunks: Collection[str] | None = None
) -> CampaignConfig:
    """Read and check one file. Reads no contacts.

    :param personas: those of sip.yaml; None: not checked. ``trunks`` the same.
    :raises ConfigError: with one line for each problem.
    """
    root = compose_file(path)
    walker = Walker(path=str(path), base_dir=path.absolute().parent, environ={})
    try:
        campaign: CampaignConfig = walker.section(CampaignConfig, root, "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    walker.note_checked(_references(campaign, personas, trunks))
    if walker.problems:
        raise ConfigError(walker.report())
    return replace(campaign, source=walker.source)


def load_campaigns(
    folder: Path, *, personas: Collection[str] | None = None, trunks: Collection[str] | None = None
) -> tuple[CampaignConfig, ...]:
    """Every ``*.yaml`` of a folder, by name.

    :raises ConfigError: the problems of all files, or two with the same name.
    """
    found: dict[str, CampaignConfig] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            campaign = load_campaign(path, personas=personas, trunks=trunks)
        except ConfigError as error:
            problems += error.problems
            continue
        if (other := found.get(campaign.name)) is not None:
            at = campaign.source.at("name")
            problems.append(f"{at}: {campaign.name!r} is the name of {other.source.path} already")
        found[campaign.name] = campaign
    if problems:
        raise ConfigError(problems)
    return tuple(found.values())


def placeholders(text: str) -> tuple[str, ...]:
    """Names in braces.

    :raises ValueError: the braces do not fit, or have more in them than a name.
    """
    found: list[str] = []
    for _, name, form, conversion in Formatter().parse(text):
        if form or conversion:
            raise ValueError(f"{{{name}}} has more in it than a name")
        if name is not None:
            found.append(name)
    return tuple(found)


def _references(
    campaign: CampaignConfig, personas: Collection[str] | None, trunks: Collection[str] | None
) -> list[Problem]:
    found: list[Problem] = []
    if personas is not None and campaign.persona not in personas:
        found.append(
            ("persona", f"no persona {campaign.persona!r}; there are: {', '.join(personas) or 'none'}")
        )
    trunk = campaign.calls.trunk
    if trunks is not None and trunk and trunk not in trunks:
        found.append(("calls.trunk", f"no trunk {trunk!r}; there are: {', '.join(trunks) or 'none'}"))
    for key, text in (
        ("voicemail", campaign.voicemail),
        ("consent.announcement", campaign.consent.announcement),
    ):
        try:
            unknown = [name for name in placeholders(text) if name not in campaign.variables]
        except ValueError as exc:
            found.append((key, f"braces do not fit: {exc}; write {{{{ for a brace"))
            continue
        if unknown:
            found.append(
                (key, f"{{{unknown[0]}}} is none of the variables: {', '.join(campaign.variables) or 'none'}")
            )
    return found
