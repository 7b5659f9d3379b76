"""The real agent in the laboratory's town: all its trunks lead to the simulated people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import structlog

from sipagent.app import Worker
from sipagent.call.audit import Book
from sipagent.campaigns.agent_dialler import AgentDialler
from sipagent.config.addresses import PublicAddress
from sipagent.config.schema import Config, HostPort, ListenConfig, PortRange
from sipagent.lab.agent_process import LOOPBACK, free_port_block

_RTP_PORTS = 60


class TownAgent:
    """A worker of its own. ``start``, then ``close``; both on one thread."""

    def __init__(
        self,
        config: Config,
        people: tuple[str, int],
        folder: Path,
        log: structlog.stdlib.BoundLogger,
        clock: Callable[[], datetime],
        book: Book | None = None,
    ) -> None:
        """:param people: the town's address. :param folder: for what the agent counts."""
        config = in_town(config, people, folder)
        self._worker = Worker(config, log, book)
        self.dialler = AgentDialler(config, self._worker, clock)

    def __repr__(self) -> str:
        return f"TownAgent({self._worker!r})"

    def start(self) -> None:
        """Load the models, listen.

        :raises SipAgentError: that cannot be done.
        """
        self._worker.start()

    def close(self) -> None:
        """End the calls, free everything. Idempotent."""
        self._worker.close()


def in_town(config: Config, people: tuple[str, int], folder: Path) -> Config:
    """The same agent on ports of its own, with every trunk leading to the people; nobody else is called."""
    first = free_port_block(_RTP_PORTS)
    domain = f"{people[0]}:{people[1]}"
    trunks = tuple(
        replace(
            one, domain=domain, transport="udp", srtp="off", register=None, auth=None, options_s=0, cps=50
        )
        for one in config.trunks
    )
    outbound = replace(
        config.limits.outbound,
        allow=("*",),
        calls_per_day=1_000_000,
        spend_per_day=None,
        count_file=folder / "outbound-count.json",
    )
    return replace(
        config,
        listen=ListenConfig(udp=HostPort(LOOPBACK, 0)),
        rtp=replace(
            config.rtp, port_range=PortRange(first, first + _RTP_PORTS - 1), public_address=PublicAddress()
        ),
        trunks=trunks,
        numbers=(),
        limits=replace(config.limits, outbound=outbound),
        recording=replace(config.recording, enabled=False),
        campaigns=replace(config.campaigns, enabled=False, lines_kept_free=0),
        console=None,
    )
