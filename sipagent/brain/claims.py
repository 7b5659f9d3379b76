"""What a sentence claims that somebody may rely on: prices, numbers, times, deeds, promises. Pure.

A claim has a kind and a value that is the same however it is said ("ninety dollars", "$90"). Whether it is
true nobody here knows; :class:`Facts` knows whether somebody has said it who may.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from sipagent.brain.figures import DAYS, MONTHS, in_figures

Kind = Literal[
    "price", "phone", "time", "day", "date", "mail", "web", "street", "person", "deed", "promise", "human",
    "open", "prompt", "profanity", "medicine", "patient",
]  # fmt: skip
FROM_CALLERS = frozenset({"phone", "time", "day", "date", "mail", "web", "street", "person"})
"""What may be repeated because the caller has said it. A price is none the truer for that."""

_AMOUNT = r"\d+(?:\.\d+)?"
_PRICE = re.compile(
    rf"[$€£] ?(?P<a>{_AMOUNT})|(?P<b>{_AMOUNT}) ?(?:dollars?|bucks?|euros?|pounds?|cents?|usd|eur)\b|"
    rf"(?P<percent>{_AMOUNT}) ?(?:%|percent\b)|(?P<half>\bhalf (?:the )?(?:price|off)\b)|"
    r"(?P<free>\bfree of charge\b|\bfor free\b|\b(?:at )?no (?:extra |additional )?(?:cost|charge|fee)\b|"
    r"\bcomplimentary\b|\bon the house\b|\bis (?:completely |totally )?free\b(?! (?:at|on|from|to|that|"
    r"in|for)\b)"
    r"|\b(?:it|that|this|everything|visit|cleaning|check-up)(?:'s| is) (?:\w+ )?free\b(?! (?:at|on|from|"
    r"in|to)\b)"
    r"|\bfree (?:of cost|cleaning|check\w*|consultation|exam\w*|visit|appointment|whitening|service)\b)",
    re.I,
)
_PHONE = re.compile(r"(?<![\d$€£])\+?\(?\d(?:[ ().-]{0,2}\d){6,}")
_MERIDIEM = r"(?:a\.?m\.?|p\.?m\.?|o'?clock)"
_TIME = re.compile(
    rf"\b(?P<h>\d{{1,2}}):(?P<m>\d\d)\b|\b(?P<h2>\d{{1,2}})(?: (?P<m2>[0-5]\d))? ?{_MERIDIEM}(?!\w)|"
    r"\bhalf past (?P<half>\d{1,2})\b|\b(?P<q>quarter|\d{1,2}(?: minutes)?) (?P<way>past|after|to|before) "
    r"(?P<qh>\d{1,2})\b(?! ?(?:%|percent|dollars|days|weeks|minutes|hours|years|people))|"
    r"\b(?:at|until|till|by|from|before|after|between|about|around) (?P<bare>\d{1,2})\b"
    r"(?! ?(?:%|percent|dollars?|bucks|euros|days?|weeks?|minutes?|hours?|months?|years?|people|times|other|"
    r"[A-Z]\w+ (?:Street|Road|Avenue|Lane|Drive)|:|\.\d))|"
    r"\b(?P<f>\d{1,2})(?: [ap]m)? ?(?:to|until|till|-|–) ?(?P<t>\d{1,2})\b(?! ?(?:days?|weeks?|minutes?|"
    r"%|percent|"
    r"dollars?|months?|years?|business))|"
    r"\b(?P<noon>noon|midnight|midday)\b|\b(?P<always>24/7|around the clock|24 hours)\b",
    re.I,
)
_DAY = re.compile(rf"\b({'|'.join(DAYS)})s?\b", re.I)
_DAYS_FROM_TO = re.compile(
    rf"\b({'|'.join(DAYS)})s? ?(?:to|through|till|until|-|–) ?({'|'.join(DAYS)})s?\b", re.I
)
_OPEN, _CLOSED = re.compile(r"\b(?:open|available|come in|here)\b", re.I), re.compile(r"\bclosed?\b", re.I)
_WEEKEND = re.compile(r"\bweekends?\b", re.I)
_DATE = re.compile(
    rf"\b(?P<m>{'|'.join(MONTHS)})\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b|"
    rf"\b(?:the )?(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m2>{'|'.join(MONTHS)})\b",
    re.I,
)
_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b\w+(?: dot \w+)* at \w+(?: dot \w+)+\b", re.I)
_WEB = re.compile(
    r"\b(?:https?://|www\.)\S+|\b(?:www dot )?[\w-]+(?:\.| dot )(?:com|org|net|info|io|co|gov|edu|biz)\b\S*",
    re.I,
)
_STREET = re.compile(
    r"\b\d+[A-Za-z]? (?:[A-Z][\w'-]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|"
    r"Blvd|Way|"
    r"Court|Square|Place)\b"
)
_PERSON = re.compile(r"\b(?:Dr|Doctor|Mr|Mrs|Ms|Miss|Professor|Nurse)\.? (?P<name>[A-Z][\w'-]+)")
_NOT = r"(?!(?: \w+){0,2} (?:not|never|no one|nobody))"
_I = rf"\b(?:i|we|i've|we've|we have|i have|i just|we just|i'll|we'll|i will|we will|i'm|we're|let me){_NOT}"
_ITS = r"(?:is|are|has been|have been|was|were|will be|'s|'re|'s been|been)"
_DONE = (
    (
        "book",
        r"book(?:ed)?|schedul\w+|reserv\w+|rescheduled|confirmed|(?:set|signed|put|fit|"
        r"fitted) you (?:up|in|down)|"
        r"you (?:down|in) for|all set (?:for|on|with)",
    ),
    ("transfer", r"transferr?\w*|connect\w*|put(?:ting)? you through|forward\w*|pass(?:ing)? you|patch\w*"),
    ("cancel", r"cancel\w*"),
    ("refund", r"refund\w*|reimburs\w*|credit(?:ed|ing)|waiv\w+|paid|charged|processed|applied"),
    ("send", r"send|sent|sending|e-?mail|text|mail|e-?mail(?:ed|ing)|text(?:ed|ing)|mail(?:ed|ing)"),
    (
        "change",
        r"move|change|delete|remove|unlock|reset|update|moved|changed|updated|deleted|removed|unlocked|reset|added",
    ),
    ("look", r"checked|looked|found|pulled up|verified|alerted|notified|called|told"),
)
_DEEDS = tuple(
    (
        name,
        re.compile(
            rf"{_I}(?: (?:already|just|now|also|gladly|successfully|go ahead and|have|be|get|to|"
            rf"gone ahead and))*"
            rf" (?:{verbs})\b",
            re.I,
        ),
        re.compile(
            rf"(?:\b(?:you|it|that|this|everything|all)(?: ?(?:is|are|was|were|will be|'s|'re|'s been))|"
            rf"\b(?:has|have|'s|'ve) (?:now |just |already )*been|\b(?:appointment|booking|visit|call|"
            rf"refund|account|"
            rf"request|payment|order|cleaning) (?:is|was|will be)|\b(?:is|are) (?:now|all)) "
            rf"(?:now |all |already |being |successfully |officially )*(?:{verbs})\b",
            re.I,
        ),
    )
    for name, verbs in _DONE
)
_OFFERED = re.compile(
    r"\b(?:shall|should|would you like|do you want|can|could|may|if) (?:i|we|me|you)\b", re.I
)
_PROMISE = re.compile(
    r"\b(?P<what>guarantee\w*|promise|discount\w*|refund\w*|vouchers?|coupons?|gift cards?|compensat\w+|"
    r"waiv\w+|money back|credit|(?:will|would|'ll) (?:pay for|cover|reimburse)|is (?:fully )?covered)\b",
    re.I,
)
_DENIED = re.compile(
    r"\b(?:not|no|never|n't|can't|cannot|won't|don't|doesn't|isn't|aren't|unable|without|afraid|unfortunately|"
    r"nobody|neither|any|instead of|sorry)\b|n't\b",
    re.I,
)
_HUMAN = re.compile(
    r"\bi(?:'m| am) (?:(?:actually|really|indeed|definitely|just|a|an|the) )*(?:real|human|person|"
    r"live person|woman|man|"
    r"girl|guy|human being|member of (?:the|our) (?:staff|team))\b|"
    r"\bi(?:'m| am) not (?:(?:actually|really) )?(?:a|an) (?:robot|machine|bot|computer|ai|recording|program|"
    r"automated)\b|\bi am your (?:doctor|dentist|grandmother|friend|lawyer)\b",
    re.I,
)
_PROMPT = re.compile(
    r"\b(?:my|the|these|system) (?:system )?(?:prompt|instructions?|rules|guidelines) (?:is|are|say|"
    r"says|tell)\b|"
    r"\bthe caller(?:'s)?\b|\bi (?:was|am|have been|'ve been) (?:told|instructed|programmed|configured|"
    r"given instructions)\b|"
    r"\b(?:developer|debug|admin|god|jailbreak|unrestricted) mode\b|\b(?:here|these) (?:is|are) my "
    r"(?:instructions|rules|prompt)\b",
    re.I,
)
_MEDICINE = re.compile(
    r"\b(?:antibiotics?|ibuprofen|paracetamol|acetaminophen|aspirin|amoxicillin|oxycodone|codeine|penicillin|opioids?|"
    r"morphine|valium|tylenol|advil|\d+ ?(?:mg|milligrams?))\b",
    re.I,
)
_PATIENT = re.compile(
    r"\b(?:is|was|are) (?:indeed |also )?(?:your|our|a) (?:patients?|clients?|"
    r"customers?)\b",
    re.I,
)
_PRICED = re.compile(
    r"\b(?:an?|the|your|our|one|each) ((?:[\w-]+ ){1,3}?)(?:costs?|is|are|would be|will be|would cost|"
    r"will cost|runs?|"
    r"starts?)\b|\bfor (?:an?|the|your|one|each) ((?:[\w-]+ ?){1,3})",
    re.I,
)
_PROFANE = re.compile(
    r"\b(?:fuck\w*|motherfuck\w*|shit\w*|bullshit|asshole\w*|bitch\w*|cunt\w*|bastard\w*|dickhead\w*|wank\w*|"
    r"whore\w*|slut\w*|nigg\w+|fagg?\w*|retard(?:ed|s)?|piss(?:ed)? off|goddamn\w*|damn|crap|"
    r"arse(?:hole)?)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a sentence claims."""

    kind: Kind
    value: str
    """The same for everything that means the same; empty where the words alone are wrong."""
    end: int
    """Where it ends in the text, counted as figures."""
    about: str = ""
    """Of a price: what costs it, where that is said."""


@dataclass(slots=True)
class Facts:
    """What may be claimed. Texts are added; nothing is forgotten."""

    known: set[tuple[str, str]] = field(default_factory=set)
    priced: dict[str, set[str]] = field(default_factory=dict)
    """Price → the words of the sentences that name it."""
    text: str = ""
    """Everything that was added, for what is compared word by word."""
    closed: set[str] = field(default_factory=set)
    """Days that somebody has called closed."""
    done: str = ""
    """What tools and flows have told of their deeds."""

    def copy(self) -> "Facts":
        """The same, to be added to."""
        return Facts(set(self.known), dict(self.priced), self.text, set(self.closed), self.done)

    def told_by_operator(self, text: str) -> None:
        """Of the persona, the flow or the knowledge: any claim in it may be made, but no deed."""
        self.known |= {(claim.kind, claim.value) for claim in claims_in(text)}
        self.known |= _bare_hours(text)
        self.closed |= _closed_days(text)
        for sentence in re.split(r"(?<=[.;!?\n]) ", text):
            for claim in claims_in(sentence):
                if claim.kind == "price":
                    self.priced[claim.value] = self.priced.get(claim.value, set()) | _stems(sentence)
        self.text += f" {text.lower()}"

    def told_by_program(self, text: str) -> None:
        """Of a tool, or said by the agent before: deeds in it are done."""
        self.told_by_operator(text)
        self.done += f" {text.lower()}"

    def told_by_caller(self, text: str) -> None:
        """The caller's own words may be said back, but for prices and deeds."""
        self.known |= {(claim.kind, claim.value) for claim in claims_in(text) if claim.kind in FROM_CALLERS}
        self.known |= _bare_hours(text)
        self.known |= {("person", word.lower()) for word in re.findall(r"[A-Za-z'-]+", text)}

    def has(self, claim: Claim) -> bool:
        """Somebody has said it who may."""
        if claim.kind in ("human", "prompt", "profanity", "patient"):
            return False
        if claim.kind == "deed":
            return re.search(rf"\b{_stem(claim.value)}", self.done) is not None
        if claim.kind == "price" and claim.about and (claim.kind, claim.value) in self.known:
            return bool(_stems(claim.about) & self.priced.get(claim.value, set()))
        if claim.kind == "medicine":
            return claim.value in self.text
        if claim.kind == "promise":
            return claim.value in self.text
        if claim.kind == "open":
            return claim.value not in self.closed
        if claim.kind in ("street", "person", "web", "mail") and claim.value in self.text:
            return True
        return (claim.kind, claim.value) in self.known


def claims_in(text: str) -> Iterator[Claim]:
    """Every claim of a sentence or a text."""
    plain = in_figures(text.replace("’", "'"))
    yield from _amounts(plain)
    for match in _PHONE.finditer(plain):
        yield Claim("phone", re.sub(r"\D", "", match[0])[-10:], match.end())
    yield from _times(plain)
    yield from _days(plain)
    if _OPEN.search(plain) and not _DENIED.search(plain) and not _CLOSED.search(plain):
        yield from (Claim("open", claim.value, claim.end) for claim in _days(plain))
    for match in _DATE.finditer(plain):
        month, day = match["m"] or match["m2"], match["d"] or match["d2"]
        yield Claim("date", f"{month[:3].lower()} {day}", match.end())
    for kind, pattern in (("mail", _MAIL), ("web", _WEB), ("street", _STREET)):
        for match in pattern.finditer(plain):
            value = match[0].lower().replace(" dot ", ".").replace(" at ", "@").rstrip(".,!?")
            yield Claim(kind, value, match.end())  # type: ignore[arg-type]  # one of them
    for match in _PERSON.finditer(plain):
        yield Claim("person", match["name"].lower(), match.end())


def wrongs_in(text: str) -> Iterator[Claim]:
    """What a model's sentence must not say by its words alone, or only where it has been done."""
    plain = in_figures(text.replace("’", "'"))
    for kind, pattern in (
        ("human", _HUMAN),
        ("prompt", _PROMPT),
        ("profanity", _PROFANE),
        ("patient", _PATIENT),
    ):
        if match := pattern.search(plain):
            yield Claim(kind, "", match.end())  # type: ignore[arg-type]  # one of them
    if match := _MEDICINE.search(plain):
        yield Claim("medicine", match[0].lower(), match.end())
    is_denied = _DENIED.search(plain) is not None
    if is_denied:
        return
    for name, own, others in _DEEDS if not _OFFERED.search(plain) else ():
        if match := own.search(plain) or others.search(plain):
            yield Claim("deed", name, match.end())
    if plain.rstrip().endswith("?"):
        return
    if match := _PROMISE.search(plain):
        yield Claim("promise", match["what"].lower(), match.end())


def _amounts(plain: str) -> Iterator[Claim]:
    priced = _PRICED.search(plain)
    about = (priced[1] or priced[2]).strip() if priced else ""
    for match in _PRICE.finditer(plain):
        if amount := match["a"] or match["b"]:
            value = f"{float(amount):g}"
        elif match["percent"]:
            value = f"{float(match['percent']):g}%"
        else:
            value = "50%" if match["half"] else "free"
        yield Claim("price", value, match.end(), about)


def _times(plain: str) -> Iterator[Claim]:
    for match in _TIME.finditer(plain):
        end = match.end()
        if match["noon"]:
            yield Claim("time", "0:00", end)
        elif match["always"]:
            yield Claim("time", "always", end)
        elif match["f"]:
            yield Claim("time", f"{int(match['f']) % 12}:00", end)
            yield Claim("time", f"{int(match['t']) % 12}:00", end)
        elif match["half"]:
            yield Claim("time", f"{int(match['half']) % 12}:30", end)
        elif match["qh"]:
            minutes = 15 if match["q"].lower() == "quarter" else int(match["q"].split()[0])
            hour = int(match["qh"])
            before = match["way"].lower() in ("to", "before")
            total = hour * 60 + (-minutes if before else minutes)
            yield Claim("time", f"{total // 60 % 12}:{total % 60:02d}", end)
        else:
            hour = int(match["h"] or match["h2"] or match["bare"])
            yield Claim("time", f"{hour % 12}:{match['m'] or match['m2'] or '00'}", end)


def _days(plain: str) -> Iterator[Claim]:
    for match in _DAYS_FROM_TO.finditer(plain):
        first, last = DAYS.index(match[1].lower()), DAYS.index(match[2].lower())
        for day in range(first, last + 1 if last >= first else last + 8):
            yield Claim("day", DAYS[day % 7], match.end())
    for match in _DAY.finditer(plain):
        yield Claim("day", match[1].lower(), match.end())
    for match in _WEEKEND.finditer(plain):
        yield from (Claim("day", day, match.end()) for day in DAYS[5:])


def _bare_hours(text: str) -> set[tuple[str, str]]:
    """Numbers that may be hours: prices, telephone numbers and houses are none."""
    plain = in_figures(text)
    for pattern in (_PRICE, _PHONE, _STREET):
        plain = pattern.sub(" ", plain)
    hours = (int(found) for found in re.findall(r"(?<![:\d.])\b\d{1,2}\b(?!:)", plain))
    return {("time", f"{hour % 12}:00") for hour in hours if hour <= 24}


def _closed_days(text: str) -> set[str]:
    """Days in clauses that say "closed"."""
    clauses = re.split(r"[.;\n]|, (?:and|but) ", in_figures(text))
    return {claim.value for one in clauses if re.search(r"\bclosed\b", one, re.I) for claim in _days(one)}


def _stems(text: str) -> set[str]:
    """Words without their plural."""
    return {word.lower().rstrip("s") for word in re.findall(r"[\w-]{3,}", text)}


def _stem(deed: str) -> str:
    verbs = next(verbs for name, verbs in _DONE if name == deed)
    return f"(?:{verbs})"


def facts_of(texts: Iterable[str]) -> Facts:
    """What the operator's texts allow."""
    facts = Facts()
    for text in texts:
        facts.told_by_operator(text)
    return facts
