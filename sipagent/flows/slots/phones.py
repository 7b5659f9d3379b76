"""Spoken telephone numbers, checked against the numbering plans. The one file that knows phonenumbers."""

import re
from dataclasses import replace

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from sipagent.flows.slots.digits import dictated
from sipagent.flows.slots.numbers import digits_only, spoken_digits
from sipagent.flows.slots.values import Reading, Refused, Said, Value

LEAST_DIGITS, MOST_DIGITS = 7, 15
_LEAST_HEARD = 3
"""Fewer are no number: "I don't have one"."""
_SHORT_END = re.compile(r"(?<![\d-])((?:\d{3}[- ])?\d{3}[- ])(\d{3})(?![\d-]| \d)")
_LEAST_ABROAD = 11
"""Digits with a 00 that dials abroad."""
_AREA_THEN = re.compile(
    r"(?P<area>\barea code (?:is )?[\w -]{3,24}?)[,. ]+(?:and |then |and then )?(?:the |my )?"
    r"(?:phone |rest of the |local )?(?:number|rest) (?:is|would be)[ ,:]+",
    re.IGNORECASE,
)
_PLUS = re.compile(r"^\D*(?:\+|plus\b)", re.IGNORECASE)
_POSSIBLE = (ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def _with_zero(text: str, region: str) -> str:
    """Speech-to-text leaves out the "oh" that a last group begins with: 555-123 was 555-0123. Numbers are
    read back, so a wrong guess is heard."""
    is_3_3_4 = phonenumbers.country_code_for_region(region) == 1 and not _PLUS.match(text)
    return _SHORT_END.sub(r"\g<1>0\2", text) if is_3_3_4 else text


def example_phone(region: str) -> str:
    """A number that nobody has, as it is written in ``region``; empty: there is no such country."""
    number = phonenumbers.example_number(region)
    if number is None:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)


def read_phone(said: Said, *, region: str) -> Reading:
    """A number as it is dialled in ``region``, or with ``plus`` and a country code.

    The value is E.164, or the bare digits of a number without an area code. A country code that was read back
    stays where the number behind it is mended.
    """
    code, national = _parts(said.before, region)
    text = _joined(_with_zero(said.text, region))
    before = replace(said.before, value=national) if said.before else None
    digits = dictated(replace(said, text=text, before=before), least=LEAST_DIGITS, most=MOST_DIGITS)
    if len(digits) < _LEAST_HEARD:
        return None
    if len(digits) < LEAST_DIGITS and not said.is_asked:
        return None
    is_abroad = _PLUS.match(said.text) is not None
    if digits.startswith("00") and len(digits) >= _LEAST_ABROAD:
        digits, is_abroad = digits[2:], True
    if code and not is_abroad and _is_mended(national, digits.lstrip("0")):
        digits, is_abroad = code + digits.lstrip("0"), True
    if not is_abroad and phonenumbers.country_code_for_region(region) == 1 and not digits.startswith("011"):
        digits = digits.lstrip("0")  # no number there begins with a zero: it was an "oh, …"
    try:
        number = phonenumbers.parse(f"+{digits}" if is_abroad else digits, region)
    except NumberParseException:
        return Refused("That is not a whole telephone number.")
    return _checked(number, digits, region)


def _checked(number: phonenumbers.PhoneNumber, digits: str, region: str) -> Reading:
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason not in _POSSIBLE:
        size = "too short" if reason == ValidationResult.TOO_SHORT else "not a possible number"
        return Refused(f"I heard {spoken_digits(digits)}, which is {size}.")
    if reason == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return Value(digits, spoken_digits(digits), is_sure=False)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    national = spoken_digits(phonenumbers.national_significant_number(number))
    if number.country_code != phonenumbers.country_code_for_region(region):
        national = f"plus {spoken_digits(str(number.country_code), (3,))}, {national}"
    return Value(e164, national, is_sure=False)


def _parts(before: Value | None, region: str) -> tuple[str, str]:
    """(the country code, the digits behind it as they were read back) of what was read back."""
    if before is None or not before.value.startswith("+"):
        return "", digits_only(before.value) if before else ""
    try:
        number = phonenumbers.parse(before.value, region)
    except NumberParseException:
        return "", digits_only(before.value)
    return str(number.country_code), phonenumbers.national_significant_number(number)


def _is_mended(national: str, digits: str) -> bool:
    """It is the number that was read back with something put right, not another one."""
    same = sum(a == b for a, b in zip(national, digits, strict=False))
    return len(national) == len(digits) and 2 * same >= len(digits)


def _joined(text: str) -> str:
    """``area code 212 and the number is 555 0198`` in one run."""
    return _AREA_THEN.sub(r"\g<area> ", text)
