"""The library's accounts: one that takes calls of strangers, to refuse them, and one for each trunk.

A trunk's account holds its credentials and its rules for the sound, sends its OPTIONS, and registers where
the trunk wants it. A registration that fails is tried again more and more rarely and never at the same moment
as everybody else's: a registrar that comes back must not be run over, and the usual guards lock out whoever
knocks with a wrong password too often.
"""

import random
from typing import Any, Protocol

import pjsua2 as pj

from sipagent.config.schema import Config, TrunkConfig
from sipagent.sip.account_settings import account_config, peer_uri
from sipagent.sip.message import headers_of
from sipagent.units import monotonic_ms

LONGEST_REFUSED_S, LONGEST_UNANSWERED_S = 3600, 300
_FIRST_FINAL = 200
_FIRST_UNANSWERED_S = 5
_SOON_MS = 1000
_NOT_SERVING = (408, 480, 500, 502, 503, 504)
"""Nobody has said no: the registrar is away or too busy."""


class AccountOwner(Protocol):
    """What an account needs of the user agent. All on the SIP thread."""

    def take_call(self, account: pj.Account, library_id: int, message: str, source: str) -> None:
        """An INVITE has come."""

    def registration_changed(
        self, trunk: str, status: int, reason: str, expires_s: int, retry_ms: int | None
    ) -> None:
        """The registrar has answered, or will not (408). ``expires_s`` 0: we are not registered any more.
        ``retry_ms``: the pause before the next try; None: none follows."""

    def options_answered(self, trunk: str, status: int, reason: str, *, is_ours: bool) -> None:
        """The peer has answered an OPTIONS; ``is_ours``: the library says why it will not."""

    def count_callback_error(self, where: str, error: Exception) -> None:
        """A callback failed."""


class Account(pj.Account):  # type: ignore[misc]  # pjsua2 has no type information
    """One identity. SIP thread only."""

    def __init__(self, owner: AccountOwner, trunk: TrunkConfig | None, rng: random.Random) -> None:
        """:param trunk: None makes the account of strangers."""
        super().__init__()
        self._owner = owner
        self._trunk = trunk
        self._rng = rng
        self._retry_at_ms: int | None = None
        self._failures = 0
        self._is_leaving = False
        self.is_registered = False
        self.registration = "not tried yet" if trunk and trunk.register else ""
        """What the registrar said last, for the operator."""

        self._unanswered = 0

    def __repr__(self) -> str:
        name = self._trunk.name if self._trunk else "direct"
        return f"Account({name}, registered={self.is_registered}, failures={self._failures})"

    def open(self, config: Config, public_address: str) -> None:
        """Tell the library about it; a trunk with ``register`` begins to register."""
        self.create(account_config(config, self._trunk, public_address), self._trunk is None)

    def tick(self, now_ms: int) -> None:
        """Register again when it is time."""
        if self._retry_at_ms is not None and now_ms >= self._retry_at_ms:
            self._retry_at_ms = None
            self._set_registration(True)

    def register_soon(self, now_ms: int) -> None:
        """The peer was away and is back: it may have forgotten us. Within a second, not all at once."""
        if self._trunk is not None and self._trunk.register is not None and not self._is_leaving:
            self._retry_at_ms = now_ms + self._rng.randrange(_SOON_MS)

    def leave(self) -> None:
        """Ask the registrar to forget us; ``is_registered`` turns False when it has answered."""
        self._is_leaving, self._retry_at_ms = True, None
        if self.is_registered:
            self._set_registration(False)

    def ask(self) -> str:
        """Send an OPTIONS to the trunk's peer.

        :returns: why it could not be sent, or nothing.
        """
        assert self._trunk is not None
        request = pj.SendRequestParam()
        request.method = "OPTIONS"
        request.txOption.targetUri = peer_uri(self._trunk)
        try:
            self.sendRequest(request)
        except pj.Error as error:
            return str(error.reason)
        self._unanswered += 1
        return ""

    @property
    def is_asking(self) -> bool:
        """The library still waits for the answer to a request of this account."""
        return self._unanswered > 0

    def onIncomingCall(self, prm: Any) -> None:
        try:
            self._owner.take_call(self, prm.callId, prm.rdata.wholeMsg, prm.rdata.srcAddress)
        except Exception as error:  # the library would print and forget it
            self._owner.count_callback_error("onIncomingCall", error)

    def onRegState(self, prm: Any) -> None:
        try:
            self._answered(prm.code, prm.reason, prm.expiration, prm.rdata.wholeMsg)
        except Exception as error:
            self._owner.count_callback_error("onRegState", error)

    def onSendRequest(self, prm: Any) -> None:
        try:
            assert self._trunk is not None
            state = prm.e.body.tsxState
            status, reason = state.tsx.statusCode, state.tsx.statusText
            if status >= _FIRST_FINAL:
                self._unanswered -= 1
            is_ours = state.type != pj.PJSIP_EVENT_RX_MSG
            self._owner.options_answered(self._trunk.name, status, reason, is_ours=is_ours)
        except Exception as error:
            self._owner.count_callback_error("onSendRequest", error)

    def _answered(self, status: int, reason: str, expires_s: int, message: str) -> None:
        assert self._trunk is not None
        assert self._trunk.register is not None
        is_ok = status // 100 == 2
        self.is_registered = is_ok and not self._is_leaving
        self.registration = "registered" if self.is_registered else f"{status} {reason}"
        pause_ms = None
        if is_ok:
            self._failures, self._retry_at_ms = 0, None
        elif not self._is_leaving and status // 100 != 6:
            wait_s = _retry_after_s(message)
            pause_ms = retry_pause_ms(self._trunk.register.retry_s, status, self._failures, wait_s, self._rng)
            self._failures += 1
            self._retry_at_ms = monotonic_ms() + pause_ms
        self._owner.registration_changed(
            self._trunk.name, status, reason, 0 if self._is_leaving else expires_s, pause_ms
        )

    def _set_registration(self, is_wanted: bool) -> None:
        try:
            self.setRegistration(is_wanted)
        except pj.Error as error:
            self.is_registered = False
            self._owner.count_callback_error("setRegistration", error)


def retry_pause_ms(retry_s: int, status: int, failures: int, wait_s: int, rng: random.Random) -> int:
    """The pause after a REGISTER that failed, and that ``failures`` others preceded.

    It doubles each time, up to an hour after a refusal and five minutes where nobody answers; chance takes up
    to half of it away.

    :param status: the registrar's, or the library's where none came. :param wait_s: the registrar's
        Retry-After, the least pause; 0: it gave none.
    """
    is_away = status in _NOT_SERVING
    first_s = min(_FIRST_UNANSWERED_S, retry_s) if is_away else retry_s
    longest_s = max(LONGEST_UNANSWERED_S if is_away else LONGEST_REFUSED_S, retry_s)
    pause_s = min(first_s << min(failures, 12), longest_s)
    return round(1000 * (min(wait_s, LONGEST_REFUSED_S) + pause_s * rng.uniform(0.5, 1.0)))


def _retry_after_s(message: str) -> int:
    """RFC 3261 §20.33; 0 where there is none."""
    digits = headers_of(message).get("retry-after", "").split(";")[0].split("(")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 7 else 0
