"""The two clocks of an entry: UTC for people, monotonic for order and durations."""

import time
from datetime import UTC, datetime
from typing import Protocol

from sipagent.units import monotonic_ms


class Clock(Protocol):
    """Where the stamps come from; tests bring their own."""

    def utc_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC. May step."""

    def now_ms(self) -> int:
        """Monotonic milliseconds. Never steps, starts anew with the machine."""


class SystemClock:
    """The machine's clocks."""

    def utc_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        return monotonic_ms()


def utc_text(utc_ms: int) -> str:
    """RFC 3339 with milliseconds, always 24 characters: ``2026-11-22T16:54:42.123Z``."""
    second, ms = divmod(utc_ms, 1000)
    year, month, day, hour, minute, sec, *_ = time.gmtime(second)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{sec:02d}.{ms:03d}Z"


def utc_of(text: str) -> int:
    """Back from ``utc_text``, to milliseconds; a bare day counts from its midnight.

    :raises ValueError: not such a text.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1000)
