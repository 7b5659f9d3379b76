"""Rows → contacts that may be called, and every reason why others may not. Reads nothing itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sipagent.campaigns.contact_sources import Row, missing_columns
from sipagent.campaigns.zones import NotCallable, e164, is_region, zones_of
from sipagent.config.campaign import CampaignConfig, is_zone
from sipagent.config.campaign_load import placeholders
from sipagent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Contact:
    """One person of one campaign."""

    key: str
    number: str
    """E.164."""
    zones: tuple[str, ...]
    """Where the person may be; a call must suit all of them."""
    variables: Mapping[str, str] = field(default_factory=dict)
    at: str = ""
    """Where the list has it."""
    consent: str = ""
    """The evidence."""


@dataclass(frozen=True, slots=True)
class ContactList:
    """What came of a list."""

    contacts: tuple[Contact, ...]
    problems: tuple[str, ...]
    """One line for each row that cannot be called, ``contacts.csv:7: number: …``."""


def contacts_of(campaign: CampaignConfig, rows: Iterable[Row]) -> ContactList:
    """Every row as a contact or a problem.

    :raises ConfigError: a column that the campaign names does not exist, or the country of numbers.
    """
    region = campaign.contacts.region
    if region and not is_region(region):
        raise ConfigError(
            [f"{campaign.source.at('contacts.region')}: no country {region!r}; expected US or so"]
        )
    found: dict[str, Contact] = {}
    problems: list[str] = []
    is_first = True
    for row in rows:
        if is_first and (missing := missing_columns(campaign, row.cells)):
            raise ConfigError(missing)
        is_first = False
        own: list[str] = []
        contact = _contact(campaign, row, own)
        if contact is not None and contact.key in found:
            own.append(f"key: {contact.key!r} stands at {found[contact.key].at} already")
        if contact is not None and not own:
            found[contact.key] = contact
        problems += [f"{row.at}: {text}" for text in own]
    return ContactList(tuple(found.values()), tuple(problems))


def _contact(campaign: CampaignConfig, row: Row, problems: list[str]) -> Contact | None:
    contacts, cells = campaign.contacts, row.cells
    try:
        number = e164(cells.get(contacts.number, ""), contacts.region)
    except NotCallable as exc:
        problems.append(f"{contacts.number}: {exc}")
        return None
    zones = _zones(cells.get(contacts.zone, "") if contacts.zone else "", number)
    if not zones:
        text = cells.get(contacts.zone, "") if contacts.zone else ""
        what = f"no time zone {text!r}; expected area and city, as America/New_York"
        if not text:
            what = f"no time zone is known for {number}; name it in a column (contacts.zone)"
        problems.append(f"{contacts.zone or contacts.number}: {what}")
    consent = cells.get(campaign.consent.column, "") if campaign.consent.column else ""
    if campaign.consent.column and not consent:
        problems.append(f"{campaign.consent.column}: no evidence of consent")
    key = cells.get(contacts.key, "") if contacts.key else number
    if not key:
        problems.append(f"{contacts.key}: is empty; it names the contact")
    variables = {name: cells.get(column, "") for name, column in campaign.variables.items()}
    spoken = {*placeholders(campaign.voicemail), *placeholders(campaign.consent.announcement)}
    for name, value in variables.items():
        if not value and name in spoken:
            problems.append(f"{campaign.variables[name]}: is empty, and the campaign's texts say {{{name}}}")
    told = {contacts.key: key, campaign.consent.column: consent}
    told |= {campaign.variables[name]: value for name, value in variables.items()}
    problems += [f"{column}: has control characters" for column, v in told.items() if not v.isprintable()]
    return Contact(key, number, zones, variables, row.at, consent)


def _zones(named: str, number: str) -> tuple[str, ...]:
    if named:
        return (named,) if is_zone(named) else ()
    return zones_of(number)
