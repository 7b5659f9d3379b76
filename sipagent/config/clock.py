"""What the clock says, in words: ``{today}`` and ``{now}`` in texts that are spoken or read by the model."""

from datetime import datetime
from zoneinfo import ZoneInfo

AUTO_ZONE = "auto"
CLOCK = ("today", "now")
"""Variables that every persona has."""


def is_time_zone(name: str) -> bool:
    """Is there such a time zone, as ``America/New_York``, or ``auto``?"""
    if name == AUTO_ZONE:
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def now_in(time_zone: str) -> datetime:
    """The time there; ``auto``: where this machine is."""
    return datetime.now().astimezone() if time_zone == AUTO_ZONE else datetime.now(ZoneInfo(time_zone))


def clock_words(now: datetime) -> dict[str, str]:
    """``today``: "Saturday, November 28, 2026"; ``now``: "10:15 AM"."""
    hour = now.hour % 12 or 12
    half = "AM" if now.hour < 12 else "PM"
    return {"today": f"{now:%A, %B} {now.day}, {now.year}", "now": f"{hour}:{now:%M} {half}"}
