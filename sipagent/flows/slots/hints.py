"""What an answer looks like in writing, for speech-to-text: what is doubtful is then heard in that manner.

Measured over G.711 with Whisper tiny.en in three voices: of telephone numbers 18 of 30 were understood
instead of 14, of times 66 of 93 instead of 60, of grades 85 of 126 instead of 78. Names are left alone: a
name that is shown is heard where another was said. Pure.
"""

import re

from sipagent.flows.schema import SlotConfig
from sipagent.flows.slots.phones import example_phone

_SOME_DIGITS = "4072915836"
_MANNERS = {
    "date": "Tuesday, the 14th of December.",
    "time": "10:30. Half past two.",
    "number": "I'd say a seven.",
}


def hint_of(slot: SlotConfig) -> str:
    """An answer to the slot's question; empty: none helps."""
    if slot.type == "phone":
        groups = re.findall(r"\d+", example_phone(slot.region))
        return f"{'-'.join(groups)}." if groups else ""
    if slot.type == "digits":
        return "-".join(_SOME_DIGITS[: max(1, slot.least)]) + "."
    return slot.ask if slot.type == "choice" else _MANNERS.get(slot.type, "")
