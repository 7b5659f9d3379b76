"""The log: structlog, one event a line on standard error, personal data redacted.

Event names are ``noun.past``; numbers are keys with units; whatever a person said, dialled or is called
stands under a key that begins with ``pii_``.
"""

import sys
from collections.abc import Sequence
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sipagent.units import monotonic_ms

REDACTED = "[redacted]"
Format = Literal["auto", "json", "console"]
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(
    *,
    format_: Format = "auto",
    level: str = "info",
    shows_pii: bool = False,
    stream: TextIO | None = None,
    observers: Sequence[Processor] = (),
) -> None:
    """Set up logging for this process.

    :param format_: ``auto`` is readable on a terminal and JSON elsewhere.
    :param shows_pii: print personal data, for finding faults only.
    :param observers: see every event from ``info`` on, also where the log itself shows fewer.
    """
    out = stream or sys.stderr
    lowest = _LEVELS[level]
    processors: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at_utc"),
        _add_monotonic,
        *observers,
    ]
    if observers and lowest > _LEVELS["info"]:
        processors.append(_only_from(lowest))
        lowest = _LEVELS["info"]
    if not shows_pii:
        processors.append(redact)
    if format_ == "console" or (format_ == "auto" and out.isatty()):
        processors.append(_console(out))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def get_log() -> structlog.stdlib.BoundLogger:
    """The process's logger; bind a call's id and hand it on."""
    log: structlog.stdlib.BoundLogger = structlog.get_logger()
    return log


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace personal values; their presence and the rest of the event stay."""
    for key in event:
        if key.startswith("pii_") and event[key] not in (None, ""):
            event[key] = REDACTED
    return event


def _console(out: TextIO) -> Processor:
    """Tracebacks without the values of variables, which may be secrets or words of callers."""
    return structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _only_from(lowest: int) -> Processor:
    def drop(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        if _LEVELS.get(event.get("level", ""), lowest) < lowest:
            raise structlog.DropEvent
        return event

    return drop


def _add_monotonic(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["at_ms"] = monotonic_ms()
    return event
