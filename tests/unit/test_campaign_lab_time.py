"""A campaign in the laboratory: days fly by, the pauses of sip.yaml are kept, and it ends by itself."""

import threading
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sipagent.campaigns.dialler import CallOrder, Finished, Tell
from sipagent.campaigns.outcomes import Ending, FlowResult, Outcome
from sipagent.campaigns.store_views import StoreViews
from sipagent.cli import campaign_lab
from sipagent.config.campaign_load import load_campaign
from sipagent.config.campaign_values import Span
from sipagent.config.load import load_config
from sipagent.lab.campaign import VirtualClock
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import write_campaign

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


class Hasty(FakeDialler):
    """Every call is over at once."""

    def place(self, order: CallOrder, tell: Tell) -> None:
        tell(Finished(order.attempt_id, self.ending_of(order, 0)))


def ending(order: CallOrder, _: int) -> Ending:
    """One is always busy, one never there, one always wants to be called back, one is a voicemail."""
    vague = Ending(Outcome.ANSWERED, 200, "human", 9000, (FlowResult("call_back"),))
    kinds = (Ending(Outcome.BUSY, 486), Ending(Outcome.NO_ANSWER, 480), vague, Ending(Outcome.VOICEMAIL, 200))
    return kinds[int(order.number[-1]) % 4]


@pytest.mark.parametrize("again", ["never", "each_run"])
@pytest.mark.parametrize("pause", ["15m", "1d"])
def test_a_run_ends_by_itself_whatever_the_pauses_and_the_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: str, again: str
) -> None:
    extra = 'schedule: {cron: "*/30 * * * *", zone: UTC, open_for: 1h}\nlimits: {breaker_answered_pct: 0}\n'
    extra += "retry: {attempts: 4, after: {busy: 5m, no_answer: 5m, voicemail: 1d}}\n"
    write_campaign(tmp_path, extra, people=8)
    text = (tmp_path / "test.yaml").read_text().replace("zone: zone}", f"zone: zone, again: {again}}}")
    (tmp_path / "test.yaml").write_text(text)
    config = load_config(ROOT / "sip-campaigns.yaml")
    config = replace(config, campaigns=replace(config.campaigns, pause=Span.parse(pause), calls_per_number=2))
    monkeypatch.setattr(campaign_lab, "stopping", threading.Event)
    began = datetime.now(UTC)
    clock = VirtualClock(began)
    campaign = load_campaign(tmp_path / "test.yaml")
    assert campaign_lab._run(config, (campaign,), Hasty(ending), clock, tmp_path) == 0
    assert clock.now() - began < timedelta(days=30)
    calls: defaultdict[str, list[datetime]] = defaultdict(list)
    with closing(StoreViews(tmp_path / "campaigns.sqlite")) as views:
        for one in views.attempts("test"):
            calls[one.number].append(datetime.fromisoformat(one.dialled_utc))
        assert views.view("test").contacts == {"done": 8}
    pauses = [later - earlier for moments in calls.values() for earlier, later in pairwise(moments)]
    assert min(pauses) >= timedelta(seconds=config.campaigns.pause.seconds)
    assert max(len(moments) for moments in calls.values()) == 4
