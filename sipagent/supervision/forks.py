"""The supervisor's side of the fork server: starts it, asks it for workers, hears how they end."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import structlog

from sipagent.supervision.channel import Channel

_NICE_END_S = 2.0
_IMPORTED_S = 10.0
"""Whoever dies sooner may have died of an import."""

OnForked = Callable[[int, int], None]
"""Number of the request, process id."""
OnExited = Callable[[int, int | None], None]
"""Process id; exit status or minus the signal, None where nobody knows."""


class ForkServer:
    """Begun again when it dies; the workers live on without it. One thread."""

    def __init__(
        self,
        imports: Sequence[str],
        log: structlog.stdlib.BoundLogger,
        *,
        on_forked: OnForked,
        on_exited: OnExited,
        on_lost: Callable[[Channel], None],
    ) -> None:
        """:param imports: modules to have ready.
        :param on_lost: it died, and nobody tells any more how its workers end; gets the channel that it had.
            Begin another with ``start``."""
        self._imports = list(imports)
        self._log = log
        self._on_forked, self._on_exited, self._on_lost = on_forked, on_exited, on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = 0.0
        self._channel: Channel | None = None

    def __repr__(self) -> str:
        return f"ForkServer(pid={self._process.pid if self._process else None})"

    @property
    def pid(self) -> int | None:
        """Its process; None before ``start``."""
        return self._process.pid if self._process else None

    def start(self) -> Channel:
        """Start its process and have it import what the workers need. Does not wait.

        :returns: where ``take`` is to be called when something has come.
        """
        self.close()
        self._began_s = time.monotonic()
        self._channel, theirs = Channel.pair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sipagent.supervision.fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._channel.send({"import": self._imports})
        return self._channel

    def fork(self, number: int, entry: str, name: str, fds: Sequence[int]) -> bool:
        """Ask for a process that runs ``entry(name, fds)``; ``on_forked`` tells its id.

        :returns: False: it cannot be asked now; ``on_lost`` follows.
        """
        assert self._channel is not None
        return self._channel.send({"fork": number, "entry": entry, "name": name}, fds)

    def kill(self) -> None:
        """It does not do what it is asked; ``on_lost`` follows."""
        if self._process is not None:
            self._process.kill()

    def take(self) -> None:
        """Something has come over the channel."""
        channel = self._channel
        assert channel is not None
        while True:
            try:
                received = channel.receive(waits=False)
            except BlockingIOError:
                return
            if received is None:
                self._log.error("fork_server.died", pid=self.pid)
                if time.monotonic() - self._began_s < _IMPORTED_S:
                    self._imports.clear()  # let the workers, which leave a report, import them
                self._on_lost(channel)
                return
            message, _ = received
            if "forked" in message:
                self._on_forked(message["forked"], message["pid"])
            elif "exited" in message:
                self._on_exited(message["exited"], message["status"])

    def close(self) -> None:
        """End it. Idempotent."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(_NICE_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
