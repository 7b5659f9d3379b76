"""What a flow knows of the answer that it waits for: how patient to be with it. Pure."""

from datetime import datetime
from functools import cache

from sipagent.call.dictation import ANY_FORM, AREA_DIGITS, LOCAL_DIGITS, AnswerForm, Asked
from sipagent.flows.expected import Expected
from sipagent.flows.schema import SlotConfig, SlotType
from sipagent.flows.slots.phones import LEAST_DIGITS, MOST_DIGITS, read_phone
from sipagent.flows.slots.values import Said, Value

_ASKED: dict[SlotType, Asked] = {
    "number": Asked.COUNT,
    "digits": Asked.NUMBER,
    "phone": Asked.PHONE,
    "date": Asked.DATE,
    "time": Asked.TIME,
    "name": Asked.SPELLING,
    "email": Asked.EMAIL,
    "yes_no": Asked.YES_NO,
    "choice": Asked.CHOICE,
    "text": Asked.TEXT,
}
_LONGEST_DIGITS = 30
"""A ``most`` beyond it says that nobody knows."""
_ANY_TIME = datetime.min


def asked_of(expected: Expected) -> Asked | None:
    """What the open question asks for; None: the words tell."""
    slot = expected.open_slot
    if expected.before is not None:
        return Asked.YES_NO
    if slot is not None:
        return _ASKED[slot.type]
    return Asked.YES_NO if expected.takes_yes_no else None


def form_of(expected: Expected) -> AnswerForm:
    """What the open slot tells of the answer. A read-back waits for a yes, not for the slot."""
    slot = expected.open_slot
    if slot is None or expected.before is not None:
        return ANY_FORM
    least, most = _digits_of(slot)
    return AnswerForm(least, most, has_been=slot.is_past, patience_ms=slot.patience_ms)


def _digits_of(slot: SlotConfig) -> tuple[int, int]:
    """Least and most digits; 0 where nobody knows."""
    if slot.type == "phone":
        return _digits_in(slot.region)
    if slot.type != "digits":
        return 0, 0
    return slot.least if slot.least > 1 else 0, slot.most if slot.most <= _LONGEST_DIGITS else 0


@cache
def _digits_in(region: str) -> tuple[int, int]:
    """Of a country's numbers as they are dialled there, with the 0 that many begin with: those that the slot
    takes. Where they are those that ``dictation`` knows by itself, 0."""
    found = {
        len(digits)
        for count in range(LEAST_DIGITS, MOST_DIGITS + 1)
        for digits in ("2" * count, "0" + "2" * (count - 1))
        if isinstance(read_phone(Said(digits, _ANY_TIME), region=region), Value)
    }
    return (0, 0) if found <= {LOCAL_DIGITS, AREA_DIGITS} else (min(found), max(found))
