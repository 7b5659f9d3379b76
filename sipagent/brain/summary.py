"""What of a long call is still worth knowing when its older turns no longer fit: the caller's own sentences
that tell something, picked by the program. Pure.

A summary by the model would cost a second or more of both cores, and a small model makes things up. Names,
numbers, days and wishes are what a later turn can depend on, and they can be recognised.
"""

import re
from collections.abc import Iterator, Sequence

from sipagent.brain.types import Message, Role

_LINE_WORDS = 16
_NUMBER_WORDS = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    r"sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|hundred)"
)
_WEIGHTS = (
    (5, re.compile(r"\b(?:my (?:\w+ )?name(?:'s| is)|(?:this is|i'm called|call me) [A-Z])", re.I)),
    (4, re.compile(rf"\d[\d\s-]{{4,}}|(?:\b{_NUMBER_WORDS}\b[\s-]*){{4,}}|@|\bdot com\b", re.I)),
    (
        3,
        re.compile(
            r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\btomorrow\b|\bo'clock\b|\b\d|\b(?:allerg|pregnant|insur)|"
            r"\bmy (?:\w+ ){1,3}is\b|\bi live\b",
            re.I,
        ),
    ),
    (2, re.compile(r"\bi(?:'d| would) like\b|\bi (?:need|want|have|had|broke|lost)\b|\bmy \w+", re.I)),
)
"""What a sentence is worth, and what it must contain."""
_ASKED_FOR = re.compile(
    r"\b(name|number|e-?mail|address|birthday|date of birth|day|date|time|reason)\b[^?]*\?\s*$", re.I
)
_EMPTY = re.compile(
    r"^(?:yes|yeah|no|okay|ok|sure|right|thanks|thank you|mm-?hm|uh-?huh|um+|uh+)[.!,\s]*$", re.I
)
_ANSWER_WEIGHT = 4


def lines_of(dropped: Sequence[Message]) -> list[tuple[int, int, str]]:
    """(worth, place, line) of what the caller said, in the order of the call; a line has at most 16 words.

    An answer to a question of the agent's bears what was asked for: ``name: Sarah Miller``.
    """
    found = []
    for place, message in enumerate(dropped):
        if message.role is not Role.CALLER or _EMPTY.match(message.text.strip()):
            continue
        asked = dropped[place - 1].text if place and dropped[place - 1].role is Role.AGENT else ""
        found += [(worth, place, line) for worth, line in _lines(message.text, asked)]
    return found


def _lines(text: str, asked: str) -> Iterator[tuple[int, str]]:
    """The sentences of one message that tell something; else its beginning, worth nothing."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if part]
    worths = [max((weight for weight, sign in _WEIGHTS if sign.search(one)), default=0) for one in sentences]
    wanted = _ASKED_FOR.search(asked)
    if wanted and max(worths, default=0) < _ANSWER_WEIGHT:
        yield _ANSWER_WEIGHT, _shortened(f"{wanted[1].lower()}: {' '.join(sentences)}")
    elif not any(worths):
        yield 0, _shortened(" ".join(sentences))
    else:
        yield from ((worth, _shortened(one)) for worth, one in zip(worths, sentences, strict=True) if worth)


def _shortened(text: str) -> str:
    words = text.split()
    return " ".join(words[:_LINE_WORDS]) + (" …" if len(words) > _LINE_WORDS else "")
