"""Distributions as the benchmarks print them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

_NORMAL_95 = 1.96


def upper_pct(bad: int, count: int) -> float:
    """Upper end of the 95 % interval of a share (Wilson): what so many measurements can still hide."""
    if not count:
        return 100.0
    share, z2 = bad / count, _NORMAL_95**2
    half = _NORMAL_95 * sqrt((share * (1 - share) + z2 / (4 * count)) / count)
    return 100 * (share + z2 / (2 * count) + half) / (1 + z2 / count)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Milliseconds, of ``count`` measurements."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> "Distribution":
        """Of no values: all zero, and ``count`` says so."""
        if not len(values_ms):
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        p50, p95, p99, longest = (float(np.percentile(values_ms, q)) for q in (50, 95, 99, 100))
        return cls(len(values_ms), round(p50, 1), round(p95, 1), round(p99, 1), round(longest, 1))
