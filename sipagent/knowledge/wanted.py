"""What an answer must contain to be one: whoever asks for a price is not told that there are crowns. English;
pure.
"""

import re
from enum import Enum


class Wanted(Enum):
    """What an answer must contain to be one."""

    ANYTHING = "anything"
    PRICE = "price"
    DISCOUNT = "discount"
    DURATION = "duration"
    TIME = "time"
    FREQUENCY = "frequency"
    NUMBER = "number"
    CONTACT = "contact"


_WANTED = (
    (Wanted.DURATION, re.compile(r"\bhow much (?:time|longer)\b")),
    (
        Wanted.PRICE,
        re.compile(
            r"\b(?:how much|costs?|costing|pric(?:e|es|ed|ing|ey)|charges?|fees?|expensive|cheap|afford|"
            r"have to pay|pay extra|"
            r"what (?:do|would|will|must) (?:i|we) (?:have to |need to )?(?:pay|owe)|run me|set me back)\b"
        ),
    ),
    (
        Wanted.DURATION,
        re.compile(r"\bhow (?:long|many (?:minutes|hours|days|weeks))\b|\btake (?:very )?long\b"),
    ),
    (Wanted.DISCOUNT, re.compile(r"\b(?:cheaper|discount(?:s|ed)?|reductions?|reduced|rebates?)\b")),
    (Wanted.FREQUENCY, re.compile(r"\bhow (?:often|frequently|many times)\b")),
    (Wanted.NUMBER, re.compile(r"\bhow (?:old|far|big|large|tall|many|wide|heavy|fast)\b")),
    (
        Wanted.CONTACT,
        re.compile(
            r"\b(?:phone|fax|telephone|cell|mobile) (?:number)?\b|\be-?mail\b|\bweb ?site\b|"
            r"\bwhom? (?:do|can|should) i call\b"
        ),
    ),
    (
        Wanted.TIME,
        re.compile(
            r"^(?:\W*\w+\W+){0,4}?when (?!i\b|you\b|we\b|it\b)|\bwhat (?:times?|days?|hours?)\b|"
            r"\bhow (?:late|early)\b|\b(?:opening|business|office) (?:hours|times?)\b|\byour hours\b"
        ),
    ),
)
_COUNTED = re.compile(
    r"\bhow many (?:[\w'-]+ ){0,3}?(?P<what>[\w'-]+?)s?"
    r"(?= (?:are|is|do|does|did|can|could|will|would|have|has|may|must|should|fit|of|at|in|on|with|you|"
    r"there)\b|\W*$)"
)
_NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|a hundred"
_EVIDENCE = {
    Wanted.PRICE: re.compile(
        r"[$€£]|\b(?:dollars?|euros?|cents?|free|percent|no charge|costs? nothing)\b", re.I
    ),
    Wanted.DISCOUNT: re.compile(r"[%$€£]|\b(?:percent|off|less|discounts?|free|cheaper|reduced)\b", re.I),
    Wanted.DURATION: re.compile(r"\b(?:minutes?|hours?|days?|weeks?|months?|years?)\b", re.I),
    Wanted.FREQUENCY: re.compile(r"\b(?:every|each|once|twice|times|daily|weekly|monthly|yearly)\b", re.I),
    Wanted.NUMBER: re.compile(
        r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|age)\b", re.I
    ),
    Wanted.CONTACT: re.compile(r"\d{3}|@|\b(?:dot|www)\b|\.\w{2,}", re.I),
    Wanted.TIME: re.compile(
        r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:\d{1,2}|noon|midnight)\b|\bo'clock\b|"
        r"\b[ap]\.?m\b|\b(?:minutes?|hours?|days?|weeks?|months?) (?:early|before|after|ahead|later)\b|"
        r"\b(?:within|every)\b|"
        r"\b(?:at|by|from|till|until|to) "
        r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b",
        re.I,
    ),
}
KIND_WORDS = {
    Wanted.PRICE: frozenset(
        ("cost", "costs", "costing", "price", "prices", "pricing", "charge", "charges", "fee", "fees")
    )
    | frozenset(("expensive", "cheap", "pay", "owe")),
    Wanted.DURATION: frozenset(("long", "take", "takes")),
    Wanted.FREQUENCY: frozenset(("often", "frequently", "times")),
    Wanted.NUMBER: frozenset(("far", "big", "large", "tall", "many", "old", "age", "aged")),
    Wanted.CONTACT: frozenset(),
    Wanted.DISCOUNT: frozenset(),
    Wanted.TIME: frozenset(("time", "times", "hours", "days", "late", "early")),
    Wanted.ANYTHING: frozenset(),
}
"""Words that say no more than what kind of answer is wanted."""


def wanted_by(question: str) -> Wanted:
    """What an answer to the question must contain. :param question: in lower case."""
    return next((kind for kind, pattern in _WANTED if pattern.search(question)), Wanted.ANYTHING)


def counted_by(question: str) -> str:
    """What "how many" counts; empty: nothing is counted. :param question: in lower case."""
    match = _COUNTED.search(question)
    return match["what"] if match else ""


def has_evidence(text: str, wanted: Wanted, counted: str = "") -> bool:
    """``text`` contains what such an answer must contain: a price tells an amount.

    :param counted: how many of these are wanted: a number must stand before them.
    """
    if wanted is Wanted.NUMBER and counted:
        number = rf"\b(?:\d+|{_NUMBER_WORDS})\b(?: [\w'-]+){{0,3}}? {re.escape(counted)}"
        return re.search(number, text, re.I) is not None
    return wanted is Wanted.ANYTHING or _EVIDENCE[wanted].search(text) is not None
