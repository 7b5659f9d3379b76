"""What becomes of a recording when the server dies in the middle of it."""

import io
import shutil
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import soundfile
import structlog

from sipagent.call.audit import CallAudit
from sipagent.call.ports import Offer
from sipagent.call.salvage import Salvage
from sipagent.call.tape import CallTape, TapePlan
from sipagent.config.recording import ConsentMode, RecordingConfig, RecordingFormat
from sipagent.config.schema import PersonaConfig
from sipagent.ledger import Eraser, Kind, Ledger, LedgerLimits, LedgerReader, unsealed, verify
from sipagent.media import recorder as recorder_module
from sipagent.media.recorder import PART

pytestmark = pytest.mark.unit

LOG: structlog.stdlib.BoundLogger = structlog.get_logger()
LIMITS = LedgerLimits(min_free_bytes=0, sync_interval_ms=10)
OFFER = Offer("sip-1", "lab", "+15550100100", "+15550100123", "192.0.2.9:5060")
PERSONA = PersonaConfig(name="maple", greeting="Hello.", prompt_file=Path("p.md"), prompt="Answer.")


@pytest.fixture(autouse=True)
def patient_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of sound comes here in a moment."""
    monkeypatch.setattr(recorder_module, "_QUEUED_BLOCKS", 1000)


def opened(folder: Path) -> Ledger:
    return Ledger.open(folder, "test", limits=LIMITS)


class Dying:
    """A call that is recorded in a ledger, and the ledger as it lies there when the power goes."""

    def __init__(
        self, folder: Path, format_: RecordingFormat, *, encrypt: bool, mode: ConsentMode = "announced"
    ) -> None:
        self.folder = folder
        self.ledger = opened(folder / "living")
        trail = self.ledger.call("call-1", [OFFER.caller])
        self.audit = CallAudit(trail, LOG)
        assert self.audit.begin(OFFER, PERSONA) is None
        config = RecordingConfig(enabled=True, encrypt=encrypt, format=format_)
        plan = TapePlan(config, mode, PERSONA.greeting, answer_ms=6000)
        self.tape = CallTape(plan, trail, self.audit.note, LOG)
        self.tape.up(0)
        if mode == "announced":
            self.tape.agent_ended(self.tape.opening, 2000)
        self.sound = (np.random.default_rng(3).standard_normal(16_000 * 60) * 900).astype(np.int16)

    def hear(self) -> None:
        """A minute; waits until some of it is on the disk."""
        for start in range(0, len(self.sound), 512):
            self.tape.take(self.sound[start : start + 512], self.sound[start : start + 512])
        deadline_s = time.monotonic() + 20
        while sum(path.stat().st_size for path in self.parts()) < 200_000:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)

    def parts(self) -> list[Path]:
        return list(self.folder.glob(f"living/recordings/*/*{PART}"))

    def crash(self) -> Path:
        """The folder as a crash leaves it; the living one is closed."""
        self.ledger.checkpoint(durable=True)
        left = self.folder / "left"
        shutil.copytree(self.folder / "living", left)
        self.tape.close()
        self.audit.end({"outcome": "failed"})
        self.ledger.close()
        return left


def salvaged(left: Path) -> list[dict[str, object]]:
    """Open what is left and salvage; the ends of recordings that are entered then. Twice: it is settled."""
    for _ in range(2):
        ledger = opened(left)
        Salvage(ledger, LOG).run()
        ledger.close()
    assert not list(left.rglob(f"*{PART}"))
    assert verify(left).findings == ()
    ends = (Kind.RECORDING_CLOSED, Kind.RECORDING_DROPPED)
    entries = [one.entry for one in LedgerReader(left, None).entries() if one.entry.kind in ends]
    return [{"kind": entry.kind, "call": entry.call_id, **entry.body} for entry in entries]


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("format_", ["wav", "g711", "flac"])
def test_what_is_on_the_disk_is_mended_hashed_and_entered(
    tmp_path: Path, format_: RecordingFormat, encrypt: bool
) -> None:
    call = Dying(tmp_path, format_, encrypt=encrypt)
    call.hear()
    left = call.crash()
    (closed,) = salvaged(left)
    assert (closed["kind"], closed["call"], closed["salvaged"]) == (Kind.RECORDING_CLOSED, "call-1", True)
    path = left / "recordings" / str(closed["file"])
    assert (closed["sha256"], closed["bytes"]) == (sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    content = path.read_bytes()
    if encrypt:
        assert path.name.endswith(".sealed")
        (key,) = opened_keys(left)
        content = b"".join(unsealed(path, key))
    heard, rate_hz = soundfile.read(io.BytesIO(content), dtype="int16")
    assert len(heard) * 1000 // rate_hz == closed["duration_ms"]
    assert len(heard) > rate_hz, "what was held back or in buffers is gone, the rest is there"
    if format_ != "g711":
        assert np.array_equal(heard[:, 0], call.sound[: len(heard)])


def opened_keys(folder: Path) -> list[bytes]:
    ledger = opened(folder)
    ledger.close()
    return [stored.key for stored in ledger.keys.find("call-1")]


def test_a_part_of_which_not_even_the_start_was_entered_is_known_by_its_call(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=True)
    call.hear()
    entry = b'"kind":"recording.started"'
    left = call.crash()
    segment = next((left / "chains" / "main").glob("*.jsonl"))
    lines = segment.read_bytes().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if entry in line)
    segment.write_bytes(b"".join(lines[:first]))
    for heads in (left / "chains" / "main").glob("*.heads"):
        heads.write_bytes(heads.read_bytes().splitlines(keepends=True)[0])
    (closed,) = salvaged(left)
    assert (closed["kind"], closed["call"]) == (Kind.RECORDING_CLOSED, "call-1")


def test_a_recording_of_which_nothing_was_on_the_disk_is_told_to_be_lost(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=False)
    for part in call.parts():
        part.unlink()
    (dropped,) = salvaged(call.crash())
    assert (dropped["kind"], dropped["call"]) == (Kind.RECORDING_DROPPED, "call-1")
    assert "before any of it was on the disk" in str(dropped["reason"])


def test_a_head_without_sound_is_told_to_be_lost(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=True)
    call.tape.take(call.sound[:1000], call.sound[:1000])
    left = call.crash()
    (dropped,) = salvaged(left)
    assert dropped["kind"] == Kind.RECORDING_DROPPED
    assert not [path for path in (left / "recordings").rglob("*") if path.is_file()]


def test_what_the_caller_has_taken_back_is_never_put_together_again(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=False)
    call.hear()
    (part,) = call.parts()
    kept = part.read_bytes()
    call.tape.said("do not record this", 90_000)
    deadline = time.monotonic() + 10
    while part.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    left = call.crash()
    again = left / part.relative_to(tmp_path / "living")
    again.parent.mkdir(exist_ok=True)
    again.write_bytes(kept)  # the crash came before it was deleted
    (dropped,) = salvaged(left)
    assert (dropped["kind"], dropped["reason"]) == (Kind.RECORDING_DROPPED, "consent was withdrawn")
    assert not [path for path in (left / "recordings").rglob("*") if path.is_file()]


def test_a_forgotten_call_is_not_put_together_again(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=True)
    call.hear()
    left = call.crash()
    with Ledger.open(left, "test", chain="admin", limits=LIMITS) as admin:
        assert Eraser(admin).forget(["call-1"], reason="call").recordings == 1
    (dropped,) = salvaged(left)
    assert dropped["kind"] == Kind.RECORDING_DROPPED


def test_a_recording_that_has_its_name_and_no_entry_is_entered(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=True)
    call.hear()
    left = call.crash()
    name = next((tmp_path / "living" / "recordings").glob("*/*.sealed"))
    for part in left.rglob(f"*{PART}"):
        part.unlink()
    shutil.copy(name, left / name.relative_to(tmp_path / "living"))
    (closed,) = salvaged(left)
    assert (closed["kind"], closed["sha256"]) == (
        Kind.RECORDING_CLOSED,
        sha256(name.read_bytes()).hexdigest(),
    )


def test_running_calls_and_those_of_other_chains_are_left_alone(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=False)
    call.hear()
    left = call.crash()
    stranger = left / "recordings" / "2026-01-01" / f"{'ab' * 16}.wav{PART}"
    stranger.parent.mkdir()
    stranger.write_bytes(b"of another worker")
    ledger = opened(left)
    running = ledger.call("call-2")
    running.append(Kind.CALL_STARTED, {}, durable=True)
    part = running.recording_path(".wav" + PART)
    part.write_bytes(b"RIFF")
    body = {"file": ledger.recording_name(part).removesuffix(PART), "format": "wav"}
    running.append(Kind.RECORDING_STARTED, body, durable=True)
    Salvage(ledger, LOG).run()
    assert (part.read_bytes(), stranger.read_bytes()) == (b"RIFF", b"of another worker")
    closed = [
        one.entry.call_id
        for one in LedgerReader(left, None).entries()
        if one.entry.kind == Kind.RECORDING_CLOSED
    ]
    assert closed == ["call-1"]
    running.end({})
    ledger.close()


def test_a_server_that_stops_meanwhile_leaves_the_rest_for_the_next_start(tmp_path: Path) -> None:
    call = Dying(tmp_path, "wav", encrypt=False)
    call.hear()
    left = call.crash()
    ledger = opened(left)
    Salvage(ledger, LOG, lambda: True).run()
    ledger.close()
    assert len(list(left.rglob(f"*{PART}"))) == 1
    (closed,) = salvaged(left)
    assert closed["kind"] == Kind.RECORDING_CLOSED
