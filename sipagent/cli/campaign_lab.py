"""``sipagent campaign run --lab``: the whole of a campaign on simulated people, in minutes."""

import argparse
import os
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from sipagent import logs
from sipagent.campaigns.dialler import Dialler
from sipagent.campaigns.pacing import CallFloor
from sipagent.campaigns.results import hand_on
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.service import server_name
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.cli.campaign_run import progress, stopping
from sipagent.config.campaign import CampaignConfig
from sipagent.config.schema import Config
from sipagent.lab.campaign import LabTown, VirtualClock, pass_time


def run_lab(args: argparse.Namespace, config: Config, campaigns: tuple[CampaignConfig, ...]) -> int:
    """Call everybody, in one run and as often as the campaigns say; log and state are in ``--out``.

    :returns: 0; does not return once the agent's engines are loaded.
    :raises SipAgentError: the agent cannot start.
    """
    out: Path = args.out or Path("out") / time.strftime("campaign-%Y%m%d-%H%M%S")
    out.mkdir(parents=True, exist_ok=True)
    clock = VirtualClock(datetime.now(UTC))
    with ExitStack() as stack:
        town = stack.enter_context(closing(LabTown(speaks=not args.softphone)))
        if args.softphone:
            softphones = stack.enter_context(closing(town.softphones(args.lines)))
            return _run(config, campaigns, softphones, clock, out)
        status = _run_agent(config, campaigns, town, clock, out)
    sys.stdout.flush()
    os._exit(status)  # native threads of the engines may linger


def _run_agent(
    config: Config, campaigns: tuple[CampaignConfig, ...], town: LabTown, clock: VirtualClock, out: Path
) -> int:
    from sipagent.lab.campaign_agent import TownAgent  # loads the engines' libraries

    sys.setswitchinterval(0.0005)  # the SIP thread must not wait 5 ms for a busy one
    with (out / "agent.log").open("w") as stream:
        logs.configure(format_="json", level="info", shows_pii=True, stream=stream)
        log = logs.get_log()
        with closing(TownAgent(config, town.people.address, out, log, clock.now)) as agent:
            with Console(stderr=True).status("Loading the models …"):
                agent.start()
            return _run(config, campaigns, agent.dialler, clock, out)


def _run(
    config: Config, campaigns: tuple[CampaignConfig, ...], dialler: Dialler, clock: VirtualClock, out: Path
) -> int:
    # as days fly by, runs that begin by themselves might call people for ever
    campaigns = tuple(replace(one, schedule=None) for one in campaigns)
    console, state = Console(stderr=True), out / "campaigns.sqlite"

    def tell(text: str) -> None:
        console.print(f"! {text}", markup=False)

    with ExitStack() as stack:
        store = stack.enter_context(
            closing(CampaignStore(state, server_name(), CallFloor.of(config.campaigns)))
        )
        views = stack.enter_context(closing(StoreViews(state)))
        runner = CampaignRunner(campaigns, store, dialler)
        for one in campaigns:
            store.want_run(one.name, clock.now())
        live = stack.enter_context(Live(console=console, refresh_per_second=2, transient=True))

        def each_round() -> None:
            live.update(progress(views, campaigns, clock.now()))
            for one in campaigns:
                hand_on(one, views, tell)

        pass_time(runner, views, [one.name for one in campaigns], clock, each_round, stopping().is_set)
        dialler.hang_up_all()
        pass_time(runner, views, [], clock, each_round, lambda: False)
    with closing(StoreViews(state)) as views:
        Console().print(progress(views, campaigns, clock.now()))
    print(f"sipagent campaign report --state {state} --html {out / 'report.html'} NAME", file=sys.stderr)
    return 0
