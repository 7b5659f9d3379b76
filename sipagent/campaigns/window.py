"""May this person be called now, and if not, when? Pure; times are UTC, rules the callee's local time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from sipagent.campaigns.zones import zone
from sipagent.config.campaign import EARLIEST, LATEST, WEEKDAYS, CampaignConfig
from sipagent.config.campaign_values import Hours

_LOOK_AHEAD_DAYS = 400


@dataclass(frozen=True, slots=True)
class Window:
    """When people may be called."""

    hours: tuple[Hours | None, ...]
    """From Monday to Sunday."""
    holidays: frozenset[date] = frozenset()
    last_day: date | None = None
    quiet: tuple[int, int] | None = (EARLIEST, LATEST)
    """Minutes of the day outside of which nobody is called; None: overridden."""

    @classmethod
    def of(cls, campaign: CampaignConfig) -> "Window":
        """The rules of a campaign."""
        return cls(
            hours=tuple(getattr(campaign.window, day) for day in WEEKDAYS),
            holidays=frozenset(day.date for day in campaign.holidays),
            last_day=campaign.expires.date if campaign.expires else None,
            quiet=None if campaign.quiet_hours.override else (EARLIEST, LATEST),
        )

    def obstacle(self, zones: Iterable[str], at_utc: datetime) -> str:
        """Why nobody in ``zones`` may be called then; empty: all may be. No zone at all: an obstacle."""
        names = tuple(zones)
        if not names:
            return "no time zone"
        return next((why for name in names if (why := self._obstacle(name, at_utc))), "")

    def _obstacle(self, name: str, at_utc: datetime) -> str:
        local = at_utc.astimezone(zone(name))
        minute = local.hour * 60 + local.minute
        if self.last_day is not None and local.date() > self.last_day:
            return "expired"
        if local.date() in self.holidays:
            return "holiday"
        if self.quiet is not None and not self.quiet[0] <= minute < self.quiet[1]:
            return "quiet hours"
        hours = self.hours[local.weekday()]
        return "" if hours is not None and hours.covers(minute) else "outside the window"

    def next_open(self, zones: Iterable[str], after_utc: datetime) -> datetime | None:
        """The first moment from ``after_utc`` on at which all zones may be called; None: never again.

        What was found once is known for the whole time before it: lists have many people of the same zones.
        """
        names = tuple(zones)
        if not names:
            return None
        if not self.obstacle(names, after_utc):
            return after_utc
        asked = _asked_before(self, names)
        if asked and asked[0][0] <= after_utc and (asked[0][1] is None or after_utc < asked[0][1]):
            return asked[0][1]
        found = self._search(names, after_utc)
        asked[:] = [(after_utc, found)]
        return found

    def _search(self, names: tuple[str, ...], after_utc: datetime) -> datetime | None:
        for day in range(-1, _LOOK_AHEAD_DAYS):
            starts = sorted(at for name in names for at in self._starts(name, after_utc, day))
            for at in starts:
                if at > after_utc and not self.obstacle(names, at):
                    return at
            if self.last_day and starts and starts[0].date() > self.last_day + timedelta(days=2):
                return None
        return None

    def _starts(self, name: str, after_utc: datetime, day: int) -> Iterable[datetime]:
        """When the hours of one local day begin, in UTC. A time that the clocks skip lies behind the gap, one
        that comes twice counts both times."""
        rules = zone(name)
        local_day = after_utc.astimezone(rules).date() + timedelta(days=day)
        hours = self.hours[local_day.weekday()]
        for start, _ in hours.spans if hours else ():
            start = max(start, self.quiet[0]) if self.quiet else start
            for fold in (0, 1):
                local = datetime.combine(local_day, time(start // 60, start % 60, fold=fold), rules)
                yield local.astimezone(UTC)


@lru_cache(maxsize=4096)
def _asked_before(window: Window, names: tuple[str, ...]) -> list[tuple[datetime, datetime | None]]:
    """Holds what ``next_open`` was asked last for these zones, and its answer."""
    del window, names
    return []
