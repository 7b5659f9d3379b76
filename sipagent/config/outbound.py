"""Section ``limits.outbound``: which calls may be placed at all, and how many. Against toll fraud."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sipagent.config.fields import Problem, out_of_range
from sipagent.config.trunk import PREFIX, matches_number


@dataclass(frozen=True, slots=True, kw_only=True)
class RateConfig:
    """Entry of ``limits.outbound.rates``: what a minute costs."""

    prefix: str
    """Numbers that begin so, as ``+1555*``; the longest match counts."""
    per_minute: float
    """Price of each begun minute, in the money of ``spend_per_day``. 0..1000."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not PREFIX.fullmatch(self.prefix):
            yield "prefix", f"expected a number, a beginning with * behind it, or *; got {self.prefix!r}"
        yield from out_of_range(self, per_minute=(0, 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundLimits:
    """Section ``limits.outbound``. What goes beyond is refused before anything is dialled."""

    allow: tuple[str, ...] = ()
    """Numbers that may be called, as ``+1555*``. Empty: none, no call is placed."""
    calls_per_day: int = 100
    """Calls in a day (UTC), whatever becomes of them. 1..1000000."""
    spend_per_day: float | None = None
    """Money for a day (UTC); a call whose longest duration would go beyond is refused. ``false``: no cap."""
    rates: tuple[RateConfig, ...] = ()
    """Prices, needed with ``spend_per_day``: a number without one is refused then."""
    ring_s: int = 45
    """Longest wait for an answer. 5..300 s."""
    count_file: Path = Path("outbound-count.json")
    """Where the day's calls and money are counted, relative to sip.yaml; every process of the machine shares
    it."""

    def rate_for(self, number: str) -> float | None:
        """Price of a minute to ``number``; None: no entry of ``rates`` matches."""
        fitting = [rate for rate in self.rates if matches_number(rate.prefix, number)]
        return max(fitting, key=lambda rate: len(rate.prefix)).per_minute if fitting else None

    def allows(self, number: str) -> bool:
        """True where an entry of ``allow`` matches."""
        return any(matches_number(pattern, number) for pattern in self.allow)

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        for pattern in self.allow:
            if not PREFIX.fullmatch(pattern):
                yield "allow", f"expected numbers, beginnings with * behind them, or *; got {pattern!r}"
        yield from out_of_range(self, calls_per_day=(1, 1_000_000), ring_s=(5, 300))
        if self.spend_per_day is not None:
            if not self.spend_per_day > 0:
                yield "spend_per_day", f"expected an amount above 0, or false, got {self.spend_per_day}"
            if not self.rates:
                yield "rates", "required with spend_per_day, as in [{prefix: '+1*', per_minute: 0.014}]"
