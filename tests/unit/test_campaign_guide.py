"""A campaign call between session and conduct: what is asked of the stage, and what the call comes to."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sipagent.call import dialling
from sipagent.call.outbound import CallProgress, CallResult, OutboundCall, PlacedCall
from sipagent.call.spend import OutboundRefused
from sipagent.campaigns.agent_dialler import AgentDialler, ending_of
from sipagent.campaigns.conduct import Script
from sipagent.campaigns.dialler import CallEvent, CallOrder, Finished, WantsNoCalls
from sipagent.campaigns.guide import CampaignGuide, moment_in
from sipagent.campaigns.outcomes import Outcome
from sipagent.codecs.tones import sine
from sipagent.config.load import load_config
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SILENCE: Pcm16 = np.zeros(512, dtype=np.int16)
SCRIPT = Script("This is an automated call.", "Please call us back.", "Maple Street Dental.", "9")


class Stage:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def begin(self, announcement: str) -> None:
        self.done.append(f"begin: {announcement}")

    def say(self, text: str) -> None:
        self.done.append(f"say: {text}")

    def transcribe(self) -> None:
        """Asked for now and then."""

    def fall_silent(self) -> None:
        self.done.append("silent")

    def hang_up(self) -> None:
        self.done.append("hang up")


class Call:
    """A guide on a stage."""

    def __init__(self) -> None:
        self.stage, self.left = Stage(), 0
        self.guide = CampaignGuide(SCRIPT, "America/New_York", lambda: NOW, self._left)
        self.guide.enter(self.stage)

    def _left(self, guide: CampaignGuide) -> None:
        self.left += 1

    def hears(self, duration_ms: int, *, voice: float = 0.0, pcm: Pcm16 | None = None) -> None:
        sound = pcm if pcm is not None else np.tile(SILENCE, duration_ms // 32)
        for start in range(0, len(sound) - 511, 512):
            self.guide.window(sound[start : start + 512], voice)


def result(outcome: dialling.Outcome, status: int, talk_ms: int = 0) -> CallResult:
    return CallResult(outcome, "lab", status, "", 900, talk_ms, False, ())


def test_a_person_is_talked_to_and_what_the_flow_notes_is_the_result() -> None:
    call = Call()
    call.hears(640)  # nothing before the answer
    call.guide.answered()
    call.hears(500, voice=0.9)
    call.hears(900)
    assert call.stage.done == ["begin: This is an automated call."]
    call.guide.caller_said("Yes, I'll be there.")
    call.guide.outcome("confirmed", {})
    call.guide.left(is_broken=False)
    ending = ending_of(call.guide, result(dialling.Outcome.ANSWERED, 200, 9000))
    assert call.left == 1
    assert (ending.outcome, ending.talk_ms, [one.name for one in ending.results]) == (
        Outcome.ANSWERED, 9000, ["confirmed"],
    )  # fmt: skip


def test_the_networks_tones_before_the_answer_end_the_attempt() -> None:
    call = Call()
    tones = [sine((hz,), 330, level_dbov=-20.0, rate_hz=SAMPLE_RATE_HZ) for hz in (950, 1400, 1777)]
    call.hears(0, pcm=np.concatenate([*tones, np.zeros(4096, dtype=np.int16)]))
    assert call.stage.done == ["hang up"]
    call.guide.left(is_broken=False)
    ending = ending_of(call.guide, result(dialling.Outcome.CANCELLED, 487))
    assert ending.outcome is Outcome.INVALID_NUMBER


@pytest.mark.parametrize(
    ("outcome", "status", "wanted"),
    [
        (dialling.Outcome.BUSY, 486, Outcome.BUSY),
        (dialling.Outcome.NO_ANSWER, 480, Outcome.NO_ANSWER),
        (dialling.Outcome.NO_ANSWER, 408, Outcome.NO_ANSWER),
        (dialling.Outcome.FAILED, 408, Outcome.FAILED),  # the trunk said nothing
        (dialling.Outcome.FAILED, 503, Outcome.FAILED),
        (dialling.Outcome.REJECTED, 404, Outcome.INVALID_NUMBER),
        (dialling.Outcome.REJECTED, 603, Outcome.REJECTED),
        (dialling.Outcome.REJECTED, 607, Outcome.OPTED_OUT),
        (dialling.Outcome.CANCELLED, 487, Outcome.FAILED),
        (dialling.Outcome.ANSWERED, 200, Outcome.SILENT),  # hung up before anybody could tell who it was
    ],
)
def test_outcomes_of_calls_without_a_talk(outcome: dialling.Outcome, status: int, wanted: Outcome) -> None:
    call = Call()
    if outcome is dialling.Outcome.ANSWERED:
        call.guide.answered()
    call.guide.left(is_broken=False)
    assert ending_of(call.guide, result(outcome, status)).outcome is wanted


def test_a_fault_of_ours_is_no_answered_call_but_a_wish_counts() -> None:
    call = Call()
    call.guide.answered()
    call.hears(500, voice=0.9)
    call.hears(900)
    call.guide.left(is_broken=True)
    assert ending_of(call.guide, result(dialling.Outcome.ANSWERED, 200)).outcome is Outcome.FAILED
    call = Call()
    call.guide.answered()
    assert call.guide.pressed("9")
    assert not call.guide.pressed("1")
    assert call.stage.done == ["silent", "hang up"]
    call.guide.left(is_broken=True)
    assert ending_of(call.guide, result(dialling.Outcome.ANSWERED, 200)).wants_no_more_calls


def test_call_me_back_at_five_is_by_the_callees_clock() -> None:
    assert moment_in(["17:00"], "America/New_York", NOW) == datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    assert moment_in(["09:00"], "America/New_York", NOW) == datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
    assert moment_in(["17:00", "2026-12-24"], "Asia/Tokyo", NOW) == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)
    assert moment_in(["2026-12-24", "7"], "Asia/Tokyo", NOW) is None
    call = Call()
    call.guide.outcome("call_back", {"at": "17:00"})
    call.guide.left(is_broken=False)
    (wish,) = ending_of(call.guide, result(dialling.Outcome.ANSWERED, 200)).results
    assert wish.data == {"at": "2026-11-23T17:00-05:00"}


class Agent:
    """Takes orders for calls."""

    lines = (4, 0)

    def __init__(self) -> None:
        self.calls: list[OutboundCall] = []

    def place(self, call: OutboundCall, on_progress: object = None) -> PlacedCall:
        self.calls.append(call)
        raise OutboundRefused("enough")


def test_the_flow_is_told_in_which_zone_the_contact_lives() -> None:
    agent = Agent()
    order = CallOrder(
        1, "c", "+15550100", "", "", "reminder", "Asia/Kathmandu", 1, 30, 60, SCRIPT, {"name": "Bo"}
    )
    AgentDialler(load_config(ROOT / "sip-campaigns.yaml"), agent).place(order, lambda event: None)
    assert agent.calls[0].flow_variables == {"name": "Bo", "time_zone": "Asia/Kathmandu"}


def test_a_wish_not_to_be_called_is_told_in_that_moment_once_before_the_hang_up() -> None:
    def wishes(say: str, what: str) -> list[str]:
        stage = Stage()
        guide = CampaignGuide(
            SCRIPT, "America/New_York", lambda: NOW, lambda _: None, lambda: stage.done.append("wish")
        )
        guide.enter(stage)
        guide.answered()
        for window in range(60):
            guide.window(SILENCE, 0.9 if window < 16 else 0.0)
        match what:
            case "said":
                guide.caller_said(say)
            case "pressed":
                guide.pressed(say)
            case "flow":
                guide.outcome(say, {})
        guide.outcome("confirmed", {})
        guide.left(is_broken=False)
        return stage.done[1:]

    assert wishes("Please stop calling me.", "said") == ["wish", "silent", "hang up"]
    assert wishes("9", "pressed") == ["wish", "silent", "hang up"]
    assert wishes("opt_out", "flow") == ["wish"]
    assert wishes("call_back", "flow") == []
    assert wishes("1", "pressed") == []
    assert wishes("Yes, I'll be there.", "said") == []


def test_what_a_person_wanted_counts_also_where_the_call_left_no_result() -> None:
    call = Call()
    call.guide.answered()
    call.guide.pressed("9")
    call.guide.left(is_broken=False)
    assert ending_of(call.guide, None).wants_no_more_calls
    call = Call()
    call.guide.answered()
    call.guide.outcome("call_back", {"at": "17:00"})
    call.guide.left(is_broken=False)
    ending = ending_of(call.guide, None)
    assert (ending.outcome, [one.name for one in ending.results]) == (Outcome.FAILED, ["call_back"])
    assert ending_of(Call().guide, None).outcome is Outcome.FAILED


def test_the_dialler_tells_a_wish_before_the_end_of_the_call() -> None:
    class Agent:
        """Takes every call."""

        lines = (4, 0)

        def place(
            self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
        ) -> PlacedCall:
            self.guide, self.placed = call.guide, PlacedCall(call.to, on_progress)
            return self.placed

    agent, events = Agent(), list[CallEvent]()
    dialler = AgentDialler(load_config(ROOT / "sip-campaigns.yaml"), agent, lambda: NOW)
    order = CallOrder(7, "test", "+15550100", "", "", "reminder", "America/New_York", 1, 30, 60, SCRIPT)
    dialler.place(order, events.append)
    assert agent.guide is not None
    agent.guide.enter(Stage())
    agent.guide.answered()
    agent.guide.pressed("9")
    assert events == [WantsNoCalls(7)]
    agent.placed.finish(result(dialling.Outcome.ANSWERED, 200))
    agent.guide.left(is_broken=False)
    (_, finished) = events
    assert isinstance(finished, Finished)
    assert finished.ending.wants_no_more_calls


class Told:
    """A guide that tells wishes and ends, in their order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.guide = CampaignGuide(
            SCRIPT,
            "America/New_York",
            lambda: NOW,
            lambda _: self.told.append("left"),
            lambda: self.told.append("wish"),
        )
        self.stage = Stage()
        self.guide.enter(self.stage)
        self.guide.answered()

    def hears(self, duration_ms: int, *, voice: float = 0.0) -> None:
        for _ in range(duration_ms // 32):
            self.guide.window(SILENCE, voice)


def test_a_wish_that_may_go_on_is_not_told_while_it_may() -> None:
    call = Told()
    call.hears(640, voice=0.9)
    call.guide.heard("Please don't call me")
    call.hears(1600, voice=0.9)  # other words are asked for meanwhile
    call.guide.heard("Please don't call me before nine.")
    call.hears(2000)
    call.guide.left(is_broken=False)
    assert call.told == ["left"]
    assert not ending_of(call.guide, result(dialling.Outcome.ANSWERED, 200)).wants_no_more_calls


def test_who_hangs_up_upon_the_wish_has_said_it() -> None:
    call = Told()
    call.hears(640, voice=0.9)
    call.guide.heard("Please don't call me")
    call.guide.left(is_broken=False)
    assert call.told == ["wish", "left"]
    assert ending_of(call.guide, result(dialling.Outcome.ANSWERED, 200)).wants_no_more_calls
