"""A wish for no more calls is on the disk before the call is over, whenever in the call it was said."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sipagent.call import dialling
from sipagent.call.outbound import CallProgress, CallResult, OutboundCall, PlacedCall
from sipagent.campaigns.agent_dialler import AgentDialler
from sipagent.campaigns.guide import CampaignGuide
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.store import LEASE_S, CampaignStore
from sipagent.config.load import load_config
from tests.unit.campaign_fixtures import MONDAY, write_campaign
from tests.unit.test_campaign_guide import SILENCE, Stage

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
NOON = MONDAY + timedelta(hours=12)
NUMBER = "+15553000000"


class Agent:
    """Takes every call; the test is the line."""

    lines = (4, 0)

    def __init__(self) -> None:
        self.guide: CampaignGuide | None = None

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        assert isinstance(call.guide, CampaignGuide)
        self.guide, self.placed = call.guide, PlacedCall(call.to, on_progress)
        return self.placed


def hears(guide: CampaignGuide, voice_ms: int, quiet_ms: int) -> None:
    for voice in [0.9] * (voice_ms // 32) + [0.0] * (quiet_ms // 32):
        guide.window(SILENCE, voice)


def first_words(guide: CampaignGuide) -> None:
    hears(guide, 900, 0)
    guide.heard("Stop calling me.")
    hears(guide, 0, 600)


def over_the_announcement(guide: CampaignGuide) -> None:
    hears(guide, 500, 1000)
    hears(guide, 900, 0)
    guide.heard("Take me off your list.")
    hears(guide, 0, 800)


def in_the_talk(guide: CampaignGuide) -> None:
    hears(guide, 500, 1000)
    guide.caller_said("Please never call me again.")


def by_key(guide: CampaignGuide) -> None:
    guide.pressed("9")


def by_the_flow(guide: CampaignGuide) -> None:
    hears(guide, 500, 1000)
    guide.outcome("opt_out", {})


def waiting_for_the_beep(guide: CampaignGuide) -> None:
    hears(guide, 1600, 0)
    guide.heard("You've reached the voicemail of")
    hears(guide, 600, 0)
    guide.heard("Who is this? Never call me again.")
    hears(guide, 0, 600)


def while_the_message_is_left(guide: CampaignGuide) -> None:
    hears(guide, 6500, 4500)
    guide.heard("Who is this? Never call me again.")


def as_the_last_words(guide: CampaignGuide) -> None:
    hears(guide, 900, 0)
    guide.overheard("Never call me again.")


@contextmanager
def answered(folder: Path) -> Iterator[tuple[CampaignRunner, CampaignStore, Agent, CampaignGuide]]:
    """A campaign's only call, which was just answered."""
    config = load_config(ROOT / "sip-campaigns.yaml")
    persona = replace(config.personas["reminder"], name="receptionist")
    config, agent = replace(config, personas={"receptionist": persona}), Agent()
    campaign = write_campaign(folder, 'voicemail: "Please call us."\n', people=1)
    with closing(CampaignStore(folder / "state.sqlite", "a")) as store:
        runner = CampaignRunner((campaign,), store, AgentDialler(config, agent, lambda: NOON))
        store.want_run("test", NOON)
        runner.tick(NOON)
        assert agent.guide is not None
        agent.guide.enter(Stage())
        agent.guide.answered()
        yield runner, store, agent, agent.guide


@pytest.mark.parametrize(
    "wish",
    [first_words, over_the_announcement, in_the_talk, by_key, by_the_flow, waiting_for_the_beep,
     while_the_message_is_left, as_the_last_words],
)  # fmt: skip
def test_a_wish_survives_a_crash_in_the_next_moment(
    tmp_path: Path, wish: Callable[[CampaignGuide], None]
) -> None:
    with answered(tmp_path) as (runner, store, _, guide):
        wish(guide)
        runner.tick(NOON + timedelta(seconds=9))
        assert [number for number, *_ in store.opted_out()] == [NUMBER]
        assert runner.calls == 1  # the call is not over
    with closing(CampaignStore(tmp_path / "state.sqlite", "next")) as heir:
        heir.sweep(NOON + timedelta(seconds=LEASE_S + 1))
        assert heir.resume_unsettled("test", NOON + timedelta(days=1), 3).count == 0


def test_words_that_go_on_to_mean_something_else_leave_nothing_there(tmp_path: Path) -> None:
    with answered(tmp_path) as (runner, store, agent, guide):
        hears(guide, 900, 0)
        guide.heard("Don't call me")
        hears(guide, 1600, 0)
        guide.heard("Don't call me before nine.")
        hears(guide, 0, 1500)
        agent.placed.finish(CallResult(dialling.Outcome.ANSWERED, "lab", 200, "", 900, 9000, False, ()))
        guide.left(is_broken=False)
        runner.tick(NOON + timedelta(seconds=9))
        assert runner.calls == 0
        assert store.opted_out() == []
