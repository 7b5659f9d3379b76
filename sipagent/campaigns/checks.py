"""What can be known of a campaign before its first call, beyond the shape of its file and list."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.forecast import Forecast
from sipagent.campaigns.zones import contradicts, zones_of
from sipagent.config.campaign import CampaignConfig
from sipagent.flows.schema import Flow

_MOST_OF_A_KIND = 10


def problems_of(campaign: CampaignConfig, flow: Flow | None) -> Iterator[str]:
    """One line for each fault, with file and line.

    :param flow: of the persona; None: it has none.
    """
    key = campaign.consent.opt_out_key
    states = [name for name, state in flow.states.items() if key in state.on] if flow and key else []
    if flow and key in flow.everywhere:
        states.append("everywhere")
    if flow and states:
        yield (
            f"{campaign.source.at('consent.opt_out_key')}: key {key} ends the call for good and is used by "
            f"{flow.source.path}: {', '.join(states)}; take another key there, or here"
        )
    for name in ("csv", "jsonl"):
        path: Path | None = getattr(campaign.results, name)
        if path is not None and (why := _unwritable(path)):
            yield f"{campaign.source.at(f'results.{name}')}: {path} cannot be written: {why}"


def notes_of(
    campaign: CampaignConfig, contacts: Iterable[Contact], forecasts: Iterable[Forecast]
) -> Iterator[str]:
    """One line for each thing that is possible and probably not meant."""
    notes: defaultdict[str, list[str]] = defaultdict(list)
    for one in forecasts:
        if one.is_fault:
            notes[one.why.partition(", ")[0]].append(
                f"{one.contact.at}: {one.contact.number} will not be called: {one.why}"
            )
    for contact in contacts:
        if (
            campaign.contacts.zone
            and len(contact.zones) == 1
            and contradicts(contact.zones[0], contact.number)
        ):
            of_number = zones_of(contact.number)
            more = f" and {len(of_number) - 1} more" if len(of_number) > 1 else ""
            where = f"{contact.number} is of {of_number[0]}{more}"
            notes["zone"].append(
                f"{contact.at}: {contact.zones[0]}, but {where}; the zone of the list counts"
            )
    for lines in notes.values():
        yield from lines[:_MOST_OF_A_KIND]
        if len(lines) > _MOST_OF_A_KIND:
            yield f"{len(lines) - _MOST_OF_A_KIND} more of this kind"
    if campaign.quiet_hours.override:
        yield f"{campaign.source.at('quiet_hours.override')}: calls at any hour"


def _unwritable(path: Path) -> str:
    """Why a line cannot be added to the file; empty: it can. Folders are made when they are needed."""
    if path.is_dir():
        return "it is a folder"
    if path.exists():
        return "" if os.access(path, os.W_OK) else "no permission"
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        return f"{parent} is no folder"
    return "" if os.access(parent, os.W_OK | os.X_OK) else f"no permission in {parent}"
