"""From a telephone number to the time zones where its owner may be."""

from functools import cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as number_zones

_UNKNOWN = "Etc/Unknown"


class NotCallable(ValueError):
    """A number that cannot be called; ``str()`` says why."""


def e164(text: str, region: str = "") -> str:
    """The number as ``+9771234567``.

    :param region: country of numbers without a leading +; empty: they are refused.
    :raises NotCallable: not a possible number.
    """
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException as exc:
        hint = "" if region or text.strip().startswith("+") else "; write it with + or set contacts.region"
        raise NotCallable(f"{text!r} is not a telephone number{hint}") from exc
    if not phonenumbers.is_possible_number(number):
        raise NotCallable(f"{text!r} has too many or too few digits")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@cache
def zones_of(number: str) -> tuple[str, ...]:
    """Every zone in which the owner of ``number`` (E.164) may be; empty: it is not known.

    Mobile and free numbers of large countries have several: a call must suit all of them.
    """
    found = number_zones.time_zones_for_number(phonenumbers.parse(number))
    return () if _UNKNOWN in found else tuple(found)


@cache
def zone(name: str) -> ZoneInfo:
    """The zone's rules, read once.

    :raises zoneinfo.ZoneInfoNotFoundError: there is none of that name.
    """
    return ZoneInfo(name)
