"""Trunks as the rest of the program sees them: is each one alive, and which one carries a call."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sipagent.config.trunk import TrunkConfig


class Health(StrEnum):
    """What the last OPTIONS told."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TrunkState:
    """One trunk, at the moment it was asked for."""

    trunk: str
    health: Health
    since_ms: int
    """Monotonic time of the last change of ``health``."""
    reason: str
    """In words, for the operator."""
    round_trip_ms: int | None = None
    """Of the last OPTIONS that was answered."""
    registration: str = ""
    """``registered``, what the registrar said instead, or empty where the trunk does not register."""


def routes(
    trunks: Iterable[TrunkConfig], number: str, is_down: Callable[[str], bool], rng: random.Random
) -> list[TrunkConfig]:
    """Trunks that take ``number``, in the order in which they are tried.

    Those that are down go last: OPTIONS may be filtered where calls are not. Then the longest matching prefix
    goes first; among equals chance decides by weight, as in RFC 2782; weight 0 comes behind all others.
    """
    found: list[TrunkConfig] = []
    groups: dict[tuple[bool, int, bool], list[TrunkConfig]] = {}
    for trunk in trunks:
        length = trunk.match_length(number)
        if length is not None:
            groups.setdefault((is_down(trunk.name), -length, trunk.weight == 0), []).append(trunk)
    for key in sorted(groups):
        found += _shuffled_by_weight(groups[key], rng)
    return found


def _shuffled_by_weight(trunks: list[TrunkConfig], rng: random.Random) -> list[TrunkConfig]:
    left, order = list(trunks), []
    while left:
        (chosen,) = rng.choices(left, weights=[trunk.weight or 1 for trunk in left])
        left.remove(chosen)
        order.append(chosen)
    return order


class CallPace:
    """Keeps a trunk to its calls per second: the time of each call is given out, never two too close."""

    def __init__(self, cps: int) -> None:
        self._given_ms: deque[int] = deque(maxlen=cps)
        self._cps = cps

    def __repr__(self) -> str:
        return f"CallPace(cps={self._cps}, given={list(self._given_ms)})"

    def next_ms(self, now_ms: int) -> int:
        """When this call may go: now, or a second after the call that stands ``cps`` before it."""
        is_full = len(self._given_ms) == self._cps
        at_ms = max(now_ms, self._given_ms[0] + 1000) if is_full else now_ms
        self._given_ms.append(at_ms)
        return at_ms
