"""How long to wait after the caller's last sound before answering. Pure."""

import re
from dataclasses import dataclass

SURE_SCORE = 0.5
"""Smart Turn's own threshold: at or above it the turn is over."""

_UNFINISHED = re.compile(
    r"\b(and|or|but|because|if|when|the|a|an|my|your|to|for|from|with|at|of|um+|uh+|er+|"
    r"(i would|i'd) like|i want|i need|(number|name|address|e-?mail|birthday|question|problem) is|"
    r"it's|that's|i'm)[,.… ]*$",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"\b(good ?bye|bye(?:[- ]?bye)?|have a (?:good|nice|great) (?:day|one|evening|weekend))\b", re.I
)
_WORD = re.compile(r"[a-z0-9']+(?:-[a-z0-9']+)*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CommitDelays:
    """Silence in ms after which a prepared reply is spoken."""

    sure: int = 300
    doubt: int = 700
    latest: int = 1600


def words_of(text: str) -> list[str]:
    """The lower-case words of a transcript."""
    return _WORD.findall(text.lower())


def is_unfinished(text: str) -> bool:
    """True for a sentence that cannot be over: it ends in "and", "my number is", "I would like to"."""
    return _UNFINISHED.search(text.strip()) is not None


def is_farewell(text: str) -> bool:
    """True where the caller takes leave: "goodbye", "bye", "have a nice day"."""
    return _FAREWELL.search(text) is not None


def is_backchannel(text: str, backchannels: frozenset[str]) -> bool:
    """True where every word only says "I am listening", or where there is no word at all."""
    words = words_of(text)
    joined = " ".join(words)
    return joined in backchannels or all(word in backchannels for word in words)


def commit_delay_ms(text: str, score: float | None, delays: CommitDelays) -> int:
    """Silence to wait for: by what was said first, then by how it sounded.

    :param score: 0..1 that the turn is over, ``None`` where no model judges it.
    """
    if is_unfinished(text):
        return delays.latest
    if score is None or score < SURE_SCORE:
        return delays.doubt
    return delays.sure
