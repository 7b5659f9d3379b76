"""An e-mail address that was read back, put right: ``no, at example dot org``, ``without the dot``. Pure."""

import re
from difflib import SequenceMatcher

from sipagent.flows.slots.name_letters import edited, without_edits
from sipagent.flows.slots.name_words import NOT_NAMES
from sipagent.flows.slots.numbers import digits_in
from sipagent.flows.slots.spelling import spelt

TOP_LEVELS = frozenset(
    re.findall(
        r"\w+",
        "com org net edu gov mil io co uk de us ca au fr nl es it eu info biz me app dev ch ie nz in tv",
    )
)
"""Endings that tell a domain from a name with a dot."""
_PROVIDERS = frozenset(
    re.findall(r"\w+", "gmail hotmail yahoo outlook icloud aol gmx proton protonmail live msn")
)
_MARK_NAMES = {
    "dot": ".", "period": ".", "point": ".", "underscore": "_", "dash": "-", "hyphen": "-", "minus": "-",
    "plus": "+",
}  # fmt: skip
_MARK = rf"(?:{'|'.join(_MARK_NAMES)})"
_WITHOUT = re.compile(
    rf"\b(?:without|there's no|there is no|no) (?:the |an? |any )?(?P<old>{_MARK})s?\b(?=\W*$|,| in )"
)
_SWAPPED = (
    re.compile(
        rf"\b(?P<new>{_MARK}),? (?:instead of|not|rather than) (?:an? |the )?(?P<old>{_MARK})\b(?! \w+$)"
    ),
    re.compile(
        rf"\bnot (?:an? |the )?(?P<old>{_MARK}),? (?:but |it's |rather )?(?:an? )?(?P<new>{_MARK})\W*$"
    ),
    re.compile(rf"\bwith an? (?P<new>{_MARK})\b(?P<old>)"),
)
RULED_OUT = re.compile(r"\b(?:not|instead of) [^,;]+?(?=[,;]|$| it's\b| but\b)[,;]?(?: but)?", re.I)
"""The wrong one beside the right one."""
_LEAST_ALIKE = 0.5


def mended_address(before: str, text: str, heard: str, domain: str) -> str:
    """The address put right; empty where it is not clear how.

    :param text: what the caller said.
    :param heard: the same with its marks written, without what leads it in and what is ruled out.
    :param domain: what was said behind an "at".
    """
    local, _, old_domain = before.partition("@")
    if domain:
        return f"{local}@{domain}"
    low = text.lower()
    if (changed := _remarked(local, low)) is not None:
        return f"{changed}@{old_domain}" if changed else ""
    _, edit = without_edits(low)
    if edit is not None:
        changed = edited(local, edit, is_mending=True)
        return f"{changed}@{old_domain}" if changed not in ("", local) else ""
    plain = " ".join(heard.lower().split()).strip(" ,?!").rstrip(".")
    if found := _redomained(old_domain, plain):
        return f"{local}@{found}"
    changed = _relocated(local, plain)
    return f"{changed}@{old_domain}" if changed else ""


def _remarked(local: str, low: str) -> str | None:
    """The part before the "@" with a dot or a dash put right.

    Empty: it is not clear how; None: nothing is said of one.
    """
    if match := _WITHOUT.search(low):
        mark = _MARK_NAMES[match["old"]]
        return local.replace(mark, "") if mark in local else ""
    for pattern in _SWAPPED:
        if match := pattern.search(low):
            new = _MARK_NAMES[match["new"]]
            marks = re.findall(r"[._+-]", local)
            old = _MARK_NAMES[match["old"]] if match["old"] else marks[0] if len(marks) == 1 else ""
            return local.replace(old, new) if old and old in local else ""
    return None


def _redomained(domain: str, plain: str) -> str:
    name = domain.split(".")[0]
    if match := re.fullmatch(r"\.([a-z]{2,})(?:\.[a-z]{2,})?", plain):
        return f"{name}{plain}" if match[1] in TOP_LEVELS else ""
    if re.fullmatch(r"[a-z0-9 -]+(?:\.[a-z0-9-]+)+", plain) and plain.rpartition(".")[2] in TOP_LEVELS:
        return plain.replace(" ", "")
    return f"{plain}{domain[len(name) :]}" if plain in _PROVIDERS else ""


def _relocated(local: str, plain: str) -> str:
    """The part before the "@" with the word replaced that what was said is like."""
    letters = spelt(plain) if "." not in plain else ""
    if not letters and re.fullmatch(r"[a-z0-9]+(?:[._+-][a-z0-9]+)+", plain):
        return plain
    digits = digits_in(plain)
    if digits and (old := re.search(r"\d+", local)):
        return local[: old.start()] + digits + local[old.end() :] if len(old[0]) == len(digits) else ""
    words = plain.split()
    word = letters or (words[0] if len(words) == 1 else "")
    if not word or word in NOT_NAMES:
        return ""
    parts = re.split(r"([._+-])", local)
    scores = [SequenceMatcher(None, part, word).ratio() for part in parts]
    best = max(range(len(parts)), key=lambda at: scores[at])
    if scores[best] < _LEAST_ALIKE:
        return ""
    parts[best] = word
    return "".join(parts)
