"""One caller's answer, read as a slot."""

from datetime import datetime

from sipagent.flows.schema import SlotConfig, SlotType
from sipagent.flows.slots.read import read_slot
from sipagent.flows.slots.values import Refused, Said, Value

NOW = datetime(2026, 11, 24, 9)  # a Tuesday


def read(kind: SlotType, text: str, *, asked: bool = True, before: str = "", **keys: object) -> str | None:
    """The value; ``! why`` where it is refused.

    :param before: what was read back and is being mended.
    """
    reading = reading_of(kind, text, asked=asked, before=before, **keys)
    return f"! {reading.reason}" if isinstance(reading, Refused) else reading.value if reading else None


def reading_of(
    kind: SlotType, text: str, *, asked: bool = True, before: str = "", **keys: object
) -> Value | Refused | None:
    """The whole reading."""
    slot = SlotConfig(name="x", type=kind, ask="?", **keys)  # type: ignore[arg-type]
    value = Value(before, before) if before else None
    return read_slot(slot, Said(text, NOW, asked, value))
