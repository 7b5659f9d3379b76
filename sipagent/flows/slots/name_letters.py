"""Letters of a name, put right: ``with a K``, ``two Ls``, ``without an H``, ``a Y not an I``. Pure."""

import re

from sipagent.flows.slots.spelling import letter_of

_LETTER = (
    r"(?:[a-z](?:[ -][a-z])*|ph|ck|ch|th|ie|ei|[bdgkptvz]ee|cee|see|sea|kay|jay|aitch|eff|em|en|ess|zed|why)"
)
_EDIT = re.compile(
    r"[,.]?\s*\b(?<!['’])(?:(?:it's |it is |that's )?(?:spelled |spelt |written )?"
    r"(?P<way>with|without any|without|has|no) )?"
    r"(?:(?P<count>an?|one|two|double|the|a single|a double|only one|just one) )?"
    rf"(?P<new>{_LETTER})(?:'?s)?\b"
    rf"(?: (?:instead of|not|rather than) (?:an? |the )?(?P<old>{_LETTER})\b)?"
    r"(?P<end>,? (?:at|on|in) the end)?(?P<front>,? (?:at|in) the (?:beginning|start|front))?",
    re.IGNORECASE,
)
_ALIKE = {
    "k": (r"ch(?=[rl])", r"c(?![hkeiy])", r"q", r"c(?=h)"),
    "c": (r"k", r"s(?=[eiy])"),
    "s": (r"z", r"c(?=[eiy])"),
    "z": (r"s",),
    "y": (r"ie\b", r"i", r"j"),
    "i": (r"y", r"ee"),
    "ie": (r"y\b", r"ey\b", r"i\b"),
    "f": (r"ph", r"v"),
    "ph": (r"f", r"v"),
    "v": (r"w", r"f", r"ph"),
    "w": (r"v",),
    "g": (r"j",),
    "j": (r"g", r"y"),
    "ck": (r"k", r"c"),
    "ch": (r"k", r"c"),
    "th": (r"t(?!h)",),
    "t": (r"th", r"d"),
    "d": (r"t",),
    "b": (r"p",),
    "p": (r"b",),
    "m": (r"n",),
    "n": (r"m",),
    "e": (r"a", r"o", r"i"),
    "o": (r"e", r"a"),
    "a": (r"e", r"o"),
}
"""What sounds like a letter, the likeliest first."""
_VOWELS = "aeiouy"


def without_edits(text: str) -> tuple[str, re.Match[str] | None]:
    """The text in front of what is said of a letter, and that."""
    for match in _EDIT.finditer(text):
        way, count = (match["way"] or "").lower(), (match["count"] or "").lower()
        is_loose = way in ("with", "has") and not count  # "with me"
        if not is_loose and (way or match["old"] or count in ("two", "a double")):
            return text[: match.start()].rstrip(" ,."), match
    return text, None


def edited(name: str, match: re.Match[str], *, is_mending: bool) -> str:
    """The name with the letter put right; empty where that is not clear.

    :param is_mending: the name was read back and is wrong; else the letter may be in it already.
    """
    new = "".join(letter_of(part) or part.lower() for part in re.split(r"[ -]", match["new"]))
    way, count = (match["way"] or "").lower(), (match["count"] or "").lower()
    if match["old"]:
        old = "".join(letter_of(part) or part.lower() for part in re.split(r"[ -]", match["old"]))
        return _replaced(name, (re.escape(old),), new)
    if way in ("without", "without any", "no"):
        return _removed(name, new, is_end=bool(match["end"]))
    if count in ("two", "double", "a double"):
        return _counted(name, new, 2)
    if count in ("one", "a single", "only one", "just one"):
        return _counted(name, new, 1)
    if match["end"]:
        return name if name.lower().endswith(new) else name + new
    if match["front"]:
        rest = re.sub(rf"^(?:{'|'.join(_ALIKE.get(new, (new,)))})", "", name, flags=re.IGNORECASE)
        return new.title() + rest if rest != name else ""
    if new in name.lower() and not is_mending:
        return name
    return _added(name, new) or _replaced(name, _ALIKE.get(new, ()), new)


def _replaced(name: str, patterns: tuple[str, ...], new: str) -> str:
    """The one place replaced that sounds alike; of several the one that a word begins with."""
    for pattern in patterns:
        found = list(re.finditer(pattern, name, re.IGNORECASE))
        initial = [one for one in found if one.start() == 0 or not name[one.start() - 1].isalpha()]
        places = found if len(found) == 1 else initial
        if len(places) == 1:
            at = places[0]
            letters = new.capitalize() if at[0][0].isupper() else new
            return name[: at.start()] + letters + name[at.end() :]
        if found:
            return ""
    return ""


def _added(name: str, new: str) -> str:
    """Letters that are not heard: "Ann with an E", "Sara with an H"."""
    is_vowel = name[-1].lower() in _VOWELS
    is_silent = (new == "e" and not is_vowel) or (new == "h" and name[-1].lower() == "a")
    return name + new if is_silent and " " not in name else ""


def _removed(name: str, letters: str, *, is_end: bool) -> str:
    if is_end or name.lower().endswith(letters):
        return name[: -len(letters)] if name.lower().endswith(letters) else name
    found = list(re.finditer(re.escape(letters), name, re.IGNORECASE))
    if not found:
        return name
    return name[: found[0].start()] + name[found[0].end() :] if len(found) == 1 and found[0].start() else ""


def _counted(name: str, letter: str, count: int) -> str:
    found = list(re.finditer(rf"{re.escape(letter)}+", name, re.IGNORECASE))
    wanted = [one for one in found if len(one[0]) != count * len(letter)]
    if found and not wanted:
        return name
    if len(wanted) != 1:
        return ""
    return name[: wanted[0].start()] + _cased(wanted[0][0], letter * count) + name[wanted[0].end() :]


def _cased(before: str, letters: str) -> str:
    return letters.capitalize() if before[0].isupper() else letters
