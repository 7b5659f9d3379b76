"""Our own hold of a peer: asked for until the peer has taken it or left. SIP thread only.

A re-INVITE cannot go out while another one is under way, and one that crosses the peer's own gets 491
(RFC 3261 §14.1). Giving up then would leave a caller on hold for ever.
"""

import random
from typing import Any

import pjsua2 as pj

CROSSED = 491
_BUSY_MS = 100
"""Pause while another re-INVITE is under way."""
_MOST_TRIES = 200
"""Longer than the library waits for any answer."""
_CALLER_MS, _CALLED_MS = (2100, 4000), (0, 2000)
"""RFC 3261 §14.1: whoever has made the call waits longer, so that both do not cross again."""


class OwnHold:
    """What one leg's peer shall be. The call is handed in each time: a reference would outlive it."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._is_wanted = False
        self._again_ms: int | None = None
        self._tries = 0

    def __repr__(self) -> str:
        return f"OwnHold(wanted={self._is_wanted}, again_ms={self._again_ms})"

    def want(self, call: pj.Call, *, is_held: bool, now_ms: int) -> None:
        """Put the peer on hold, or take it back."""
        self._is_wanted, self._tries = is_held, 0
        self._ask(call, now_ms)

    def crossed(self, now_ms: int, *, is_callers: bool) -> None:
        """Our re-INVITE has met the peer's own.

        :param is_callers: the call is one that we have made.
        """
        if self._tries and self._again_ms is None:
            self._again_ms = now_ms + self._rng.randint(*(_CALLER_MS if is_callers else _CALLED_MS))

    def tick(self, call: pj.Call, now_ms: int) -> None:
        """Ask again when it is time."""
        if self._again_ms is not None and now_ms >= self._again_ms:
            self._ask(call, now_ms)

    def _ask(self, call: Any, now_ms: int) -> None:
        self._again_ms = None
        self._tries += 1
        operation = pj.CallOpParam(True)
        try:
            if self._is_wanted:
                call.setHold(operation)
            else:
                operation.opt.flag = pj.PJSUA_CALL_UNHOLD
                call.reinvite(operation)
        except pj.Error:
            if self._tries < _MOST_TRIES:
                self._again_ms = now_ms + _BUSY_MS
