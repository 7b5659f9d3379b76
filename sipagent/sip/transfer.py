"""The library's side of handing a call over. SIP thread only."""

import pjsua2 as pj

from sipagent.call.ports import ReferAnswered
from sipagent.sip.leg import Leg
from sipagent.units import monotonic_ms

_FAILED = 500


def refer(caller: Leg, target: str) -> None:
    """Ask the caller's peer to call ``target``, a number or a SIP address."""
    try:
        caller.xfer(f"<{caller.uri_of(target)}>", pj.CallOpParam(True))
    except pj.Error as error:
        _failed(caller, error)


def refer_to(caller: Leg, other: Leg | None) -> None:
    """Ask the caller's peer to take our place in another call; None: it is over."""
    if other is None:
        _failed(caller, None)
        return
    try:
        caller.xferReplaces(other, pj.CallOpParam(True))
    except pj.Error as error:
        _failed(caller, error)


def bridge(caller: Leg, other: Leg | None) -> None:
    """Connect both; of one that is over its own end tells."""
    if other is not None:
        caller.join(other)


def _failed(caller: Leg, error: pj.Error | None) -> None:
    if error is not None:
        caller.count_error("refer", error)
    if caller.mailbox is not None:
        caller.mailbox.post(ReferAnswered(_FAILED, is_final=True, at_ms=monotonic_ms()))
