"""Letters that callers dictate: ``S as in Sam, M Y T H``, ``double L``, ``M-I-L-L-E-R``. Pure."""

import re

_SOUNDS = {
    "ay": "a", "be": "b", "bee": "b", "see": "c", "sea": "c", "cee": "c", "dee": "d", "ee": "e", "eff": "f",
    "gee": "g", "aitch": "h", "eye": "i", "jay": "j", "kay": "k", "el": "l", "ell": "l", "em": "m", "en": "n",
    "and": "n", "oh": "o", "pee": "p", "cue": "q", "queue": "q", "are": "r", "ar": "r", "ess": "s", "es": "s",
    "tea": "t", "tee": "t", "you": "u", "vee": "v", "ex": "x", "why": "y", "wye": "y", "zee": "z", "zed": "z",
}  # fmt: skip
"""What a letter may be written as in the middle of others."""
_SURE_SOUNDS = frozenset(
    ("bee", "cee", "dee", "eff", "gee", "aitch", "jay", "kay", "ess", "tee", "vee", "zee")
)
_AS_IN = re.compile(
    r"(?<!['’\w])(?P<letter>[a-z]{1,5})[,.]?\s+(?:as in|is in|as an|like in|(?<=[b-hj-z] )for)\s+"
    r"(?P<word>[a-z]{2,12})\b",
    re.I,
)
_AS_IN_SAME = re.compile(
    r"\b(?P<letter>[a-z])[,.]?\s+(?:and|an|in|is|has|isn't|for|is for|like|like in|from)\s+"
    r"(?P<word>[a-z]{2,12})\b",
    re.I,
)
"""Only where the word begins with the letter."""
_ALPHABET = (
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november "
    "oscar papa quebec romeo sierra tango uniform victor whiskey whisky x-ray xray yankee zulu"
)
_ALPHABET_WORD = rf"(?:{'|'.join(_ALPHABET.split())})"
_ALPHABET_RUN = re.compile(rf"\b(?:{_ALPHABET_WORD}\b[,. -]*){{3,}}", re.I)
"""Some of its words are names, too: two of them may be one."""
_LETTER_AND_WORD = re.compile(rf"\b(?P<letter>[a-z])[,.]?\s+(?P<word>{_ALPHABET_WORD})\b", re.I)
_DOUBLE_U = re.compile(r"\bdouble[ -]?(?:u|you|yu)\b", re.I)
_LEAST_LETTERS = 2


def spelt(text: str) -> str:
    """The longest run of dictated letters, lower case; empty where nothing is spelt."""
    return spelling_in(text)[0]


def as_letters(text: str) -> str:
    """The text with ``S as in Sam`` and ``Sierra Mike …`` as their letters."""
    text = _DOUBLE_U.sub(" W ", text)
    text = _AS_IN.sub(_agreed, _LETTER_AND_WORD.sub(_same, _AS_IN_SAME.sub(_same, text)))
    return _ALPHABET_RUN.sub(
        lambda run: " ".join(w[0].upper() for w in re.findall(r"[a-z-]+", run[0], re.I)) + " ", text
    )


def spelling_in(text: str) -> tuple[str, str]:
    """(the longest run of dictated letters, the text in front of it)."""
    text = as_letters(text)
    found = list(re.finditer(r"[A-Za-z]+(?:['’][a-z]+)?", text.replace("-", " ")))
    words = [one[0] for one in found]
    longest, run, start = ("", len(text)), "", 0
    is_double = False
    for at, word in enumerate(words):
        low = word.lower()
        if low in ("double", "capital", "apostrophe"):
            is_double = low == "double"
            continue
        letter = _letter(words, at, is_inside=bool(run))
        if not letter:
            run = ""
            continue
        start = start if run else found[at].start()
        run += letter * (1 + is_double)
        is_double = False
        if len(run) > len(longest[0]):
            longest = (run, start)
    letters, at = longest
    return (letters, text[:at]) if len(letters) >= _LEAST_LETTERS else ("", text)


def letter_of(word: str) -> str:
    """The letter that a single one, or the word for it, is; empty: none."""
    low = word.lower()
    return low if len(low) == 1 else _SOUNDS.get(low, "")


def spoken_letters(word: str) -> str:
    """``Smyth`` → ``S, M, Y, T, H``."""
    return ", ".join(letter.upper() for letter in word if letter.isalpha())


def _letter(words: list[str], at: int, *, is_inside: bool) -> str:
    word = words[at]
    low = word.lower()
    following = words[at + 1].lower() if at + 1 < len(words) else ""
    if len(word) == 1 and word.isalpha():
        if low in "ai" and not is_inside and not _is_letter(following):
            return ""  # "I am", "a dentist"
        return low
    if low in _SOUNDS and (low in _SURE_SOUNDS or (is_inside and (not following or _is_letter(following)))):
        return _SOUNDS[low]
    is_lump = word.isupper() and 2 <= len(word) <= 5
    if is_lump and (is_inside or _is_letter(following)):
        return low  # "S M YTH": letters that were run together
    return ""


def _is_letter(word: str) -> bool:
    return len(word) == 1 or word in _SURE_SOUNDS or word == "double"


def _same(match: re.Match[str]) -> str:
    """``S. and Sam`` → ``S``."""
    return f" {match['letter'].upper()} " if match["word"][0].lower() == match["letter"].lower() else match[0]


def _agreed(match: re.Match[str]) -> str:
    """``S as in Sam`` → ``S``: the word decides where the letter was misheard."""
    letter, word = match["letter"].lower(), match["word"]
    if len(letter) == 1 or letter in _SOUNDS:
        return f" {word[0].upper()} "
    return match[0]
