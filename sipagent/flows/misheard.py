"""What speech-to-text makes of words that callers do say, and back: rules of sound and grammar. Pure."""

import re

_WHERE = re.compile(r"\bwe're (?=(?:exactly |else )?(?:are|is|do|did|can|could) )", re.I)
_WHEN = re.compile(
    r"\b(?:one|win|wind) (?=(?:can|could|do|does|will|would|are|is) (?:i|you|it|he|she|"
    r"they|we)\b)",
    re.I,
)
_ORDINAL = re.compile(r"\b(the|on|december|november|january|february|march|april) (\d{1,2})s\b(?!\w)", re.I)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_LIKE = re.compile(r"\b([a-z']{2,8}) ?(day|days|stay|they|die|dey|de)\b", re.I)
_PRONOUNCED = {"wednesday": "wensday", "tuesday": "toosday"}
_SAME = str.maketrans(
    {"d": "t", "z": "s", "b": "p", "g": "k", "v": "f", "c": "k", "j": "k", "x": "k", "q": "k"}
)
_NO_ANSWERS = re.compile(r"^\W*(?:now|know|nor|naw|gnaw)\W*$", re.I)


def as_said(text: str) -> str:
    """The text with what is likely misheard put right, wherever it stands.

    "We're exactly are you" asks where; "the 14s" is the fourteenth; "when stay" is Wednesday.
    """
    text = _WHERE.sub("where ", text)
    text = _WHEN.sub("when ", text)
    text = _ORDINAL.sub(lambda match: f"{match[1]} {match[2]}th", text)
    return _DAY_LIKE.sub(_day_or_same, text)


def as_answer(text: str) -> str:
    """The same where yes or no is expected: a lone "now" is a no."""
    return "no" if _NO_ANSWERS.match(text) else text


def _day_or_same(match: re.Match[str]) -> str:
    whole = match[0].lower().replace(" ", "")
    is_verb = match[1].lower() in ("to", "too", "not") and not match[2].lower().startswith("day")
    if is_verb or whole.rstrip("s") in _DAYS:
        return match[0]
    sound = _sound(whole)
    return next((day.title() for day in _DAYS if _sound(_PRONOUNCED.get(day, day)) == sound), match[0])


def _sound(word: str) -> str:
    """Consonants without voice, doubled ones once, vowels and h left out but for the first letter."""
    plain = word.lower().replace("wh", "w").replace("'", "").translate(_SAME)
    consonants = re.sub(r"[aeiouyh]", "", plain[1:])
    return re.sub(r"(.)\1+", r"\1", plain[0] + consonants)
