"""The words of a question that matter, and what kind of answer it wants. English; pure.

Speech-to-text writes few question marks and splits or misspells words that are rare, so nothing here depends
on punctuation, and rare words are compared by likeness (see ``index``).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sipagent.knowledge.clauses import clauses_of
from sipagent.knowledge.common_words import COMMON_WORDS
from sipagent.knowledge.wanted import KIND_WORDS, Wanted, counted_by, wanted_by

STOP_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
    a able about actually again ah all also am an and any anybody anymore anyone anything anywhere are as
    ask asking at be because been both but by bye can cant could curious did do does doing done dont each
    either else er ever for from gonna good got guys had has have having he hello her hey hi him his
    hoping how i id if ill im in into is it its ive just kind know let like may maybe me mean might mine
    more most much must my need no nor not nothing of oh ok okay on one or our out perhaps please possible
    possibly question quick quickly really right say shall she should since so some somebody someone
    something somewhere sorry sort still sure tell than thank thanks that the their them then there
    these they thing things think this those to too uh um until us very wait wanna want wanted was we
    well were what whats when where whether which while whilst who why will with wonder wondering would
    yeah yes you your youre yours yourself yourselves myself ourselves himself herself themselves
    """,
    )
)
"""Words that say nothing about the subject."""
LIGHT_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
    accept afternoon allow allowed along also appointment around available back big bit both bring brother
    business busy buy call carry case come coming company correct cover dad daughter day different do
    earlier early end enter entrance even evening every everything exactly extra father few find first
    follow four frequently friend front full get give go going great guy guys handle happen hear help
    here high home house husband include inside item keep kind last late later learn leave let
    little long look lot low make man many matter minute mom moment month morning mother moving near
    nearby new next nice night note number offer office often only order other outside own parents
    part people person place plan plus practice problem provide public put quick reach ready real
    receive regular same see sell send serve service shop show side sister small sold something son soon
    special spot start stay stop support sure take taking talk terrible thing three ticket time today
    together tomorrow tonight total town treat try turn two type up use usual visit wait walk way week
    whole wife woman work year yesterday young
    """,
    )
)
"""Words that say a little: what they go with says the rest. As dictionaries have them."""
_LIGHT_SHARE = 0.2
_SYNONYMS = (
    (
        *("child", "children", "kid", "kids", "toddler", "toddlers", "baby", "babies", "infant", "infants"),
        *("teen", "teens", "teenager", "teenagers", "grandchild", "grandchildren", "grandkids"),
    ),
    ("car", "cars", "vehicle", "park", "parking", "garage"),
    ("bus", "buses", "train", "trains", "subway", "tram", "transport", "transit"),
    (
        *("wheelchair", "accessible", "elevator", "lift", "stairs", "steps", "ramp", "disabled"),
        *("handicapped", "accessibility", "walker", "crutches", "rollator", "scooter"),
    ),
    ("discount", "discounts", "reduction", "reductions", "reduced", "rebate", "cheaper", "less", "off"),
    ("exam", "exams", "examination", "checkup", "checkups", "check"),
    ("wifi", "wi", "internet", "wlan", "wireless"),
    ("doctor", "doctors", "dr", "dentist", "dentists"),
    ("installments", "instalments", "installment", "financing", "finance", "monthly", "split", "spread"),
    ("pay", "paying", "payment", "payments", "settle"),
    ("cancel", "cancelled", "canceled", "cancelling", "canceling", "cancellation"),
    ("miss", "missed", "skip", "forget"),
    ("paperwork", "papers", "documents", "document", "forms"),
    ("pull", "pulled", "extract", "extracted", "extraction", "extractions", "remove", "removed", "removal"),
    ("alcohol", "beer", "wine", "liquor", "booze"),
    ("smoke", "smoking", "cigarette", "cigarettes", "vape", "vaping"),
    ("eat", "eating", "food", "breakfast", "lunch", "dinner", "meal", "snack"),
    ("medicine", "medicines", "medication", "medications", "meds", "drugs"),
    ("language", "languages", "spanish", "french", "german", "chinese"),
    ("pain", "hurts", "hurting", "ache", "aching", "agony"),
    ("emergency", "emergencies", "urgent"),
    ("senior", "seniors", "retired", "retiree", "retirees", "pensioner", "pensioners", "elderly"),
    ("located", "location", "address", "street", "directions"),
    ("old", "age", "aged"),
    ("refund", "refunds", "return", "returns"),
    ("toilet", "toilets", "restroom", "restrooms", "bathroom", "washroom", "loo"),
    ("frightened", "afraid", "scared", "nervous", "anxious", "fear"),
    ("tooth", "teeth"),
    ("phone", "telephone", "cell", "mobile"),
)
_SYNONYMS_OF = {word: group for group in _SYNONYMS for word in group}


_SHORT_FORMS = re.compile(r"'(?:s|re|ll|ve|d|m|t)\b")
_WORD = re.compile(r"[^\W_]+")
_WHERE_WE_ARE = re.compile(
    r"\bwhere(?:'s|'re| is| are| can i find| do i find)(?: you| the| your)+(?: located| at| \w+)?\W*$|"
    r"\bhow do i (?:get|find) (?:there|to you|you)\b"
)
_POINTS_BACK = re.compile(r"\b(?:that|this|it|so|then|one)\b")
_SOUNDS = tuple(
    (re.compile(pattern), letter)
    for pattern, letter in (
        ("ph", "f"),
        ("c(?=[eiy])|z", "s"),
        ("ck?|q", "k"),
        ("x", "ks"),
        (r"(.)\1", r"\1"),
    )
)
_NAMED = re.compile(
    r"\b(?:doctor|dr|mr|mrs|ms|miss)\b\.? (?!who|is|does|do|can|and|or|at|in|on|for|to)[a-z]+"
)
_QUALITY = re.compile(
    r"^(?:so |and |but )?(?:is|are|was|were) (?!(?:there|it|that|this|these|those|you|we|i)\b)[\w' -]+? "
    r"(?!(?:available|possible|offered|included|allowed|accepted|okay|ok|fine|here|there|today|now)\b)(\w+)\W*$"
)
_STATE = re.compile(
    r"\b(?:i|we|he|she|they|it|my \w+)(?:'m|'s|'re|'ve got| am| is| are| has| have)(?: been)? (?!\w+ing\b)"
)
"""Says how somebody is or what they have; all may depend on it: "I'm pregnant, can I …"."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about."""

    words: tuple[str, ...]
    """Those that matter, in order, each once."""
    asides: frozenset[str] = frozenset()
    """Of these the ones that stand beside the question: "I'm coming by bus, where …"."""
    told: frozenset[str] = frozenset()
    """What is told beside the question, but for how somebody is and what they have."""
    names: frozenset[str] = frozenset()
    """Titles and names: they tell of whom, and not what is asked."""
    quality: str = ""
    """Of "is it safe": what is asked of the subject, however common the word is."""
    wanted: Wanted = Wanted.ANYTHING
    counted: str = ""
    """What is to be counted, of "how many"."""


def subject_of(text: str, is_question: Callable[[str], bool] = lambda clause: True) -> Subject:
    """The subject of what somebody says or asks.

    :param is_question: tells of each clause whether it asks; what stands beside a question says less.
    """
    lower = text.lower().replace("’", "'")
    wanted = wanted_by(lower)
    left_out = STOP_WORDS | KIND_WORDS[wanted]
    words: dict[str, bool] = {}
    told: set[str] = set()
    points_back = False
    for clause in clauses_of(lower):
        asks = is_question(clause)
        points_back |= asks and _POINTS_BACK.search(clause) is not None
        for word in words_of(clause):
            if word not in left_out:
                words[word] = asks or words.get(word, False)
                if not asks and not _STATE.search(clause):
                    told.add(word)
    if _WHERE_WE_ARE.search(lower):
        words["address"] = True
    asides = frozenset(word for word, asks in words.items() if not asks)
    is_vague = not any(weight_of(word) == 1.0 and not is_common(word) for word in words.keys() - asides)
    if points_back or is_vague:
        asides = frozenset()
    return Subject(
        tuple(words), asides, frozenset(told), _names_in(lower), _quality_in(lower), wanted, counted_by(lower)
    )


def _quality_in(lower: str) -> str:
    found = _QUALITY.match(clauses_of(lower)[-1]) if lower else None
    return found[1] if found else ""


def _names_in(lower: str) -> frozenset[str]:
    """Of people; none where it is asked who they are."""
    if lower.startswith("who"):
        return frozenset()
    return frozenset(word for match in _NAMED.finditer(lower) for word in words_of(match[0]))


def words_of(text: str) -> tuple[str, ...]:
    """All words, as they are compared."""
    return tuple(_WORD.findall(_SHORT_FORMS.sub(" ", text.lower().replace("’", "'"))))


def weight_of(word: str) -> float:
    """How much a word says: 0..1."""
    if word in STOP_WORDS:
        return 0.0
    return _LIGHT_SHARE if any(form in LIGHT_WORDS for form in _base_forms(word)) else 1.0


def is_common(word: str) -> bool:
    """It is used of everything, or is a figure: that nobody wrote it down says nothing."""
    return word.isdecimal() or len(word) < 2 or any(form in COMMON_WORDS for form in _base_forms(word))


def sound_of(word: str) -> str:
    """The word with letters that sound alike made one: "Signa" is heard where Cigna is said."""
    for pattern, letter in _SOUNDS:
        word = pattern.sub(letter, word)
    return word


def synonyms_of(word: str) -> tuple[str, ...]:
    """Words that callers use for the same, the word itself first."""
    others = (one for one in _SYNONYMS_OF.get(word, ()) if one != word)
    return (word, *others)


def _base_forms(word: str) -> Iterator[str]:
    """The word, and what it may be a form of: ``accepting`` of accept, ``taking`` of take."""
    yield word
    for ending in ("s", "es", "ed", "ing", "d"):
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            base = word[: -len(ending)]
            yield from (base, f"{base}e")
            if base[-1:] == base[-2:-1]:
                yield base[:-1]  # "getting"
