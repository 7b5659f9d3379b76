"""The audit ledger: every call provable, and forgettable. The format stands in ``docs/ledger-format.md``.

```
Ledger.append ─► inbox ─► Chain (places, hashes, signatures) ─► Journal (files) ─► fsync ─► Anchor (a command)
 any thread               └──────────── writer thread ─────────────────────────┘          thread of its own
```

What a process does::

    ledger = Ledger.open(config.ledger.dir, config.instance, chain="worker-1", on_state=note_it)
    ledger.append(Kind.SERVER_STARTED, {"version": __version__, "pid": os.getpid()})

    # a call: begun on the thread that decides about it, before it is answered
    if not ledger.is_writable:
        refuse(503)                                     # running calls go on
    call = ledger.call(call_id, parties=[offer.caller])  # call_id: our own and unique
    call.append(Kind.CALL_STARTED, {"direction": "in", "trunk": offer.trunk, "persona": persona.name},
                sealed={"caller": offer.caller, "dialled": offer.dialled}, durable=True)
    call.append(Kind.TURN_CALLER, {"turn_id": 1, "began_ms": …, "ended_ms": …}, sealed={"text": text})
    path = call.recording_path(".wav")                  # in clear; or, under the call's key:
    sealed = SealedWriter(call.recording_path(".wav" + SUFFIX), call.secret)
    call.append(Kind.RECORDING_CLOSED, {"file": ledger.recording_name(path), "sha256": …, "bytes": …})
    call.end({"cause": down.cause, "duration_ms": …})   # durable and signed

    ledger.append(Kind.SERVER_STOPPED, {"reason": "SIGTERM"})
    ledger.close()

``append`` costs well under 0.2 ms and never waits for the disk; with ``durable=True`` it returns when the
entry is on the disk (a few ms, bounded by ``LedgerLimits.durable_timeout_ms``): not on the SIP thread, whose
callbacks must be quick. ``LedgerUnavailable`` from a durable append means: not on the disk *yet*; the entry
is kept in memory and written when the disk takes it. So a call whose start could not be made durable is
refused with 503 and ``call.refuse``, and one that runs goes on.

``server.crashed`` and ``tail.set_aside`` are written by ``Ledger.open`` itself, ``checkpoint``,
``segment.*``, ``key.rotated``, ``clock.stepped``, ``entries.lost`` and ``anchor.failed`` by the writer.
"""

from sipagent.ledger.callers import CallerMemory
from sipagent.ledger.chain import Receipt
from sipagent.ledger.erase import Erased, Eraser
from sipagent.ledger.findings import Fault, Finding, Place, Verdict
from sipagent.ledger.identity import Head, Identity, parse_head, read_public_key
from sipagent.ledger.kinds import Kind
from sipagent.ledger.ledger import CallLedger, Ledger
from sipagent.ledger.read import ChainEntry, LedgerReader
from sipagent.ledger.recording_seal import SUFFIX, SealedWriter, unsealed
from sipagent.ledger.recordings import place_recordings
from sipagent.ledger.retention import Keep, Retention
from sipagent.ledger.verify import Report, verify
from sipagent.ledger.writer import LedgerLimits, LedgerState, LedgerStats

__all__ = [
    "SUFFIX",
    "CallLedger",
    "CallerMemory",
    "ChainEntry",
    "Erased",
    "Eraser",
    "Fault",
    "Finding",
    "Head",
    "Identity",
    "Keep",
    "Kind",
    "Ledger",
    "LedgerLimits",
    "LedgerReader",
    "LedgerState",
    "LedgerStats",
    "Place",
    "Receipt",
    "Report",
    "Retention",
    "SealedWriter",
    "Verdict",
    "parse_head",
    "place_recordings",
    "read_public_key",
    "unsealed",
    "verify",
]
