"""The half of the lock that Python holds: a hook before every connect, send and lookup of this process.

It cannot be taken out again, and what it refuses is in the log. Native code does not pass it: for that there
is the system's half (``rules.py``).
"""

import socket
import sys
import threading
from typing import Any

import structlog

from sipagent.config.schema import Config
from sipagent.egress.allow import AllowList, literal_address, work_out
from sipagent.units import monotonic_ms

_LOG_PAUSE_MS = 1000
_REFRESH_S = 300.0
_MOST_REMEMBERED = 4096
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKING_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_LOCAL_FAMILIES = frozenset({socket.AF_UNIX, socket.AF_NETLINK})
_LOCAL_NAMES = frozenset({"", "localhost"})
PEERS_NAMES_THREAD = "names"
"""Looks up for the SIP library what a trunk's peer has named, as its Contact; where the library then sends is
the firewall's business."""


class EgressRefused(PermissionError):
    """An address beyond the list."""


class EgressGuard:
    """Decides about every address. Any thread; quick, for it stands before every datagram."""

    def __init__(self, allowed: AllowList, log: structlog.stdlib.BoundLogger) -> None:
        self._allowed = allowed
        self._log = log
        self._verdicts: dict[tuple[str, int], bool] = {}
        self._own = threading.local()
        self._logged_ms: int | None = None
        self._logged = 0
        self.refused = 0
        self._config: Config | None = None
        self._is_changed = threading.Event()
        self._refresher: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"EgressGuard({len(self._allowed.entries)} networks, refused={self.refused})"

    def use(self, allowed: AllowList) -> None:
        """Another list from now on."""
        self._allowed = allowed
        self._verdicts = {}

    def install(self) -> None:
        """Put the hook into this process, for good."""
        sys.addaudithook(self.check)

    def check(self, event: str, args: tuple[Any, ...]) -> None:
        """:raises EgressRefused: the address, or the name, is not on the list."""
        if event in _SENDING:
            self._check_address(args[0].family, args[1])
        elif event in _LOOKING_UP and not self._may_look_up_all():
            self._check_name(args[0])

    def work_out(self, config: Config) -> None:
        """Work the list out again. A name that DNS does not answer for keeps its addresses."""
        self._own.is_working_out = True  # only names of the configuration are looked up here
        try:
            fresh = work_out(config)
        finally:
            self._own.is_working_out = False
        self.use(fresh if not fresh.unresolved else self._allowed + fresh)

    def follow(self, config: Config) -> None:
        """Allow what this configuration names. Addresses that stand in it count at once; names are looked up
        on a thread of its own, now and every five minutes, and what was allowed before goes with that.
        """
        fresh = work_out(config, resolve=literal_address)
        self.use(fresh if self._config is None else self._allowed + fresh)
        self._config = config
        self._is_changed.set()
        if self._refresher is None and (fresh.names or self._allowed.names):
            self._refresher = threading.Thread(target=self._refresh, name="egress", daemon=True)
            self._refresher.start()

    def _refresh(self) -> None:
        while True:
            self._is_changed.clear()
            if self._config is not None:
                self.work_out(self._config)
            self._is_changed.wait(_REFRESH_S)

    def _check_address(self, family: int, address: Any) -> None:
        if family in _LOCAL_FAMILIES or address is None:
            return
        if not isinstance(address, tuple):
            self._refuse(f"address family {family}")
        host, port = str(address[0]), int(address[1])
        verdict = self._verdicts.get((host, port))
        if verdict is None:
            verdict = host == "localhost" or self._allowed.allows(host, port) or host in self._allowed.names
            if len(self._verdicts) < _MOST_REMEMBERED:
                self._verdicts[host, port] = verdict
        if not verdict:
            self._refuse(f"{host}:{port}")

    def _may_look_up_all(self) -> bool:
        is_working_out = getattr(self._own, "is_working_out", False)
        return is_working_out or threading.current_thread().name == PEERS_NAMES_THREAD

    def _check_name(self, host: Any) -> None:
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
        name = text.lower()
        if name in _LOCAL_NAMES or name in self._allowed.names or name.replace(".", "").isdigit():
            return
        if ":" not in name:  # a literal IPv6 address asks nobody
            self._refuse(f"the name {name}")

    def _refuse(self, destination: str) -> None:
        self.refused += 1
        now_ms = monotonic_ms()
        if self._logged_ms is None or now_ms - self._logged_ms >= _LOG_PAUSE_MS:
            attempts, self._logged, self._logged_ms = self.refused - self._logged, self.refused, now_ms
            self._log.error("egress.refused", destination=destination, attempts=attempts)
        raise EgressRefused(
            f"egress: {destination} is not on the list of sip.yaml (egress.extra_allow adds to it)"
        )


def install_audit_hook(config: Config, log: structlog.stdlib.BoundLogger) -> EgressGuard | None:
    """Lock this process to what its configuration names; None where ``egress.enforce`` is false.

    Names are looked up on a thread of its own, at once and every five minutes: a DNS server that does not
    answer must not keep the start waiting.
    """
    if not config.egress.enforce:
        log.warning("egress.unlocked", reason="egress.enforce is false")
        return None
    guard = EgressGuard(AllowList(()), log)
    guard.follow(config)
    guard.install()
    return guard
