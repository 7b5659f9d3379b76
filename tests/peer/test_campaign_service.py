"""A server's campaigns on their threads: run, steered from outside, read again, drained, handed on."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from sipagent.call import dialling
from sipagent.call.outbound import CallProgress, CallResult, OutboundCall, PlacedCall
from sipagent.campaigns.service import CampaignService
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.config.load import load_config
from sipagent.config.schema import Config
from tests.unit.campaign_fixtures import ALL_DAY, write_campaign

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0


class Agent:
    """Every call is busy, after a moment; ``holds``: not before the test lets it."""

    def __init__(self) -> None:
        self.calls: list[OutboundCall] = []
        self.holds = threading.Event()
        self.holds.set()

    @property
    def lines(self) -> tuple[int, int]:
        return 4, 0

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        placed = PlacedCall(call.to, on_progress)
        self.calls.append(call)

        def end() -> None:
            self.holds.wait(DEADLINE_S)
            placed.finish(CallResult(dialling.Outcome.BUSY, "lab", 486, "", None, 0, False, ()))
            assert call.guide is not None
            call.guide.left(is_broken=False)

        threading.Thread(target=end).start()
        return placed


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def site(folder: Path) -> Config:
    write_campaign(folder, "retry: {attempts: 1}\nresults: {csv: out.csv}\n", people=3, window=ALL_DAY)
    config = load_config(ROOT / "sip-campaigns.yaml")
    persona = replace(config.personas["reminder"], name="receptionist")
    campaigns = replace(config.campaigns, dir=folder, state_file=folder / "state.sqlite")
    return replace(config, personas={"receptionist": persona}, campaigns=campaigns)


def test_a_server_runs_its_campaigns_until_it_drains(tmp_path: Path) -> None:
    config, agent = site(tmp_path), Agent()
    service = CampaignService(config, agent, structlog.get_logger(), None)
    service.use(config)
    state = tmp_path / "state.sqlite"
    with closing(CampaignStore(state, "operator")) as operator, closing(StoreViews(state)) as views:
        until(lambda: views.is_led("test", datetime.now(UTC)))
        operator.want_run("test", datetime.now(UTC))
        out = tmp_path / "out.csv"
        until(lambda: out.is_file() and len(out.read_text().splitlines()) == 4)
        assert sorted(call.to for call in agent.calls) == [f"+1555300{n:04d}" for n in range(3)]
        assert {call.campaign for call in agent.calls} == {"test"}
        until(lambda: service.status["test"]["outcomes"] == {"busy": 3})

        (tmp_path / "broken.yaml").write_text("name: broken\n")
        service.use(config)  # a fault changes nothing
        assert views.is_led("test", datetime.now(UTC))
        (tmp_path / "broken.yaml").unlink()
        with (tmp_path / "list.csv").open("a") as file:
            file.write("+15553009999,Europe/London\n")
        agent.holds.clear()
        operator.want_run("test", datetime.now(UTC))
        until(lambda: len(agent.calls) == 4)
        service.stop()  # drains: the call in progress may end by itself
        time.sleep(0.3)
        assert views.view("test").contacts == {"done": 3, "calling": 1}
        agent.holds.set()
        service.close()
        assert views.view("test").contacts == {"done": 4}
        assert len(out.read_text().splitlines()) == 5
        assert not views.is_led("test", datetime.now(UTC))
