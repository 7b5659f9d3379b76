"""The campaigns of a running server: one thread runs them, another hands their results on.

::

    sip.yaml, campaigns/*.yaml ─▶ CampaignService ─┬─ "campaigns": CampaignRunner ─▶ AgentDialler ─▶ calls
                                   use, stop, close └─ "campaign-results": CSV, JSON Lines, commands; status
"""

import os
import platform
import random
import threading
from contextlib import closing
from datetime import UTC, datetime

import structlog

from sipagent.call.audit import Book
from sipagent.campaigns.agent_dialler import Agent, AgentDialler
from sipagent.campaigns.list_reader import ReadBeside
from sipagent.campaigns.pacing import CallFloor
from sipagent.campaigns.records import noting
from sipagent.campaigns.results import hand_on
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.campaigns.voicemail import with_voicemails
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_load import load_campaigns
from sipagent.config.schema import Config
from sipagent.errors import CampaignError, ConfigError

_RESULTS_EVERY_S = 2.0
_AGAIN_S = 30.0
_JOIN_S = 15.0


class CampaignService:
    """Runs what ``campaigns`` of ``sip.yaml`` names, where it is enabled. Main thread."""

    def __init__(
        self, config: Config, agent: Agent, log: structlog.stdlib.BoundLogger, ledger: Book | None
    ) -> None:
        """:param ledger: gets every decision; None: there is none."""
        self._agent, self._log = agent, log
        self._note = noting(log, ledger)
        self._dialler = AgentDialler(config, agent)
        self._campaigns: tuple[CampaignConfig, ...] = ()
        self._state_file = config.campaigns.state_file
        self._floor = CallFloor.of(config.campaigns)
        self._kept_free = config.campaigns.lines_kept_free
        self._runner: CampaignRunner | None = None
        self._stop, self._ends, self._is_settled = threading.Event(), threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._server = server_name()
        self.status: dict[str, dict[str, object]] = {}
        """Campaign → what it is doing, two seconds old at most. Any thread."""

    def __repr__(self) -> str:
        return f"CampaignService({len(self._campaigns)} campaigns)"

    def use(self, config: Config) -> None:
        """Read the campaigns (again): what is new counts for the next call. A fault changes nothing."""
        try:
            campaigns = load_all(config) if config.campaigns.enabled else ()
        except ConfigError as error:
            for problem in error.problems:
                self._log.error("campaigns.not_taken", problem=problem, effect="nothing has changed")
            return
        self._dialler.use(config)
        self._campaigns, self._floor = campaigns, CallFloor.of(config.campaigns)
        self._log.info("campaigns.taken", campaigns=[one.name for one in campaigns])
        if self._runner is not None:
            self._runner.use(campaigns, self._floor)
        elif campaigns and not self._threads:
            self._begin()

    def stop(self) -> None:
        """Place no more calls; those in progress end by themselves."""
        self._stop.set()

    def close(self) -> None:
        """Hang up what is left, settle it, hand its results on. Idempotent."""
        self._stop.set()
        self._ends.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
            if thread.is_alive():
                self._log.error("campaigns.not_stopped", thread=thread.name)
        self._threads.clear()

    def _begin(self) -> None:
        lines, _ = self._agent.lines
        if lines <= self._kept_free:
            self._log.error("campaigns.no_line", lines=lines, lines_kept_free=self._kept_free)
        for name, work in (("campaigns", self._run_all), ("campaign-results", self._hand_on_all)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run_all(self) -> None:
        while not self._stop.is_set():
            try:
                self._run()
            except CampaignError as error:
                self._log.error("campaigns.failed", reason=str(error), again_s=_AGAIN_S)
            except Exception:  # callers must not notice
                self._log.exception("campaigns.failed")
            self._stop.wait(_AGAIN_S)
        self._is_settled.set()

    def _run(self) -> None:
        """:raises CampaignError: the state cannot be used."""
        self._server = server_name()  # what an earlier runner left unsettled is not this one's
        with closing(CampaignStore(self._state_file, self._server, self._floor)) as store:
            self._runner = CampaignRunner(self._campaigns, store, self._dialler, self._note, ReadBeside())
            try:
                self._runner.run(self._stop, lambda: datetime.now(UTC), self._ends)
            finally:
                self._runner = None

    def _hand_on_all(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_settled.wait(_RESULTS_EVERY_S)
            try:
                with closing(StoreViews(self._state_file)) as views:
                    self._hand_on(views)
            except CampaignError as error:
                self._log.warning("campaign.not_handed_on", reason=str(error))
            except Exception:
                self._log.exception("campaign.not_handed_on")

    def _hand_on(self, views: StoreViews) -> None:
        """What this server's campaigns have come to, and where they stand."""
        for one in self._campaigns:
            if views.leader(one.name) == self._server:
                hand_on(one, views, lambda text: self._log.warning("campaign.not_handed_on", reason=text))
        status = {one.name: views.view(one.name).facts() for one in self._campaigns}
        for name, facts in status.items():
            if facts != self.status.get(name) and views.leader(name) == self._server:
                self._log.info("campaign.progressed", campaign=name, **facts)
        self.status = status


def load_all(config: Config) -> tuple[CampaignConfig, ...]:
    """Every campaign, with what it refers to.

    :raises ConfigError: one is not usable; with the problems of all.
    """
    trunks = [trunk.name for trunk in config.trunks]
    campaigns = load_campaigns(config.campaigns.dir, personas=config.personas, trunks=trunks)
    return with_voicemails(campaigns, config)


def server_name() -> str:
    """Names this process in claims, never one that came before it."""
    return f"{platform.node()}-{os.getpid()}-{random.getrandbits(32):08x}"
