"""Metrics: every one is documented, they follow the log's events, and nothing of a caller gets in."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sipagent.codecs.mos import mos_of
from sipagent.web.events import FIELDS
from sipagent.web.ledger_size import signed_entries
from sipagent.web.metrics import ServerMetrics

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
STAMPS = {
    "speech_end": 1000,
    "pause": 1064,
    "stt_final": 1300,
    "eot_score": 1200,
    "llm_first_token": 1500,
    "first_clause": 1600,
    "tts_first_pcm": 1700,
    "commit": 1700,
    "first_rtp": 1720,
}
DEAD_PID = 4_194_305
"""Beyond what the kernel gives (PID_MAX_LIMIT on 64 bits is 2^22)."""


class Told:
    """Metrics and the events that they are told."""

    def __init__(self) -> None:
        self.metrics = ServerMetrics(instance="test")

    def tell(self, event: str, *, pid: int = os.getpid(), worker: str = "1", **fields: Any) -> None:
        self.metrics.observe(json.dumps([worker, pid, event, fields, 0]).encode())

    def value(self, sample: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(sample, labels)


@pytest.fixture
def told() -> Told:
    return Told()


def documented() -> dict[str, tuple[str, set[str]]]:
    """Metric → (kind, labels), from the page's table."""
    rows = re.findall(
        r"^\| `(sipagent_\w+)` \| (\w+) \| ([^|]+) \|", (ROOT / "docs/metrics.md").read_text(), re.M
    )
    return {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}


def registered() -> Iterator[tuple[str, tuple[str, set[str]]]]:
    for family in ServerMetrics(instance="test").registry._collector_to_names:
        metric: Any = family
        name = metric._name + ("_total" if metric._type == "counter" else "")
        yield name, (metric._type, set(metric._labelnames))


def test_the_page_has_every_metric_and_no_other() -> None:
    assert documented() == dict(registered())


def test_alerts_of_the_page_name_real_metrics() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    named = set(re.findall(r"sipagent_\w+", page.partition("## What to be woken for")[2]))
    assert named
    assert {name.removesuffix("_bucket") for name in named} <= documented().keys()


def test_events_that_are_looked_at_are_events_that_the_program_logs() -> None:
    sources = "".join(
        path.read_text() for path in (ROOT / "sipagent").rglob("*.py") if path.name != "events.py"
    )
    assert [event for event in FIELDS if f'"{event}"' not in sources] == []


def test_a_call_from_its_start_to_its_end(told: Told) -> None:
    told.tell("agent.ready", max_calls=4)
    told.tell("call.started", call_id="a", trunk="office")
    told.tell("call.connected", call_id="a")
    assert told.value("sipagent_calls_active", direction="inbound") == 1
    told.tell("turn.heard")
    told.tell("turn.answered", v2v_ms=720, stamps=STAMPS, queued_ms={"stt": 12, "reply": 0})
    told.tell("turn.spoken", interrupted=True)
    told.tell("tool.returned", tool="book_slot", status="taken", took_ms=120, pii_result={"free": "ten"})
    quality: dict[str, Any] = {"rtp_received": 990, "rtp_lost": 10, "rtp_jitter_ms": 4.0, "rtp_mos": 4.2}
    told.tell("call.ended", call_id="a", cause="caller hung up", duration_ms=9000, **quality)
    assert told.value("sipagent_calls_active", direction="inbound") == 0
    ended = {"direction": "inbound", "outcome": "conversation", "trunk": "office"}
    assert told.value("sipagent_calls_total", **ended) == 1
    assert told.value("sipagent_call_duration_seconds_sum", direction="inbound") == 9
    assert told.value("sipagent_v2v_seconds_sum") == pytest.approx(0.72)
    stages = ("pause", "STT", "LLM", "clause", "TTS", "commit", "wire")
    shares = [told.value("sipagent_v2v_stage_seconds_sum", stage=stage) for stage in stages]
    assert shares == pytest.approx([0.064, 0.236, 0.2, 0.1, 0.1, 0, 0.02])
    assert told.value("sipagent_lane_wait_seconds_sum", lane="stt") == pytest.approx(0.012)
    assert told.value("sipagent_barge_ins_total") == 1
    assert told.value("sipagent_tools_total", tool="book_slot", status="taken") == 1
    assert told.value("sipagent_tool_seconds_sum", tool="book_slot") == 0.12
    assert told.value("sipagent_rtp_loss_ratio_sum") == pytest.approx(0.01)
    assert told.value("sipagent_rtp_packets_lost_total") == 10
    assert told.value("sipagent_rtp_mos_sum") == pytest.approx(4.2)
    assert told.value("sipagent_events_unreadable_total") == 0


def test_ways_to_end(told: Told) -> None:
    told.tell("call.started", call_id="a", trunk="t", direction="out")
    told.tell("call.ended", call_id="a", cause="not connected: 486")
    told.tell("call.started", call_id="b", trunk="t")
    told.tell("call.ended", call_id="b", cause="failed")
    told.tell("call.started", call_id="c", trunk="t")
    told.tell("call.ended", call_id="c", cause="x", outcome="voicemail")
    for direction, outcome in (
        ("outbound", "not connected"),
        ("inbound", "failed"),
        ("inbound", "voicemail"),
    ):
        assert told.value("sipagent_calls_total", direction=direction, outcome=outcome, trunk="t") == 1


def test_a_worker_that_dies_leaves_no_calls_and_is_counted(told: Told) -> None:
    told.tell("agent.ready", pid=DEAD_PID, max_calls=4)
    told.tell("call.started", pid=DEAD_PID, call_id="a", trunk="office")
    assert told.metrics.workers.why_not_ready() is not None
    assert told.value("sipagent_calls_active", direction="inbound") == 0
    told.metrics.text()
    died = {"direction": "inbound", "outcome": "worker died", "trunk": "office"}
    assert told.value("sipagent_calls_total", **died) == 1
    assert told.value("sipagent_worker_restarts_total", worker="1") is None
    told.tell("agent.ready", max_calls=4)
    assert told.value("sipagent_worker_restarts_total", worker="1") == 1
    assert told.metrics.workers.why_not_ready() is None
    assert repr(told.metrics.workers).count("WorkerState") == 1


def test_why_no_call_can_be_taken(told: Told) -> None:
    workers = told.metrics.workers
    assert "no worker is ready" in (workers.why_not_ready() or "")
    told.tell("agent.ready", max_calls=1)
    assert workers.why_not_ready() is None
    told.tell("call.started", call_id="a")
    assert workers.why_not_ready() == "all 1 places are taken"
    told.tell("call.ended", call_id="a")
    told.tell("ledger.unwritable")
    assert "ledger" in (workers.why_not_ready() or "")
    told.tell("ledger.writable")
    assert workers.why_not_ready() is None
    assert told.value("sipagent_ready") == 1
    told.tell("agent.stopping")
    assert workers.why_not_ready() == "the server is stopping"
    assert told.value("sipagent_ready") == 0


def test_what_peers_vary_does_not_fill_the_memory(told: Told) -> None:
    for number in range(500):
        told.tell("call.refused", rule=f"rule {number}: {'x' * 1000}", status=403)
        told.tell("call.started", call_id=f"never ended {number}")
    refused = [
        s for m in told.metrics.registry.collect() if m.name == "sipagent_calls_refused" for s in m.samples
    ]
    assert len(refused) == 41
    assert told.value("sipagent_calls_refused_total", rule="other", status="403") == 460
    assert told.value("sipagent_calls_active", direction="inbound") == 64


def test_trunks_and_the_ledger(told: Told) -> None:
    for event, value in (("trunk.registered", 1), ("trunk.registration_failed", 0), ("trunk.registered", 1)):
        told.tell(event, trunk="office")
        assert told.value("sipagent_trunk_registered", trunk="office", worker="1") == value
    at = {"trunk": "office", "worker": "1"}
    for state, reason, value in (
        ("up", "answers", 1),
        ("down", "no answer within 4000 ms", 0),
        ("down", "answers 503 No Room", 0),
    ):
        told.tell("trunk.state", trunk="office", state=state, reason=reason)
        assert told.value("sipagent_trunk_up", **at) == value
        if state == "down":
            assert told.value("sipagent_trunk_down_reason", reason=reason, **at) == 1
    reasons = told.metrics.text().decode().count("sipagent_trunk_down_reason{")
    assert reasons == 1, "the reason in force, and no other"
    told.tell("trunk.state", trunk="office", state="up", reason="answers")
    assert "sipagent_trunk_down_reason{" not in told.metrics.text().decode()
    told.tell("ledger.missed")
    assert told.value("sipagent_ledger_errors_total", fault="missed") == 1
    told.tell("egress.refused", attempts=3)
    assert told.value("sipagent_egress_refused_total") == 3


def test_campaigns_tell_what_they_decide_and_where_they_stand(told: Told) -> None:
    told.tell("campaign.decided", campaign="reminders", decision="called", rule="attempt 1")
    told.tell(
        "campaign.decided", campaign="reminders", decision="ended", rule="answered: confirmed; answered"
    )
    told.tell("campaign.decided", campaign="reminders", decision="ended", rule="busy; busy")
    for outcome in ("answered", "busy"):
        assert told.value("sipagent_campaign_calls_total", campaign="reminders", outcome=outcome) == 1
    decisions = {"campaign": "reminders", "decision": "ended"}
    assert told.value("sipagent_campaign_decisions_total", **decisions) == 2
    contacts = {"waiting": 3, "done": 7}
    told.tell("campaign.progressed", campaign="reminders", state="paused", contacts=contacts)
    assert told.value("sipagent_campaign_contacts", campaign="reminders", state="waiting") == 3
    assert told.value("sipagent_campaign_contacts", campaign="reminders", state="unsettled") == 0
    assert told.value("sipagent_campaign_running", campaign="reminders") == 0


@pytest.mark.parametrize(
    "message",
    [
        b"\xff",
        b"{}",
        b"[]",
        b'["1", 1]',
        b'["1", 1, "turn.answered", {"v2v_ms": "x"}, 0]',
        b'["1",1,"call.started",{},0]',
    ],
)
def test_an_event_that_cannot_be_read_is_counted(told: Told, message: bytes) -> None:
    told.metrics.observe(message)
    assert told.value("sipagent_events_unreadable_total") == 1


def test_the_text_is_what_prometheus_reads(told: Told) -> None:
    told.tell("call.refused", rule='a "rule"\n', status=404)
    names = {family.name for family in text_string_to_metric_families(told.metrics.text().decode())}
    assert "sipagent_calls_refused" in names
    assert not [name for name in names if name.endswith("_created")]


def test_entries_of_the_ledger_are_read_from_its_heads(tmp_path: Path) -> None:
    assert signed_entries(tmp_path) == 0
    head = f"sipagent-head-1 {{}} {'0' * 32} {{}} {'0' * 64} {'0' * 64} {'0' * 128}\n"
    for chain, seqs in (("main", (3, 41)), ("admin", (2,))):
        folder = tmp_path / "chains" / chain
        folder.mkdir(parents=True)
        (folder / "00000001.jsonl").touch()
        (folder / "00000001.heads").write_text("".join(head.format(chain, seq) for seq in seqs) + "half a li")
        (folder / "00000002.jsonl").touch()
    assert signed_entries(tmp_path) == 43


def test_mos_falls_with_loss_jitter_and_delay() -> None:
    best = mos_of(loss_ratio=0, jitter_ms=0)
    assert best == pytest.approx(4.41, abs=0.01)  # R 93.2 by G.107 Annex B
    assert best > mos_of(loss_ratio=0.01, jitter_ms=0) > mos_of(loss_ratio=0.05, jitter_ms=0) > 2
    assert best > mos_of(loss_ratio=0, jitter_ms=40) > mos_of(loss_ratio=0, jitter_ms=40, round_trip_ms=600)
    assert mos_of(loss_ratio=1, jitter_ms=500, round_trip_ms=5000) == 1.0
