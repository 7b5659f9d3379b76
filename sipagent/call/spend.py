"""Counts a day's outgoing calls and what they may cost, in one small file that all processes share.

A call's whole possible price is booked before it is dialled and corrected at its end: whoever crashes in
between has booked too much, never too little.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO

from sipagent.config.outbound import OutboundLimits
from sipagent.errors import SipAgentError


class OutboundRefused(SipAgentError):
    """``limits.outbound`` does not let this call be placed. Nothing was dialled."""


class NotNow(OutboundRefused):
    """Later it may."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Day:
    """What the file holds."""

    day: str
    """UTC, as 2025-11-22."""
    calls: int = 0
    spent: float = 0.0


@dataclass(frozen=True, slots=True)
class Booking:
    """One call's place in the day's count."""

    day: str
    per_minute: float
    booked: float


class SpendBook:
    """The day's count. Any thread, any number of processes."""

    def __init__(self, limits: OutboundLimits, clock_s: Callable[[], float] = time.time) -> None:
        """:param clock_s: seconds since 1970; tells the day."""
        self._limits = limits
        self._clock_s = clock_s

    def __repr__(self) -> str:
        return f"SpendBook({self._limits.count_file})"

    def book(self, number: str, longest_s: int) -> Booking:
        """Make sure that a call may be placed, and count it.

        :param longest_s: the call's longest possible duration.
        :raises OutboundRefused: the number is not allowed, or the day's calls or money are used up.
        """
        limits = self._limits
        per_minute = price_per_minute(limits, number)
        price = _price(per_minute, longest_s)
        with self._open() as (day, write):
            if day.calls >= limits.calls_per_day:
                raise NotNow(f"limits.outbound.calls_per_day: {day.calls} calls were placed today (UTC)")
            if limits.spend_per_day is not None and day.spent + price > limits.spend_per_day:
                raise NotNow(
                    f"limits.outbound.spend_per_day: {day.spent:.2f} of {limits.spend_per_day:.2f} are spent "
                    f"or booked, and this call may cost {price:.2f}"
                )
            write(Day(day.day, day.calls + 1, day.spent + price))
        return Booking(day.day, per_minute, price)

    def settle(self, booking: Booking, talked_s: float) -> None:
        """Give back what the call did not cost; ``talked_s`` 0: it was not answered."""
        back = booking.booked - _price(booking.per_minute, talked_s)
        if not back:
            return
        with self._open() as (day, write):
            if day.day == booking.day:
                write(Day(day.day, day.calls, max(0.0, day.spent - back)))

    @contextmanager
    def _open(self) -> Iterator[tuple[Day, Callable[[Day], None]]]:
        """Today's count, locked, and how to write the new one."""
        path = self._limits.count_file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield self._read(file), lambda day: _write(file, day)
        except OSError as exc:
            raise NotNow(
                f"limits.outbound.count_file: {path} cannot be used: {exc.strerror or exc}; "
                "without a count no call is placed"
            ) from exc

    def _read(self, file: IO[str]) -> Day:
        today = time.strftime("%Y-%m-%d", time.gmtime(self._clock_s()))
        text = file.read()
        if not text.strip():
            return Day(today)
        try:
            found = Day(**json.loads(text))
            is_sound = isinstance(found.day, str) and found.calls >= 0 and found.spent >= 0
        except (ValueError, TypeError):
            is_sound = False
        if not is_sound:
            path = self._limits.count_file
            raise NotNow(f"limits.outbound.count_file: {path} is damaged; look at it, then delete it")
        return found if found.day == today else Day(today)


def price_per_minute(limits: OutboundLimits, number: str) -> float:
    """What a minute to a number costs; 0 where nobody has said.

    :raises OutboundRefused: the number is not allowed, or has no price where money is capped.
    """
    if not limits.allows(number):
        known = ", ".join(limits.allow) or "none"
        raise OutboundRefused(f"limits.outbound.allow: {number} is not among them; there are: {known}")
    per_minute = limits.rate_for(number)
    if limits.spend_per_day is not None and per_minute is None:
        raise OutboundRefused(f"limits.outbound.rates: no price for {number}, and spend_per_day is set")
    return per_minute or 0.0


def _price(per_minute: float, seconds: float) -> float:
    return per_minute * -(-round(seconds * 1000) // 60_000)


def _write(file: IO[str], day: Day) -> None:
    text = json.dumps(asdict(day))
    file.seek(0)
    file.write(text)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
