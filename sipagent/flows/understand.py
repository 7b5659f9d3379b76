"""From the caller's words to their meaning: rules first, the language model where they do not suffice.

::

    text ──▶ operator, goodbye, "pardon?" ──▶ yes/no, the open slot ──▶ keywords ──▶ Meaning
                                                                          └─ none, or several ──▶ model
    model: primer (kept in the cache) + "Caller: …", one label under a grammar ──▶ checked ──▶ Meaning
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sipagent.brain import types as brain
from sipagent.flows.expected import Expected
from sipagent.flows.farewell import without_farewell
from sipagent.flows.misheard import as_answer, as_said
from sipagent.flows.primer import (
    CHOSE,
    OTHER,
    WANTS,
    label_grammar,
    name_grammar,
    name_text,
    option_text,
    wants_text,
)
from sipagent.flows.schema import GOODBYE, NO, OPERATOR, QUESTION, REPEAT, YES, Flow, SlotConfig
from sipagent.flows.slots.names import read_name
from sipagent.flows.slots.read import read_slot
from sipagent.flows.slots.values import Refused, Said, Value, tokens_of, without_echo
from sipagent.flows.slots.yes_no import is_nothing_else, yes_or_no
from sipagent.flows.talk import Meaning
from sipagent.flows.ways_out import wants_person, wants_repetition
from sipagent.speech.types import Cancelled

_ASKING = re.compile(
    r"^(?:(?:hi|hello|hey|so|and|but|ok|okay|well|um|uh|oh|wait|actually|sorry|by the way|before that|"
    r"just|quick question|one question|great|yes|yeah|no|hang on|hold on|excuse me|first|"
    r"one more thing)[,.! ]+)*"
    r"(?:what|when|where|who|whose|which|why|how|is|are|am|do|does|did|can|could|would|will|may|should|have|"
    r"has|was|were)\b|\b(?:do you know|tell me|wondering|i was going to ask|wanted to ask|"
    r"i have a question)\b",
    re.I,
)
_OFFER = re.compile(
    r"\b(?:how about|what about|can (?:i|we)|could (?:i|we)|may i|do you have|have you (?:got )?|is .{1,40} "
    r"(?:free|available|possible|okay|ok|good|open for|all right)|would .{1,40} (?:work|be|do)|"
    r"does .{1,40} work|"
    r"(?:what|which) .{1,20} (?:free|available)|(?:can|could|might|may) (?:it|that|this) be|(?:can|"
    r"could) you do|anything|any chance|should i say|"
    r"make it|instead)\b",
    re.I,
)
"""Questions that are answers: ``how about Tuesday?``"""
_DEAD = re.compile(r"^[\W_]*$")
_BUT = re.compile(r"\b(?:but|except|only|though|however|just not)\b(.+)", re.I)
_CHANGES = re.compile(
    r"\b(?:not|\w+n't|later|earlier|instead|other|another|different|change|move|wrong|rather|before|after|"
    r"(?:can|could) (?:i|we)|make it|without)\b",
    re.I,
)
_FEW_WORDS = 3
"""So few words beside a farewell that nobody understands are part of it."""


def is_question(text: str) -> bool:
    """The caller asks something."""
    return text.rstrip().endswith("?") or _ASKING.search(text.strip().replace("’", "'")) is not None


def asks_aside(text: str) -> bool:
    """The caller asks something that is no answer: a value in it is none of the open slot."""
    return _ASKING.search(text.strip().replace("’", "'")) is not None and not _OFFER.search(text)


def understand_by_rules(flow: Flow, expected: Expected, text: str, now: datetime) -> Meaning | None:
    """The meaning where the words leave no doubt; None: ask the model. Takes less than a millisecond."""
    text = as_said(without_echo(text.strip().replace("’", "'")))
    if _DEAD.match(text):
        meaning: Meaning | None = Meaning()
    else:
        text = as_answer(text) if expected.takes_yes_no else text
        meaning = _with_leave(flow, expected, text, now)
    if expected.is_free and (meaning is None or not meaning.intent or meaning.intent == REPEAT):
        return Meaning(GOODBYE if without_farewell(text)[1] else QUESTION)
    return meaning


def _with_leave(flow: Flow, expected: Expected, text: str, now: datetime) -> Meaning | None:
    """Whoever takes leave in the same breath is first understood: "yes please, thank you, goodbye"."""
    rest, is_leaving = without_farewell(text)
    if is_leaving and not rest:
        return Meaning(NO_ELSE if NO_ELSE in expected.intents and is_nothing_else(text) else GOODBYE)
    meaning = _by_rules(flow, expected, rest, now)
    if is_leaving and (meaning == Meaning() or (meaning is None and len(tokens_of(rest)) < _FEW_WORDS)):
        return Meaning(GOODBYE)
    return meaning


def _by_rules(flow: Flow, expected: Expected, text: str, now: datetime) -> Meaning | None:
    if wants_person(text) or (tokens_of(text) == ["zero"] and not expected.takes_digits):
        return Meaning(OPERATOR)
    if wants_repetition(text):
        return Meaning(REPEAT)
    hits = keyword_hits(flow, expected.intents, text)
    is_aside = asks_aside(text)
    answer = yes_or_no(text) if expected.takes_yes_no else None
    slots, refused = slots_in(expected, text, now)
    if answer == YES and (but := _BUT.search(text)) is not None:
        hits = keyword_hits(flow, expected.intents, but[1]) or hits
        if not hits and not slots and _CHANGES.search(but[1]):
            return None  # "yes, but an hour later" is no plain yes
    if expected.before is not None:
        return _about_read_back(expected, answer, slots, refused, hits, is_aside=is_aside)
    open_slot = expected.open_slot
    passing = [hit for hit in hits if hit in expected.passing]
    if open_slot is not None and not is_aside:
        if open_slot.name in slots and not (passing and is_question(text)):
            own = [hit for hit in hits if hit not in expected.passing]
            return Meaning(own[0] if len(own) == 1 else "", slots)
        if refused:
            return Meaning("", {}, refused)
    if len(hits) == 1:
        return Meaning(hits[0], {} if hits[0] in expected.passing or hits[0] == NO_ELSE else slots)
    if hits:
        return None
    if answer:
        is_mended = answer == YES or _OFFER.search(text) is not None
        return Meaning(answer, {n: v for n, v in slots.items() if is_mended or n in expected.filled})
    if NO_ELSE in expected.intents and is_nothing_else(text) and not is_question(text):
        return Meaning(NO_ELSE)
    if slots and not is_aside and not (open_slot is None and expected.intents):
        return Meaning("", slots)
    return None


NO_ELSE = "nothing"
"""An intent of this name also means the answer "no, that's all"."""
_CLOSING = re.compile(
    r"^(?:(?:um|uh|oh|well|okay|ok|actually|and|so|great|perfect|yeah|yes|all right|alright|i think|"
    r"i guess)[,. ]+)*"
    r"(?:no|nope|nah|nothing|none|not|that's|that is|that was|that'll|that will|this is|i'm|i am|we're|"
    r"thanks|"
    r"thank you|never ?mind|forget|all|everything|don't|i don't|i have everything|i've got)\b",
    re.I,
)
"""Without such a beginning nobody has taken leave, whatever the model finds."""


def _about_read_back(
    expected: Expected,
    answer: str | None,
    slots: dict[str, Value],
    refused: str,
    hits: Sequence[str],
    *,
    is_aside: bool,
) -> Meaning | None:
    """A yes, a no, or the right value at once: ``no, five oh``."""
    slot, before = expected.slots[0].name, expected.before
    assert before is not None
    value = slots.get(slot)
    if value is not None and value.value != before.value and not (is_aside and hits):
        return Meaning(NO, {slot: value})
    if answer == NO:
        return Meaning(NO, {}, refused)
    if answer == YES or (value is not None and value.value == before.value):
        return Meaning(YES)
    if len(hits) == 1:
        return Meaning(hits[0])
    return Meaning("", {}, refused) if refused else None


def slots_in(expected: Expected, text: str, now: datetime) -> tuple[dict[str, Value], str]:
    """(slots that were told, why the open one cannot be)."""
    found: dict[str, Value] = {}
    refused = ""
    for slot in expected.slots:
        is_open = slot is expected.open_slot
        reading = read_slot(slot, Said(text, now, is_open, expected.before if is_open else None))
        if isinstance(reading, Value):
            found[slot.name] = reading
        elif isinstance(reading, Refused) and is_open:
            refused = reading.reason
    return found, refused


@lru_cache(1024)
def _keyword(keyword: str) -> re.Pattern[str]:
    words = [re.escape(word).replace(r"\*", r"[\w'-]*") for word in keyword.lower().split()]
    return re.compile(rf"(?<![\w'-]){' '.join(words)}(?![\w'-])")


def keyword_hits(flow: Flow, intents: Sequence[str], text: str) -> list[str]:
    """Intents whose keywords were said. A keyword inside a longer one of another intent does not count."""
    plain = " ".join(re.findall(r"[\w'-]+", text.lower().replace("’", "'")))
    spans = [
        (match.start(), match.end(), name)
        for name in intents
        for keyword in flow.intents[name].keywords
        for match in _keyword(keyword).finditer(plain)
    ]
    return list(
        dict.fromkeys(
            name
            for start, end, name in spans
            if not any(a <= start and end <= b and (b - a) > (end - start) and n != name for a, b, n in spans)
        )
    )


@dataclass(frozen=True, slots=True)
class Understanding:
    """One flow's understanding in one call. ``reader``: None where no model is at hand."""

    flow: Flow
    reader: brain.Reader | None = None

    def by_model(self, expected: Expected, text: str, now: datetime, cancelled: Cancelled) -> Meaning:
        """What the rules left open. Blocks; at most two short completions.

        :raises EngineError: the model failed. :raises JobCancelled: ``cancelled()`` turned true.
        """
        text, is_leaving = without_farewell(as_said(text))
        slots, refused = slots_in(expected, text, now)
        hits = keyword_hits(self.flow, expected.intents, text)
        label = self._label(expected, text, slots, hits, cancelled)
        if label in expected.intents:
            return Meaning(label, {} if label in expected.passing else slots, is_sure=label in hits)
        open_slot = expected.open_slot
        if open_slot is None and slots:
            is_asked = expected.may_answer and is_question(text) and not _OFFER.search(text)
            return Meaning(QUESTION) if is_asked else Meaning("", slots)
        if is_leaving and not slots:
            return Meaning(GOODBYE)
        if open_slot is not None and not asks_aside(text):
            value = slots.get(open_slot.name) or self._extracted(open_slot, text, cancelled)
            if value is not None:
                return Meaning("", {**slots, open_slot.name: value})
        if expected.may_answer and (is_question(text) or (open_slot is None and len(tokens_of(text)) > 3)):
            return Meaning(QUESTION)
        return Meaning("", slots if open_slot is None else {}, refused)  # the open one was not told

    def _label(
        self,
        expected: Expected,
        text: str,
        slots: Mapping[str, Value],
        hits: Sequence[str],
        cancelled: Cancelled,
    ) -> str:
        """The intent that the model chooses; of several that keywords hit, one of these. "Have you got
        anything on Monday?" is no question about the hours: an offer is never answered by the way."""
        is_bound = expected.open_slot is not None or expected.takes_yes_no
        is_offer = bool(slots) and _OFFER.search(text) is not None
        asides = () if is_offer or (is_bound and not is_question(text)) else expected.passing
        wanted = [name for name in expected.intents if name not in expected.passing or name in asides]
        labels = hits if len(hits) > 1 else [*wanted, OTHER]
        if self.reader is None or len(labels) < 2:
            return hits[0] if hits else OTHER
        choices = [label.replace("_", " ") for label in labels]
        told = self.reader.read(
            wants_text(text), label_grammar(choices), cancelled,
            choices=choices, said=brain.Said(text, WANTS),
        )  # fmt: skip
        label = labels[choices.index(told.strip())] if told.strip() in choices else OTHER
        is_closing = _CLOSING.search(text) is not None and not is_question(text)
        return OTHER if label == NO_ELSE and not is_closing else label

    def _extracted(self, slot: SlotConfig, text: str, cancelled: Cancelled) -> Value | None:
        """The value of the open slot in words that no rule knew: a name out of the caller's own words, or
        one of the options."""
        if self.reader is None:
            return None
        if slot.type == "name":
            told = self.reader.read(name_text(text), name_grammar(text), cancelled, max_tokens=12).strip()
            value = read_name(Said(told, datetime.min)) if told != OTHER else None
            return replace(value, is_sure=False) if isinstance(value, Value) else None
        if slot.type == "choice":
            labels = [*slot.options, OTHER]
            choices = [label.replace("_", " ") for label in labels]
            told = self.reader.read(
                option_text(text), label_grammar(choices), cancelled,
                choices=choices, said=brain.Said(text, CHOSE),
            )  # fmt: skip
            if told.strip() in choices[:-1]:
                option = labels[choices.index(told.strip())]
                return Value(option, option.replace("_", " "), is_sure=False)
        return None
