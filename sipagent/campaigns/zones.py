"""From a telephone number to the time zones where its owner may be."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import shortnumberinfo
from phonenumbers import timezone as number_zones

_UNKNOWN = "Etc/Unknown"
_LONGEST_SHORT_DIGITS = 6
_DECIMAL = re.compile(r"\+?\d+[.,]\d{1,2}|\+?\d+(?:[.,]\d+)?e\+?\d+", re.I)
_WRITTEN = re.compile(r"(?:tel:)?[\d\s+().\-–/\u00a0]+")
_SEASONS = (datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 7, 15, 12, tzinfo=UTC))


class NotCallable(ValueError):
    """A number that cannot be called; ``str()`` says why."""


def e164(text: str, region: str = "") -> str:
    """The number as ``+9771234567``.

    :param region: country of numbers without a leading +; empty: they are refused.
    :raises NotCallable: not a possible number, or not one alone: nothing of what is written is passed over.
    """
    if _DECIMAL.fullmatch(text.strip()):
        raise NotCallable(
            f"{text!r} is a decimal number; keep numbers as text, with + and the country's code"
        )
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException as exc:
        hint = "" if region or text.strip().startswith("+") else "; write it with + or set contacts.region"
        raise NotCallable(f"{text!r} is not a telephone number{hint}") from exc
    if number.extension:
        raise NotCallable(f"{text!r} has an extension, which cannot be dialled; write the number without it")
    if not _WRITTEN.fullmatch(text.strip()):
        raise NotCallable(f"{text!r} is not a telephone number alone; write its digits and nothing else")
    if not phonenumbers.is_possible_number(number):
        raise NotCallable(f"{text!r} has too many or too few digits")
    if _is_short(number):
        raise NotCallable(f"{text!r} is a short or emergency number, which is not called")
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not re.sub(r"\D", "", text).endswith(found[-4:]):
        raise NotCallable(f"{text!r} is more than one number; write one")
    return found


def is_region(name: str) -> bool:
    """True for a country that has a numbering plan, as ``US``."""
    return name in phonenumbers.SUPPORTED_REGIONS


def _is_short(number: phonenumbers.PhoneNumber) -> bool:
    """A service of the country, as 112, that became a number by its code."""
    digits = phonenumbers.national_significant_number(number)
    if len(digits) > _LONGEST_SHORT_DIGITS or phonenumbers.is_valid_number(number):
        return False
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ())
    return any(
        shortnumberinfo.connects_to_emergency_number(digits, region)
        or shortnumberinfo.is_valid_short_number(phonenumbers.parse(digits, region))
        for region in regions
        if region != "001"
    )


@cache
def zones_of(number: str) -> tuple[str, ...]:
    """Every zone in which the owner of ``number`` (E.164) may be; empty: it is not known.

    Mobile and free numbers of large countries have several: a call must suit all of them.
    """
    found = number_zones.time_zones_for_number(phonenumbers.parse(number))
    return () if _UNKNOWN in found else tuple(found)


def contradicts(zone_name: str, number: str) -> bool:
    """True where the number is known to be of zones whose clocks show another time."""
    of_number = zones_of(number)
    return bool(of_number) and _offsets(zone_name) not in {_offsets(name) for name in of_number}


@cache
def _offsets(name: str) -> tuple[timedelta | None, ...]:
    """In winter and summer."""
    return tuple(at.astimezone(zone(name)).utcoffset() for at in _SEASONS)


@cache
def zone(name: str) -> ZoneInfo:
    """The zone's rules, read once.

    :raises zoneinfo.ZoneInfoNotFoundError: there is none of that name.
    """
    return ZoneInfo(name)
