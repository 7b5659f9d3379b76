"""``sipagent campaign run`` and ``dry-run``."""

import argparse
import json
import signal
import threading
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from sipagent.campaigns.results import hand_on
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.running import read_list
from sipagent.campaigns.schedule import Schedule
from sipagent.campaigns.service import server_name
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.campaigns.window import Window
from sipagent.campaigns.zones import zone
from sipagent.config.campaign import CampaignConfig
from sipagent.config.schema import Config
from sipagent.errors import CampaignError


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of ``run`` or ``dry-run``."""
    if name == "dry-run":
        parser.add_argument("--days", type=int, default=7, metavar="N", help="look so far (default: 7)")
        return
    parser.add_argument("--lab", action="store_true", help="call simulated people on loopback, as time flies")
    parser.add_argument("--lines", type=int, default=4, metavar="N", help="with --lab: calls at a time")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="with --lab: folder (default: out/campaign-TIME)"
    )


def dry_run(args: argparse.Namespace, config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    """Print when each contact's window opens at the campaign's next run."""
    now = datetime.now(UTC)
    for one in campaigns:
        found = read_list(one)
        begin = Schedule.of(one.schedule).next_start(now) if one.schedule else now
        window = Window.of(one)
        for contact in found.contacts:
            at = window.next_open(contact.zones, begin) if begin else None
            is_soon = at is not None and at <= now + timedelta(days=args.days)
            local = at.astimezone(zone(contact.zones[0])) if at and is_soon else None
            facts = {
                "campaign": one.name, "key": contact.key, "number": contact.number,
                "at_utc": at.isoformat(timespec="minutes") if at and is_soon else None,
                "local": local.isoformat(timespec="minutes") if local else None,
            }  # fmt: skip
            if args.json:
                print(json.dumps(facts, ensure_ascii=False))
            else:
                print(
                    f"{one.name}  {contact.key}  {contact.number}  {facts['local'] or 'not within this time'}"
                )
    return 0


def run(args: argparse.Namespace, config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    """Run the campaigns until SIGINT or SIGTERM; with ``--lab`` until everybody was called.

    :raises CampaignError: calls cannot be placed from here.
    """
    if not campaigns:
        raise CampaignError(f"{config.campaigns.dir}: no campaigns there; docs/campaigns.md has an example")
    if not args.lab:
        raise CampaignError("campaign run: places calls only with --lab in this version")
    for one in campaigns:
        read_list(one)  # every problem before the first call
    return _run_lab(args, campaigns)


def _run_lab(args: argparse.Namespace, campaigns: tuple[CampaignConfig, ...]) -> int:
    from sipagent.lab.campaign import LabTown, VirtualClock  # loads a model and half of the lab

    console = Console(stderr=True)
    out: Path = args.out or Path("out") / time.strftime("campaign-%Y%m%d-%H%M%S")
    out.mkdir(parents=True, exist_ok=True)
    state, clock = out / "campaigns.sqlite", VirtualClock(datetime.now(UTC))
    with ExitStack() as stack:
        town = stack.enter_context(closing(LabTown(lines=args.lines)))
        store = stack.enter_context(closing(CampaignStore(state, server_name())))
        views = stack.enter_context(closing(StoreViews(state)))
        runner = CampaignRunner(campaigns, store, town.dialler)
        for one in campaigns:
            store.want_run(one.name, clock.now())
        stop = _stopping()
        live = stack.enter_context(Live(console=console, refresh_per_second=2, transient=True))
        while not stop.is_set():
            next_at = runner.tick(clock.now())
            for one in campaigns:
                hand_on(one, views, lambda text: console.print(f"! {text}"))
            live.update(progress(views, campaigns, clock.now()))
            if runner.calls:
                time.sleep(0.05)
            elif any(views.view(one.name).due_s is not None for one in campaigns):
                clock.jump(next_at)
            else:
                break
        town.dialler.close()
        runner.tick(clock.now())
        for one in campaigns:
            hand_on(one, views, lambda text: console.print(f"! {text}"))
        Console().print(progress(views, campaigns, clock.now()))
    console.print(f"{state}", highlight=False)
    return 0


def progress(views: StoreViews, campaigns: tuple[CampaignConfig, ...], now: datetime) -> Table:
    """The table of ``status`` under the time."""
    from sipagent.cli.campaign import status_table

    table = status_table(views, [one.name for one in campaigns])
    table.title = f"Campaigns, {now:%Y-%m-%d %H:%M} UTC"
    return table


def _stopping() -> threading.Event:
    stop = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop
