"""All trunks of the user agent: their accounts, their health, and which of them a call belongs to."""

import random
from typing import Protocol

import pjsua2 as pj
import structlog

from sipagent.call.trunks import TrunkState
from sipagent.config.schema import Config, TrunkConfig, trunk_for
from sipagent.sip.account import Account
from sipagent.sip.codecs import use_all_codecs, use_codecs_of
from sipagent.sip.endpoint import Library
from sipagent.sip.guard import Guard
from sipagent.sip.message import headers_of, is_over_tls, next_hop, request_uri, user_of
from sipagent.sip.mismatch import NO_COMMON_MEDIA, explain_refused_offer
from sipagent.sip.names import NameWatch
from sipagent.sip.trunk_health import HealthWatch
from sipagent.units import monotonic_ms


class TrunksOwner(Protocol):
    """What the trunks need of the user agent. All on the SIP thread."""

    def take_call(self, account: pj.Account, library_id: int, message: str, source: str) -> None:
        """An INVITE has come."""

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        """A registrar has answered; ``expires_s`` 0: we are not registered any more."""

    def count_callback_error(self, where: str, error: Exception) -> None:
        """A callback failed."""


class Trunks:
    """Opened with the endpoint, gone with it. SIP thread, but for ``states`` and ``is_down``."""

    def __init__(
        self, config: Config, owner: TrunksOwner, guard: Guard, log: structlog.stdlib.BoundLogger
    ) -> None:
        """:param guard: knows the strangers that a password has let in."""
        self._config = config
        self._owner = owner
        self._guard = guard
        self._log = log
        self._library: Library | None = None
        self._strangers: Account | None = None
        self._accounts: dict[str, Account] = {}
        self.names = NameWatch({trunk.host for trunk in config.trunks})
        self._health = HealthWatch(config.trunks, self._ask, self._came_back, self.names, log)

    def __repr__(self) -> str:
        return f"Trunks({self._health!r})"

    def open(self, library: Library, public_address: str) -> None:
        """Make the accounts; those with ``register`` begin to register."""
        rng = random.Random()
        self._library = library
        self._strangers = Account(self, None, rng)
        self._strangers.open(self._config, public_address)
        for trunk in self._config.trunks:
            self._accounts[trunk.name] = account = Account(self, trunk, rng)
            account.open(self._config, public_address)
        self._health.start(monotonic_ms())

    def tick(self, now_ms: int) -> None:
        """Ask who is due, register again who is due."""
        self._health.tick(now_ms)
        for account in self._accounts.values():
            account.tick(now_ms)

    def leave(self) -> None:
        """Ask the registrars to forget us."""
        self._health.close()
        for account in self._accounts.values():
            account.leave()

    @property
    def has_farewells(self) -> bool:
        """True while a registrar has not let us go."""
        return any(account.is_registered for account in self._accounts.values())

    @property
    def is_asking(self) -> bool:
        """Some peer has not answered an OPTIONS yet, nor has its time run out."""
        return any(account.is_asking for account in self._accounts.values())

    def close(self) -> None:
        """Drop the accounts. Before the library ends. Idempotent."""
        self._health.close()
        for account in (*self._accounts.values(), self._strangers):
            if account is not None:
                try:
                    account.shutdown()
                except pj.Error as error:
                    self.count_callback_error("shutdown", error)
        self._accounts.clear()
        self._strangers = self._library = None

    def account(self, name: str) -> Account:
        """The account of a trunk."""
        return self._accounts[name]

    def is_down(self, name: str) -> bool:
        """True where the trunk's last OPTIONS came to nothing. Any thread."""
        return self._health.is_down(name)

    def name_problem(self, name: str) -> str:
        """Why a trunk's host name is not found; empty: it is, or nobody has looked yet. Any thread."""
        return self._health.name_problem(name)

    def states(self) -> tuple[TrunkState, ...]:
        """Every trunk as it is now. Any thread."""
        accounts = dict(self._accounts)
        return tuple(
            self._health.state_of(name, accounts[name].registration if name in accounts else "")
            for name in (trunk.name for trunk in self._config.trunks)
        )

    def trunk_of(self, source: str, message: str) -> TrunkConfig | None:
        """The trunk that an INVITE belongs to, by its address, or by the password that let it in; None: a
        stranger.
        """
        known = trunk_for(self._config, source.rsplit(":", 1)[0], user_of(request_uri(message)))
        return known or self._guard.admitted(source, headers_of(message).get("call-id", ""))

    def connection_of(self, source: str, message: str) -> int | None:
        """The TLS connection that an INVITE came over; what we send in its call goes back there (RFC 5923).

        A new one would be judged by the address in the peer's route, which its certificate does not name: no
        BYE of ours would ever arrive.
        """
        if self._library is None or not is_over_tls(next_hop(message)):
            return None
        return self._library.tls.connection(source)

    # --- what the library asks and tells ---

    def account_for(self, source: str, message: str) -> int | None:
        """Id of the account whose rules for sound hold for an INVITE; its trunk's codecs are made ready."""
        trunk = self.trunk_of(source, message)
        account = self._accounts.get(trunk.name) if trunk else self._strangers
        if trunk is not None and self._library is not None:
            use_codecs_of(self._library, trunk)
        return int(account.getId()) if account is not None else None

    def explain(self, status: int, reason: str, source: str, message: str) -> str:
        """Why the library has refused an INVITE by itself."""
        self._restore_codecs()
        trunk = self.trunk_of(source, message)
        if trunk is not None and status in NO_COMMON_MEDIA:
            return explain_refused_offer(message, trunk)
        return reason

    def take_call(self, account: pj.Account, library_id: int, message: str, source: str) -> None:
        self._restore_codecs()
        self._owner.take_call(account, library_id, message, source)

    def count_callback_error(self, where: str, error: Exception) -> None:
        self._owner.count_callback_error(where, error)

    def registration_changed(
        self, trunk: str, status: int, reason: str, expires_s: int, retry_ms: int | None
    ) -> None:
        if status // 100 == 2 and expires_s > 0:
            self._log.info("trunk.registered", trunk=trunk, expires_s=expires_s)
        elif status // 100 == 2:
            self._log.info("trunk.unregistered", trunk=trunk)
        else:
            self._log.warning(
                "trunk.registration_failed",
                trunk=trunk,
                status=status,
                reason=self.in_words(reason),
                retry_ms=retry_ms,
            )
        self._owner.registration_changed(trunk, status, reason, expires_s)

    def options_answered(self, trunk: str, status: int, reason: str, *, is_ours: bool) -> None:
        if is_ours:
            self._health.take_failure(trunk, self.in_words(reason), monotonic_ms())
        else:
            self._health.take_answer(trunk, status, reason, monotonic_ms())

    def in_words(self, reason: str) -> str:
        """The reason of a failure; of a TLS handshake more than the library's own name for it."""
        if self._library is None or "PJSIP_TLS" not in reason:
            return reason
        return self._library.tls.last_problem or reason

    def _restore_codecs(self) -> None:
        """The answer to the INVITE is described: other calls want other codecs."""
        if self._library is not None:
            use_all_codecs(self._library, self._config)

    def _ask(self, trunk: TrunkConfig) -> str:
        return self._accounts[trunk.name].ask()

    def _came_back(self, name: str) -> None:
        self._accounts[name].register_soon(monotonic_ms())
