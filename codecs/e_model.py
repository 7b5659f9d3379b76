"""Speech quality from what the network did, by the E-model (ITU-T G.107), simplified.

Only what a receiver can measure enters: codec, lost packets, delay. Echo, noise and level are taken for those
of a good line, losses for random, concealment for that of G.711 Appendix I.
"""

from dataclasses import dataclass

_BEST_R = 93.2
"""All of G.107's defaults."""
_LOSS_ROBUSTNESS = 25.1
"""Bpl of G.711 with concealment (G.113 table I.4); no figure of its own is used for G.722."""
_WIDE_R = (129.0 - 13.0) / 1.29
"""G.722 at 64 kbit/s (G.107.1, G.113 Appendix IV), on the narrow-band scale."""
_KNEE_MS = 177.3
_LEAST_MOS = 1.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What one direction of a call was like."""

    r_factor: float
    mos: float
    """1..4.5, as listeners would rate it."""


def estimate(codec: str, *, loss_share: float, delay_ms: float) -> Quality:
    """Estimate the quality.

    :param codec: ``G722``; all others count as G.711.
    :param loss_share: packets lost or too late, 0..1. :param delay_ms: mouth to ear.
    """
    loss_pct = 100 * min(max(loss_share, 0.0), 1.0)
    best = _WIDE_R if codec.upper() == "G722" else _BEST_R
    equipment = 95 * loss_pct / (loss_pct + _LOSS_ROBUSTNESS)
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - _KNEE_MS)
    r_factor = best - equipment - delay
    return Quality(round(r_factor, 1), round(mos_of(r_factor), 2))


def mos_of(r_factor: float) -> float:
    """MOS of an R-factor (G.107 annex B)."""
    r = min(max(r_factor, 0.0), 100.0)
    return max(_LEAST_MOS, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
