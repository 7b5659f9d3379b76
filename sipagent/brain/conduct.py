"""Callers' words that the program answers itself, whatever the model would say. Pure."""

import re
from dataclasses import dataclass
from enum import Enum


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
    PRIVATE = "private"
    """Somebody else's data is asked for."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What was recognised."""

    topic: Topic
    language: str = ""
    """ISO 639-1, of ``LANGUAGE``."""


_CRISIS = re.compile(
    r"\b(?:kill|killing|hurt|hurting|harm|harming|cut|cutting|hang|shoot|drown|poison) myself\b|\bsuicid\w+|"
    r"\b(?:end|ending|take|taking) (?:my (?:own )?life|it all\b(?! back))|\bwant(?:ed)? to (?:die|"
    r"be dead|end it all)\b|"
    r"\b(?:don't|do not|no longer|not) (?:really )?(?:want|wish) to (?:live|be alive|be here any ?more|"
    r"wake up)\b|"
    r"\bbetter off (?:dead|without me)\b|\b(?:no|any) (?:reason|point) (?:to|in) (?:live|living|go on|"
    r"going on)\b|"
    r"\bwish i (?:was|were) dead\b|\b(?:took|taken|swallowed|taking) (?:all |too many |(?:a|the) (?:whole )?"
    r"(?:lot|bunch|bottle|box|pack|handful) of )"
    r"(?:(?:my|the|of|these|some) )*(?:\w+ )?(?:pills|tablets|medication|painkillers)\b|\bself[- ]?harm\w*|"
    r"\bend my life\b|"
    r"\bjump(?:ing)? off (?:a|the) (?:bridge|roof|building)\b|\boverdos\w+|\bcan't (?:live like this|"
    r"go on living|go on "
    r"any ?more)\b",
    re.I,
)
_INSULT = (
    r"(?:idiots?|morons?|stupid|imbeciles?|useless|worthless|pathetic|dumb\w*|piece of (?:shit|crap|"
    r"junk|garbage|"
    r"trash)|bitch\w*|bastards?|asshole\w*|arsehole\w*|cunts?|whores?|sluts?|scum|pigs?|trash|garbage|losers?|"
    r"retard\w*|wankers?|dickhead\w*|jackass|jerks?|motherfuck\w*|(?:fucking|bloody|goddamn) \w+|ugly|fool)"
)
_ABUSE = re.compile(
    rf"\byou(?:'re| are| guys are| people are| all are| lot are)? (?:(?:such|just|nothing but|really|"
    rf"all|so|a|an|the|"
    rf"fucking|bloody|total|complete|absolute|goddamn|damn|stupid|little|dirty) )*{_INSULT}\b|"
    r"\b(?:fuck|screw|damn) (?:you|off|yourself|this stupid)|\bgo (?:to hell|fuck|screw|kill yourself)\b|"
    r"\bshut (?:the (?:fuck|hell) )?up\b|\bkiss my ass\b|\bkill yourself\b|\b(?:drop dead|eat shit|"
    r"suck my)\b|"
    r"\b(?:i will|i'll|i'm going to|i'm gonna|gonna|we'll|someone should) (?:come (?:over|"
    r"down)(?: there)? and )?"
    r"(?:kill|find|hurt|beat|burn|smash|bomb|shoot|get|hunt|destroy|slap|punch) (?:you\b(?! (?:on|in|at|"
    r"there|later|a|the|when|if|back|by))|"
    r"your (?:place|"
    r"office|house|"
    r"family|building|kids|practice)|down (?:you|your)|the (?:place|building|office))|\b(?:sexy|horny|"
    r"naked|nude)\b|"
    r"\bwhat are you wearing\b|\btalk dirty\b|\bsleep with me\b|"
    rf"^(?:(?:oh|well|hey|no|god|what|a|an|you) )*(?:idiots?|morons?|bitch|asshole|cunt|bastards?|"
    rf"motherfucker)\b",
    re.I,
)
_LANGUAGES = {
    "spanish": "es", "español": "es", "espanol": "es", "french": "fr", "français": "fr", "francais": "fr",
    "german": "de", "deutsch": "de", "italian": "it", "italiano": "it", "portuguese": "pt", "português": "pt",
    "portugues": "pt", "polish": "pl", "russian": "ru", "chinese": "zh", "mandarin": "zh", "cantonese": "zh",
    "japanese": "ja", "korean": "ko", "vietnamese": "vi", "arabic": "ar", "turkish": "tr", "hindi": "hi",
    "dutch": "nl", "ukrainian": "uk", "tagalog": "tl", "english": "en", "swedish": "sv", "greek": "el",
    "hebrew": "he", "urdu": "ur", "farsi": "fa", "persian": "fa",
}  # fmt: skip
_NAMES = "|".join(_LANGUAGES)
_LANGUAGE = re.compile(
    rf"\b(?:speak|speaks|speaking|talk|continue|switch(?: over)?|change|have (?:anyone|someone|somebody)|"
    rf"habla[ns]?|hablo|parle[zsr]?|sprech\w+|parla\w?|fala\w*|go on|do this|say (?:it|that)|answer|"
    rf"help me|answers)\b"
    rf"[^.?!]{{0,40}}?\b(?P<a>{_NAMES})\b|\b(?:in|en|auf) (?P<b>{_NAMES})\b(?: please|, please|\?|$)|"
    rf"\b(?P<c>{_NAMES})[- ]speak(?:er|ing)\b|^(?:\w+ )?(?P<d>{_NAMES})(?:,? please|, por favor|\?)\W*$",
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
_ROBOT = re.compile(
    r"\b(?:are you|am i (?:talking|speaking|chatting) (?:to|with)|is this|is that|is it|this is|you're|"
    r"you are|"
    r"i'm (?:talking|speaking) (?:to|with)|who am i (?:talking|speaking) to)[^.?!]{0,20}\b(?:robot|"
    r"machine|bot|chatbot|"
    r"computer|a\.?i\.?\b|artificial intelligence|recording|recorded|real (?:person|human|lady|woman|"
    r"man|receptionist|one)|"
    r"human(?: being)?|actual (?:person|human)|live (?:person|human|agent)|a person|automated|program|"
    r"siri|alexa|chatgpt)\b"
    r"[^.!]{0,40}(?:\?|$|right|isn't it|aren't you|correct|or (?:what|not))|\bdo i talk to a (?:machine|"
    r"robot|computer)\b|"
    r"\bare you (?:even )?(?:alive|real)\b",
    re.I,
)
_OTHERS = (
    r"(?:(?:the |any |an? |your |some )?(?:last|previous|other|another|next|earlier|first) "
    r"(?:caller|patient|customer|client|person|guy|lady|man|woman|people)s?(?:'s?)?|other people(?:'s)?|"
    r"(?:callers|patients|customers|clients)(?:')?|anyone else's|somebody else's|someone else's|"
    r"my (?:ex[\w-]*|neighbou?r|boss|co-?worker|colleague|landlord|girlfriend|boyfriend|wife|husband|"
    r"sister|brother)'s|"
    r"(?:(?:mr|mrs|ms|miss|dr)\.? )?(?!(?:let|here|there|it|what|who|how|that|today|tomorrow|dentist|"
    r"doctor|hygienist|practice|office|company|clinic|place|insurance|son|daughter|child|kid|baby|manager)'s)[a-z]+'s)"
)
_DATA = (
    r"(?:names?|(?:phone |telephone |cell |home |mobile )?numbers?|address(?:es)?|appointments?|"
    r"records?|files?|"
    r"birthdays?|dates? of birth|accounts?|details|data|insurance|balance|diagnosis|bills?|e-?mails?|visits?|"
    r"information|history|social security)"
)
_ASKS = (
    r"(?:what|when|which|who|where|tell|give|read|list|show|share|send|look up|need|want|can you|could you|"
    r"do you)"
)
_ACQUAINTANCE = (
    r"(?:ex[\w-]*|husband|wife|boss|neighbou?r|co-?worker|colleague|landlord|girlfriend|boyfriend|sister|"
    r"brother|friend|partner|tenant)"
)
_PEOPLE = (
    r"(?:callers?|patients?|customers?|clients?|(?:mr|mrs|ms|miss|dr)\.? \w+|somebody|someone|anyone|anybody|"
    rf"everyone|everybody|people|{_ACQUAINTANCE})"
)
_PRIVATE = re.compile(
    rf"\b{_ASKS}\b[^.?!]{{0,40}}\b{_OTHERS} (?:\w+ )?{_DATA}\b|"
    rf"\b{_ASKS}\b[^.?!]{{0,30}}\b(?:{_DATA}|list) (?:of|for|from|about) (?:all |every |each )?"
    rf"(?:the |your |my )?(?:last|previous|other|another|earlier|first)? ?{_PEOPLE}\b|"
    r"\bwho (?:else )?(?:called|phoned|rang|booked|has called|was there|comes|is coming)\b[^.?!]{0,30}\b(?:"
    r"before|earlier|today|yesterday|else|last|tomorrow)\b|\bwho else\b[^.?!]{0,30}\b(?:booked|coming|"
    r"there|called)|"
    r"\bwhat did (?:the )?(?:last|previous|other) \w+ (?:say|want|tell|ask)|"
    rf"\b(?:has|did|does|is|was|have) (?:(?:mr|mrs|ms|miss)\.? \w+|my {_ACQUAINTANCE}|(?!(?:Doctor|Dr|"
    rf"Maple|The|This|"
    rf"That|It|There|"
    r"Your|He|She|Everything|Anybody|Somebody|Today|Tomorrow|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|"
    r"Sunday)\b)(?-i:[A-Z][a-z]+ [A-Z][a-z]+)) (?:\w+ )?(?:call(?:ed)?|book(?:ed)?|been|have|has|come|"
    r"coming|owe|"
    r"an? (?:client|customer|patient)|there|here|in)\b|"
    rf"\b(?:is|was) (?:your|a) (?:patient|client|customer)\b(?! of\b)|"
    rf"\b(?:everybody|everyone|people|patients|callers|customers) who (?:was|were|is|are|came|called|come)\b",
    re.I,
)


def remark_in(text: str, own_language: str = "en") -> Remark | None:
    """What of a caller's words the program answers itself; None: nothing.

    :param own_language: ISO 639-1; asking for it is no request for another one.
    """
    plain = " ".join(text.replace("’", "'").split())
    if _CRISIS.search(plain):
        return Remark(Topic.CRISIS)
    if _ABUSE.search(plain):
        return Remark(Topic.ABUSE)
    language = _language_of(plain, own_language)
    if language:
        return Remark(Topic.LANGUAGE, language)
    if _ROBOT.search(plain):
        return Remark(Topic.ROBOT)
    if _PRIVATE.search(plain):
        return Remark(Topic.PRIVATE)
    return None


def _language_of(plain: str, own: str) -> str:
    for match in _LANGUAGE.finditer(plain):
        name = next(group for group in match.groups() if group)
        if _LANGUAGES[name.lower()] != own:
            return _LANGUAGES[name.lower()]
    for language, words in _SPOKEN:
        if language != own and len(re.findall(words, plain, re.I)) >= 2:
            return language
    return ""
