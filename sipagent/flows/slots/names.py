"""Names that callers say, and spell. Pure."""

import re
from difflib import SequenceMatcher

from sipagent.flows.slots.name_letters import edited, without_edits
from sipagent.flows.slots.name_words import (
    ALSO_NAMES,
    BEHIND,
    LEADS,
    NEVER,
    NOT_NAMES,
    PARTICLES,
    PLAIN_NAMES,
    TITLES,
)
from sipagent.flows.slots.spelling import spelling_in, spoken_letters
from sipagent.flows.slots.values import Reading, Said, Value, repaired, without_lead

_INTRODUCED = re.compile(
    r"\b(?:my (?:full |last |first |sur)?name(?:'s| is|s)|(?:the |last |first |full |sur|"
    r"family )?name(?:'s| is)|"
    r"i'm called|this is|call me|it's under|it is under|it's for|it is for|"
    r"under(?: the name(?: of)?)?|i am|i'm|it's|it is|that's|that would be|(?:the )?name of|"
    r"(?:put|book) (?:it|me) (?:down )?(?:under|as|for))[,: ]+(?P<rest>.+)",
    re.IGNORECASE,
)
_SPEAKING = re.compile(r"^(?P<name>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,3}),? (?:speaking|here|calling)\b")
_FIRM = re.compile(
    r"\b(?:name(?:'s| is|s)|i'm called|call me|under the name|(?:put|book) (?:it|me) (?:down )?under)\b", re.I
)
_FIRST_AND_LAST = (
    re.compile(r"\bfirst name(?:'s| is)?[,: ]+(?:is )?(?P<name>[\w'’-]+)", re.I),
    re.compile(r"\b(?:last|family|sur) ?name(?:'s| is)?[,: ]+(?:is )?(?P<name>[\w'’-]+)", re.I),
)
_RULED_OUT = re.compile(
    r"\b(?:(?:it's|it is|that's|i'm|my name is|my name's|the name is) )?not (?!(?:an? )?[a-z]\b)[\w' -]+?"
    r"(?:[,.;]\s*|\s+but\s+|$)",
    re.I,
)
_TITLE_DOT = re.compile(rf"\b({'|'.join(sorted(TITLES))})\.", re.I)
_INITIAL = re.compile(r"(?<=[a-z] )[A-Z]\.? (?=[A-Z][a-z])")
_LINKED = re.compile(r"(?<=[a-z])\s+(?:hyphen|dash)\s+(?=[a-z]{2})", re.I)
_CUT = re.compile(r"\b(?:spell(?:ed|t|ing)?|that's (?=[A-Za-z]\b))", re.I)
_MOST_WORDS = 4


def read_name(said: Said) -> Reading:
    """``my name is Sarah Miller``; ``Smith, S-M-Y-T-H`` is Smyth; a bare name where one was asked for."""
    _, last = repaired(said.text)
    text = _LINKED.sub("-", _INITIAL.sub("", _TITLE_DOT.sub(r"\1", without_lead(last))))
    text = _RULED_OUT.sub("", text).strip()
    before = said.before.value if said.before else ""
    head, edit = without_edits(text)
    if edit is not None and not spelling_in(text[: edit.start()])[0]:
        name = _said_name(head, is_asked=said.is_asked)
        return _with_edit(name, before, edit)
    letters, head = spelling_in(text)
    name = _said_name(head, is_asked=said.is_asked)
    if letters:
        whole = _with_spelling(name or before, letters.title())
        return Value(whole, f"{whole}, spelled {spoken_letters(letters)}", is_sure=False)
    if not name:
        return None
    if before and len(name.split()) == 1 and len(before.split()) > 1:
        name = _with_part(before, name, text)
    return Value(name, name)


def _with_edit(name: str, before: str, edit: re.Match[str]) -> Reading:
    """``Carl with a K``; where it was read back, ``no, with a K``."""
    whole = edited(name or before, edit, is_mending=not name) if name or before else ""
    if name and before and len(name.split()) == 1 and len(before.split()) > 1:
        whole = _with_part(before, whole, "") if whole else ""
    if not whole:
        return Value(name, name, is_sure=False) if name and not before else None
    known = (before or name).split()
    changed = [word for word in whole.split() if word not in known] or (name or whole).split()
    return Value(whole, f"{whole}, spelled {spoken_letters(' '.join(changed))}", is_sure=False)


def _with_part(before: str, name: str, text: str) -> str:
    """The name that was read back with its first or its last one replaced."""
    words = before.split()
    for pattern, at in zip(_FIRST_AND_LAST, (0, -1), strict=True):
        if pattern.search(text):
            words[at] = name
            return " ".join(words)
    return _with_spelling(before, name)


def _said_name(text: str, *, is_asked: bool) -> str:
    parts = [match["name"] for one in _FIRST_AND_LAST if (match := one.search(text))]
    if len(parts) == len(_FIRST_AND_LAST):
        return _titled(parts)
    cut = _CUT.split(text)[0]
    match = _SPEAKING.search(cut)
    if match and match["name"].split()[0].lower() not in NEVER | TITLES:
        return _leading_name(match["name"])
    match = _INTRODUCED.search(cut)
    if match and (is_asked or _FIRM.search(match[0])):
        while inner := _INTRODUCED.match(match["rest"]):
            match = inner
        return _fullest(match["rest"], has_case=not cut.islower(), is_introduced=True)
    if not is_asked:
        return ""
    if parts and parts[0].lower() not in NOT_NAMES:
        return _titled(parts)
    return _fullest(cut) if len(re.findall(r"[A-Za-z'’-]+", cut)) <= _MOST_WORDS + 1 else ""


def _fullest(text: str, *, has_case: bool | None = None, is_introduced: bool = False) -> str:
    """``Bond, James Bond`` is James Bond."""
    has_case = not text.islower() if has_case is None else has_case
    name = _leading_name(text, has_case=has_case, is_introduced=is_introduced)
    first, _, rest = text.partition("," if "," in text else ".")
    short = _leading_name(first, has_case=has_case, is_introduced=is_introduced).lower().split()
    full = _leading_name(rest, has_case=has_case).split()
    is_fuller = short and len(full) > len(short) and set(short) < {word.lower() for word in full}
    return " ".join(full) if is_fuller else name


def _leading_name(text: str, *, has_case: bool = True, is_introduced: bool = False) -> str:
    """The words of a name that the text begins with."""
    words: list[str] = []
    tokens = [match[0] for match in re.finditer(r"[A-Za-zÀ-ž][\w'’-]*|[,.;!?]", text)]
    is_inside = is_introduced
    for at, word in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        low = word.lower().replace("’", "'")
        if word in ",.;!?":
            if words and word != ",":
                break
            is_inside = is_inside and word == ","
            continue
        if not words and (low in TITLES or (low == "and" and following.lower() in TITLES)):
            is_inside = True
            continue
        if _is_name(word, following, has_case=has_case, is_inside=is_inside):
            words.append(word)
            is_inside = True
        elif words or low not in LEADS:
            break
        if len(words) == _MOST_WORDS:
            break
    return _titled(words)


def _is_name(word: str, following: str, *, has_case: bool, is_inside: bool) -> bool:
    """:param is_inside: no sentence begins here, so that a capital means a name."""
    low = word.lower().replace("’", "'")
    if len(word) == 1 or re.match(r"[A-Za-z]-", word):
        return False
    if low not in NOT_NAMES:
        return True
    if low in NEVER:
        return False
    if has_case and word[0].isupper() and is_inside and not word.isupper():
        return True
    is_last = following in ("", ",", ".", "!", "?", ";")
    if low not in ALSO_NAMES or (has_case and not word[0].isupper()):
        return False
    if not has_case:
        return low in PLAIN_NAMES and (is_last or following in BEHIND or following not in NOT_NAMES)
    return is_last or (following[0].isupper() and len(following) > 1 and following.lower() not in NEVER)


def _titled(words: list[str]) -> str:
    is_cased = any(not word.islower() for word in words)
    return " ".join(
        word if not (word.islower() or word.isupper()) or (is_cased and word in PARTICLES) else word.title()
        for word in words
    )


def _with_spelling(name: str, part: str) -> str:
    """``name`` with the word replaced that the part is most like; the part alone where there is no name."""
    words = name.split()
    if not words:
        return part
    scores = [
        SequenceMatcher(None, word.lower(), part.lower()).ratio() + 0.01 * at for at, word in enumerate(words)
    ]
    best = max(range(len(words)), key=lambda at: scores[at])
    if scores[best] < 0.4:
        best = len(words) - 1
        if len(words) == 1:
            return f"{words[0]} {part}"
    words[best] = part
    return " ".join(words)
