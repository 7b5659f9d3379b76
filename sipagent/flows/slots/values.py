"""What slots hold, and the words that all of their readers share."""

import re
from dataclasses import dataclass
from datetime import datetime

_REPAIR = re.compile(
    r"\b(?:no,? sorry|sorry,? no|no,? wait|wait,? no|i mean(?:t)?|or rather|make that|correction|"
    r"scratch that|on second thoughts?|better yet|hang on|hold on,? no|"
    r"actually,? no|no,? actually|excuse me)\b[,. ]*|(?<=[a-z0-9])[,.;?!] (?:no|sorry|actually|wait)[,.]? +",
    re.IGNORECASE,
)
_SOMETHING = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|half|quarter|\w+day|"
    r"tomorrow|morning|afternoon|evening|about that|if that)\b",
    re.IGNORECASE,
)
"""Words of another value, or a "sorry" that takes nothing back."""
_DIGIT = re.compile(r"\d|zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple")
_LEAD = re.compile(r"^(?:no|nope|nah|well|sorry|actually|um+|uh+|hm+|er+)\b[,.! ]*", re.IGNORECASE)
_LEAD_OR_OH = re.compile(rf"{_LEAD.pattern}|^oh\b[,.! ]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """What a slot holds."""

    value: str
    """In one form only: ``2026-03-02``, ``14:30``, ``+15550100123``, ``yes``, ``Sam Smyth``."""
    spoken: str
    """As it is read back."""
    is_sure: bool = True
    """False: it is read back whatever the flow says about confirming."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of the kind was said, but it cannot be."""

    reason: str
    """Said to the caller."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a caller said, and when."""

    text: str
    now: datetime
    """In the time zone of the flow."""
    is_asked: bool = True
    """The slot is what was asked for; else only an unmistakable value is taken."""
    before: Value | None = None
    """The value that was read back and is being mended."""


Reading = Value | Refused | None


def tokens_of(text: str) -> list[str]:
    """Lower-case words and numbers; ``5-5-5`` and ``ten-thirty`` are taken apart, ``10:30`` is not."""
    found = re.findall(r"\d+(?:[:.]\d+)+|\d+(?:st|nd|rd|th)\b|\d+|[a-z']+", text.lower().replace("’", "'"))
    return [token.strip("'") for token in found if token.strip("'")]


def repaired(text: str) -> tuple[str, str]:
    """(what was said before the caller corrected themselves, the correction); the first is mostly empty."""
    parts = _REPAIR.split(text)
    return (" ".join(parts[:-1]).strip(), parts[-1].strip()) if len(parts) > 1 else ("", text.strip())


def said_last(text: str) -> list[str]:
    """What was said last of all, and where that names nothing of the kind, what it did not take back.

    ``Tuesday at ten, no, eleven`` → ``eleven``, and then for the day ``Tuesday at ten``; but nothing else of
    ``Tuesday, no, wait``.
    """
    first, last = repaired(text)
    return [last, first] if first and _SOMETHING.search(last) else [last]


def without_echo(text: str) -> str:
    """``Eight. Eight.`` → ``Eight.``: speech-to-text writes short words several times."""
    words = text.split()
    plain = [word.strip(",.!?").lower() for word in words]
    for times in range(4, 1, -1):
        size = len(words) // times
        is_dictated = times > 2 and all(_DIGIT.fullmatch(word) for word in plain[:size])
        if size and not is_dictated and plain == plain[:size] * times:
            return " ".join(words[:size])
    return text


def without_lead(text: str, *, keeps_oh: bool = False) -> str:
    """Without ``no,`` and ``um`` at its beginning.

    :param keeps_oh: where it may be a zero.
    """
    before = ""
    while before != text:
        before, text = text, (_LEAD if keeps_oh else _LEAD_OR_OH).sub("", text.strip())
    return text
