"""``sipagent campaign run``, and the options of ``dry-run``."""

import argparse
import signal
import threading
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console, Group
from rich.live import Live

from sipagent.campaigns.agent_dialler import refusals
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.config.campaign import CampaignConfig
from sipagent.config.schema import Config
from sipagent.errors import CampaignError, ConfigError


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of ``run`` or ``dry-run``."""
    if name == "dry-run":
        parser.add_argument("--days", type=int, default=7, metavar="N", help="look so far (default: 7)")
        return
    parser.add_argument(
        "--lab", action="store_true", help="the agent calls simulated people on loopback, as time flies"
    )
    parser.add_argument(
        "--softphone",
        action="store_true",
        help="with --lab: without the agent and its models; keys for words",
    )
    parser.add_argument("--lines", type=int, default=4, metavar="N", help="with --softphone: calls at a time")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="with --lab: folder (default: out/campaign-TIME)"
    )


def run(args: argparse.Namespace, config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    """Begin a run now and show how it goes, until everybody was called or SIGINT. The server goes on.

    :returns: 0: everybody was called; 1: it goes on, or is paused.
    :raises CampaignError: no server runs them with this state file. :raises ConfigError: a list is wrong.
    """
    if not campaigns:
        raise CampaignError(f"{config.campaigns.dir}: no campaigns there; docs/campaigns.md has an example")
    lists = [(one, read_list(one)) for one in campaigns]  # every problem before the first call
    if args.lab:
        from sipagent.cli.campaign_lab import run_lab  # loads half of the lab

        return run_lab(args, config, campaigns)
    if problems := [text for one, found in lists for text in refusals(config, one, found.contacts)]:
        raise ConfigError(problems)
    return _run_on_server(config, campaigns)


def refuse_unless_running(store: CampaignStore, name: str) -> None:
    """:raises CampaignError: it is paused or stopped: a run would not begin."""
    state, why, _, _ = store.state(name)
    if state != "running":
        reason = f" ({why})" if why else ""
        raise CampaignError(f"{name}: is {state}{reason}; sipagent campaign resume {name} comes first")


def _run_on_server(config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    state_file = config.campaigns.state_file
    with ExitStack() as stack:
        views = stack.enter_context(closing(StoreViews(state_file)))
        store = stack.enter_context(closing(CampaignStore(state_file, "operator")))
        for one in campaigns:
            if not views.is_led(one.name, datetime.now(UTC)):
                raise CampaignError(
                    f"{one.name}: no server runs it with {state_file}; start `sipagent serve` with "
                    "campaigns.enabled: true, or try it with --lab"
                )
            refuse_unless_running(store, one.name)
        for one in campaigns:
            store.want_run(one.name, datetime.now(UTC), is_wish=True)
        stop = stopping()
        with Live(console=Console(stderr=True), refresh_per_second=2, transient=True) as live:
            while not stop.wait(0.5):
                live.update(progress(views, campaigns, datetime.now(UTC)))
                if not any(_goes_on(views, store, one.name) for one in campaigns):
                    break
        Console().print(progress(views, campaigns, datetime.now(UTC)))
        return int(any(_is_left(views, store, one.name) for one in campaigns))


def _is_left(views: StoreViews, store: CampaignStore, name: str) -> bool:
    return store.state(name)[3] is not None or views.view(name).due_s is not None


def _goes_on(views: StoreViews, store: CampaignStore, name: str) -> bool:
    """The run is still wanted, or somebody is called or waits for it, and a server sees to it."""
    state, _, _, wanted = store.state(name)
    if state != "running" or not views.is_led(name, datetime.now(UTC)):
        return False
    view = views.view(name)
    return wanted is not None or bool(view.contacts.get("calling")) or view.due_s is not None


def progress(views: StoreViews, campaigns: tuple[CampaignConfig, ...], now: datetime) -> Group:
    """The table of ``status`` under the time."""
    from sipagent.cli.campaign import status_table

    return status_table(views, [one.name for one in campaigns], f"Campaigns, {now:%Y-%m-%d %H:%M} UTC")


def stopping() -> threading.Event:
    """Set by SIGINT and SIGTERM."""
    stop = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop
