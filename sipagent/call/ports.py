"""What a call needs from the world. The SIP side, the sound card and the engines satisfy these."""

from dataclasses import dataclass, field
from typing import Protocol

from sipagent.media.ring import AudioRings


@dataclass(frozen=True, slots=True)
class Offer:
    """An incoming call that nobody has answered yet."""

    call_id: str
    trunk: str
    dialled: str
    """User part of the Request-URI, as it came."""
    caller: str
    """User part of From (or the whole URI where it has none). Personal."""
    source: str
    """Address and port the INVITE came from."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """The answer to a call that is not taken."""

    status: int
    rule: str
    """Which rule refused it: for the log, never for the peer."""
    retry_after_s: int | None = None


class Line(Protocol):
    """One call's leg, as the conversation sees it. Every method returns at once."""

    audio: AudioRings

    def answer(self) -> None:
        """Accept the call (200)."""

    def refuse(self, rejection: Rejection) -> None:
        """Turn the call away, in place of the answer."""

    def hang_up(self) -> None:
        """End the call (BYE, or a final status before the answer). Idempotent."""

    def release(self) -> None:
        """The conversation will not touch the audio again. Called once, last."""


@dataclass(frozen=True, slots=True)
class LineUp:
    """The caller's ACK has come and audio flows both ways."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """A DTMF digit of the caller, once."""

    digit: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RtpQuality:
    """How the caller's packets came, over the whole call."""

    received: int
    lost: int
    jitter_ms: float
    """Mean interarrival jitter (RFC 3550 §6.4.1)."""
    mos: float
    """1..4.5, estimated."""

    def facts(self) -> dict[str, int | float]:
        """For the log and the ledger."""
        return {
            "rtp_received": self.received,
            "rtp_lost": self.lost,
            "rtp_jitter_ms": round(self.jitter_ms, 1),
            "rtp_mos": round(self.mos, 2),
        }


@dataclass(frozen=True, slots=True)
class LineDown:
    """The leg has ended; nothing follows."""

    cause: str
    """``caller hung up``, ``agent hung up``, ``cancelled``, or what the stack reported."""
    sip_status: int
    at_ms: int
    rtp: RtpQuality | None = None
    """None where no sound has come."""


@dataclass(frozen=True, slots=True)
class EndCall:
    """Somebody outside the call wants it ended politely (shutdown, time limit)."""

    reason: str


LineEvent = LineUp | DigitPressed | LineDown | EndCall


class Mailbox(Protocol):
    """Where a call's events go. ``post`` never blocks."""

    def post(self, event: object) -> None: ...


class CallDesk(Protocol):
    """Decides about incoming calls. Called on the SIP thread: it must be quick."""

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        """Take the call (its events go to the mailbox) or refuse it."""

    def turned_away(self, offer: Offer, rejection: Rejection) -> None:
        """Note a call that was refused before it was offered; a stranger's offer has no trunk."""

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        """Note what a registrar has answered; ``expires_s`` 0: we are not registered any more."""

    def peer_banned(self, address: str, *, rule: str, for_s: int) -> None:
        """Note that an address is not answered for a while."""

    def peer_unbanned(self, address: str) -> None:
        """Note that it is answered again."""
