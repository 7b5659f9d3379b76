"""``sipagent campaign check`` and ``dry-run``: what will be, and what prevents it. Writes nothing."""

import argparse
import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

from sipagent.campaigns.agent_dialler import refusals
from sipagent.campaigns.checks import notes_of, problems_of
from sipagent.campaigns.contact_sources import read_rows
from sipagent.campaigns.contacts import ContactList, contacts_of
from sipagent.campaigns.forecast import Forecast, forecast
from sipagent.campaigns.known import known_of
from sipagent.campaigns.pacing import CallFloor
from sipagent.campaigns.running import read_list
from sipagent.campaigns.zones import zone
from sipagent.config.campaign import CampaignConfig
from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.tools.check import load_flows


def check(args: argparse.Namespace, config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    """Everything that can be known before the first call.

    :raises ConfigError: with every problem.
    """
    del args
    problems: list[str] = []
    now = datetime.now(UTC)
    try:
        flows = load_flows(config)
    except ConfigError as error:
        flows, problems = {}, [*error.problems]
    for one in campaigns:
        problems += problems_of(one, flows.get(one.persona))
        forecasts: list[Forecast] = []
        try:
            found = contacts_of(one, read_rows(one))
            problems += [text for text in found.problems if not one.contacts.skip_bad]
            for text in found.problems if one.contacts.skip_bad else ():
                print(f"left out: {text}", file=sys.stderr)
            problems += refusals(config, one, found.contacts)
            forecasts = _forecast(config, one, found, now)
            for note in notes_of(one, found.contacts, forecasts):
                print(f"note: {note}", file=sys.stderr)
        except ConfigError as error:
            problems += error.problems
        print(f"{one.name}: {_counts(forecasts)}")
    if problems:
        raise ConfigError(problems)
    return 0


def dry_run(args: argparse.Namespace, config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    """Print when each contact is called at the earliest, or why it is not."""
    now = datetime.now(UTC)
    latest = now + timedelta(days=args.days)
    for campaign in campaigns:
        forecasts = _forecast(config, campaign, read_list(campaign), now)
        for one in forecasts:
            _tell(campaign.name, one, latest, args)
        if not args.json:
            print(f"{campaign.name}: {_counts(forecasts)}")
    return 0


def _forecast(config: Config, campaign: CampaignConfig, found: ContactList, now: datetime) -> list[Forecast]:
    known = known_of(config.campaigns.state_file, campaign.name, now)
    return forecast(campaign, found.contacts, known, now, CallFloor.of(config.campaigns))


def _tell(name: str, one: Forecast, latest: datetime, args: argparse.Namespace) -> None:
    at = one.at if one.at is not None and one.at <= latest else None
    local = at.astimezone(zone(one.contact.zones[0])).isoformat(timespec="minutes") if at else None
    why = one.why or ("" if at else f"not within {args.days} days")
    if args.json:
        facts = {
            "campaign": name, "key": one.contact.key, "number": one.contact.number,
            "at_utc": at.isoformat(timespec="minutes") if at else None, "local": local, "why": why,
        }  # fmt: skip
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print(f"{name}  {one.contact.key}  {one.contact.number}  {local or why}")


def _counts(forecasts: list[Forecast]) -> str:
    callable_ = sum(one.at is not None for one in forecasts)
    others = Counter(
        "the window, dates or limits" if one.is_fault else one.why for one in forecasts if one.why
    )
    reasons = "".join(f", {count} not: {why}" for why, count in others.most_common())
    return f"{callable_} contacts can be called{reasons}"
