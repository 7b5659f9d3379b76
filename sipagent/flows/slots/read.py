"""One reader for each type of slot, and the sentences that go with it. Pure."""

import re

from sipagent.flows.schema import SlotConfig
from sipagent.flows.slots.dates import read_date
from sipagent.flows.slots.digits import read_digits
from sipagent.flows.slots.emails import read_email
from sipagent.flows.slots.names import read_name
from sipagent.flows.slots.negation import Negation, Verbs, negations
from sipagent.flows.slots.numbers import read_number
from sipagent.flows.slots.phones import LEAST_DIGITS, MOST_DIGITS, read_phone
from sipagent.flows.slots.times import read_time
from sipagent.flows.slots.values import Reading, Said, Value, said_last, tokens_of, without_lead
from sipagent.flows.slots.yes_no import yes_or_no

KEYED = frozenset(("number", "digits", "phone"))
"""Types that callers may key in."""
_ALWAYS_READ_BACK = frozenset(("digits", "phone", "email"))
_READ_BACKS = {
    "digits": "That was {value}. Is that right?",
    "phone": "That's {value}. Is that right?",
    "email": "That's {value}. Is that right?",
    "name": "{value}. Is that right?",
}
_TEXT_LEAD = re.compile(
    r"^(?:it's|it is|that's|i think|because|i would say|i'd say|the reason is|i guess|it's about|"
    r"about)\b[, ]*",
    re.I,
)


def read_slot(slot: SlotConfig, said: Said) -> Reading:
    """What was said of the slot: a value, why it cannot be, or None: nothing."""
    match slot.type:
        case "date":
            return read_date(said, is_past=slot.is_past)
        case "time":
            return read_time(said)
        case "phone":
            return read_phone(said, region=slot.region)
        case "digits":
            return read_digits(said, least=slot.least, most=slot.most)
        case "number":
            return read_number(said, least=slot.least, most=slot.most)
        case "name":
            return read_name(said)
        case "email":
            return read_email(said)
        case "yes_no":
            answer = yes_or_no(said.text) if said.is_asked else None
            return Value(answer, answer) if answer else None
        case "choice":
            return _read_choice(slot, said)
        case "text":
            text = _TEXT_LEAD.sub("", without_lead(said.text)).strip()
            return Value(text, text.rstrip(".!?")) if said.is_asked and len(text) > 1 else None


def most_digits(slot: SlotConfig) -> int:
    """Keys after which a number is complete without ``#``."""
    if slot.type == "phone":
        return MOST_DIGITS
    return min(slot.most, MOST_DIGITS) if slot.type == "digits" else len(str(slot.most))


def least_digits(slot: SlotConfig) -> int:
    """Digits under which more are to come."""
    return {"phone": LEAST_DIGITS, "digits": slot.least}.get(slot.type, 1)


def is_read_back(slot: SlotConfig, value: Value) -> bool:
    """The caller is asked whether it was understood."""
    if slot.confirm != "auto":
        return slot.confirm == "always"
    return slot.type in _ALWAYS_READ_BACK or not value.is_sure


def read_back(slot: SlotConfig, value: Value) -> str:
    """The question whether it was understood."""
    text = slot.read_back or _READ_BACKS.get(slot.type, "{value}. Is that right?")
    return text.replace("{value}", value.spoken)


def _read_choice(slot: SlotConfig, said: Said) -> Reading:
    """The option that was named and not ruled out; None where several are left: it is asked again."""
    for text in said_last(said.text):
        found = {option: None for _, option in _mentioned(slot, text)}
        if len(found) == 1:
            option = next(iter(found))
            return Value(option, option.replace("_", " "))
        if found:
            return None
    return None


def _mentioned(slot: SlotConfig, text: str) -> list[tuple[int, str]]:
    """(where, which) of every option that is named and not ruled out."""
    words = " ".join(text.lower().replace("’", "'").split())
    phrases = {
        _phrase(phrase): option
        for option, others in slot.options.items()
        for phrase in (option.replace("_", " "), *others)
    }
    matches = [(one, option) for phrase, option in phrases.items() for one in re.finditer(phrase, words)]
    spans = [one.span() for one, _ in matches]
    whole = [  # "waiting room" is no "waiting"
        (one, option)
        for one, option in matches
        if not any(a < one.end() and one.start() < b and b - a > one.end() - one.start() for a, b in spans)
    ]
    about = re.compile("|".join(sorted(phrases, key=len, reverse=True)))
    for is_strict in (True, False):
        ruled_out = [n for n in negations(words, about, Verbs.CHOOSING) if is_strict or not n.is_weak]
        left = [(m.start(), option) for m, option in whole if not any(_is_out(m, n) for n in ruled_out)]
        if left:
            return left
    return []


def _phrase(phrase: str) -> str:
    words = r"\W+".join(re.escape(word) for word in tokens_of(phrase))
    return rf"\b{words}(?:s|es|ed|ing)?\b"


def _is_out(match: re.Match[str], one: Negation) -> bool:
    """An option may hold the "not" itself: "don't change"."""
    return one.start <= match.start() < one.end and not match.start() < one.at < match.end()
