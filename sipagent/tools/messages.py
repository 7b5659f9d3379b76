"""Messages that callers leave: a file each until it is delivered, on the disk before thanks are said."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sipagent.config.tools import MessagesConfig
from sipagent.errors import ToolError
from sipagent.ledger.files import destroy, private_folder, sync_folder, write_new
from sipagent.tools.process import run_process
from sipagent.units import monotonic_ms

_DELIVERY_MS = 20_000
_DAY_S = 86_400
_LOCK_NAME = ".lock"


@dataclass(frozen=True, slots=True)
class Message:
    """One that waits."""

    path: Path
    facts: Mapping[str, object]
    """``at_utc``, ``call_id``, ``caller``, ``persona``, ``message`` and what else was asked for."""


class MessageBox:
    """The folder. Any thread; several processes at a time."""

    def __init__(self, config: MessagesConfig, folder: Path) -> None:
        """:param folder: working directory of the command that delivers."""
        self._config = config
        self._folder = folder

    def __repr__(self) -> str:
        return f"MessageBox({self._config.dir})"

    @property
    def delivers(self) -> bool:
        """A command takes them."""
        return bool(self._config.command)

    def keep(self, facts: Mapping[str, object], name: str) -> Path:
        """Write a message down, durably.

        :param name: of the call and its tool, for the file.
        :raises ToolError: the disk does not take it.
        """
        at = datetime.now(UTC)
        path = self._config.dir / f"{at:%Y%m%dT%H%M%S}-{name}.json"
        content = json.dumps({"at_utc": at.isoformat(timespec="seconds"), **facts}, ensure_ascii=False)
        try:
            private_folder(self._config.dir)
            write_new(path, content.encode() + b"\n")
            sync_folder(self._config.dir)
        except OSError as exc:
            raise ToolError(f"the message cannot be kept in {self._config.dir}: {exc.strerror}") from exc
        return path

    def waiting(self) -> list[Message]:
        """Those that are not delivered yet, the oldest first; what is too old is deleted."""
        self._forget_old()
        found = (_read(path) for path in sorted(self._config.dir.glob("*.json")))
        return [message for message in found if message is not None]

    def deliver_all(self) -> int:
        """Hand every message to the command; one process at a time, so that none goes out twice.

        :returns: how many were delivered. :raises ToolError: the command did not take one; it stays.
        """
        if not self.delivers or not self._config.dir.is_dir():
            return 0
        count = 0
        with self._locked():
            for message in self.waiting():
                run_process(
                    self._config.command,
                    json.dumps(message.facts, ensure_ascii=False).encode() + b"\n",
                    folder=self._folder,
                    until_ms=monotonic_ms() + _DELIVERY_MS,
                )
                self.delete(message)
                count += 1
        return count

    def delete(self, message: Message) -> None:
        """It is delivered, or nobody wants it."""
        destroy(message.path)
        sync_folder(message.path.parent)

    def _forget_old(self) -> None:
        if isinstance(self._config.keep_days, str):
            return
        oldest_s = time.time() - self._config.keep_days * _DAY_S
        for path in self._config.dir.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # delivered at this moment
                if path.stat().st_mtime < oldest_s:
                    destroy(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(self._config.dir / _LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _read(path: Path) -> Message | None:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # delivered at this moment, or not ours
    return Message(path, facts) if isinstance(facts, dict) else None
