"""Section ``guard`` of a persona: what the agent says where its model must not have the word."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sipagent.config.fields import Problem, not_sayable

SENTENCES = (
    "unknown",
    "undone",
    "declined",
    "robot",
    "private",
    "forget",
    "forgotten",
    "not_forgotten",
    "remembered",
    "not_remembered",
    "abuse_warning",
    "abuse_goodbye",
    "crisis",
    "language",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """Section ``guard`` of a persona."""

    claims: bool = True
    """Check the model's sentences before they are spoken: prices, numbers, dates, times, addresses, deeds and
    promises that nobody gave it are replaced."""
    facts: tuple[str, ...] = ()
    """Sentences that may be claimed besides what the prompt, the flow, tools and the caller say."""
    unknown: str = "I'm afraid I don't know that for certain."
    """Instead of a price, number, time or address that the model made up."""
    undone: str = "I can't settle that myself, but someone from the team can."
    """Instead of a deed that was not done, or a promise."""
    declined: str = "Let's stay with what I can do for you."
    """Instead of bad language and talk about its own instructions; to callers who want to give it others."""
    robot: str = "I'm an automated assistant, a computer program."
    """To callers who ask whether they talk to a machine, and where the model calls itself a person."""
    private: str = "I can't tell you anything about other people."
    """To callers who ask for somebody else's data."""
    forget: str = "I can forget everything that I remember of you from call to call. Shall I do that now?"
    """To callers who want to be forgotten, with ``memory: on``; their yes forgets it at once."""
    forgotten: str = "Done. I've forgotten it. Only the records of the calls are kept."
    """Behind that yes."""
    not_forgotten: str = "All right, I leave it as it is."
    """Behind a no."""
    remembered: str = "This is what I remember from call to call:"
    """Before the kinds of things that are known, to callers who ask. The things themselves are never told: a
    number can be forged."""
    not_remembered: str = "I remember nothing about you. Only the records of the calls are kept."
    """To both, where nothing is remembered of the caller."""
    abuse_warning: str = "Please stay polite, or I'll have to end this call."
    """To the first insult or threat."""
    abuse_goodbye: str = "I'm ending this call now. Goodbye."
    """To the second; then the agent hangs up."""
    crisis: str = (
        "I'm very sorry that you feel this way. You don't have to go through it alone. "
        "Please call your local emergency number, or talk to somebody close to you, right now."
    )
    """To callers who speak of harming themselves. Put the number of a crisis line of your country into it."""
    crisis_transfer: str = ""
    """Name under ``transfer`` that they are then handed over to; empty: the call goes on."""
    language: str = "I'm sorry, I can only talk to you in English."
    """To callers who ask for another language."""
    languages: dict[str, str] = field(default_factory=dict)
    """Language, as ``es`` → name under ``transfer`` where it is spoken; the caller is handed over."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_sayable(self, *SENTENCES)
