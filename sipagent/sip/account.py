"""SIP identities: the local one that takes direct calls, and one for each trunk that registers.

What the library retries by itself (no answer, 5xx) is left to it. A refusal, as of a wrong password, it takes
for the last word; a registrar that has just lost its accounts for a minute must not cost the trunk until the
next restart, so those are retried here, more and more rarely: the usual guards count failures and lock out.
"""

from typing import Any, Protocol

import pjsua2 as pj

from sipagent.config.schema import Config, TrunkConfig
from sipagent.sip import endpoint
from sipagent.units import monotonic_ms

LONGEST_RETRY_S = 3600
_RETRIED_BY_THE_LIBRARY = (408, 480, 500, 502, 503, 504)


class AccountOwner(Protocol):
    """What an account needs of the user agent. All on the SIP thread."""

    def take_call(self, account: pj.Account, library_id: int, message: str, source: str) -> None:
        """An INVITE has come."""

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        """The registrar has answered, or will not (408). ``expires_s`` 0: we are not registered any more."""

    def count_callback_error(self, where: str, error: Exception) -> None:
        """A callback failed."""


class Account(pj.Account):  # type: ignore[misc]  # pjsua2 has no type information
    """One identity. SIP thread only."""

    def __init__(self, owner: AccountOwner, trunk: TrunkConfig | None) -> None:
        """:param trunk: one with ``register``; None makes the account of direct calls."""
        super().__init__()
        self._owner = owner
        self._trunk = trunk
        self._retry_at_ms: int | None = None
        self._refusals = 0
        self._is_leaving = False
        self.is_registered = False

    def __repr__(self) -> str:
        name = self._trunk.name if self._trunk else "direct"
        return f"Account({name}, registered={self.is_registered}, refusals={self._refusals})"

    @property
    def trunk_name(self) -> str:
        """The trunk it registers with; empty for that of direct calls."""
        return self._trunk.name if self._trunk else ""

    @property
    def state(self) -> str:
        """In a word."""
        return "registered" if self.is_registered else "not registered"

    def open(self, config: Config) -> None:
        """Tell the library about it; a trunk with ``register`` begins to register."""
        self.create(endpoint.account_config(config, self._trunk), self._trunk is None)

    def tick(self, now_ms: int) -> None:
        """Register again when it is time."""
        if self._retry_at_ms is not None and now_ms >= self._retry_at_ms:
            self._retry_at_ms = None
            self._set_registration(True)

    def leave(self) -> None:
        """Ask the registrar to forget us; ``is_registered`` turns False when it has answered."""
        self._is_leaving, self._retry_at_ms = True, None
        if self.is_registered:
            self._set_registration(False)

    def onIncomingCall(self, prm: Any) -> None:
        try:
            self._owner.take_call(self, prm.callId, prm.rdata.wholeMsg, prm.rdata.srcAddress)
        except Exception as error:  # the library would print and forget it
            self._owner.count_callback_error("onIncomingCall", error)

    def onRegState(self, prm: Any) -> None:
        try:
            self._answered(prm.code, prm.reason, prm.expiration)
        except Exception as error:
            self._owner.count_callback_error("onRegState", error)

    def _answered(self, status: int, reason: str, expires_s: int) -> None:
        assert self._trunk is not None
        assert self._trunk.register is not None
        is_ok = status // 100 == 2
        self.is_registered = is_ok and not self._is_leaving
        if is_ok:
            self._refusals = 0
        elif not self._is_leaving and status // 100 != 6 and status not in _RETRIED_BY_THE_LIBRARY:
            pause_s = retry_pause_s(self._trunk.register.retry_s, self._refusals)
            self._refusals += 1
            self._retry_at_ms = monotonic_ms() + pause_s * 1000
        self._owner.registration_changed(
            self._trunk.name, status, reason, 0 if self._is_leaving else expires_s
        )

    def _set_registration(self, is_wanted: bool) -> None:
        try:
            self.setRegistration(is_wanted)
        except pj.Error as error:
            self.is_registered = False
            self._owner.count_callback_error("setRegistration", error)


def retry_pause_s(retry_s: int, refusals: int) -> int:
    """The pause after the refusal that ``refusals`` others preceded: doubled each time, an hour at most."""
    return min(retry_s << min(refusals, 12), max(LONGEST_RETRY_S, retry_s))
