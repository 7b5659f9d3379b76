"""Placing calls: the order is checked, counted, routed and dialled; what becomes of it is told step by step.

``OutboundDesk.place`` is what ``sipagent call`` uses, and whatever else places calls in a server.
"""

import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from sipagent.call.dialling import Attempt, Outcome
from sipagent.call.guide import Guide
from sipagent.call.ports import EndCall, Line, LineBeside, Mailbox, Offer
from sipagent.call.spend import Booking, OutboundRefused, SpendBook, price_per_minute
from sipagent.call.transfer import DIAL_LIMIT_MS
from sipagent.call.trunks import routes
from sipagent.config.keys import NUMBER, SIP_ADDRESS, number_of
from sipagent.config.schema import Config, PersonaConfig, TrunkConfig
from sipagent.config.trunk import CALLER_ID
from sipagent.config.variables import fill

if TYPE_CHECKING:  # it brings the engines along, which take a second to import
    from sipagent.call.session import Session

_WRITTEN_FOR_PEOPLE = re.compile(r"[ ()/.-]")
_NUMBER = re.compile(r"\+?[0-9][0-9 ()/.-]*")
_LONGEST_RING_BESIDE_S = DIAL_LIMIT_MS // 1000
"""A caller waits."""


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """An order to call somebody."""

    to: str
    """Number, or an extension of the peer."""
    persona: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values for ``{name}`` in the persona's texts."""
    trunk: str = ""
    """Only this one; empty: by prefix, health and weight."""
    caller_id: str = ""
    """What the called see; empty: the trunk's ``caller_id``."""
    campaign: str | None = None
    """That wants the call; for the ledger."""
    attempt: int = 1
    """How often this contact has been tried, with this call; for the ledger."""
    ring_s: int | None = None
    """Longest wait for an answer; None: ``limits.outbound.ring_s``."""
    max_call_s: int | None = None
    """Longest conversation; the persona's where that is shorter."""
    flow_variables: Mapping[str, str] = field(default_factory=dict)
    """Values for the ``variables`` of the persona's flow; those that it does not have are passed over."""
    guide: Guide | None = None
    """Decides when the conversation begins; None: with the answer."""


@dataclass(frozen=True, slots=True)
class CallProgress:
    """Something has happened to a call that we placed."""

    what: str
    """``dialled``, ``ringing``, ``early_media``, ``attempt_failed``, ``answered``."""
    trunk: str
    status: int
    """Of SIP; 0 where there is none."""
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of it. Comes last, once."""

    outcome: Outcome
    trunk: str
    """The one that carried it, or the last that was tried."""
    status: int
    reason: str
    ring_ms: int | None
    """From the first INVITE to the answer; None: not answered."""
    talk_ms: int
    has_early_media: bool
    """The called's side sent sound before the answer."""
    attempts: tuple[Attempt, ...]
    """Trunks that failed before, and the last one if it did."""


@dataclass(frozen=True, slots=True)
class DialOrder:
    """What the SIP side needs to place a call."""

    number: str
    routes: tuple[TrunkConfig, ...]
    caller_id: str
    """Empty: each trunk's own."""
    ring_ms: int
    on_progress: Callable[[CallProgress], None]
    """Called on the SIP thread: must be quick."""
    on_result: Callable[[CallResult], None]
    """The same."""
    address: str = ""
    """SIP address that is called as it stands; empty: the number at each trunk's domain."""
    is_beside: bool = False
    """A caller of ours waits for it: it may go beyond ``limits.max_calls``, where the library has places."""
    hears_early_media: bool = False
    """What sounds before the answer is for the conversation's ear."""


class OutboundLine(Line, Protocol):
    """A line that dials when it is ``answer``-ed: the session's side of the call is ready then."""

    def connect(self, mailbox: Mailbox, log: structlog.stdlib.BoundLogger) -> None:
        """Where the line's events go."""

    def abandon(self) -> None:
        """As of ``LineBeside``."""


class Dialler(Protocol):
    """The SIP side of outgoing calls."""

    def open_line(self, order: DialOrder) -> OutboundLine:
        """Reserve a place. Not on the SIP thread. :raises CapacityError: there is none."""

    def is_down(self, trunk: str) -> bool:
        """True where the trunk does not answer OPTIONS."""


class PlacingDesk(Protocol):
    """Where the conversations begin."""

    def place(self, offer: Offer, line: Line, persona: PersonaConfig, order: OutboundCall) -> "Session":
        """Begin the conversation of an outgoing call. :raises CapacityError: there is no room."""


class PlacedCall:
    """A call under way. Any thread."""

    def __init__(self, number: str, on_progress: Callable[[CallProgress], None]) -> None:
        self.number = number
        self.on_progress = on_progress
        self.session: Session | None = None
        self._done = threading.Event()
        self._result: CallResult | None = None

    def __repr__(self) -> str:
        return f"PlacedCall({self._result or 'under way'})"

    @property
    def call_id(self) -> str:
        """As in the log and the ledger."""
        return self.session.call_id if self.session else ""

    def wait(self, timeout_s: float | None = None) -> CallResult | None:
        """What became of it; None: it still goes on after ``timeout_s``."""
        self._done.wait(timeout_s)
        return self._result

    def end(self, reason: str) -> None:
        """Cancel it, or say goodbye where it is answered."""
        if self.session is not None:
            self.session.post(EndCall(reason))

    def finish(self, result: CallResult) -> None:
        """For the desk: nothing follows."""
        self._result = result
        self._done.set()


class OutboundDesk:
    """Places calls. Any thread but the SIP thread."""

    def __init__(
        self,
        config: Config,
        desk: PlacingDesk,
        dialler: Dialler,
        log: structlog.stdlib.BoundLogger,
        rng: random.Random | None = None,
    ) -> None:
        self._config = config
        self._desk = desk
        self._dialler = dialler
        self._log = log
        self._rng = rng or random.Random()
        self._spend = SpendBook(config.limits.outbound)

    def __repr__(self) -> str:
        return f"OutboundDesk({self._spend!r})"

    def use(self, config: Config) -> None:
        """Check and route new calls by another configuration; today's money and calls go on counting."""
        self._config = config
        self._spend = SpendBook(config.limits.outbound)  # the count is in its file

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        """Check the order and begin to dial.

        :param on_progress: called on the SIP thread; must be quick.
        :raises OutboundRefused: the order is not allowed, or nobody can carry it; nothing was dialled.
        :raises VariableError: the persona's texts and the variables do not go together.
        :raises CapacityError: there is no room for another call at the moment.
        """
        number, persona, trunks = checked(self._config, call)
        trunks = routes(trunks, number, self._dialler.is_down, self._rng)
        placed = PlacedCall(number, on_progress)
        booking = self._spend.book(number, persona.max_call_s)
        try:
            self._begin(placed, call, persona, trunks, booking)
        except Exception:
            self._settle(booking, 0)
            raise
        return placed

    def _begin(
        self,
        placed: PlacedCall,
        call: OutboundCall,
        persona: PersonaConfig,
        trunks: list[TrunkConfig],
        booking: Booking,
    ) -> None:
        def on_result(result: CallResult) -> None:
            self._settle(booking, result.talk_ms)
            placed.finish(result)

        ring_s = call.ring_s or self._config.limits.outbound.ring_s
        line = self._dialler.open_line(
            DialOrder(
                number=placed.number,
                routes=tuple(trunks),
                caller_id=call.caller_id,
                ring_ms=ring_s * 1000,
                hears_early_media=call.guide is not None,
                on_progress=placed.on_progress,
                on_result=on_result,
            )
        )
        try:
            placed.session = self._desk.place(_offer_of(call, placed.number, trunks[0]), line, persona, call)
        except Exception:
            line.release()
            raise
        line.connect(placed.session, self._log.bind(call_id=placed.call_id))

    def allow(self, target: str) -> None:
        """As of ``SecondLegs``."""
        price_per_minute(self._config.limits.outbound, number_of(target))

    def is_reached_over(self, trunk: str, target: str) -> bool:
        """As of ``SecondLegs``."""
        try:
            return any(one.name == trunk for one in way_to(self._config, target, trunk)[1])
        except OutboundRefused:
            return False

    def call_beside(
        self,
        target: str,
        mailbox: Mailbox,
        log: structlog.stdlib.BoundLogger,
        *,
        trunk: str,
        is_bound: bool,
        longest_s: int,
    ) -> LineBeside:
        """As of ``SecondLegs``: allowed, counted, paced and routed as every call."""
        self.allow(target)
        number = number_of(target)
        address, trunks = way_to(self._config, target, trunk)
        if is_bound:
            trunks = [one for one in trunks if one.name == trunk]
        if not address:
            trunks = routes(trunks, number, self._dialler.is_down, self._rng)
        booking = self._spend.book(number, longest_s)
        try:
            line = self._dialler.open_line(
                DialOrder(
                    number=number,
                    routes=tuple(trunks),
                    caller_id="",
                    ring_ms=min(self._config.limits.outbound.ring_s, _LONGEST_RING_BESIDE_S) * 1000,
                    on_progress=lambda _: None,
                    on_result=lambda result: self._settle(booking, result.talk_ms),
                    address=address,
                    is_beside=True,
                )
            )
        except Exception:
            self._settle(booking, 0)
            raise
        line.connect(mailbox, log.bind(leg="beside"))
        line.answer()
        return line

    def _settle(self, booking: Booking, talk_ms: int) -> None:
        try:
            self._spend.settle(booking, talk_ms / 1000)
        except OutboundRefused as error:  # too much stays booked
            self._log.warning("outbound.not_settled", reason=str(error))


def _offer_of(call: OutboundCall, number: str, trunk: TrunkConfig) -> Offer:
    """What the conversation knows of a call that we place. :param trunk: is tried first."""
    return Offer(
        call_id="",
        trunk=trunk.name,
        dialled=number,
        caller=call.caller_id or trunk.caller_id or "",
        source="",
        direction="out",
        campaign=call.campaign,
        attempt=call.attempt,
    )


def checked(config: Config, call: OutboundCall) -> tuple[str, PersonaConfig, list[TrunkConfig]]:
    """The number as it is dialled, the persona with its variables filled in, the trunks that may carry it.

    :raises OutboundRefused: the order is not allowed, or no trunk takes the number.
    :raises VariableError: the persona's texts and the variables do not go together.
    """
    number = destination(call.to)
    price_per_minute(config.limits.outbound, number)
    if call.persona not in config.personas:
        raise OutboundRefused(f"no persona {call.persona!r}; there are: {', '.join(config.personas)}")
    persona = fill(config.personas[call.persona], call.variables)
    longest_s = min(persona.max_call_s, call.max_call_s or persona.max_call_s)
    persona = replace(persona, max_call_s=longest_s)
    if call.caller_id and not CALLER_ID.fullmatch(call.caller_id):
        raise OutboundRefused(f"caller id: expected a number, as in +15550100123, got {call.caller_id!r}")
    trunks = [trunk for trunk in config.trunks if call.trunk in ("", trunk.name)]
    if not trunks:
        known = ", ".join(trunk.name for trunk in config.trunks)
        raise OutboundRefused(f"no trunk {call.trunk!r}; there are: {known}")
    trunks = [trunk for trunk in trunks if trunk.takes(number)]
    if not trunks:
        raise OutboundRefused(f"no trunk takes {number}: none of their prefixes matches")
    return number, persona, trunks


def way_to(config: Config, target: str, trunk: str) -> tuple[str, list[TrunkConfig]]:
    """The address that is called as it stands, or nothing for a number; and the trunks that may carry it.

    :param target: a number, or a SIP address. :param trunk: carries an address that belongs to no trunk.
    :raises OutboundRefused: no trunk takes the number.
    """
    number = number_of(target)
    found = SIP_ADDRESS.fullmatch(target)
    trunks = [one for one in config.trunks if one.takes(number)]
    if found is not None:
        trunks = [one for one in trunks if _is_at(found, one)] if number else []
        if not trunks:
            return target, [one for one in config.trunks if one.name == trunk]
    if not trunks:
        raise OutboundRefused(f"no trunk takes {number}: none of their prefixes matches")
    return "", trunks


def _is_at(address: re.Match[str], trunk: TrunkConfig) -> bool:
    return address["host"] == trunk.host and int(address["port"] or trunk.usual_port) == trunk.port


def destination(text: str) -> str:
    """The number as it is dialled: without what people write between the digits.

    :raises OutboundRefused: it is none; nothing else than a number or an extension may reach a SIP address.
    """
    number = _WRITTEN_FOR_PEOPLE.sub("", text) if _NUMBER.fullmatch(text) else text
    if not NUMBER.fullmatch(number):
        raise OutboundRefused(f"expected a number such as +15550100123, or an extension, got {text!r}")
    return number
