"""Keeps the RTP ports of an ended call out of use for a while.

A packet that is still on its way, or a peer that has not noticed the end, would be heard in the next call on
the same port. The ports are held bound, so whoever chooses ports next finds them taken.
"""

import contextlib
import socket
from collections import deque
from dataclasses import dataclass

_CLOSES_WITHIN_MS = 1000


@dataclass(frozen=True, slots=True)
class _Held:
    until_ms: int
    sockets: tuple[socket.socket, ...]


class PortQuarantine:
    """SIP thread only. Time is passed in."""

    def __init__(self, host: str, duration_ms: int, most_calls: int) -> None:
        """:param most_calls: beyond them the oldest ports are freed early, so that new calls find some."""
        self._host = host
        self._duration_ms = duration_ms
        self._most_calls = most_calls
        self._wanted: dict[int, int] = {}
        """RTP port → until when it is tried: the library closes its sockets a moment after a call's end."""
        self._held: deque[_Held] = deque()

    def __repr__(self) -> str:
        return f"PortQuarantine({len(self._held)} calls held, {len(self._wanted)} wanted)"

    def take(self, rtp_port: int, now_ms: int) -> None:
        """A call has ended: hold its port and the RTCP port above it as soon as they are free."""
        if self._duration_ms > 0:
            self._wanted[rtp_port] = now_ms + _CLOSES_WITHIN_MS

    def tick(self, now_ms: int) -> None:
        """Hold what has become free, free what has been held long enough."""
        for port, until_ms in list(self._wanted.items()):
            if self._hold(port, now_ms) or now_ms >= until_ms:
                del self._wanted[port]
        while self._held and (self._held[0].until_ms <= now_ms or len(self._held) > self._most_calls):
            self._free()

    def _hold(self, rtp_port: int, now_ms: int) -> bool:
        rtp = _bound(self._host, rtp_port)
        if rtp is None:
            return False
        rtcp = _bound(self._host, rtp_port + 1)
        sockets = (rtp,) if rtcp is None else (rtp, rtcp)
        self._held.append(_Held(now_ms + self._duration_ms, sockets))
        return True

    def close(self) -> None:
        """Free everything."""
        while self._held:
            self._free()

    def _free(self) -> None:
        for one in self._held.popleft().sockets:
            with contextlib.suppress(OSError):
                one.close()


def _bound(host: str, port: int) -> socket.socket | None:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # what comes is not read
        one.bind((host, port))
    except OSError:
        one.close()
        return None
    return one
