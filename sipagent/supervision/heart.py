"""A worker's side of its supervision: its heartbeats, and its log's last events for the parent to keep."""

import threading
from collections.abc import Callable
from dataclasses import asdict

from structlog.typing import EventDict, WrappedLogger

from sipagent.supervision.channel import Channel
from sipagent.supervision.policy import Vitals

BEAT_S = 0.1
STATUS_BEATS = 5
"""Every so many heartbeats carry the status, too."""
_LONGEST_VALUE = 2000

Status = dict[str, object]


class Heart:
    """Beats on a thread of its own: where the interpreter is stuck it stops, as it should."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._vitals: Callable[[], Vitals] = Vitals
        self._status: Callable[[], Status] = dict
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def watch(self, vitals: Callable[[], Vitals], status: Callable[[], Status]) -> None:
        """From now on tell of these. Both must return at once and may be asked on any thread."""
        self._vitals, self._status = vitals, status

    def close(self) -> None:
        """Idempotent."""
        self._is_stopping.set()

    def _run(self) -> None:
        beats = 0
        while not self._is_stopping.wait(BEAT_S):
            message: dict[str, object] = {"vitals": asdict(self._vitals())}
            if beats % STATUS_BEATS == 0:
                message["status"] = self._status()
            self._channel.send(message)
            beats += 1


class Confidant:
    """A log processor: hands every event on without what is personal, and leaves it as it is."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        told = {key: value for key, value in event.items() if not key.startswith("pii_")}
        failure = told.pop("exc_info", None)
        if failure:
            told["exception"] = _type_of(failure)
        self._channel.send({"log": {key: _short(value) for key, value in told.items()}})
        return event


def _type_of(failure: object) -> str:
    """The text of an exception may quote a caller; its type does not."""
    if isinstance(failure, tuple):
        failure = failure[1]
    return type(failure).__name__ if isinstance(failure, BaseException) else "an exception"


def _short(value: object) -> object:
    return value[:_LONGEST_VALUE] if isinstance(value, str) else value
