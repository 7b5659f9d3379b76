"""Messages between the parent, its fork server and its workers: one JSON object a packet, with descriptors.

The socket keeps packets apart and in order, and ends when the other side does. Whoever sends never waits: a
heartbeat that finds the way full is dropped, for the next one says the same.
"""

import array
import json
import pickle
import socket
from collections.abc import Sequence
from typing import Any

from sipagent.config.schema import Config

LARGEST_BYTES = 32 * 1024
_MOST_FDS = 8
Message = dict[str, Any]


class Channel:
    """One end. Any thread may send, one receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def __repr__(self) -> str:
        return f"Channel(fd={self._sock.fileno()})"

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Our end, and the other one to be handed on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    @classmethod
    def from_fd(cls, fd: int) -> "Channel":
        """The end that was handed to this process."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """For selectors."""
        return self._sock.fileno()

    def send(self, message: Message, fds: Sequence[int] = ()) -> bool:
        """Send without waiting.

        :returns: False: dropped; the way is full, the message too long, or nobody is there any more.
        """
        data = json.dumps(message, default=str).encode()
        if len(data) > LARGEST_BYTES:
            return False
        handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self._sock.sendmsg([data], handed, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def receive(self, *, waits: bool = True) -> tuple[Message, list[int]] | None:
        """The next message and the descriptors that came with it, now the caller's; None: the other side is
        gone.

        :raises BlockingIOError: ``waits`` is false and there is none.
        """
        fds = array.array("i")
        flags = socket.MSG_CMSG_CLOEXEC | (0 if waits else socket.MSG_DONTWAIT)
        try:
            data, handed, _, _ = self._sock.recvmsg(
                LARGEST_BYTES, socket.CMSG_SPACE(_MOST_FDS * fds.itemsize), flags
            )
        except ConnectionError:
            return None
        for _, _, content in handed:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        return (json.loads(data), list(fds)) if data else None

    def close(self) -> None:
        """Idempotent."""
        self._sock.close()


def config_bytes(config: Config) -> bytes:
    """A configuration for another process of ours. Holds the passwords."""
    return pickle.dumps(config)


def config_from(data: bytes) -> Config:
    """What ``config_bytes`` made; of our own processes only."""
    config = pickle.loads(data)
    assert isinstance(config, Config)
    return config
