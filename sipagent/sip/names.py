"""Looks host names up on a thread of its own, so that the SIP thread need not wait for an answer."""

import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

_PAUSE_S = 30.0
_QUICK_PAUSE_S = 5.0
"""While a name cannot be found."""
_STALE_S = 3600.0
"""For so long an address stays good while nobody can be asked: calls go on where the name server does not."""
_MOST_HOSTS = 64
"""A peer must not fill the memory with names that it makes up."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a host."""

    address: str = ""
    """Dotted IPv4, found last."""
    problem: str | None = None
    """Why it is not found; empty: it is. None before the first look-up."""
    found_s: float = 0.0
    """Monotonic time at which it was found last."""


class NameWatch:
    """Knows of each host whether its name is found, and where it leads. ``start``, then ``close``."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._known: dict[str, Known] = dict.fromkeys(hosts, Known())
        self._wake = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="names", daemon=True)

    def __repr__(self) -> str:
        return f"NameWatch({self._known})"

    def start(self) -> None:
        """Begin; a system's resolver may take many seconds over a name, so nobody waits for it."""
        self._thread.start()

    def close(self) -> None:
        """End, at the latest when the look-up under way does: nobody waits for that either. Idempotent."""
        self._is_closing = True
        self._wake.set()

    def ask(self, host: str) -> Known:
        """What is known of a host; of one that is not known yet something will be. Any thread."""
        known = self._known.get(host)
        if known is None:
            known = Known() if len(self._known) < _MOST_HOSTS else Known(problem="too many names")
            if known.problem is None:
                self._known[host] = known
                self._wake.set()
        return known

    def problem_of(self, host: str) -> str | None:
        """Why the name is not found, empty where it is, None before the first look-up. Any thread."""
        return self._known.get(host, Known(problem="")).problem

    def _run(self) -> None:
        while not self._is_closing:
            self._wake.clear()
            hosts = list(self._known)
            for host in sorted(hosts, key=lambda host: self._known[host].problem is not None):
                self._known[host] = _look_up(host, self._known[host], time.monotonic())
            is_found = not any(known.problem for known in self._known.values())
            self._wake.wait(_PAUSE_S if is_found else _QUICK_PAUSE_S)


def _look_up(host: str, before: Known, now_s: float) -> Known:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET)
        return Known(str(found[0][4][0]), "", now_s)
    except (OSError, UnicodeError) as exc:
        if before.address and now_s - before.found_s < _STALE_S:
            return before
        return Known(problem=f"the name {host} is not found: {getattr(exc, 'strerror', '') or exc}")
