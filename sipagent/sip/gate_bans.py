"""Addresses that are ignored for a while, and how fast the others may come. Pure: the time is passed in."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Protocol

from sipagent.config.security import BanConfig

_MOST_SOURCES = 8192


class BanObserver(Protocol):
    """Who is told of bans: the log, the ledger."""

    def banned(self, source: str, *, rule: str, failures: int, ban_s: int) -> None:
        """An address is ignored from now on. :param rule: the one it broke last."""

    def released(self, source: str) -> None:
        """Its ban is over."""


@dataclass(slots=True)
class _Offender:
    failed_at_ms: deque[int] = field(default_factory=deque)
    bans: int = 0
    banned_until_ms: int | None = None


class Bans:
    """Counts failures by address; too many within the window, and the address is banned, each time longer."""

    def __init__(self, rules: BanConfig, observer: BanObserver) -> None:
        self._rules = rules
        self._observer = observer
        self._offenders: OrderedDict[str, _Offender] = OrderedDict()
        self._banned: set[str] = set()

    def __repr__(self) -> str:
        return f"Bans(banned={len(self._banned)}, watched={len(self._offenders)})"

    def __contains__(self, source: str) -> bool:
        return source in self._banned

    def strike(self, source: str, rule: str, now_ms: int) -> None:
        """Count a failure of an address that is not banned; with the last one it is."""
        if not self._rules.enabled:
            return
        offender = self._offenders.setdefault(source, _Offender())
        self._offenders.move_to_end(source)
        self._forget_some()
        recent = offender.failed_at_ms
        recent.append(now_ms)
        while now_ms - recent[0] >= self._rules.window_s * 1000:
            recent.popleft()
        if len(recent) < self._rules.failures:
            return
        ban_s = min(self._rules.first_s << min(offender.bans, 24), self._rules.longest_s)
        self._observer.banned(source, rule=rule, failures=len(recent), ban_s=ban_s)
        recent.clear()
        offender.bans += 1
        offender.banned_until_ms = now_ms + ban_s * 1000
        self._banned.add(source)

    def pardon(self, source: str) -> None:
        """The address has shown that it may call: its failures are forgotten."""
        if source not in self._banned:
            self._offenders.pop(source, None)

    def tick(self, now_ms: int) -> None:
        """Release those whose time is over. About once a second."""
        for source in list(self._banned):
            until_ms = self._offenders[source].banned_until_ms
            if until_ms is not None and now_ms >= until_ms:
                self._offenders[source].banned_until_ms = None
                self._banned.discard(source)
                self._observer.released(source)

    def _forget_some(self) -> None:
        """Keep the table finite: the oldest go first, were they banned or not."""
        while len(self._offenders) > _MOST_SOURCES:
            source, _ = self._offenders.popitem(last=False)
            if source in self._banned:
                self._banned.discard(source)
                self._observer.released(source)


class Rates:
    """Token buckets by key: ``rate_per_s`` for ever, twice as many at once."""

    def __init__(self, rate_per_s: int) -> None:
        self._rate_per_s = rate_per_s
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __repr__(self) -> str:
        return f"Rates({self._rate_per_s}/s, keys={len(self._buckets)})"

    def take(self, key: str, now_ms: int) -> bool:
        """True where one more is within the rate."""
        most = 2.0 * self._rate_per_s
        tokens, at_ms = self._buckets.get(key, (most, now_ms))
        tokens = min(most, tokens + (now_ms - at_ms) * self._rate_per_s / 1000)
        is_within = tokens >= 1
        self._buckets[key] = (tokens - is_within, now_ms)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_SOURCES:
            self._buckets.popitem(last=False)
        return is_within
