"""Looks host names up on a thread of its own, so that the SIP thread need not wait for an answer."""

import socket
import threading
from collections.abc import Iterable

_PAUSE_S = 30.0
_QUICK_PAUSE_S = 5.0
"""While a name cannot be found."""


class NameWatch:
    """Knows of each host whether its name is found. ``start``, then ``close``."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._problems: dict[str, str | None] = dict.fromkeys(hosts)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="names", daemon=True)

    def __repr__(self) -> str:
        return f"NameWatch({self._problems})"

    def start(self) -> None:
        """Begin; a system's resolver may take many seconds over a name, so nobody waits for it."""
        if self._problems:
            self._thread.start()

    def close(self) -> None:
        """End, at the latest when the look-up under way does: nobody waits for that either. Idempotent."""
        self._closing.set()

    def problem_of(self, host: str) -> str | None:
        """Why the name is not found, empty where it is, None before the first look-up. Any thread."""
        return self._problems.get(host, "")

    def _run(self) -> None:
        while not self._closing.is_set():
            for host in self._problems:
                self._problems[host] = _look_up(host)
            self._closing.wait(_QUICK_PAUSE_S if any(self._problems.values()) else _PAUSE_S)


def _look_up(host: str) -> str:
    try:
        socket.getaddrinfo(host, None, socket.AF_INET)
    except OSError as exc:
        return f"the name {host} is not found: {exc.strerror or exc}"
    return ""
