"""What a call and the desk enter in the ledger, and what they do when it cannot be written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import structlog

from sipagent.call.audit import CallAudit
from sipagent.call.audit_server import ServerAudit
from sipagent.call.desk import Desk
from sipagent.call.parts import SessionParts
from sipagent.call.ports import Line, LineDown, Offer, Rejection
from sipagent.call.record import CallRecord
from sipagent.call.utterance import SoundPrepared, Utterance
from sipagent.config.schema import Config, NumberConfig, PersonaConfig
from sipagent.errors import LedgerError, LedgerUnavailable
from sipagent.ledger import CallLedger, Kind, Ledger, LedgerReader, LedgerState
from sipagent.ledger.story import tell
from sipagent.media.ring import AudioRings
from sipagent.units import Pcm16

pytestmark = pytest.mark.unit

OFFER = Offer("sip-1", "lab", "+15550100100", "+15550100123", "192.0.2.9:5060")
PERSONA = PersonaConfig(name="maple", greeting="Hello.", prompt_file=Path("p.md"), prompt="Answer.")
LOG = structlog.stdlib.get_logger()
CONFIG = Config(personas={"maple": PERSONA}, numbers=(NumberConfig(match="+1555*", persona="maple"),))

Entry = tuple[Kind, dict[str, object], dict[str, object]]


@dataclass
class FakeTrail:
    """Entries in a list; fails where told to."""

    fails_with: LedgerError | None = None
    entries: list[Entry] = field(default_factory=list)

    def append(
        self,
        kind: Kind,
        body: Mapping[str, object] | None = None,
        *,
        sealed: Mapping[str, object] | None = None,
        durable: bool = False,
    ) -> None:
        self.entries.append((kind, dict(body or {}) | {"durable": durable}, dict(sealed or {})))
        if self.fails_with is not None:
            raise self.fails_with

    @property
    def secret(self) -> bytes:
        return bytes(32)

    def recording_path(self, suffix: str = ".wav") -> Path:
        raise AssertionError("nothing is recorded here")

    def end(self, body: Mapping[str, object], *, sealed: Mapping[str, object] | None = None) -> None:
        self.append(Kind.CALL_ENDED, body, sealed=sealed, durable=True)

    def refuse(self, body: Mapping[str, object], *, sealed: Mapping[str, object] | None = None) -> None:
        self.entries.append((Kind.CALL_REFUSED, dict(body), dict(sealed or {})))


@dataclass
class FakeBook(FakeTrail):
    """All calls' entries in one list."""

    state: LedgerState = field(default_factory=lambda: LedgerState(True))

    def call(self, call_id: str, parties: Sequence[str] = ()) -> FakeTrail:
        return self


def kinds(trail: FakeTrail) -> list[Kind]:
    return [kind for kind, _, _ in trail.entries]


def no_parts(_: PersonaConfig) -> SessionParts:
    raise AssertionError("a refused call must not take anything")


def desk(book: FakeBook) -> Desk:
    return Desk(CONFIG, no_parts, LOG, book)


def offered(to: Desk, offer: Offer = OFFER) -> Rejection:
    outcome = to.offer(offer, cast(Line, None))
    assert isinstance(outcome, Rejection)
    return outcome


def test_the_real_ledger_fits(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, "maple-street") as ledger:
        trail: CallLedger = ledger.call("c1", ["+15550100123"])
        audit = CallAudit(trail, LOG)
        assert audit.begin(OFFER, PERSONA) is None
        offered(Desk(CONFIG, no_parts, LOG, ledger))
        audit.end({"outcome": "conversation"})
    found = [one.entry.kind for one in LedgerReader(tmp_path, None).entries() if one.entry.call_id]
    assert found == [Kind.CALL_STARTED, Kind.CALL_REFUSED, Kind.CALL_ENDED]


def test_personal_fields_are_sealed_and_only_the_first_and_last_entry_wait() -> None:
    trail = FakeTrail()
    record = CallRecord(LOG, CallAudit(trail, LOG))
    assert record.begin(OFFER, PERSONA) is None
    record.accepted()
    record.up(1000)
    record.heard("My name is Joe.", 1500, 2500)
    record.pressed("5")
    record.ended(LineDown("caller hung up", 200, 9000), AudioRings(), 9000)
    assert [kind for kind, body, _ in trail.entries if body["durable"]] == [
        Kind.CALL_STARTED,
        Kind.CALL_ENDED,
    ]
    in_clear = str([body for _, body, _ in trail.entries])
    for personal in (OFFER.caller, OFFER.dialled, OFFER.source, "Joe", "'5'"):
        assert personal not in in_clear
    sealed = [personal for _, _, personal in trail.entries if personal]
    assert sealed[0]["caller"] == OFFER.caller
    assert sealed[1:] == [{"text": "My name is Joe."}, {"digits": "5"}]
    assert trail.entries[-1][1]["duration_ms"] == 8000


def spoken_after(trail: FakeTrail, *, text: str, complete: str, pieces: Sequence[str]) -> dict[str, object]:
    """The sealed part of an answer's entry."""
    record = CallRecord(LOG, CallAudit(trail, LOG))
    record.begin(OFFER, PERSONA)
    answer = Utterance(1, attempt=1, text=complete)
    answer.sounds = [SoundPrepared(1, cast(Pcm16, None), piece) for piece in pieces]
    answer.stamps_ms.update(speech_end=1000, commit=1300, first_rtp=1700)
    record.answered(answer)
    record.spoken(answer, text, 2500, is_interrupted=True)
    kind, body, sealed = trail.entries[-1]
    assert kind is Kind.TURN_AGENT
    assert (body["v2v_ms"], body["began_ms"], body["ended_ms"]) == (700, 1700, 2500)
    return sealed


def test_an_interrupted_answer_says_what_was_heard_and_what_was_meant() -> None:
    sealed = spoken_after(FakeTrail(), text="We are", complete="We are open.", pieces=["We are open."])
    assert sealed == {"text": "We are", "meant": "We are open."}
    sealed = spoken_after(FakeTrail(), text="", complete="", pieces=["We are open,", "We are open,", "till"])
    assert sealed == {"text": "", "meant": "We are open, till"}


def test_a_turn_that_was_not_over_is_told_once(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, "maple-street") as ledger:
        record = CallRecord(LOG, CallAudit(ledger.call("c1"), LOG))
        record.begin(OFFER, PERSONA)
        record.heard("I would like", 1000, 2000)
        record.heard("I would like an appointment.", 1000, 4000)
        record.phrase_began(5000)
        record.heard("Hello?", 6000, 7000)
        record.ended(None, AudioRings(), 8000)
    reader = LedgerReader.open(tmp_path)
    story = tell(reader.of_call("c1"), reader)
    assert [turn.text for turn in story.turns] == ["I would like an appointment.", "Hello?"]
    assert story.outcome == "failed"


def test_a_start_that_is_not_on_the_disk_refuses_the_call() -> None:
    trail = FakeTrail(LedgerUnavailable("disk full"))
    audit = CallAudit(trail, LOG)
    assert audit.begin(OFFER, PERSONA) == "disk full"
    audit.note(Kind.TURN_CALLER)
    audit.end({"outcome": "not connected"})
    assert kinds(trail) == [Kind.CALL_STARTED, Kind.CALL_REFUSED]


def test_a_ledger_that_fails_later_does_not_disturb_the_call() -> None:
    trail = FakeTrail()
    audit = CallAudit(trail, LOG)
    assert audit.begin(OFFER, PERSONA) is None
    trail.fails_with = LedgerUnavailable("disk full")
    audit.note(Kind.TURN_CALLER)
    audit.end({"outcome": "conversation"})
    audit.cut()
    assert kinds(trail) == [Kind.CALL_STARTED, Kind.TURN_CALLER, Kind.CALL_ENDED]


def test_while_the_ledger_is_unwritable_calls_get_503_with_the_reason() -> None:
    book = FakeBook(state=LedgerState(False, "disk full"))
    front = desk(book)
    front.open()
    assert offered(front) == Rejection(503, "ledger: disk full", CONFIG.limits.retry_after_s)
    assert book.entries[0][1]["rule"] == "ledger: disk full"


def test_a_stranger_is_entered_by_address_alone() -> None:
    book = FakeBook()
    stranger = Offer("sip-2", "", "100", "scanner", "203.0.113.5:5060")
    desk(book).turned_away(stranger, Rejection(403, "no trunk allows this address"))
    kind, body, sealed = book.entries[0]
    assert (kind, body["sip_status"], sealed) == (Kind.CALL_REFUSED, 403, {"source": "203.0.113.5:5060"})


def test_a_trunk_is_entered_when_it_changes_and_not_with_every_refresh() -> None:
    book = FakeBook()
    front = desk(book)
    for status, expires_s in (
        (401, 0),
        (401, 0),
        (403, 0),
        (200, 300),
        (200, 300),
        (408, 0),
        (200, 300),
        (200, 0),
    ):
        front.registration_changed("office", status, "why", expires_s)
    front.registration_changed("branch", 200, "OK", 60)
    assert [(kind.value, body.get("sip_status")) for kind, body, _ in book.entries] == [
        ("trunk.registration_failed", 401),
        ("trunk.registration_failed", 403),
        ("trunk.registered", None),
        ("trunk.registration_failed", 408),
        ("trunk.registered", None),
        ("trunk.unregistered", None),
        ("trunk.registered", None),
    ]


def test_what_belongs_to_no_call_is_entered_and_what_is_personal_is_sealed(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, "maple-street", chain="supervisor") as ledger:
        audit = ServerAudit(ledger, LOG)
        audit.banned("192.0.2.7", rule="scanner", for_s=600)
        audit.unbanned("192.0.2.7")
        audit.campaign_decided("recall", "skip", rule="do not call", contact="+15550100123")
        audit.worker_started("worker-1", 41)
        audit.worker_crashed("worker-1", 41, cause="SIGSEGV", uptime_s=7, restart_in_ms=250)
        audit.worker_started("worker-1", 42, restarts=1)
        audit.worker_stopped("worker-1", 42, uptime_s=9)
    reader = LedgerReader.open(tmp_path)
    found = [
        one for one in reader.entries() if one.entry.kind.partition(".")[0] in ("peer", "campaign", "worker")
    ]
    assert [one.entry.kind for one in found] == [
        "peer.banned",
        "peer.unbanned",
        "campaign.decided",
        "worker.started",
        "worker.crashed",
        "worker.started",
        "worker.stopped",
    ]
    assert [reader.personal(one) for one in found[:3]] == [
        {"address": "192.0.2.7"},
        {"address": "192.0.2.7"},
        {"contact": "+15550100123"},
    ]
    assert found[4].entry.body["restart_in_ms"] == 250
    assert b"5550100123" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.jsonl"))
    ServerAudit(ledger, LOG).banned("192.0.2.8", rule="closed by now", for_s=1)
    ServerAudit(None, LOG).worker_started("worker-1", 1)


def test_a_call_of_our_own_with_tools_and_a_transfer(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, "maple-street") as ledger:
        audit = CallAudit(ledger.call("c1", ["+15550100123"]), LOG)
        to = {"dialled": "+15550100123", "caller": "+15550100100"}
        assert audit.begin_out(trunk="office", persona=PERSONA, campaign="recall", attempt=2, **to) is None
        audit.tool_called("book", "t1", {"name": "Joe"})
        audit.tool_returned("book", "t1", {"at": "Friday"}, ok=True, took_ms=12)
        audit.transfer_started("blind", "sip:front@maple.example")
        audit.transfer_ended(ok=False, sip_status=486)
        audit.end({"outcome": "conversation"})
    reader = LedgerReader.open(tmp_path)
    entries = reader.of_call("c1")
    assert entries[0].entry.body["direction"] == "out"
    assert (entries[0].entry.body["campaign"], entries[0].entry.body["attempt"]) == ("recall", 2)
    assert [reader.personal(one) for one in entries[:5]] == [
        to,
        {"arguments": {"name": "Joe"}},
        {"result": {"at": "Friday"}},
        {"target": "sip:front@maple.example"},
        None,
    ]
    assert reader.of_call("c1")[4].entry.body == {"ok": False, "sip_status": 486}
    assert ledger.keys.names_of("+1 555 010 0123") == ["c1"], "who was called is found and forgotten alike"


def test_a_call_of_our_own_is_not_made_where_its_start_cannot_be_written() -> None:
    trail = FakeTrail(LedgerUnavailable("disk full"))
    audit = CallAudit(trail, LOG)
    assert audit.begin_out(trunk="office", persona=PERSONA, dialled="1", caller="2") == "disk full"
    assert kinds(trail) == [Kind.CALL_STARTED, Kind.CALL_REFUSED]


def test_a_flood_is_counted_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = 5000
    monkeypatch.setattr("sipagent.call.audit_server.monotonic_ms", lambda: now_ms)
    book = FakeBook()
    front = desk(book)
    for _ in range(100):
        offered(front)
    assert len(book.entries) == 20
    now_ms = 6000
    offered(front)
    assert book.entries[-1][1]["left_out"] == 80
