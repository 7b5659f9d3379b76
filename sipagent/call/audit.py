"""What a call leaves in the audit ledger. Nothing here delays a turn: only a call's first and last entry wait
for the disk, on the call's own thread.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from sipagent.call.ports import Offer
from sipagent.config.schema import PersonaConfig
from sipagent.errors import LedgerError
from sipagent.ledger import Kind, LedgerState

Body = Mapping[str, object]


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
        return self._begin({"direction": "in", "trunk": offer.trunk}, persona, parties_of(offer))

    def begin_out(
        self,
        *,
        trunk: str,
        persona: PersonaConfig,
        dialled: str,
        caller: str,
        campaign: str | None = None,
        attempt: int = 1,
    ) -> str | None:
        """The start of a call of our own, on the disk when this returns: the INVITE may be sent. The trail is
        begun with ``dialled`` as its party, so that whoever was called can be forgotten.

        :param dialled: whom we call. :param caller: the number that we show.
        :param campaign: that wants it. :param attempt: how often this contact has been tried, with this one.
        :returns: why it may not.
        """
        about: dict[str, object] = {"direction": "out", "trunk": trunk, "attempt": attempt}
        if campaign is not None:
            about["campaign"] = campaign
        return self._begin(about, persona, {"caller": caller, "dialled": dialled})

    def _begin(self, about: Body, persona: PersonaConfig, parties: Body) -> str | None:
        if self._trail is None:
            return None
        prompt_sha256 = hashlib.sha256(persona.prompt.encode()).hexdigest()
        body = {**about, "persona": persona.name, "prompt_sha256": prompt_sha256}
        try:
            self._trail.append(Kind.CALL_STARTED, body, sealed=parties, durable=True)
        except LedgerError as error:
            self._try_refuse({**about, "sip_status": error.sip_status, "rule": "ledger"})
            return str(error)
        self._is_open = True
        return None

    def tool_called(self, tool: str, tool_call_id: str, arguments: Body) -> None:
        """The agent uses a tool. Returns at once."""
        body = {"tool": tool, "tool_call_id": tool_call_id}
        self.note(Kind.TOOL_CALLED, body, sealed={"arguments": arguments})

    def tool_returned(self, tool: str, tool_call_id: str, result: object, *, ok: bool, took_ms: int) -> None:
        """What came of it. :param result: JSON, or a text of what went wrong."""
        body = {"tool": tool, "tool_call_id": tool_call_id, "ok": ok, "took_ms": took_ms}
        self.note(Kind.TOOL_RETURNED, body, sealed={"result": result})

    def transfer_started(self, how: str, target: str) -> None:
        """:param how: ``blind`` or ``attended``. :param target: number or URI; sealed."""
        self.note(Kind.TRANSFER_STARTED, {"how": how}, sealed={"target": target})

    def transfer_ended(self, *, ok: bool, sip_status: int | None) -> None:
        """:param sip_status: what the target answered, where it did."""
        self.note(Kind.TRANSFER_ENDED, {"ok": ok, "sip_status": sip_status})

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


def parties_of(offer: Offer) -> dict[str, object]:
    """What is personal about an offer."""
    return {
        "caller": offer.caller,
        "dialled": offer.dialled,
        "source": offer.source,
        "sip_call_id": offer.call_id,
    }
