"""Sixty people, voicemails, busy and dead numbers are called over SIP on loopback; days pass in between."""

import time
from collections import Counter, defaultdict
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sipagent.campaigns.results import hand_on
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.codecs.tones import sine
from sipagent.lab.campaign import LabTown, VirtualClock, pass_time
from sipagent.units import SAMPLE_RATE_HZ, Pcm16
from tests.unit.campaign_fixtures import MONDAY, write_campaign

pytestmark = pytest.mark.peer

OURS_MS = 700
DEADLINE_S = 240.0
WANTED = {
    "confirms": ("answered", 1), "cancels": ("answered", 1), "another time": ("answered", 1),
    "opts out": ("opted_out", 1), "says nothing": ("answered", 1), "voicemail": ("voicemail", 1),
    "busy": ("busy", 2), "busy once": ("answered", 2), "no answer once": ("answered", 2),
    "dead": ("invalid_number", 1), "dead, tones": ("invalid_number", 1), "rejects": ("rejected", 1),
    "fax": ("fax", 1),
}  # fmt: skip
"""Kind → outcome in the end, and calls that it takes."""


def our_voice(text: str) -> Pcm16:
    return sine((350, 520, 710), OURS_MS, level_dbov=-20.0, rate_hz=SAMPLE_RATE_HZ)


def test_a_campaign_of_sixty_over_real_calls(tmp_path: Path) -> None:
    people = {f"+1555400{n:04d}": ("Asia/Kathmandu", "Pacific/Apia")[n % 2] for n in range(60)}
    extra = 'voicemail: "Please call us."\nretry: {attempts: 2}\nresults: {csv: out.csv}\n'
    extra += "limits: {breaker_answered_pct: 0}\n"
    config = write_campaign(tmp_path, extra, people=people, calls_at_once=14)
    clock = VirtualClock(MONDAY)
    with (
        closing(LabTown()) as town,
        closing(town.softphones(14, speak=our_voice)) as dialler,
        closing(CampaignStore(tmp_path / "state.sqlite", "lab")) as store,
        closing(StoreViews(tmp_path / "state.sqlite")) as views,
    ):
        runner = CampaignRunner((config,), store, dialler)
        store.want_run("test", MONDAY)
        deadline_s = time.monotonic() + DEADLINE_S

        def in_time() -> None:
            assert time.monotonic() < deadline_s, views.view("test")

        pass_time(runner, views, ["test"], clock, in_time, lambda: False)
        attempts = list(views.attempts("test"))
        assert hand_on(config, views, pytest.fail) == min(len(attempts), 100)
        contacts = {one["number"]: one for one in views.contacts("test")}
    rung = Counter(call.number for call in town.people.calls)
    assert rung == Counter(one.number for one in attempts)  # every attempt is one INVITE, and no other
    wrong = defaultdict(list)
    for number, one in contacts.items():
        kind = town.kind_of(number)
        if (one["outcome"], one["attempts"]) != WANTED[kind]:
            wrong[kind].append((number, one["outcome"], one["attempts"]))
    assert len(contacts) == 60
    assert sum(map(len, wrong.values())) <= 1, dict(wrong)  # one slip of a busy machine is forgiven
    for call in town.people.calls:
        if call.behaviour.kind == "voicemail" and contacts[call.number]["outcome"] == "voicemail":
            heard = [at for at in call.heard_ms() if at > 0]
            assert heard[0] >= call.greeting_ms - 450  # after the beep, which 200 ms of silence follow
            assert len(heard) * 20 <= OURS_MS + 100  # once
            assert len(heard) * 20 >= OURS_MS - 100
    assert clock.now() > MONDAY + timedelta(hours=5)  # nine in Kathmandu, and two hours
    assert len((tmp_path / "out.csv").read_text().splitlines()) == len(attempts) + 1
