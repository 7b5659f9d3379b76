"""Reads campaigns' lists: at once, or on threads of their own, for a command may take minutes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sipagent.campaigns.contacts import ContactList
from sipagent.campaigns.running import read_list
from sipagent.config.campaign import CampaignConfig
from sipagent.errors import ConfigError

_KEPT_S = 30.0
"""A list that was not asked for so long is read again."""


class ListReader(Protocol):
    """Where a run gets its list. One thread asks."""

    def read(self, config: CampaignConfig, run_at: datetime, wake: Callable[[], None]) -> ContactList | None:
        """The list for that run; None: it is being read, ask again.

        :param wake: called on any thread when it is there.
        :raises ConfigError: it cannot be read, or is not what the campaign expects; with every problem.
        """


class ReadAtOnce:
    """Whoever asks waits."""

    def read(self, config: CampaignConfig, run_at: datetime, wake: Callable[[], None]) -> ContactList | None:
        """As ``ListReader.read``."""
        return read_list(config)


@dataclass(slots=True)
class _Reading:
    config: CampaignConfig
    run_at: datetime
    found: ContactList | Exception | None = None
    found_s: float = 0.0

    @property
    def is_stale(self) -> bool:
        """Nobody asked for it when it came: the campaign was paused, or another server's."""
        return self.found is not None and time.monotonic() - self.found_s > _KEPT_S


class ReadBeside:
    """Nobody waits: calls in progress need their thread."""

    def __init__(self) -> None:
        self._readings: dict[str, _Reading] = {}

    def __repr__(self) -> str:
        return f"ReadBeside({len(self._readings)} lists)"

    def read(self, config: CampaignConfig, run_at: datetime, wake: Callable[[], None]) -> ContactList | None:
        """As ``ListReader.read``."""
        reading = self._readings.get(config.name)
        if reading is None or reading.is_stale or (reading.config, reading.run_at) != (config, run_at):
            reading = self._readings[config.name] = _Reading(config, run_at)
            name = f"list-{config.name}"
            threading.Thread(target=_read, args=(reading, wake), name=name, daemon=True).start()
        if reading.found is None:
            return None
        del self._readings[config.name]
        if isinstance(reading.found, Exception):
            raise reading.found
        return reading.found


def _read(reading: _Reading, wake: Callable[[], None]) -> None:
    found: ContactList | Exception
    try:
        found = read_list(reading.config)
    except ConfigError as error:
        found = error
    except Exception as error:  # told as a problem of the list: it must not be read for ever
        found = ConfigError([f"{reading.config.source.path}: the list cannot be read: {error!r}"])
    reading.found_s = time.monotonic()
    reading.found = found
    wake()
