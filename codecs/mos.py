"""How good a line sounds, estimated from what RTP lost and how unevenly it came. Pure.

The E-model of ITU-T G.107 with its defaults (R0 − Is = 93.2), as far as a receiver can know its terms.
"""

_BEST_R = 93.2
_KNEE_MS = 177.3
"""One-way delay from which a conversation suffers audibly (G.107, simplified by Cole and Rosenbluth)."""
_LOSS_ROBUSTNESS = 25.1
"""Bpl of G.711 with concealment (ITU-T G.113, Appendix I)."""
_LEAST, _MOST = 1.0, 4.5


def mos_of(*, loss_ratio: float, jitter_ms: float, round_trip_ms: float = 0.0) -> float:
    """Mean opinion score, 1.0 (useless) to 4.41 (G.711 at its best).

    :param loss_ratio: packets that did not come, 0..1.
    :param jitter_ms: interarrival jitter (RFC 3550 §6.4.1); twice of it is what a buffer adds as delay.
    :param round_trip_ms: of RTCP, 0 where the peer tells none.
    """
    delay_ms = round_trip_ms / 2 + 2 * jitter_ms
    delay_impairment = 0.024 * delay_ms + 0.11 * max(delay_ms - _KNEE_MS, 0.0)
    loss_percent = 100 * min(max(loss_ratio, 0.0), 1.0)
    loss_impairment = 95 * loss_percent / (loss_percent + _LOSS_ROBUSTNESS)
    r = _BEST_R - delay_impairment - loss_impairment
    if r <= 0:
        return _LEAST
    return min(max(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, _LEAST), _MOST)
