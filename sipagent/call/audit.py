"""What a call leaves in the audit ledger. Nothing here delays a turn: only a call's first and last entry wait
for the disk, on the call's own thread.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from sipagent.call.ports import Offer, Rejection
from sipagent.config.schema import PersonaConfig
from sipagent.errors import LedgerError
from sipagent.ledger import Kind, LedgerState
from sipagent.units import monotonic_ms

Body = Mapping[str, object]
_TOLD = ("caller_name", "diverted_from", "diversion_reason", "verstat")
"""What a call's headers may tell besides."""
_REFUSALS_PER_S = 20
"""More of them in a second are counted: a flood of calls must not fill the disk."""


class Trail(Protocol):
    """One call's entries. ``sipagent.ledger.CallLedger`` is one."""

    @property
    def secret(self) -> bytes:
        """The call's key, for its recording."""

    def recording_path(self, suffix: str = ".wav") -> Path:
        """``<folder of all recordings>/<day>/<call><suffix>``. :raises LedgerError: it cannot be made."""

    def append(
        self, kind: Kind, body: Body | None = None, *, sealed: Body | None = None, durable: bool = False
    ) -> object:
        """Write down that something happened. Waits for the disk only where ``durable``."""

    def end(self, body: Body, *, sealed: Body | None = None) -> object:
        """The last entry, durable."""

    def refuse(self, body: Body, *, sealed: Body | None = None) -> object:
        """The last entry of a call that is not taken. Returns at once."""


class Book(Protocol):
    """Where trails begin. ``sipagent.ledger.Ledger`` is one."""

    @property
    def state(self) -> LedgerState:
        """May calls be taken, and what is wrong."""

    def call(self, call_id: str, parties: Sequence[str] = ()) -> Trail:
        """Begin a call's entries."""

    def append(
        self, kind: Kind, body: Body | None = None, *, sealed: Body | None = None, durable: bool = False
    ) -> object:
        """Write down what belongs to no call."""


class CallAudit:
    """One call's entries; without a trail it does nothing. Call thread, but for ``cut``."""

    def __init__(self, trail: Trail | None, log: structlog.stdlib.BoundLogger) -> None:
        self._trail = trail
        self._log = log
        self._closing = threading.Lock()
        self._is_open = False

    def __repr__(self) -> str:
        return f"CallAudit({self._trail!r}, open={self._is_open})"

    def begin(self, offer: Offer, persona: PersonaConfig) -> str | None:
        """The call's start, on the disk when this returns: the call may be answered.

        :returns: why it may not.
        """
        if self._trail is None:
            return None
        prompt_sha256 = hashlib.sha256(persona.prompt.encode()).hexdigest()
        body = {
            "direction": "in",
            "trunk": offer.trunk,
            "persona": persona.name,
            "prompt_sha256": prompt_sha256,
        }
        try:
            self._trail.append(Kind.CALL_STARTED, body, sealed=_parties(offer), durable=True)
        except LedgerError as error:
            self._try_refuse({"sip_status": error.sip_status, "rule": "ledger", "trunk": offer.trunk})
            return str(error)
        self._is_open = True
        return None

    def note(self, kind: Kind, body: Body | None = None, *, sealed: Body | None = None) -> None:
        """An entry between the first and the last one. Returns at once."""
        if self._trail is None or not self._is_open:
            return
        try:
            self._trail.append(kind, body, sealed=sealed)
        except LedgerError as error:
            self._log.warning("ledger.missed", kind=kind.value, reason=str(error))

    def end(self, body: Body) -> None:
        """The call's end, on the disk when this returns; where the disk fails it is written later."""
        with self._closing:
            is_open, self._is_open = self._is_open, False
        if self._trail is None or not is_open:
            return
        try:
            self._trail.end(body)
        except LedgerError as error:
            self._log.warning("ledger.late", kind=Kind.CALL_ENDED.value, reason=str(error))

    def cut(self) -> None:
        """The process ends before the call does. Any thread."""
        self.end({"outcome": "failed", "cause": "cut: the server stopped"})

    def _try_refuse(self, body: Body) -> None:
        assert self._trail is not None
        try:
            self._trail.refuse(body)
        except LedgerError as error:  # closing
            self._log.warning("ledger.missed", kind=Kind.CALL_REFUSED.value, reason=str(error))


class RefusalAudit:
    """Enters calls that are not taken, never more than a few in a second. SIP thread: nothing waits."""

    def __init__(self, book: Book | None, log: structlog.stdlib.BoundLogger) -> None:
        self._book = book
        self._log = log
        self._second = 0
        self._written = 0
        self._left_out = 0

    def __repr__(self) -> str:
        return f"RefusalAudit(left_out={self._left_out})"

    def refused(self, call_id: str, offer: Offer, rejection: Rejection) -> None:
        """A call was turned away.

        :param offer: of a stranger: its ``trunk`` is empty; only the address is entered.
        """
        if self._book is None or not self._has_room():
            return
        body: dict[str, object] = {
            "direction": "in",
            "sip_status": rejection.status,
            "rule": rejection.rule,
            "trunk": offer.trunk,
        }
        if self._left_out:
            body["left_out"], self._left_out = self._left_out, 0
        try:
            if offer.trunk:
                self._book.call(call_id, [offer.caller]).refuse(body, sealed=_parties(offer))
            else:
                self._book.append(Kind.CALL_REFUSED, body, sealed={"source": offer.source})
        except LedgerError as error:
            self._log.warning("ledger.missed", kind=Kind.CALL_REFUSED.value, reason=str(error))

    def _has_room(self) -> bool:
        second = monotonic_ms() // 1000
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= _REFUSALS_PER_S:
            self._left_out += 1
            return False
        self._written += 1
        return True


def _parties(offer: Offer) -> dict[str, object]:
    return {
        "caller": offer.caller,
        "dialled": offer.dialled,
        "source": offer.source,
        "sip_call_id": offer.call_id,
        **{name: text for name in _TOLD if (text := getattr(offer.identity, name))},
    }
