"""A child process that prints JSON lines: started, listened to by one thread, and ended whatever happens."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Literal

EXITED = "child.exited"
_TAIL_LINES = 60


@dataclass(frozen=True, slots=True)
class ChildEvent:
    """One line of a child's JSON, or its end (``EXITED``)."""

    source: str
    """The child's name."""
    event: str
    facts: dict[str, Any] = field(default_factory=dict)


Events = queue.Queue[ChildEvent]


class Child:
    """One child process. Leaves no process and no thread behind once ``stop`` returned."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        events: Events,
        *,
        reads: Literal["stdout", "stderr"] = "stdout",
    ) -> None:
        """:param reads: where it prints its JSON; "stdout" takes its stderr in as well."""
        self.name = name
        self._command, self._events, self._reads = list(command), events, reads
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def __repr__(self) -> str:
        return f"Child({self.name}, pid={self.pid}, status={self.status})"

    def __enter__(self) -> "Child":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process, in a session of its own: Ctrl-C reaches only us, and we end it in order."""
        is_stdout = self._reads == "stdout"
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_stdout else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if is_stdout else subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        stream = self._process.stdout if is_stdout else self._process.stderr
        assert stream is not None
        self._reader = threading.Thread(target=self._read, args=(stream,), name=f"reads-{self.name}")
        self._reader.start()

    @property
    def pid(self) -> int | None:
        """The process's id; None before it was started."""
        return self._process.pid if self._process else None

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def tail(self) -> list[str]:
        """The last lines that were not JSON, and errors among those that were."""
        return list(self._tail)

    def stop(self, grace_s: float = 8.0) -> None:
        """SIGTERM, then after ``grace_s`` SIGKILL to it and its children. Idempotent."""
        if self._process is None or self._reader is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # its session: the child is its leader
            self._process.wait()
            self._reader.join(5)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._take(line.rstrip("\n"))
        assert self._process is not None
        self._events.put(ChildEvent(self.name, EXITED, {"status": self._process.wait()}))

    def _take(self, line: str) -> None:
        try:
            facts = json.loads(line)
            event = facts.pop("event")
        except (ValueError, AttributeError, KeyError):
            self._tail.append(line)
            return
        if facts.get("level") in ("error", "critical", "warning"):
            self._tail.append(line)
        self._events.put(ChildEvent(self.name, str(event), facts))
