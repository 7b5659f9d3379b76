"""When a campaign's runs begin: cron fields in a zone of their own. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from sipagent.campaigns.zones import zone
from sipagent.config.campaign import ScheduleConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """Cron fields, their zone, and how long a run stays open. Clock changes are treated as Debian's cron
    does: a fixed time that is skipped runs right after, one that comes twice runs once."""

    cron: str
    zone_name: str
    open_for: timedelta

    @classmethod
    def of(cls, config: ScheduleConfig) -> "Schedule":
        """The section ``schedule``."""
        return cls(config.cron, config.zone, timedelta(seconds=config.open_for.seconds))

    def next_start(self, after_utc: datetime) -> datetime | None:
        """The first beginning after that moment; None: never."""
        local = after_utc.astimezone(zone(self.zone_name))
        return _first(CronSim(self.cron, local))

    def open_run(self, now_utc: datetime) -> datetime | None:
        """Beginning of the latest run that is open now; None: none is. One that was slept through counts."""
        local = (now_utc + timedelta(minutes=1)).astimezone(zone(self.zone_name))
        for start in CronSim(self.cron, local, reverse=True):
            at = start.astimezone(UTC)
            if at <= now_utc:
                return at if now_utc - at <= self.open_for else None
        return None


def _first(starts: CronSim) -> datetime | None:
    return next((start.astimezone(UTC) for start in starts), None)
