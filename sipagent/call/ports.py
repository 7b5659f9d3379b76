"""What a call needs from the world. The SIP side, the sound card and the engines satisfy these."""

from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

import structlog

from sipagent.call.identity import Identity
from sipagent.media.ring import AudioRings

DigitWay = Literal["rfc4733", "info", "inband"]
TransferMode = Literal["blind", "attended", "bridge"]


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
    direction: Literal["in", "out"] = "in"
    """``out``: we place it; ``caller`` is then what the called see."""
    campaign: str | None = None
    """That wants the call, where it goes out."""
    attempt: int = 1
    """How often the contact has been tried, with this call."""

    @property
    def person(self) -> str:
        """The human's number."""
        return self.caller if self.direction == "in" else self.dialled

    identity: Identity = field(default_factory=Identity)
    takes_refer: bool = True
    """The trunk's peer can be asked to call somebody else (REFER)."""


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

    def send_digits(self, digits: str) -> None:
        """Press keys of our own, where LineUp does not say that they must be sounded."""

    def hold(self) -> None:
        """Put the caller on hold."""

    def resume(self) -> None:
        """Take the caller back from our hold."""

    def refer(self, target: str) -> None:
        """Ask the peer to call a number or a SIP address instead of us; ReferAnswered follows."""

    def refer_to(self, other: "LineBeside") -> None:
        """Ask the peer to take our place in another call (REFER with Replaces); ReferAnswered follows."""

    def bridge(self, other: "LineBeside") -> None:
        """Let both callers hear each other."""


class LineBeside(Protocol):
    """A call of ours to whoever may take a caller. Every method returns at once."""

    audio: AudioRings

    def abandon(self) -> None:
        """Hang up, if it stands; its audio will not be touched again, nothing more is told. Idempotent."""


class SecondLegs(Protocol):
    """Calls to whoever may take a caller: within the limits of outgoing calls. Not on the SIP thread."""

    def allow(self, target: str) -> None:
        """:param target: number, or SIP address. :raises OutboundRefused: it may not be called."""

    def is_reached_over(self, trunk: str, target: str) -> bool:
        """True where a trunk's peer can be asked to call ``target`` itself."""

    def call_beside(
        self,
        target: str,
        mailbox: "Mailbox",
        log: structlog.stdlib.BoundLogger,
        *,
        trunk: str,
        is_bound: bool,
        longest_s: int,
    ) -> LineBeside:
        """Begin to dial; LineUp or LineDown follows.

        :param trunk: of the caller; it carries an address that belongs to no trunk.
        :param is_bound: no other trunk will do: its peer shall connect both.
        :param longest_s: the call's longest possible duration.
        :raises OutboundRefused: it may not be called. :raises CapacityError: there is no room.
        """


@dataclass(frozen=True, slots=True)
class LineUp:
    """The caller's ACK has come and audio flows both ways."""

    at_ms: int
    hears_tones: bool = False
    """Keys of the caller may come as tones in the sound."""
    sends_tones: bool = False
    """Our own keys must be tones in the sound: the peer takes no others."""


@dataclass(frozen=True, slots=True)
class LineProgress:
    """An outgoing call on its way to the answer."""

    what: str
    """``dialled``, ``ringing``, ``early_media``, ``attempt_failed``."""
    trunk: str
    sip_status: int
    """0 where there is none."""
    at_ms: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """A DTMF digit of the caller, once."""

    digit: str
    at_ms: int
    how: DigitWay = "rfc4733"


@dataclass(frozen=True, slots=True)
class Held:
    """The caller has put us on hold: nobody listens, and what comes is music."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The caller is back."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class MediaFault:
    """Something is wrong with the sound, as sound in one direction only."""

    text: str
    sent_to: str
    """Address and port of the peer's that our sound goes to."""
    at_ms: int


@dataclass(frozen=True, slots=True)
class ReferAnswered:
    """How the transfer that the peer was asked for is doing (RFC 3515's NOTIFY, or its own answer)."""

    sip_status: int
    is_final: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class ConsultUp:
    """The call beside is answered."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class ConsultDown:
    """The call beside has ended, or was never answered."""

    sip_status: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What a call's sound went through."""

    codec: str
    rtp_sent: int
    rtp_received: int
    rtp_lost: int
    rtp_late: int
    """Came too late to be heard."""
    jitter_ms: float
    mos: float
    """What we received, estimated by the E-model, 1..4.5."""

    def facts(self) -> dict[str, object]:
        """For the log and the ledger."""
        facts = asdict(self)
        facts["rtp_jitter_ms"], facts["rtp_mos"] = facts.pop("jitter_ms"), facts.pop("mos")
        return facts


@dataclass(frozen=True, slots=True)
class LineDown:
    """The leg has ended; nothing follows."""

    cause: str
    """``caller hung up``, ``agent hung up``, ``cancelled``, or what the stack reported."""
    sip_status: int
    at_ms: int
    media: MediaReport | None = None


@dataclass(frozen=True, slots=True)
class EndCall:
    """Somebody outside the call wants it ended politely (shutdown, time limit)."""

    reason: str


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Somebody wants the call handed over. Also an operator's key does."""

    target: str
    """Name under the persona's ``transfer``."""
    mode: TransferMode
    summary: str = ""
    """Said to whoever takes the call, before the caller is connected; not for ``blind``."""
    announcement: str = ""
    """Said to the caller before; empty: the persona's ``connecting``."""


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Press keys of our own."""

    digits: str


LineEvent = (
    LineUp
    | LineProgress
    | DigitPressed
    | Held
    | Resumed
    | MediaFault
    | ReferAnswered
    | ConsultUp
    | ConsultDown
    | LineDown
    | EndCall
    | TransferCall
)


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
