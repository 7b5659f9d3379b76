"""Where "tomorrow" is meant: the zone of the call, else of the flow. Pure."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from sipagent.config.clock import AUTO_ZONE, is_time_zone
from sipagent.flows.schema import Flow

TIME_ZONE = "time_zone"
"""The variable of a call or persona that says so."""


def is_zone(name: str) -> bool:
    """There is a zone of that name."""
    return name != AUTO_ZONE and is_time_zone(name)


def zone_of(flow: Flow, variables: Mapping[str, str]) -> ZoneInfo:
    """The zone of a call.

    :param variables: what is known of it. A zone that does not exist counts as none.
    """
    wanted = variables.get(TIME_ZONE, "")
    return ZoneInfo(wanted if wanted and is_zone(wanted) else flow.time_zone)
