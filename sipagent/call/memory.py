"""What the agent remembers of a caller from one call to the next, where the persona wants it.

::

    a call begins ──recall──▶ variables of the prompt and the flow: {caller_name}, {last_outcome}, {noted_…}
    tool remember ───────────▶ kept at once
    outcome, name ───────────▶ kept when the call has ended
    "forget me" ─────────────▶ all of it destroyed at once, nothing kept of this call

Whoever withholds the number is not remembered, nor is a call whose number the carrier doubts: a stranger may
have put it there.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import structlog

from sipagent.call.identity import CALLER_NAME, LAST_CALL, LAST_OUTCOME, NOTED, harmless
from sipagent.call.ports import Offer
from sipagent.call.tool_calls import context_of
from sipagent.call.tool_port import CallContext
from sipagent.config.schema import PersonaConfig
from sipagent.errors import LedgerError
from sipagent.flows.slots.names import read_name
from sipagent.flows.slots.values import Said, Value

_NAME_SLOTS = ("caller_name", "name")
_LONGEST_NOTE = 120
_KINDS = {
    CALLER_NAME: "your name",
    LAST_OUTCOME: "what your last call came to",
    LAST_CALL: "when you last called",
}
_OWN_NAME = re.compile(r"\bmy name(?:'s| is)\b", re.IGNORECASE)


class NoteStore(Protocol):
    """Where notes are kept. ``sipagent.ledger.CallerMemory`` is one."""

    def recall(self, caller: str) -> dict[str, str]:
        """:raises LedgerError: it cannot be read."""

    def remember(self, caller: str, notes: Mapping[str, str], *, keep_days: int) -> None:
        """:raises LedgerError: they cannot be kept."""


class Forgetter(Protocol):
    """What forgets a caller, and enters that it did. ``sipagent.ledger.Eraser.forget_caller`` is one."""

    def __call__(self, number: str, /) -> object:
        """:raises LedgerError: something could not be destroyed."""


class Remembrance:
    """What personas remember. Any thread; satisfies ``tool_port.Memory``.

    :param store: None: there is no ledger, and nothing is remembered.
    :param forget: None: only where there is no store either.
    """

    def __init__(
        self,
        store: NoteStore | None,
        personas: Mapping[str, PersonaConfig],
        forget: Forgetter | None = None,
    ) -> None:
        self._store = store
        self._forget = forget
        self._forgotten: set[str] = set()
        """Callers who wanted to be forgotten in a call that goes on."""
        self._personas = personas

    def __repr__(self) -> str:
        return f"Remembrance({self._store!r})"

    def use(self, personas: Mapping[str, PersonaConfig]) -> None:
        """Go by another configuration."""
        self._personas = personas

    def remember(self, context: CallContext, notes: Mapping[str, str]) -> None:
        """Keep notes on the caller of this call. Waits for the disk.

        :raises LedgerError: they cannot be kept, or the persona keeps none.
        """
        persona = self._personas.get(context.persona)
        if self._store is None or persona is None or persona.memory == "off":
            raise LedgerError(f"persona {context.persona}: its callers are not remembered (memory: off)")
        if not context.caller:
            raise LedgerError("nothing is remembered of callers who withhold their number")
        if context.caller in self._forgotten:
            raise LedgerError("the caller has asked to be forgotten in this call")
        self._store.remember(context.caller, notes, keep_days=persona.memory_days)

    def forget(self, context: CallContext) -> None:
        """Destroy what is remembered of the caller, and keep nothing more while this call goes on. Waits for
        the disk.

        :raises LedgerError: something could not be destroyed.
        """
        self._forgotten.add(context.caller)
        if self._forget is not None:
            self._forget(context.caller)

    def ended(self, context: CallContext) -> None:
        """The call is over: the caller's next one may be remembered again."""
        self._forgotten.discard(context.caller)

    def begin(
        self, persona: PersonaConfig, offer: Offer, log: structlog.stdlib.BoundLogger
    ) -> "CallMemory | None":
        """One call's part of it; None: the caller is not remembered. Reads two small files."""
        context = context_of("", offer, persona)
        is_known = bool(context.caller) and not offer.identity.is_doubted
        if self._store is None or persona.memory == "off" or not is_known:
            return None
        notes: dict[str, str] = {}
        try:
            notes = self._store.recall(context.caller)
        except LedgerError as error:
            log.warning("caller.not_recalled", reason=str(error))
        return CallMemory(self, context, notes, log)


class CallMemory:
    """One call's notes. Call thread, but for ``variables``."""

    def __init__(
        self,
        remembrance: Remembrance,
        context: CallContext,
        notes: Mapping[str, str],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._remembrance = remembrance
        self._context = context
        self._log = log
        self._new: dict[str, str] = {}
        self._is_forgotten = self._is_to_forget = False
        """The caller wants it; it could not be done yet."""
        self.variables = {
            name if name in (CALLER_NAME, LAST_OUTCOME, LAST_CALL) else f"{NOTED}{name}": harmless(
                text, _LONGEST_NOTE
            )
            for name, text in notes.items()
        }
        """What was known of the caller before this call, by variable."""

    def __repr__(self) -> str:
        return f"CallMemory({len(self.variables)} known, {len(self._new)} new)"

    def outcome(self, name: str, data: Mapping[str, str]) -> None:
        """What the call has come to; a name that was told is the caller's from now on."""
        self._new[LAST_OUTCOME] = name
        told = next((data[slot] for slot in _NAME_SLOTS if data.get(slot)), "")
        if told:
            self._new[CALLER_NAME] = told

    def heard(self, text: str) -> None:
        """The caller has said something; also where no flow asks for it a name may be told."""
        if _OWN_NAME.search(text):
            name = read_name(Said(text, datetime.min, is_asked=False))
            if isinstance(name, Value):
                self._new[CALLER_NAME] = name.value

    @property
    def kinds(self) -> str:
        """What is known of the caller, without telling it: "your name and your dentist". Empty: nothing."""
        if self._is_forgotten:
            return ""
        names = [
            _KINDS.get(name) or f"your {name.removeprefix(NOTED).replace('_', ' ')}"
            for name in self.variables
        ]
        return ", ".join(names[:-1]) + (" and " if names[1:] else "") + "".join(names[-1:])

    def forget(self) -> None:
        """The caller wants it: destroy what is known, and keep nothing of this call. Waits for the disk."""
        self._is_forgotten = self._is_to_forget = True
        self._new.clear()
        try:
            self._remembrance.forget(self._context)
            self._is_to_forget = False
        except LedgerError as error:
            self._log.error("caller.not_forgotten", reason=str(error))

    def close(self) -> None:
        """The call has ended: keep what is new. Waits for the disk."""
        if self._is_forgotten:
            if self._is_to_forget:
                self.forget()
            self._remembrance.ended(self._context)
            return
        notes = {**self._new, LAST_CALL: f"{datetime.now(UTC):%Y-%m-%d}"}
        try:
            self._remembrance.remember(self._context, notes)
        except LedgerError as error:
            self._log.warning("caller.not_remembered", reason=str(error))
