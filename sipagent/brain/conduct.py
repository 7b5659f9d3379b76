"""Callers' words that the program answers itself, whatever the model would say. Pure."""

import re
from dataclasses import dataclass
from enum import Enum

from sipagent.brain.conduct_abuse import is_abuse
from sipagent.brain.conduct_crisis import is_despair
from sipagent.brain.conduct_memory import asks_what_is_known, wants_to_be_forgotten
from sipagent.brain.conduct_orders import is_order
from sipagent.brain.conduct_private import asks_for_others_data


class Topic(Enum):
    """What such words are about, the gravest first."""

    CRISIS = "crisis"
    """The caller speaks of harming themselves."""
    ABUSE = "abuse"
    """An insult, a threat or lewdness against the agent or its people; swearing at a toothache is none."""
    LANGUAGE = "language"
    """Another language is asked for, or spoken."""
    ROBOT = "robot"
    """Is this a machine?"""
    FORGET = "forget"
    """The caller wants to be forgotten."""
    KNOWN = "known"
    """What is remembered of the caller?"""
    PRIVATE = "private"
    """Somebody else's data is asked for, or something is to be done with it."""
    ORDERS = "orders"
    """The agent itself is given orders: about its instructions, another role, by somebody's authority."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What was recognised."""

    topic: Topic
    language: str = ""
    """ISO 639-1, of ``LANGUAGE``."""


_LANGUAGES = {
    "spanish": "es", "español": "es", "espanol": "es", "french": "fr", "français": "fr", "francais": "fr",
    "german": "de", "deutsch": "de", "italian": "it", "italiano": "it", "portuguese": "pt", "português": "pt",
    "portugues": "pt", "polish": "pl", "russian": "ru", "chinese": "zh", "mandarin": "zh", "cantonese": "zh",
    "japanese": "ja", "korean": "ko", "vietnamese": "vi", "arabic": "ar", "turkish": "tr", "hindi": "hi",
    "dutch": "nl", "ukrainian": "uk", "tagalog": "tl", "english": "en", "swedish": "sv", "greek": "el",
    "hebrew": "he", "urdu": "ur", "farsi": "fa", "persian": "fa",
}  # fmt: skip
_NAMES = "|".join(_LANGUAGES)
_FILLED = (
    r"(?:(?:to|with|me|us|her|him|it|this|that|any|a|little|some|in|over|into|someone|somebody|anyone|"
    r"anybody|who|can|"
    r"speaks?|speaking|the|please|also|only|just|fluent|english,?|or|and|you|vous|sie|usted|ustedes|tu|du|"
    r"lei|"
    r"você|about) ?)"
)
_SAID_AFTER = (
    r"(?=\W*$|[.,;!?]| (?:please|with|to|or|and|there|here|at|on|instead|by|too|because|for|if|as|but|por|"
    r"s'il|bitte|"
    r"is|over|now|today|than|so|thanks)\b)"
)
_LANGUAGE = re.compile(
    rf"(?<!learn to )(?<!learning to )(?<!learned to )\b(?:speaks?|speaking|talk|understands?|continue|"
    rf"switch(?: over)?|change|have (?:anyone|someone|"
    rf"somebody)|"
    rf"habla[nsr]?|hablo|parle[zsr]?|sprech\w+|parla\w*|fala\w*|go on|do this|say (?:it|that)|answer|"
    rf"help me)[- ]"
    rf"{_FILLED}{{0,8}}(?P<a>{_NAMES})\b{_SAID_AFTER}|"
    rf"(?<!say hello )\b(?:in|en|auf) (?P<b>{_NAMES})\b(?:,? please|,? por favor|,? bitte|\W*$)|"
    rf"\b(?P<c>{_NAMES})[- ]speak(?:er|ing)\b|^(?:\w+ )?(?P<d>{_NAMES})(?:,? please|,? por favor|\?)\W*$",
    re.I,
)
_SPOKEN = (
    ("es", r"\b(?:por favor|buenos d[ií]as|buenas tardes|hola|necesito|quiero|gracias|cita|habla usted)\b"),
    (
        "fr",
        r"\b(?:bonjour|s'il vous pla[iî]t|je (?:voudrais|veux|cherche)|rendez-vous|merci beaucoup|"
        r"parlez-vous)\b",
    ),
    ("de", r"\b(?:guten tag|ich (?:möchte|brauche|hätte|will)|sprechen sie|bitte schön|danke schön)\b"),
)
_NO_ENGLISH = (
    ("es", r"\bno (?:hablo|entiendo) (?:el )?ingl[eé]s\b"),
    ("fr", r"\bne parle pas (?:l'|l’)?anglais\b"),
    ("de", r"\bspreche (?:kein|nicht) englisch\b"),
)
_MACHINE = (
    r"(?:(?:a |an |one of those |one of these |some (?:kind|sort) of )(?:\w+ )?"
    r"(?:robot|machine|(?:chat|voice)?bots?|computer(?: program| voice)?|recording|recorded (?:message|"
    r"voice)|"
    r"program|"
    r"automated (?:system|assistant|voice)|a\.?i\.?(?: things?| bots?| assistants?)?|person|human(?: being)?|"
    r"real (?:one|lady|woman|man|receptionist))|"
    r"(?:a\.?i|artificial intelligence|siri|alexa|chatgpt|automated|human|one of (?:those|"
    r"these) (?:a\.?i\.? )?"
    r"(?:\w+ )?(?:things|(?:chat)?bots|robots|machines|voices|systems)|chatbot))"
)
_ROBOT = re.compile(
    r"\b(?:are you|am i (?:talking|speaking|chatting|on) (?:to|with)|do i talk to|is this|is that|is it|"
    r"this is|you're|"
    r"you are|i'm (?:talking|speaking) (?:to|with)|who am i (?:talking|speaking) to|you sound like) "
    rf"(?:just |even |really |actually |not |like |still |perhaps |maybe )*{_MACHINE}"
    r"(?=\W*$|[,.?!;]| (?:or|then|right|isn't|aren't|am|are|here|now|again|please|too|really|i'm|talking|"
    r"speaking|"
    r"answering|on the (?:line|phone)|correct|though|who's|that's)\b)|"
    r"\bare you (?:even )?(?:alive|real)\b(?=\W*$|[,.?!]| (?:or|at all)\b)",
    re.I,
)
_TOLD = re.compile(r"(?:this is|you're|you are|i'm (?:talking|speaking) (?:to|with))\b", re.I)
_TAG = re.compile(
    r"[ ,]*(?:\?|(?:right|isn't it|aren't you|are you|"
    r"aren't i|am i not|correct|or (?:what|not)|don't you)\b)",
    re.I,
)
"""What makes a question of a statement: "you're a robot, right"."""


def remark_in(text: str, own_language: str = "en") -> Remark | None:
    """What of a caller's words the program answers itself; None: nothing.

    :param own_language: ISO 639-1; asking for it is no request for another one.
    """
    plain = " ".join(text.replace("’", "'").split())
    if is_despair(plain):
        return Remark(Topic.CRISIS)
    if is_abuse(plain):
        return Remark(Topic.ABUSE)
    language = _language_of(plain, own_language)
    if language:
        return Remark(Topic.LANGUAGE, language)
    if _is_about_machine(plain):
        return Remark(Topic.ROBOT)
    if wants_to_be_forgotten(plain):
        return Remark(Topic.FORGET)
    if asks_what_is_known(plain):
        return Remark(Topic.KNOWN)
    if asks_for_others_data(plain):
        return Remark(Topic.PRIVATE)
    if is_order(plain):
        return Remark(Topic.ORDERS)
    return None


def _language_of(plain: str, own: str) -> str:
    for match in _LANGUAGE.finditer(plain):
        name = next(group for group in match.groups() if group)
        is_verb = name == "polish" and match["a"] is None  # teeth are; the language has a capital letter
        if _LANGUAGES[name.lower()] != own and not is_verb:
            return _LANGUAGES[name.lower()]
    for language, words in _NO_ENGLISH:
        if language != own and re.search(words, plain, re.I):
            return language
    for language, words in _SPOKEN:
        if language != own and len(re.findall(words, plain, re.I)) >= 2:
            return language
    return ""


def _is_about_machine(plain: str) -> bool:
    found = _ROBOT.search(plain)
    if found is None:
        return False
    if _TOLD.match(found[0]) is None:
        return True
    return _TAG.match(plain[found.end() :]) is not None
