"""Resending over UDP until somebody answers (RFC 3261 s17): a table of datagrams and their timers. Pure."""

from dataclasses import dataclass, field

T1_MS = 500
"""RFC 3261 s17.1.1.1: estimate of the round trip."""
T2_MS = 4000
GIVE_UP_MS = 64 * T1_MS


@dataclass(slots=True)
class Resend:
    """One datagram that waits for an answer."""

    datagram: bytes
    next_ms: float
    interval_ms: float
    give_up_ms: float


@dataclass(slots=True)
class Retransmitter:
    """Datagrams under way. A key stands for one: a transaction's branch, or a final response's CSeq."""

    pending: dict[str, Resend] = field(default_factory=dict)

    def expect(self, key: str, datagram: bytes, now_ms: float, *, give_up_after_ms: float) -> None:
        """``datagram`` was just sent; send it again until ``answered``."""
        self.pending[key] = Resend(datagram, now_ms + T1_MS, T1_MS, now_ms + give_up_after_ms)

    def answered(self, key: str) -> bool:
        """Stop resending; False where nothing was under way by that key."""
        return self.pending.pop(key, None) is not None

    def due(self, now_ms: float) -> tuple[list[bytes], list[str]]:
        """Datagrams to send again now, and the keys that were given up."""
        again, lost = [], []
        for key, resend in list(self.pending.items()):
            if now_ms >= resend.give_up_ms:
                lost.append(key)
                del self.pending[key]
            elif now_ms >= resend.next_ms:
                again.append(resend.datagram)
                resend.interval_ms = min(2 * resend.interval_ms, T2_MS)
                resend.next_ms = now_ms + resend.interval_ms
        return again, lost
