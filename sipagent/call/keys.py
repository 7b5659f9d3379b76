"""What the caller's keys mean: single keys that do something, and dictated numbers. Pure.

A key with an action acts where it begins a number; every other key belongs to a number, which ends with ``#``
or with a pause.
"""

from collections.abc import Set
from dataclasses import dataclass, field

LONGEST_NUMBER = 64
"""Keys beyond them are dropped."""
END = "#"


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What the operator may set."""

    actions: Set[str] = field(default_factory=frozenset)
    """Keys that do something."""
    inter_digit_ms: int = 3000
    interrupts: bool = True
    """A key silences the agent, where it may be interrupted."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The number so far."""

    digits: str = ""
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class Act:
    """Do what this key is for."""

    key: str


@dataclass(frozen=True, slots=True)
class Dictated:
    """A number is complete."""

    digits: str


def pressed(keys: Keys, digit: str, now_ms: int, rules: KeyRules) -> tuple[Keys, Act | Dictated | None]:
    """One key more."""
    if not keys.digits and digit in rules.actions:
        return keys, Act(digit)
    if digit == END:
        return Keys(), Dictated(keys.digits) if keys.digits else None
    return Keys((keys.digits + digit)[:LONGEST_NUMBER], now_ms), None


def elapsed(keys: Keys, now_ms: int, rules: KeyRules) -> tuple[Keys, Dictated | None]:
    """Time passes."""
    if not keys.digits or now_ms - keys.last_ms < rules.inter_digit_ms:
        return keys, None
    return Keys(), Dictated(keys.digits)
