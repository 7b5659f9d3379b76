"""A clock that stands still, and a small ledger in which everything happens once."""

import hashlib
from pathlib import Path

from sipagent.ledger import Kind, Ledger, LedgerLimits
from sipagent.ledger.clock import utc_of

NOON = "2026-03-01T12:00:00.000Z"
CALLER, OTHER = "+15550100123", "+15550100456"
QUIET = LedgerLimits(segment_max_bytes=6000, checkpoint_entries=1000, min_free_bytes=0)
"""Small segments; signs only when told."""


class ManualClock:
    """Both clocks go on by ``tick_ms`` with each look at the monotonic one."""

    def __init__(self, at_utc: str = NOON, tick_ms: int = 0) -> None:
        self.utc = utc_of(at_utc)
        self.now = 1_000_000
        self.tick_ms = tick_ms

    def utc_ms(self) -> int:
        return self.utc

    def now_ms(self) -> int:
        self.pass_ms(self.tick_ms)
        return self.now

    def pass_ms(self, ms: int) -> None:
        """Time goes by."""
        self.now += ms
        self.utc += ms

    def step_ms(self, ms: int) -> None:
        """Somebody sets the clock."""
        self.utc += ms


def write_call(ledger: Ledger, call_id: str, *, caller: str = CALLER, turns: int = 3) -> None:
    """One call with a recording."""
    call = ledger.call(call_id, [caller])
    body = {"direction": "in", "trunk": "lab", "persona": "receptionist", "prompt_sha256": "ab" * 32}
    call.append(Kind.CALL_STARTED, body, sealed={"caller": caller, "dialled": "+15550100100"}, durable=True)
    call.append(Kind.CALL_ANSWERED, {"ring_ms": 120})
    at_ms = 1_001_000
    for turn_id in range(1, turns + 1):
        span = {"turn_id": turn_id, "began_ms": at_ms, "ended_ms": at_ms + 1500}
        call.append(Kind.TURN_CALLER, span, sealed={"text": f"I have a toothache, number {turn_id}. Ñandú"})
        stamps = {"speech_end": at_ms + 1500, "pause": at_ms + 1680, "commit": at_ms + 1800}
        said: dict[str, object] = {
            "turn_id": turn_id,
            "began_ms": at_ms + 2000,
            "ended_ms": at_ms + 3500,
            "interrupted": turn_id == 2,
            "stamps_ms": {**stamps, "first_rtp": at_ms + 2000},
            "v2v_ms": 500,
        }
        call.append(Kind.TURN_AGENT, said, sealed={"text": "We have two thirty.", "meant": "We have 2:30."})
        at_ms += 4000
    sound = f"the sound of {call_id}".encode()
    path = call.recording_path(".wav")
    path.write_bytes(sound)
    recording = {"file": ledger.recording_name(path), "sha256": hashlib.sha256(sound).hexdigest()}
    call.append(Kind.RECORDING_CLOSED, {**recording, "bytes": len(sound), "duration_ms": 12_000})
    end = {"cause": "caller hung up", "sip_status": 200, "duration_ms": 12_000, "turns": turns}
    call.end({**end, "interruptions": 1, "v2v_p50_ms": 500, "outcome": "done"})


def write_sample(folder: Path, *, clock: ManualClock | None = None) -> None:
    """Four calls over three segments, a refused one, a ban; closed properly."""
    ledger = Ledger.open(folder, "maple-street", limits=QUIET, clock=clock or ManualClock(tick_ms=10))
    try:
        ledger.append(Kind.SERVER_STARTED, {"version": "0.0.0", "pid": 1})
        for index, caller in enumerate((CALLER, OTHER, CALLER), start=1):
            write_call(ledger, f"call-{index}", caller=caller)
        ledger.call("call-4", [OTHER]).refuse(
            {"sip_status": 503, "rule": "max_calls"}, sealed={"caller": OTHER}
        )
        ledger.append(Kind.PEER_BANNED, {"rule": "scanner", "for_s": 600}, sealed={"address": "192.0.2.7"})
        ledger.append(Kind.SERVER_STOPPED, {"reason": "SIGTERM"}, durable=True)
    finally:
        ledger.close()
