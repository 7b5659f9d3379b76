"""What a new ``sip.yaml`` changes in a running server, and what has to wait for its next start."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from sipagent.config.fields import DERIVED
from sipagent.config.schema import Config
from sipagent.errors import ConfigError

AT_ONCE = frozenset(
    {
        "numbers",
        "personas",
        "tools",
        "recording.enabled",
        "recording.consent",
        "recording.announce",
        "recording.question",
        "recording.granted",
        "recording.refused",
        "recording.yes",
        "recording.no",
        "recording.format",
        "recording.encrypt",
        "recording.max_mib",
        "recording.pause_for_cards",
        "speech.turn.pause_ms",
        "speech.turn.commit_ms",
        "speech.barge_in",
        "llm.max_reply_tokens",
        "llm.temperature",
        "llm.deadline_ms",
        "limits.calls_per_second",
        "supervision.drain_s",
        "supervision.hang_ms",
        "supervision.memory_mib",
    }
)
"""Keys, or sections with all of theirs, that are looked up for each new call, or by the supervisor alone."""


class RestartNeeded(ConfigError):
    """The file is right, but what of it can change in a running server does not go with what has to wait."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Between the configuration in force and a new one."""

    config: Config
    """What can be in force from now on: all but ``waiting`` of the new one."""
    at_once: tuple[str, ...]
    """Keys that differ and take effect for new calls."""
    waiting: tuple[str, ...]
    """Keys that differ and need a restart of the server."""


def compare(old: Config, new: Config) -> Changes:
    """What differs, and what of it can be taken over by a server that runs."""
    differing = list(_differences(old, new))
    merged: Config = _merged(old, new, "")
    return Changes(
        replace(merged, source=new.source),
        tuple(key for key in differing if _is_at_once(key)),
        tuple(key for key in differing if not _is_at_once(key)),
    )


def _is_at_once(key: str) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in AT_ONCE)


def _is_section(value: Any) -> bool:
    return is_dataclass(value) and not hasattr(value, "parse")


def _differences(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """Keys whose values differ; lists and mappings as a whole."""
    if _is_section(old) and type(old) is type(new) and key not in AT_ONCE:
        for spec in fields(old):
            if DERIVED not in spec.metadata:
                name = f"{key}.{spec.name}" if key else spec.name
                yield from _differences(getattr(old, spec.name), getattr(new, spec.name), name)
    elif old != new:
        yield key


def _merged(old: Any, new: Any, key: str) -> Any:
    """``old`` with what may change at once."""
    if _is_at_once(key):
        return new
    if not _is_section(old) or type(old) is not type(new):
        return old
    values = {
        spec.name: _merged(
            getattr(old, spec.name), getattr(new, spec.name), f"{key}.{spec.name}" if key else spec.name
        )
        for spec in fields(old)
        if DERIVED not in spec.metadata
    }
    return replace(old, **values)
