"""Names that callers say, and spell. Pure."""

import re
from difflib import SequenceMatcher

from sipagent.flows.spelling import spelt, spoken_letters
from sipagent.flows.values import Reading, Said, Value, repaired, without_lead

_INTRODUCED = re.compile(
    r"\b(?:my (?:full |last |first |sur)?name(?:'s| is|s)|(?:the |last |first |full )?name(?:'s| is)|"
    r"i'm called|this is|call me|it's under|it is under|"
    r"under(?: the name(?: of)?)?|i am|i'm|it's|it is|that's|that would be|it's for|(?:the )?name of|"
    r"(?:put|book) (?:it|me) (?:down )?(?:under|as|for))[,: ]+(?P<rest>.+)",
    re.IGNORECASE,
)
_SPEAKING = re.compile(r"^(?P<name>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,3}),? (?:speaking|here|calling)\b")
_FIRM = re.compile(
    r"\b(?:name(?:'s| is|s)|i'm called|call me|under the name|(?:put|book) (?:it|me) (?:down )?under)\b", re.I
)
_STOPS = frozenset(
    re.findall(
        r"\S+",
        """
    a an the i you he she we they it is are was were am be been do does did have has had can could
    will would should may might must my your his her our their this that these those here there what
    when where why who how which not no yes yeah yep and or but if so because to of for from with at
    on in by about as please thanks thank speaking calling like want need book appointment sorry
    okay ok sure well just really hello hi hey um uh er looking trying wondering interested late
    early busy new patient first last name spelled spelt going coming fine good great right correct
    one two three today tomorrow monday tuesday wednesday thursday friday saturday sunday morning
    afternoon time number phone email why tell course question sick ill afraid married full that's
    it's i'm don't can't won't i'd i'll
    """,
    )
)
"""Words that no name begins with or goes on with."""
_MOST_WORDS = 4


def read_name(said: Said) -> Reading:
    """``my name is Sarah Miller``; ``Smith, S-M-Y-T-H`` is Smyth; a bare name where one was asked for."""
    _, last = repaired(said.text)
    text = without_lead(last)
    letters = spelt(text)
    name = _said_name(text, is_asked=said.is_asked)
    before = said.before.value if said.before else ""
    if letters:
        whole = _with_spelling(name or before, letters)
        return Value(whole, f"{whole}, spelled {spoken_letters(letters)}", is_sure=False)
    if not name:
        return None
    if before and len(name.split()) == 1 and len(before.split()) > 1:
        name = _with_spelling(before, name.lower())
    return Value(name, name)


def _said_name(text: str, *, is_asked: bool) -> str:
    cut = re.split(r"\b(?:spell(?:ed|t)?|that's (?=[A-Za-z]\b)|with (?:a|an|two) )", text, flags=re.I)[0]
    match = _SPEAKING.search(cut)
    if match and match["name"].split()[0].lower() not in _STOPS:
        return _titled(match["name"].split())
    match = _INTRODUCED.search(cut)
    if match and (is_asked or _FIRM.search(match[0])):
        while inner := _INTRODUCED.match(match["rest"]):
            match = inner
        return _leading_name(match["rest"])
    if not is_asked:
        return ""
    return _leading_name(cut) if len(re.findall(r"[A-Za-z'’-]+", cut)) <= _MOST_WORDS + 1 else ""


def _leading_name(text: str) -> str:
    """The words of a name that the text begins with."""
    words: list[str] = []
    for match in re.finditer(r"[A-Za-zÀ-ž][\w'’-]*|[,.;!?]", text):
        word = match[0]
        if word in ",.;!?":
            if words and word != ",":
                break
            continue
        low = word.lower().replace("’", "'")
        if low in _STOPS or len(word) == 1 or re.match(r"[A-Za-z]-", word):
            if words or low not in (
                "the",
                "it",
                "is",
                "yes",
                "yeah",
                "sure",
                "well",
                "okay",
                "hi",
                "hello",
                "um",
            ):
                break
            continue
        words.append(word)
        if len(words) == _MOST_WORDS:
            break
    return _titled(words)


def _titled(words: list[str]) -> str:
    return " ".join(word if not word.islower() and not word.isupper() else word.title() for word in words)


def _with_spelling(name: str, letters: str) -> str:
    """``name`` with the word replaced that the letters spell; the letters alone where none is alike."""
    words = name.split()
    if not words:
        return letters.title()
    scores = [
        SequenceMatcher(None, word.lower(), letters).ratio() + 0.01 * at for at, word in enumerate(words)
    ]
    best = max(range(len(words)), key=lambda at: scores[at])
    if scores[best] < 0.4:
        best = len(words) - 1
        if len(words) == 1:
            return f"{words[0]} {letters.title()}"
    words[best] = letters.title()
    return " ".join(words)
