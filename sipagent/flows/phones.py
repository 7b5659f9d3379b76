"""Spoken telephone numbers, checked against the numbering plans. The one file that knows phonenumbers."""

import re
from dataclasses import replace

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from sipagent.flows.numbers import dictated, spoken_digits
from sipagent.flows.values import Reading, Refused, Said, Value

LEAST_DIGITS, MOST_DIGITS = 7, 15
_LEAST_HEARD = 3
"""Fewer are no number: "I don't have one"."""
_SHORT_END = re.compile(r"(?<![\d-])((?:\d{3}[- ])?\d{3}[- ])(\d{3})(?![\d-]| \d)")
_PLUS = re.compile(r"^\D*(?:\+|plus\b)", re.IGNORECASE)
_POSSIBLE = (ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def _with_zero(text: str, region: str) -> str:
    """Speech-to-text leaves out the "oh" that a last group begins with: 555-123 was 555-0123. Numbers are
    read back, so a wrong guess is heard."""
    is_3_3_4 = phonenumbers.country_code_for_region(region) == 1 and not _PLUS.match(text)
    return _SHORT_END.sub(r"\g<1>0\2", text) if is_3_3_4 else text


def read_phone(said: Said, *, region: str) -> Reading:
    """A number as it is dialled in ``region``, or with ``plus`` and a country code.

    The value is E.164, or the bare digits of a number without an area code.
    """
    digits = dictated(replace(said, text=_with_zero(said.text, region)), least=LEAST_DIGITS, most=MOST_DIGITS)
    if len(digits) < _LEAST_HEARD:
        return None
    if len(digits) < LEAST_DIGITS and not said.is_asked:
        return None
    text = f"+{digits}" if _PLUS.match(said.text) else digits
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return Refused("That is not a whole telephone number.")
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason not in _POSSIBLE:
        size = "too short" if reason == ValidationResult.TOO_SHORT else "not a possible number"
        return Refused(f"I heard {spoken_digits(digits)}, which is {size}.")
    if reason == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return Value(digits, spoken_digits(digits), is_sure=False)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Value(e164, spoken_digits(str(number.national_number)), is_sure=False)
