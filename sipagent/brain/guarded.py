"""The check of a reply's sentences before they are spoken, clause by clause as they come.

::

    clause ──▶ with the beginning of its sentence ──▶ claims ──▶ all known: spoken
                                                        └─ one is not: a fixed sentence, and the reply is over
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sipagent.brain.claims import Facts, Kind, claims_in, wrongs_in
from sipagent.brain.types import Message, Role

CORRECTION = "Let me correct that."
"""Goes before the fixed sentence where the caller has heard a part of the reply."""
_INSTEAD: dict[Kind, str] = {
    "deed": "undone",
    "promise": "undone",
    "human": "robot",
    "prompt": "declined",
    "profanity": "declined",
    "patient": "declined",
}

Replaced = Callable[[Kind, str], None]
"""Told the kind of a claim and the words that are not spoken."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What a persona's model may claim, and what is said where it claims more."""

    facts: Facts
    unknown: str
    undone: str
    declined: str
    robot: str

    def instead_of(self, kind: Kind) -> str:
        """The fixed sentence."""
        return str(getattr(self, _INSTEAD.get(kind, "unknown")))


def known_in(rules: ClaimRules, history: Sequence[Message], told: Iterable[str]) -> Facts:
    """What may be claimed in the next reply.

    :param history: what the agent has said was checked when it was said; notes of the program are facts.
    :param told: what the program adds for this reply.
    """
    facts = rules.facts.copy()
    for message in history:
        facts.told_by_operator(message.note)
        match message.role:
            case Role.CALLER:
                facts.told_by_caller(message.text)
            case Role.AGENT:
                facts.told_by_program(message.text)
            case Role.SYSTEM:
                facts.told_by_operator(message.text)
    for text in told:
        facts.told_by_program(text)
    return facts


def guarded(clauses: Iterable[str], rules: ClaimRules, facts: Facts, replaced: Replaced) -> Iterator[str]:
    """The clauses as far as they may be spoken; behind the first claim that nobody has made comes the fixed
    sentence, and nothing more."""
    sentence, has_begun = "", False
    for clause in clauses:
        whole = f"{sentence} {clause}".strip()
        claim = unfounded(whole, facts)
        if claim is not None:
            replaced(claim, clause)
            text = rules.instead_of(claim)
            yield f"{CORRECTION} {text}" if has_begun else text
            return
        yield clause
        has_begun = True
        sentence = "" if clause.rstrip("\"”')").endswith((".", "!", "?", "…")) else whole


def unfounded(sentence: str, facts: Facts) -> Kind | None:
    """The kind of the first claim that nobody has made who may; None: it may be spoken."""
    claims = (*wrongs_in(sentence), *claims_in(sentence))
    return next((claim.kind for claim in claims if not facts.has(claim)), None)
