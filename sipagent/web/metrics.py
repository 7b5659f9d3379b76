"""The server's metrics, made of the events of its log: what Prometheus draws is what the log says.

Every metric stands in docs/metrics.md. Labels hold names from ``sip.yaml`` and words of the program's own,
never anything of a caller, and a fixed number of them: what a peer can vary is cut to ``other``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from sipagent import __version__
from sipagent.call.stages import stages_of
from sipagent.web.ledger_size import signed_entries
from sipagent.web.workers import OpenCall, Workers

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series a counter, for nobody
DIRECTIONS = ("inbound", "outbound")
_DIRECTION_OF = {"in": "inbound", "out": "outbound"}
"""As the log has it."""
_V2V_BUCKETS_S = (0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
_STAGE_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)
_WAIT_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CALL_BUCKETS_S = (5, 10, 20, 30, 60, 120, 180, 300, 600, 1200, 3600)
_JITTER_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_LOSS_BUCKETS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
_MOS_BUCKETS = (1.5, 2.0, 2.5, 3.0, 3.3, 3.6, 3.9, 4.1, 4.3)
_MOST_WORDS = 40
_LONGEST_WORD = 60
_LEDGER_FAULTS = ("unwritable", "problem", "missed", "late", "not_closed", "not_forgotten")
_CONTACT_STATES = ("waiting", "calling", "done", "expired", "unsettled")
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The process that an event is from."""

    worker: str
    pid: int


class ServerMetrics:
    """Counts events. ``observe`` from one thread, ``text`` from any."""

    def __init__(self, *, instance: str, ledger_dir: Path | None = None) -> None:
        """:param ledger_dir: where the ledger's chains are; None where there is no ledger."""
        self.workers = Workers()
        self.registry = registry = CollectorRegistry(auto_describe=True)
        self._words: dict[str, set[str]] = {}
        info = Gauge("sipagent_info", "Always 1", ["version", "instance"], registry=registry)
        info.labels(__version__, instance).set(1)
        self._make_call_metrics(registry)
        self._make_turn_metrics(registry)
        self._make_line_metrics(registry)
        self._make_server_metrics(registry, ledger_dir)
        self._handlers: dict[str, Callable[[Origin, Fields], None]] = {
            "call.started": self._call_started,
            "call.connected": self._call_connected,
            "call.ended": self._call_ended,
            "call.refused": self._call_refused,
            "turn.heard": lambda _, __: self._turns_heard.inc(),
            "turn.answered": self._turn_answered,
            "turn.spoken": self._turn_spoken,
            "campaign.decided": self._campaign_decided,
            "campaign.progressed": self._campaign_progressed,
            "tool.returned": self._tool_returned,
            "egress.refused": lambda _, fields: self._egress_refused.inc(fields["attempts"]),
            **{f"ledger.{fault}": self._ledger_failed(fault) for fault in _LEDGER_FAULTS},
            "trunk.registered": self._trunk_changed(self._registered, 1),
            "trunk.unregistered": self._trunk_changed(self._registered, 0),
            "trunk.registration_failed": self._trunk_changed(self._registered, 0),
            "trunk.state": self._trunk_state,
        }

    def __repr__(self) -> str:
        return f"ServerMetrics({self.workers!r})"

    def observe(self, message: bytes) -> None:
        """Count one event as an ``EventSender`` wrote it; what is no such thing is counted, too."""
        try:
            worker, pid, event, fields, dropped = json.loads(message)
            origin = Origin(self._word("worker", worker), int(pid))
            self._events_dropped.labels(origin.worker).set(dropped)
            if self.workers.is_restart(origin.worker, origin.pid):
                self._restarts.labels(origin.worker).inc()
            self.workers.changed(origin.pid, event, fields)
            if handler := self._handlers.get(event):
                handler(origin, fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._events_unreadable.inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        for call in self.workers.take_cut_calls():
            self._ended.labels(call.direction, "worker died", call.trunk).inc()
        return generate_latest(self.registry)

    # --- what there is ---

    def _make_call_metrics(self, registry: CollectorRegistry) -> None:
        self._started = Counter(
            "sipagent_calls_started", "Calls taken or placed", ["direction", "trunk"], registry=registry
        )
        self._ended = Counter(
            "sipagent_calls", "Calls that have ended", ["direction", "outcome", "trunk"], registry=registry
        )
        self._refused = Counter(
            "sipagent_calls_refused", "Calls not taken", ["rule", "status"], registry=registry
        )
        self._duration = Histogram(
            "sipagent_call_duration_seconds",
            "From the caller's ACK to the end",
            ["direction"],
            buckets=_CALL_BUCKETS_S,
            registry=registry,
        )
        active = Gauge("sipagent_calls_active", "Calls in progress", ["direction"], registry=registry)
        for direction in DIRECTIONS:
            active.labels(direction).set_function(partial(self.workers.calls_in_progress, direction))

    def _make_turn_metrics(self, registry: CollectorRegistry) -> None:
        self._turns_heard = Counter("sipagent_turns_heard", "Turns of callers", registry=registry)
        self._turns_spoken = Counter("sipagent_turns_spoken", "Turns of the agent", registry=registry)
        self._barge_ins = Counter(
            "sipagent_barge_ins", "Turns of the agent that a caller cut short", registry=registry
        )
        self._v2v = Histogram(
            "sipagent_v2v_seconds",
            "From the caller's last voiced sample to the agent's first",
            buckets=_V2V_BUCKETS_S,
            registry=registry,
        )
        self._stage = Histogram(
            "sipagent_v2v_stage_seconds",
            "Each stage's share of it",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=registry,
        )
        self._wait = Histogram(
            "sipagent_lane_wait_seconds",
            "What an answer's first job waited in an engine's lane",
            ["lane"],
            buckets=_WAIT_BUCKETS_S,
            registry=registry,
        )

        self._tools = Counter(
            "sipagent_tools", "Tools that came to an end", ["tool", "status"], registry=registry
        )
        self._tool_time = Histogram(
            "sipagent_tool_seconds", "How long they took", ["tool"], registry=registry
        )

    def _make_line_metrics(self, registry: CollectorRegistry) -> None:
        self._jitter = Histogram(
            "sipagent_rtp_jitter_seconds",
            "Mean jitter of the RTP that came, by call",
            buckets=_JITTER_BUCKETS_S,
            registry=registry,
        )
        self._loss = Histogram(
            "sipagent_rtp_loss_ratio",
            "Share of the caller's packets that did not come, by call",
            buckets=_LOSS_BUCKETS,
            registry=registry,
        )
        self._mos = Histogram(
            "sipagent_rtp_mos", "Estimated MOS of what came, by call", buckets=_MOS_BUCKETS, registry=registry
        )
        self._packets = Counter("sipagent_rtp_packets_received", "RTP packets that came", registry=registry)
        self._lost = Counter("sipagent_rtp_packets_lost", "RTP packets that did not come", registry=registry)
        self._registered = Gauge(
            "sipagent_trunk_registered", "1: the registrar knows us", ["trunk", "worker"], registry=registry
        )
        self._up = Gauge("sipagent_trunk_up", "1: the peer answers", ["trunk", "worker"], registry=registry)
        self._down = Gauge(
            "sipagent_trunk_down_reason",
            "1: why the peer counts as down",
            ["trunk", "worker", "reason"],
            registry=registry,
        )
        self._down_reasons: dict[tuple[str, str], str] = {}

    def _make_server_metrics(self, registry: CollectorRegistry, ledger_dir: Path | None) -> None:
        self._restarts = Counter(
            "sipagent_worker_restarts", "Times that a worker began anew", ["worker"], registry=registry
        )
        ready = Gauge("sipagent_workers_ready", "Workers that take calls", registry=registry)
        ready.set_function(lambda: self.workers.ready)
        can_take = Gauge("sipagent_ready", "1: a call can be taken now, as in /readyz", registry=registry)
        can_take.set_function(lambda: self.workers.why_not_ready() is None)
        self._ledger_errors = Counter(
            "sipagent_ledger_errors", "Entries late or missed, disk faults", ["fault"], registry=registry
        )
        entries = Gauge(
            "sipagent_ledger_entries",
            "Entries up to the newest signed heads of all chains",
            registry=registry,
        )
        entries.set_function(lambda: signed_entries(ledger_dir) if ledger_dir else 0)
        self._campaign_decisions = Counter(
            "sipagent_campaign_decisions",
            "What campaigns decided",
            ["campaign", "decision"],
            registry=registry,
        )
        self._campaign_calls = Counter(
            "sipagent_campaign_calls", "Attempts that have ended", ["campaign", "outcome"], registry=registry
        )
        self._campaign_contacts = Gauge(
            "sipagent_campaign_contacts", "Contacts by state", ["campaign", "state"], registry=registry
        )
        self._campaign_running = Gauge(
            "sipagent_campaign_running", "0: paused or stopped", ["campaign"], registry=registry
        )
        self._egress_refused = Counter(
            "sipagent_egress_refused", "Attempts to reach an address beyond the list", registry=registry
        )
        self._events_dropped = Gauge(
            "sipagent_events_dropped",
            "Events of a process that are missing here",
            ["worker"],
            registry=registry,
        )
        self._events_unreadable = Counter(
            "sipagent_events_unreadable", "Events that could not be read", registry=registry
        )

    # --- calls ---

    def _call_started(self, origin: Origin, fields: Fields) -> None:
        direction = _DIRECTION_OF.get(fields.get("direction", ""), DIRECTIONS[0])
        call = OpenCall(direction, self._word("trunk", fields.get("trunk")))
        self._started.labels(call.direction, call.trunk).inc()
        self.workers.began(origin.pid, str(fields["call_id"]), call)

    def _call_connected(self, origin: Origin, fields: Fields) -> None:
        self.workers.connected(origin.pid, str(fields["call_id"]))

    def _call_ended(self, origin: Origin, fields: Fields) -> None:
        call = self.workers.ended(origin.pid, str(fields["call_id"])) or OpenCall(DIRECTIONS[0], "")
        self._ended.labels(call.direction, self._outcome(call, fields), call.trunk).inc()
        if call.is_up:
            self._duration.labels(call.direction).observe(fields.get("duration_ms", 0) / 1000)
        if received := fields.get("rtp_received"):
            lost = max(fields.get("rtp_lost", 0), 0)
            self._packets.inc(received)
            self._lost.inc(lost)
            self._loss.observe(lost / (received + lost))
            self._jitter.observe(fields["rtp_jitter_ms"] / 1000)
            self._mos.observe(fields["rtp_mos"])

    def _outcome(self, call: OpenCall, fields: Fields) -> str:
        if "outcome" in fields:
            return self._word("outcome", fields["outcome"])
        if fields.get("cause") == "failed":
            return "failed"
        return "conversation" if call.is_up else "not connected"

    def _call_refused(self, _: Origin, fields: Fields) -> None:
        rule = self._word("rule", str(fields.get("rule", "")).partition(":")[0])
        self._refused.labels(rule, self._word("status", fields.get("status"))).inc()

    # --- turns ---

    def _turn_answered(self, _: Origin, fields: Fields) -> None:
        v2v_ms, stamps = fields["v2v_ms"], fields["stamps"]
        self._v2v.observe(v2v_ms / 1000)
        began_ms = stamps["speech_end"]
        for stage in stages_of(began_ms, stamps, began_ms + v2v_ms):
            self._stage.labels(stage.name).observe(stage.duration_ms / 1000)
        for lane, waited_ms in (fields.get("queued_ms") or {}).items():
            self._wait.labels(self._word("lane", lane)).observe(waited_ms / 1000)

    def _turn_spoken(self, _: Origin, fields: Fields) -> None:
        self._turns_spoken.inc()
        if fields.get("interrupted"):
            self._barge_ins.inc()

    # --- campaigns ---

    def _campaign_decided(self, _: Origin, fields: Fields) -> None:
        campaign = self._word("campaign", fields["campaign"])
        decision = self._word("decision", fields["decision"])
        self._campaign_decisions.labels(campaign, decision).inc()
        if decision == "ended":  # "answered: confirmed; answered"
            outcome = str(fields["rule"]).partition(";")[0].partition(":")[0]
            self._campaign_calls.labels(campaign, self._word("campaign_outcome", outcome)).inc()

    def _campaign_progressed(self, _: Origin, fields: Fields) -> None:
        campaign = self._word("campaign", fields["campaign"])
        self._campaign_running.labels(campaign).set(fields["state"] == "running")
        for state in _CONTACT_STATES:
            self._campaign_contacts.labels(campaign, state).set(fields["contacts"].get(state, 0))

    def _tool_returned(self, _: Origin, fields: Fields) -> None:
        tool, status = self._word("tool", fields.get("tool")), self._word("tool status", fields.get("status"))
        self._tools.labels(tool, status).inc()
        self._tool_time.labels(tool).observe(fields.get("took_ms", 0) / 1000)

    # --- the rest ---

    def _trunk_changed(self, gauge: Gauge, value: int) -> Callable[[Origin, Fields], None]:
        def change(origin: Origin, fields: Fields) -> None:
            gauge.labels(self._word("trunk", fields.get("trunk")), origin.worker).set(value)

        return change

    def _trunk_state(self, origin: Origin, fields: Fields) -> None:
        trunk, is_up = self._word("trunk", fields.get("trunk")), fields.get("state") == "up"
        self._up.labels(trunk, origin.worker).set(int(is_up))
        before = self._down_reasons.pop((trunk, origin.worker), None)
        if before is not None:
            self._down.remove(trunk, origin.worker, before)
        if not is_up:
            reason = self._word("reason", fields.get("reason"))
            self._down_reasons[trunk, origin.worker] = reason
            self._down.labels(trunk, origin.worker, reason).set(1)

    def _ledger_failed(self, fault: str) -> Callable[[Origin, Fields], None]:
        return lambda _, __: self._ledger_errors.labels(fault).inc()

    def _word(self, label: str, value: object) -> str:
        """``value`` as a label, or ``other`` where there have been too many different ones."""
        text = str(value if value is not None else "")[:_LONGEST_WORD]
        known = self._words.setdefault(label, set())
        if text not in known and len(known) >= _MOST_WORDS:
            return "other"
        known.add(text)
        return text
