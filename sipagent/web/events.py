"""The way of the log's events to the metrics: from every process of the server to its parent.

worker: log ─▶ EventSender ─┐
worker: log ─▶ EventSender ─┼─ one datagram socket ─▶ EventPipe.receive (parent) ─▶ ServerMetrics
parent: log ─▶ EventSender ─┘

One event is one datagram, so processes do not mix, order is kept, and a worker that dies leaves nothing
behind. Only the fields below are sent: nothing of a caller.
"""

import json
import os
import socket

from structlog.typing import EventDict, WrappedLogger

FIELDS: dict[str, tuple[str, ...]] = {
    "agent.ready": ("max_calls",),
    "agent.stopping": (),
    "agent.stopped": (),
    "call.started": ("call_id", "direction", "trunk"),
    "call.connected": ("call_id",),
    "call.ended": (
        "call_id",
        "cause",
        "outcome",
        "duration_ms",
        "rtp_received",
        "rtp_lost",
        "rtp_jitter_ms",
        "rtp_mos",
    ),
    "call.refused": ("rule", "status"),
    "turn.heard": (),
    "turn.answered": ("v2v_ms", "stamps", "queued_ms"),
    "turn.spoken": ("interrupted",),
    "tool.returned": ("tool", "status", "took_ms"),
    "trunk.registered": ("trunk",),
    "trunk.unregistered": ("trunk",),
    "trunk.registration_failed": ("trunk",),
    "campaign.decided": ("campaign", "decision", "rule"),
    "campaign.progressed": ("campaign", "state", "contacts"),
    "trunk.state": ("trunk", "state", "reason"),
    "ledger.unwritable": (),
    "ledger.problem": (),
    "ledger.writable": (),
    "ledger.missed": (),
    "ledger.late": (),
    "ledger.not_closed": (),
    "ledger.not_forgotten": (),
    "egress.refused": ("attempts",),
}
"""Event → its fields that the metrics are made of."""
LARGEST_EVENT_BYTES = 8192


class EventSender:
    """A log processor: hands events on and leaves them as they are. Never blocks; counts what it drops."""

    def __init__(self, sock: socket.socket, worker: str) -> None:
        """:param worker: name of the process in the metrics."""
        self._sock = sock
        self._worker = worker
        self.dropped = 0

    def __repr__(self) -> str:
        return f"EventSender({self._worker}, dropped={self.dropped})"

    @classmethod
    def from_fd(cls, fd: int, worker: str) -> "EventSender":
        """In a worker that was started with the pipe's descriptor."""
        return cls(socket.socket(fileno=fd), worker)

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        fields = FIELDS.get(event.get("event", ""))
        if fields is not None:
            picked = {name: event[name] for name in fields if event.get(name) is not None}
            envelope = [self._worker, os.getpid(), event["event"], picked, self.dropped]
            self._send(json.dumps(envelope, default=str).encode())
        return event

    def _send(self, message: bytes) -> None:
        try:
            if len(message) <= LARGEST_EVENT_BYTES:
                self._sock.send(message, socket.MSG_DONTWAIT)
                return
        except OSError:  # full, or the parent is gone
            pass
        self.dropped += 1


class EventPipe:
    """Both ends of the way. Made by the parent, before its log is set up and before its first worker."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    @property
    def fd(self) -> int:
        """For ``pass_fds`` of a worker, which calls ``EventSender.from_fd``."""
        return self._writer.fileno()

    def sender(self, worker: str) -> EventSender:
        """The log processor of this process."""
        return EventSender(self._writer, worker)

    def receive(self) -> bytes:
        """The next event; empty after ``stop``. Waits."""
        return self._reader.recv(LARGEST_EVENT_BYTES)

    def stop(self) -> None:
        """End the reader, behind the events that are on their way."""
        self._writer.setblocking(True)
        self._writer.send(b"")

    def close(self) -> None:
        """Free both ends; senders of this process drop from now on. Idempotent."""
        self._reader.close()
        self._writer.close()
