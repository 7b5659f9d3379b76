"""Who calls, by the call's own words, and how much of that a prompt may repeat.

A caller chooses most of it: names and X- headers are text of a stranger that a language model would read. It
is cut to a few characters of the harmless kind before it stands in a prompt.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_VALUE = 40
CALLER_NAME, LAST_CALL, LAST_OUTCOME, NOTED = "caller_name", "last_call", "last_outcome", "noted_"
"""Variables that what is remembered of the caller fills; the last one begins the names of other notes."""
_HARMLESS_SIGNS = frozenset("+-.,'@_#*/&")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the INVITE's headers say about its parties. Everything here is personal and none of it proven,
    unless the trunk's peer vouches for it."""

    caller: str = ""
    """Number or user name: P-Asserted-Identity, else Remote-Party-ID, else From."""
    caller_name: str = ""
    dialled: str = ""
    diverted_from: str = ""
    """The number that was called first, where it diverts to us."""
    diversion_reason: str = ""
    verstat: str = ""
    """The carrier's verdict on the caller's number: ``passed-a``, ``failed`` …; empty: none was given."""
    is_private: bool = False
    """The caller asked for privacy: the number is for the trunk's eyes (RFC 3325)."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """X- headers by variable name: ``x_account_id``."""

    @property
    def is_doubted(self) -> bool:
        """The carrier does not vouch for the caller's number, though it looked."""
        return self.verstat.startswith(("failed", "no-tn"))

    def variables(self) -> dict[str, str]:
        """What a prompt may name, harmless."""
        named = {
            "caller": "withheld" if self.is_private else self.caller,
            "caller_name": "" if self.is_private else self.caller_name,
            "dialled": self.dialled,
            "diverted_from": self.diverted_from,
            "verstat": self.verstat,
        }
        return {name: harmless(value) for name, value in {**self.extra, **named}.items()}


def harmless(text: str, longest: int = LONGEST_VALUE) -> str:
    """Letters, digits, spaces and simple punctuation of ``text``, at most so many characters."""
    kept = [
        char if char in _HARMLESS_SIGNS or unicodedata.category(char)[0] in "LN" else " "
        for char in unicodedata.normalize("NFKC", text[: 4 * longest])
    ]
    return " ".join("".join(kept).split())[:longest].strip()
