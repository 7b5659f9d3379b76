"""One line that tells people how a call stands: rewritten on a terminal, a line for each change elsewhere."""

import queue
import time
from typing import TextIO

from sipagent.call.outbound import CallProgress, CallResult

_WORDS = {
    "dialled": "dialling via {trunk}",
    "ringing": "ringing ({trunk})",
    "early_media": "ringing, with sound from the other side ({trunk})",
    "attempt_failed": "{trunk}: {reason}",
    "answered": "talking ({trunk})",
}


class ProgressLine:
    """``take`` on any thread, the rest on the main thread."""

    def __init__(self, stream: TextIO, number: str) -> None:
        self._stream = stream
        self._number = number
        self._is_terminal = stream.isatty()
        self._events: queue.SimpleQueue[CallProgress] = queue.SimpleQueue()
        self._text = ""
        self._since_s = time.monotonic()
        self.is_ending = False

    def __repr__(self) -> str:
        return f"ProgressLine({self._text!r})"

    def take(self, progress: CallProgress) -> None:
        """Something has happened."""
        self._events.put(progress)

    def refresh(self) -> None:
        """Show what has happened since, and the seconds."""
        while not self._events.empty():
            event = self._events.get()
            self.show(_WORDS[event.what].format(trunk=event.trunk, reason=event.reason))
        if self._is_terminal and self._text:
            seconds = int(time.monotonic() - self._since_s)
            self._stream.write(f"\r\033[K{self._number}: {self._text}, {seconds} s")
            self._stream.flush()

    def show(self, text: str) -> None:
        """The call has come to this."""
        self._text, self._since_s = text, time.monotonic()
        if not self._is_terminal:
            self._stream.write(f"{self._number}: {text}\n")
            self._stream.flush()

    def close(self) -> None:
        """Leave the line to others."""
        self.refresh()
        if self._is_terminal:
            self._stream.write("\r\033[K")
        self._text = ""

    def tell(self, result: CallResult) -> None:
        """What became of it, as the last line."""
        words = result.outcome.value.replace("_", " ")
        if result.ring_ms is not None:
            words += f" after {result.ring_ms / 1000:.1f} s, talked {result.talk_ms / 1000:.0f} s"
        reason = f" ({result.reason})" if result.reason else ""
        self._stream.write(f"{self._number}: {words} via {result.trunk}{reason}\n")
        self._stream.flush()
