"""Key presses out of what a line brings: telephone-events (RFC 4733) and SIP INFO. Pure.

The library reports a telephone-event at every packet of it. A press is told from the next one by the event's
RTP timestamp, which all its packets share (RFC 4733 §2.5.1.1): neither the marker bit nor the end packets
are needed, and repeated or reordered packets change nothing.
"""

import re
from collections import deque
from dataclasses import dataclass

from sipagent.codecs.tones import DTMF_DIGITS

INFO_TYPES = ("application/dtmf", "application/dtmf-relay")
LIBRARY_INFO_TYPES = (
    "application/dtmf-relay",
    "application/media_control+xml",
    "application/trickle-ice-sdpfrag",
)
"""INFO bodies that the library answers by itself."""
_EVENT_CODES = "0123456789*#ABCD"
"""RFC 4733 §3.2: the digit of each code, for peers that write 10 for ``*``."""
_WRAP_MS = 1 << 29
"""A 32-bit timestamp of an 8 kHz clock, in ms."""
_SLACK_MS = 10
"""Less than any pause between two presses of one key."""
_REMEMBERED = 8
_SIGNAL = re.compile(r"signal\s*=\s*(\S+)", re.IGNORECASE)


@dataclass(slots=True)
class _Press:
    digit: str
    at_ms: int
    duration_ms: int
    until_ms: int


class Presses:
    """One call's telephone-events as key presses, each once. Not thread-safe."""

    def __init__(self) -> None:
        self._recent: deque[_Press] = deque(maxlen=_REMEMBERED)

    def __repr__(self) -> str:
        return f"Presses({len(self._recent)} remembered)"

    def is_new(self, digit: str, at_ms: int, duration_ms: int) -> bool:
        """Take in a packet; True for the first one of a press.

        :param at_ms: the event's RTP timestamp in ms, 0..2²⁹. :param duration_ms: so far.
        """
        for press in reversed(self._recent):
            if press.digit == digit and self._goes_on(press, at_ms, duration_ms):
                return False
        self._recent.append(_Press(digit, at_ms, duration_ms, at_ms + duration_ms))
        return True

    def _goes_on(self, press: _Press, at_ms: int, duration_ms: int) -> bool:
        """Also with a later timestamp: a long event's next segment (RFC 4733 §2.5.1.3), or a sender that
        moves the timestamp with each packet. No press begins while the one before it lasts."""
        after_ms = (at_ms - press.at_ms) % _WRAP_MS
        if after_ms > press.until_ms - press.at_ms + _SLACK_MS:
            return False
        is_growing = duration_ms > press.duration_ms
        press.until_ms = max(press.until_ms, press.at_ms + duration_ms + (0 if is_growing else after_ms))
        press.duration_ms = duration_ms
        return True


def digit_of_info(content_type: str, body: str) -> str | None:
    """The digit that a SIP INFO brings, None where it brings none.

    :param content_type: as the header has it, parameters and all.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in INFO_TYPES:
        return None
    signal = _SIGNAL.search(body)
    text = (signal.group(1) if signal else body).strip().upper()
    if text in ("10", "11", "12", "13", "14", "15"):
        return _EVENT_CODES[int(text)]
    return text if len(text) == 1 and text in DTMF_DIGITS else None
