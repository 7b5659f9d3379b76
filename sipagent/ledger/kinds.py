"""What can happen: the kinds of entries, with the body that each carries.

Bodies hold what is nobody's secret; names, numbers, texts and digits go under ``sealed``. Stamps are
monotonic milliseconds like the entry's own ``at_ms``. The fields stand in ``docs/ledger-format.md``.
"""

from enum import StrEnum


class Kind(StrEnum):
    """The ``kind`` of an entry."""

    # the process
    SERVER_STARTED = "server.started"  # version, pid, host
    SERVER_STOPPED = "server.stopped"  # reason, uptime_s
    SERVER_CRASHED = "server.crashed"  # last_seq, open_calls; by the ledger when it opens
    CONFIG_IN_FORCE = "config.in_force"  # sha256, text (redacted)
    MODELS_IN_USE = "models.in_use"  # files: {path: sha256}
    # its workers, in the chain of the process that supervises them
    WORKER_STARTED = "worker.started"  # worker, pid, restarts
    WORKER_STOPPED = "worker.stopped"  # worker, pid, uptime_s
    WORKER_CRASHED = "worker.crashed"  # worker, pid, cause, uptime_s, restart_in_ms
    # a call
    CALL_STARTED = "call.started"  # direction, trunk, persona, prompt_sha256; sealed: caller, dialled
    CALL_ANSWERED = "call.answered"  # ring_ms
    CALL_MILESTONE = "call.milestone"  # name, sip_status
    CALL_ENDED = "call.ended"  # outcome, cause, sip_status, duration_ms, turns, interruptions, v2v_p50_ms …
    CALL_REFUSED = "call.refused"  # sip_status, rule, trunk; sealed: caller, dialled
    TURN_CALLER = "turn.caller"  # turn_id, began_ms, ended_ms; sealed: text
    TURN_AGENT = "turn.agent"  # as before, interrupted, stamps_ms, v2v_ms; sealed: text, meant
    TOOL_CALLED = "tool.called"  # tool, tool_call_id; sealed: arguments
    TOOL_RETURNED = "tool.returned"  # tool, tool_call_id, ok, took_ms; sealed: result
    DTMF_RECEIVED = "dtmf.received"  # how; sealed: digits
    TRANSFER_STARTED = "transfer.started"  # how; sealed: target
    TRANSFER_ENDED = "transfer.ended"  # ok, sip_status
    CONSENT_ANNOUNCED = "consent.announced"  # text_sha256
    CONSENT_GIVEN = "consent.given"  # how: spoken or keyed; sealed: text or digits
    CONSENT_REFUSED = "consent.refused"  # how
    CONSENT_WITHDRAWN = "consent.withdrawn"  # how, keeps; sealed: text or digits
    RECORDING_STARTED = "recording.started"  # file, format
    RECORDING_PAUSED = "recording.paused"  # reason
    RECORDING_RESUMED = "recording.resumed"
    RECORDING_CLOSED = "recording.closed"  # file, sha256, bytes, duration_ms, encrypted, salvaged
    RECORDING_DROPPED = "recording.dropped"  # file, reason
    # the world
    TRUNK_REGISTERED = "trunk.registered"  # trunk, expires_s
    TRUNK_UNREGISTERED = "trunk.unregistered"  # trunk
    TRUNK_FAILED = "trunk.registration_failed"  # trunk, sip_status, reason
    PEER_BANNED = "peer.banned"  # rule, for_s; sealed: address
    PEER_UNBANNED = "peer.unbanned"  # sealed: address
    CAMPAIGN_DECIDED = "campaign.decided"  # campaign, decision, rule; sealed: contact, consent
    # the ledger itself
    LEDGER_VERIFIED = "ledger.verified"  # intact, complete, findings, heads
    LEDGER_ERASING = "ledger.erasing"  # erasure, reason, calls, files, callers: before anything goes
    LEDGER_ERASED = "ledger.erased"  # erasure, keys_destroyed, recordings_deleted, callers_forgotten
    SEGMENT_OPENED = "segment.opened"  # first entry of each file: chain, key, open_calls
    SEGMENT_SEALED = "segment.sealed"  # last entry of each file but the newest: signed
    CHECKPOINT = "checkpoint"  # reason, key, signature
    KEY_ROTATED = "key.rotated"  # old_key, new_key, signature, confirmation
    TAIL_SET_ASIDE = "tail.set_aside"  # file, bytes, sha256
    ENTRIES_LOST = "entries.lost"  # count: the disk was full for longer than memory lasts
    CLOCK_STEPPED = "clock.stepped"  # by_ms
    ANCHOR_FAILED = "anchor.failed"  # reason


SIGNED = frozenset({Kind.CHECKPOINT, Kind.SEGMENT_SEALED})
"""Kinds whose body carries ``key`` and ``signature`` over the entry before it."""
