"""The control socket: a question a line, an answer a line, both JSON. Only its owner may open it (0600).

``{"command": "status"}`` → ``{"ok": true, "status": {…}}``; ``reload`` and ``drain`` → ``{"ok": true, …}`` or
``{"ok": false, "problems": ["sip.yaml:5: …"]}``.
"""

import contextlib
import json
import os
import selectors
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipagent.errors import ConfigError
from sipagent.supervision.places import ControlError

LONGEST_REQUEST_BYTES = 4096
MOST_CONNECTIONS = 8
_MOST_ANSWER_BYTES = 1 << 20

Answer = dict[str, Any]
Reply = Callable[[Answer], None]
"""Called once, now or later, on the thread of the server."""


class ControlServer:
    """Lives in the selector of the supervisor; nothing here waits."""

    def __init__(
        self, path: Path, selector: selectors.BaseSelector, ask: Callable[[str, Reply], None]
    ) -> None:
        """:param ask: gets each command."""
        self._path = path
        self._selector = selector
        self._ask = ask
        self._listener: socket.socket | None = None
        self._connections: dict[socket.socket, bytes] = {}

    def __repr__(self) -> str:
        return f"ControlServer({self._path}, connections={len(self._connections)})"

    def open(self) -> None:
        """:raises ConfigError: another server has the socket, or it cannot be made."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self._path.parent.stat()
            if owner.st_uid not in (os.geteuid(), 0) or owner.st_mode & stat.S_IWOTH:
                raise ConfigError([f"supervision.control: others may write to {self._path.parent}"])
            self._remove_stale()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            old_mask = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(old_mask)
        except OSError as error:
            raise ConfigError(
                [f"supervision.control: cannot make {self._path}: {error.strerror or error}"]
            ) from error
        listener.listen(MOST_CONNECTIONS)
        listener.setblocking(False)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """End all connections, remove the socket. Idempotent."""
        for connection in list(self._connections):
            self._end(connection)
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        """What a killed server left behind; that of a living one stays."""
        if not self._path.exists():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._path))
            except OSError:
                self._path.unlink()
                return
        raise ConfigError([f"supervision.control: another server answers on {self._path}; stop it first"])

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._connections) >= MOST_CONNECTIONS:
                self._end(next(iter(self._connections)))  # the oldest; who asks is answered at once
            connection.setblocking(False)
            self._connections[connection] = b""
            self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        if connection not in self._connections:
            return  # ended while its data was waiting
        try:
            data = connection.recv(LONGEST_REQUEST_BYTES)
        except OSError:
            data = b""
        request = self._connections[connection] + data
        if not data or len(request) > LONGEST_REQUEST_BYTES:
            self._end(connection)
            return
        *lines, self._connections[connection] = request.split(b"\n")
        for line in lines:
            self._take(connection, line)

    def _take(self, connection: socket.socket, line: bytes) -> None:
        try:
            command = json.loads(line)["command"]
        except (ValueError, KeyError, TypeError):
            command = ""
        self._ask(str(command), lambda answer: self._reply(connection, answer))

    def _reply(self, connection: socket.socket, answer: Answer) -> None:
        if connection not in self._connections:
            return  # did not wait for it
        try:
            connection.settimeout(0.2)
            connection.sendall(json.dumps(answer, default=str).encode() + b"\n")
            connection.setblocking(False)
        except OSError:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        if self._connections.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()


def ask_server(path: Path, command: str, timeout_s: float = 10.0) -> Answer:
    """Ask a running server.

    :raises ControlError: it does not answer, or not to this user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(timeout_s)
        try:
            asking.connect(str(path))
            asking.sendall(json.dumps({"command": command}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n") and len(data) < _MOST_ANSWER_BYTES:
                part = asking.recv(65536)
                if not part:
                    break
                data += part
        except PermissionError:
            raise ControlError(f"{path} is another user's; run the command as the server's user") from None
        except (ConnectionRefusedError, FileNotFoundError):
            raise ControlError(f"no server answers on {path}") from None
        except OSError as error:
            raise ControlError(f"the server does not answer on {path}: {error}") from error
    try:
        answer = json.loads(data)
    except ValueError:
        raise ControlError(f"the server ended before it answered on {path}") from None
    return dict(answer)
