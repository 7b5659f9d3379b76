"""Handing a call over: which step follows which. Pure; time is passed in, ``call/handover.py`` acts.

::

    blind:     ANNOUNCING ──▶ REFERRING ──200──▶ DONE
    attended:  ANNOUNCING ──▶ DIALLING ──up──▶ BRIEFING ──said──▶ REFERRING ──200──▶ DONE
    bridge:    ANNOUNCING ──▶ DIALLING ──up──▶ BRIEFING ──said──▶ BRIDGED ──either side ends──▶ DONE
    any step that fails ──▶ IDLE, with a sentence to the caller

Where the trunk's peer takes no REFER, ``blind`` and ``attended`` are done by bridging. What comes late or
twice is ignored.
"""

from dataclasses import dataclass, replace
from enum import Enum

from sipagent.call.ports import TransferMode

DIAL_LIMIT_MS = 30_000
"""Nobody has answered by then."""
REFER_LIMIT_MS = 40_000
"""The peer has not told how it ended by then."""
_OK, _TIMEOUT = 200, 408


class Phase(Enum):
    """Where a transfer stands."""

    IDLE = "idle"
    ANNOUNCING = "announcing"
    DIALLING = "dialling"
    BRIEFING = "briefing"
    REFERRING = "referring"
    BRIDGED = "bridged"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Transfer:
    """The whole state."""

    phase: Phase = Phase.IDLE
    mode: TransferMode = "blind"
    since_ms: int = 0

    @property
    def is_on(self) -> bool:
        """The caller waits for somebody else: the conversation rests."""
        return self.phase not in (Phase.IDLE, Phase.ANNOUNCING)


# --- events ---


@dataclass(frozen=True, slots=True)
class Wanted:
    """``mode``: what the trunk allows of what was asked for."""

    mode: TransferMode


@dataclass(frozen=True, slots=True)
class Announced:
    """The caller has been told."""


@dataclass(frozen=True, slots=True)
class PeerUp:
    """Whoever was called has answered."""


@dataclass(frozen=True, slots=True)
class PeerDown:
    """… has hung up, or never answered."""

    sip_status: int


@dataclass(frozen=True, slots=True)
class Briefed:
    """The summary has been said."""


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer tells how the REFER is doing."""

    sip_status: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes."""


Event = Wanted | Announced | PeerUp | PeerDown | Briefed | Referred | Tick

# --- actions ---


class Do(Enum):
    """What to do next, in order."""

    ANNOUNCE = "announce"
    REFER = "refer"
    HOLD_CALLER = "hold caller"
    DIAL = "dial"
    BRIEF = "brief"
    REFER_TO_PEER = "refer to peer"
    BRIDGE = "bridge"
    RESUME_CALLER = "resume caller"
    DROP_PEER = "drop peer"
    HANG_UP = "hang up"


@dataclass(frozen=True, slots=True)
class Ended:
    """Note how it ended; where it failed the caller is told."""

    is_ok: bool
    sip_status: int


Action = Do | Ended


def step(transfer: Transfer, event: Event, now_ms: int) -> tuple[Transfer, tuple[Action, ...]]:
    """Advance the transfer. The caller performs the actions in order."""
    match transfer.phase, event:
        case Phase.IDLE, Wanted(mode):
            return Transfer(Phase.ANNOUNCING, mode, now_ms), (Do.ANNOUNCE,)
        case Phase.ANNOUNCING, Announced():
            return _begin(transfer, now_ms)
        case Phase.DIALLING, PeerUp():
            return _to(transfer, Phase.BRIEFING, now_ms), (Do.BRIEF,)
        case Phase.BRIEFING, Briefed():
            if transfer.mode == "bridge":
                return _to(transfer, Phase.BRIDGED, now_ms), (Do.BRIDGE, Ended(True, _OK))
            return _to(transfer, Phase.REFERRING, now_ms), (Do.REFER_TO_PEER,)
        case Phase.DIALLING | Phase.BRIEFING, PeerDown(sip_status):
            return _fail(transfer, sip_status)
        case Phase.DIALLING, Tick() if now_ms - transfer.since_ms >= DIAL_LIMIT_MS:
            return _fail(transfer, _TIMEOUT)
        case Phase.REFERRING, Referred(sip_status, True) if sip_status // 100 == 2:
            return _to(transfer, Phase.DONE, now_ms), (Ended(True, sip_status), Do.HANG_UP, Do.DROP_PEER)
        case Phase.REFERRING, Referred(sip_status, True):
            return _fail(transfer, sip_status)
        case Phase.REFERRING, Tick() if now_ms - transfer.since_ms >= REFER_LIMIT_MS:
            return _fail(transfer, _TIMEOUT)
        case Phase.BRIDGED, PeerDown():
            return _to(transfer, Phase.DONE, now_ms), (Do.HANG_UP, Do.DROP_PEER)
        case _:  # late or repeated; of the peer's end in REFERRING the REFER's answer will tell
            return transfer, ()


def _begin(transfer: Transfer, now_ms: int) -> tuple[Transfer, tuple[Action, ...]]:
    match transfer.mode:
        case "blind":
            return _to(transfer, Phase.REFERRING, now_ms), (Do.REFER,)
        case "attended":
            return _to(transfer, Phase.DIALLING, now_ms), (Do.HOLD_CALLER, Do.DIAL)
        case "bridge":
            return _to(transfer, Phase.DIALLING, now_ms), (Do.DIAL,)


def _fail(transfer: Transfer, sip_status: int) -> tuple[Transfer, tuple[Action, ...]]:
    actions: list[Action] = []
    if transfer.mode != "blind":
        actions.append(Do.DROP_PEER)
    if transfer.mode == "attended":
        actions.append(Do.RESUME_CALLER)
    return Transfer(), (*actions, Ended(False, sip_status))


def _to(transfer: Transfer, phase: Phase, now_ms: int) -> Transfer:
    return replace(transfer, phase=phase, since_ms=now_ms)
