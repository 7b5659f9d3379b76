"""Sections ``keys`` and ``keypad`` of a persona, and its ``transfer`` targets: what a caller's keys do, and
whom a call may be handed to."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sipagent.config.fields import NAME, Problem, not_sayable, out_of_range

KEYS = "0123456789*#ABCD"
SIP_ADDRESS = re.compile(
    r"sips?:(?:(?P<user>[A-Za-z0-9_.!~*'()&=+$,;?/%-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:;[A-Za-z0-9=._-]+)*"
)
"""Without brackets, spaces and line breaks: it goes into a request as it stands."""
NUMBER = re.compile(r"\+?[0-9]{1,20}|[A-Za-z0-9_.-]{1,64}")
"""What is called over a trunk: a number, or an extension of its peer."""


def number_of(target: str) -> str:
    """What ``limits.outbound`` judges of a ``transfer`` target: the number, or an address's user part."""
    address = SIP_ADDRESS.fullmatch(target)
    return target if address is None else address["user"] or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig:
    """Entry of ``keys``: what one key of the caller's telephone does."""

    transfer: str
    """Name under ``transfer`` to hand the call to."""
    mode: Literal["blind", "attended"] = "blind"
    """``blind``: hand over at once; ``attended``: call there first, say ``summary``, then connect."""
    summary: str = "Hello, I have a caller for you. I'll put them through now."
    """Said to whoever answers an ``attended`` transfer."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_sayable(self, "summary")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypadConfig:
    """Section ``keypad`` of a persona: numbers that callers dictate with their keys."""

    inter_digit_ms: int = 3000
    """Pause that ends a dictated number, which ``#`` ends at once. 500..20000 ms."""
    says: str = "I keyed in {digits}."
    """What the agent is told that the caller said."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, inter_digit_ms=(500, 20000))
        yield from not_sayable(self, "says")
        if "{digits}" not in self.says:
            yield "says", "has no {digits}, where the number belongs"


def key_problems(keys: Mapping[str, KeyConfig], transfer: Mapping[str, str]) -> Iterator[Problem]:
    """Yield (field, problem) of a persona's ``keys`` and ``transfer``."""
    for name, target in transfer.items():
        if not NAME.fullmatch(name):
            yield "transfer", f"expected names of letters, digits, '.', '_', '-', got {name!r}"
        if not SIP_ADDRESS.fullmatch(target) and not NUMBER.fullmatch(target):
            yield (
                f"transfer.{name}",
                f"expected a number, or an address such as sip:desk@example.com, got {target!r}",
            )
    for key, action in keys.items():
        if len(key) != 1 or key not in KEYS:
            yield f"keys.{key}", f"expected one key of {KEYS}, in quotes"
        elif action.transfer not in transfer:
            known = ", ".join(transfer) or "none"
            yield f"keys.{key}.transfer", f"no {action.transfer!r} under transfer; there are: {known}"
