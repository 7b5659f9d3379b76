"""What systemd is told about the server: the protocol of sd_notify(3), one datagram a message."""

import os
import socket
import time
from collections.abc import MutableMapping

LONGEST_STATUS = 200


class Notifier:
    """Says nothing where nobody listens. One thread."""

    def __init__(self, address: str = "", watchdog_us: int = 0) -> None:
        """:param address: of the manager's socket; one that begins with ``@`` is abstract.
        :param watchdog_us: within so many microseconds the manager wants to hear of us; 0: it does not.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_ms = watchdog_us // 2000
        """How often to send ``watchdog``; 0: never. Half of what the manager waits."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._status = ""

    def __repr__(self) -> str:
        return f"Notifier({self._address!r}, watchdog_ms={self.watchdog_ms})"

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> "Notifier":
        """As systemd says it. The variables are removed: no process of ours shall speak for us."""
        address = environ.pop("NOTIFY_SOCKET", "")
        watchdog_us, pid = environ.pop("WATCHDOG_USEC", "0"), environ.pop("WATCHDOG_PID", "")
        is_ours = not pid or pid == str(os.getpid())
        return cls(address, int(watchdog_us) if is_ours and watchdog_us.isdigit() else 0)

    def ready(self) -> None:
        """Calls are taken, or the new configuration is."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A new configuration is looked at; ``ready`` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """No more calls."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The workers are being watched."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``; sent where it differs from the last one."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text[:LONGEST_STATUS]}")

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            return  # a manager that does not listen costs no call
