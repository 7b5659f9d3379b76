"""How fast a large ledger is verified: writes one as many calls would leave it, then checks it."""

import os
from dataclasses import dataclass
from pathlib import Path

from sipagent.ledger import Kind, LedgerLimits, Receipt, verify
from sipagent.ledger.chain import Chain, ChainState, Line, Pending
from sipagent.ledger.clock import SystemClock
from sipagent.ledger.entry import freeze
from sipagent.ledger.files import private_folder
from sipagent.ledger.identity import Identity
from sipagent.ledger.journal import Journal
from sipagent.ledger.keystore import KeyStore, StoredKey
from sipagent.ledger.story import STAGES

BUDGET_S_A_GIB = 60.0
_TURNS_A_CALL = 10
_CALLS_A_SYNC = 200


@dataclass(frozen=True, slots=True)
class VerifyCost:
    """One verification."""

    mib: float
    entries: int
    calls: int
    took_s: float
    is_good: bool

    @property
    def is_within(self) -> bool:
        """Nothing was found, in the time that a ledger of this size may take."""
        return self.is_good and self.took_s <= BUDGET_S_A_GIB * self.mib / 1024


def measure_verify(folder: Path, mib: int) -> VerifyCost:
    """Write a ledger of this size into an empty folder, and verify it."""
    write_ledger(folder, mib << 20)
    report = verify(folder)
    (chain,) = report.chains
    return VerifyCost(chain.bytes_ / (1 << 20), chain.entries, chain.calls, report.took_s, report.is_good)


def write_ledger(folder: Path, size_bytes: int) -> None:
    """Call after call, signed and closed as a server does it, but without waiting for anybody."""
    identity = Identity.open(folder / "identity")
    journal = Journal(
        private_folder(folder / "chains" / "main"), KeyStore.open(folder / "keys", identity.folder)
    )
    limits = LedgerLimits()
    chain = Chain(
        ChainState("main", "bench", os.urandom(16).hex(), identity.key),
        identity,
        SystemClock(),
        segment_max_bytes=limits.segment_max_bytes,
        checkpoint_entries=limits.checkpoint_entries,
    )
    written_bytes = number = 0
    while written_bytes < size_bytes:
        number += 1
        for step in chain.assemble(_call(number)):
            journal.put(step)
            written_bytes += len(step.data) if isinstance(step, Line) else 0
        journal.flush()
        if number % _CALLS_A_SYNC == 0:
            journal.sync()
    journal.put(*chain.assemble([], checkpoint=("closed", Receipt())))
    journal.flush()
    journal.sync()
    journal.close()


def _call(number: int) -> list[Pending]:
    """One call's entries; its key is nowhere: nobody will ask for the words."""
    clock = SystemClock()
    key = StoredKey(f"bench-{number}", os.urandom(32), "")
    text = "I would like to move my appointment from Tuesday to Friday afternoon, please."

    def entry(kind: Kind, body: dict[str, object], sealed: dict[str, object] | None = None) -> Pending:
        hidden = None if sealed is None else freeze(sealed)
        now_ms, utc_ms = clock.now_ms(), clock.utc_ms()
        return Pending(kind, key.name, freeze(body), now_ms, utc_ms, Receipt(), sealed=hidden, key=key)

    started: dict[str, object] = {
        "direction": "in",
        "trunk": "lab",
        "persona": "bench",
        "prompt_sha256": "ab" * 32,
    }
    entries = [entry(Kind.CALL_STARTED, started, {"caller": "+15550100123", "dialled": "+15550100100"})]
    for turn_id in range(1, _TURNS_A_CALL + 1):
        span: dict[str, object] = {"turn_id": turn_id, "began_ms": 1_234_567, "ended_ms": 1_236_789}
        stamps = dict.fromkeys(STAGES, 1_237_000 + turn_id)
        entries.append(entry(Kind.TURN_CALLER, span, {"text": text}))
        said = {**span, "interrupted": False, "stamps_ms": stamps, "v2v_ms": 512}
        entries.append(entry(Kind.TURN_AGENT, said, {"text": text, "meant": text}))
    entries.append(entry(Kind.CALL_ENDED, {"cause": "caller hung up", "sip_status": 200, "turns": 10}))
    return entries
