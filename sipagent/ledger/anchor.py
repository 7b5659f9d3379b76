"""Hands each signed head to a command of the operator's: e-mail, object store, timestamp service."""

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence

from sipagent.ledger.identity import Head

_STDERR_CHARS = 200


class Anchor:
    """Runs the command in a thread of its own. A slow command skips heads: a later one covers the earlier.

    The command gets the head as a line on standard input and in ``SIPAGENT_HEAD``; it runs without a shell.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = 20.0,
        on_result: Callable[[str | None], None],
    ) -> None:
        """:param on_result: told after each run: ``None``, or one line of what went wrong. Anchor thread."""
        self._argv = shlex.split(command) if isinstance(command, str) else list(command)
        self._timeout_s = timeout_s
        self._on_result = on_result
        self._changed = threading.Condition()
        self._due: Head | None = None
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="ledger-anchor", daemon=True)

    def __repr__(self) -> str:
        return f"Anchor({self._argv[:1]})"

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def post(self, head: Head) -> None:
        """The newest head; never waits."""
        with self._changed:
            self._due = head
            self._changed.notify_all()

    def close(self) -> None:
        """Run once more where a head is due, within the command's time, then end. Idempotent."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(2 * self._timeout_s + 1)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._due is not None or self._is_closing)
                head, self._due = self._due, None
            if head is None:
                return
            self._on_result(self._hand_over(head))

    def _hand_over(self, head: Head) -> str | None:
        name = self._argv[0] if self._argv else "(empty)"
        try:
            done = subprocess.run(
                self._argv,
                input=f"{head}\n".encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=self._timeout_s,
                env={**os.environ, "SIPAGENT_HEAD": str(head)},
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"ledger.anchor.command {name}: no end after {self._timeout_s:g} s, stopped"
        except (OSError, IndexError, ValueError) as exc:
            return f"ledger.anchor.command {name}: cannot be run: {exc}"
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[:_STDERR_CHARS]
            return f"ledger.anchor.command {name}: exit status {done.returncode}: {said}"
        return None
