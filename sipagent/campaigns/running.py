"""One campaign while a server runs it: what is derived from its file, its list, its orders."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sipagent.campaigns.conduct import Script
from sipagent.campaigns.contact_sources import read_rows
from sipagent.campaigns.contacts import Contact, ContactList, contacts_of
from sipagent.campaigns.dialler import CallOrder
from sipagent.campaigns.do_not_call import NumberFiles
from sipagent.campaigns.pacing import CallRate
from sipagent.campaigns.schedule import Schedule
from sipagent.campaigns.store import Claim
from sipagent.campaigns.window import Window
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import CampaignError, ConfigError

IDLE = timedelta(days=1)
"""Nothing is to be done; whoever waits for it looks in from time to time."""


@dataclass(slots=True)
class Running:
    """One campaign with what is derived from its file."""

    config: CampaignConfig
    window: Window
    schedule: Schedule | None
    rate: CallRate
    lists: NumberFiles
    told: str = ""
    """The obstacle that was noted last, so that it is noted once."""
    held_until: datetime | None = None
    """No call could be placed: the next try."""
    calls: dict[int, Claim] = field(default_factory=dict)
    opted_out: set[int] = field(default_factory=set)
    """Of these calls: whose person has asked for no more, which is recorded."""
    leads_until: datetime | None = None
    """This server runs it; None: another one does."""
    asks_again: datetime | None = None
    """When to see whether that one still lives."""
    rests_until: datetime | None = None
    """A fault of ours kept it from going on: the next try."""
    told_fault: str = ""
    """That fault, so that it is noted once."""
    is_gone: bool = False
    """It is no campaign any more; only its calls are awaited."""

    @classmethod
    def of(cls, config: CampaignConfig) -> "Running":
        return cls(
            config,
            Window.of(config),
            Schedule.of(config.schedule) if config.schedule else None,
            CallRate(config.calls.calls_per_second),
            NumberFiles(config.do_not_call, config.contacts.region),
        )


def next_run(one: Running, now: datetime) -> datetime:
    """When a run begins, or the one that is open ends."""
    if one.schedule is None:
        return now + IDLE
    moments = [now + IDLE, one.schedule.next_start(now), one.schedule.open_run(now)]
    if moments[2] is not None:
        moments[2] = max(now + timedelta(seconds=1), moments[2] + one.schedule.open_for)
    return min(at for at in moments if at is not None)


def read_list(config: CampaignConfig) -> ContactList:
    """The campaign's contacts.

    :raises ConfigError: it cannot be read, or a row cannot be called and ``contacts.skip_bad`` is false.
    """
    found = contacts_of(config, read_rows(config))
    if found.problems and not config.contacts.skip_bad:
        raise ConfigError(list(found.problems))
    return found


def order_of(config: CampaignConfig, contact: Contact, attempt_id: int = 0, n: int = 1) -> CallOrder:
    """What the dialler is told.

    :raises CampaignError: a text and the contact's variables do not fit (``load_campaign`` has checked them,
        but the list may have been read when the file was another one).
    """
    variables = contact.variables
    try:
        voicemail = config.voicemail.format(**variables)
        announcement = config.consent.announcement.format(**variables)
    except (LookupError, ValueError, TypeError, AttributeError) as exc:
        raise CampaignError(
            f"{config.source.path}: a text cannot be filled: {exc}; a new run reads the list again"
        ) from exc
    return CallOrder(
        attempt_id=attempt_id,
        campaign=config.name,
        number=contact.number,
        caller_id=config.calls.caller_id,
        trunk=config.calls.trunk,
        persona=config.persona,
        zone=contact.zones[0],
        n=n,
        ring_s=config.calls.ring_s,
        max_call_s=config.calls.max_call_s,
        script=Script(announcement, voicemail, announcement, config.consent.opt_out_key),
        variables=variables,
    )
