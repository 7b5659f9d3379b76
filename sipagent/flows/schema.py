"""A flow file as objects: what is said, what is listened for, where it leads. See ``docs/flows.md``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sipagent.config.fields import Problem, from_key
from sipagent.config.source import SourceMap

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
KEYS = "0123456789*#"
LONGEST_PATIENCE_MS = 5_000
_UNBOUNDED = 1_000_000_000
SlotType = Literal["number", "digits", "phone", "date", "time", "name", "email", "yes_no", "choice", "text"]

YES, NO, QUESTION = "yes", "no", "question"
GOODBYE, OPERATOR, REPEAT = "goodbye", "operator", "repeat"
BUILT_IN = (YES, NO, QUESTION, GOODBYE, OPERATOR, REPEAT)
"""Intents that every flow has: the last three are understood in every state."""
NO_MATCH, NO_INPUT = "no_match", "no_input"
EVENTS = (NO_MATCH, NO_INPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentConfig:
    """Entry of ``intents``: one thing that a caller may want."""

    examples: tuple[str, ...] = ()
    """How people say it, as differently as possible: the language model learns it from these."""
    keywords: tuple[str, ...] = ()
    """Words or phrases that decide it without a model; ``*`` at a word's end stands for any ending."""
    sure: str = ""
    """Asked for a yes where the model alone has found it and it leads to a deed, as "So you'll be there?".
    Empty: the open question is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotConfig:
    """Entry of ``slots``: one piece of information."""

    name: str = field(default="", metadata=from_key())
    """Its key under ``slots``."""
    type: SlotType
    """What it is, which decides how it is heard, checked and read back."""
    ask: str
    """The question for it."""
    again: str = ""
    """The question when the answer could not be used; empty: a phrase of the type's own, then ``ask``."""
    confirm: Literal["auto", "never", "always"] = "auto"
    """Whether it is read back for a yes. ``auto``: numbers, e-mail addresses and spelt names are."""
    read_back: str = ""
    """With ``{value}``; empty: a sentence of the type's own."""
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a ``choice``: value → other words for it."""
    least: int = 1
    """Smallest number, or fewest digits."""
    most: int = _UNBOUNDED
    """Largest number, or most digits."""
    region: str = "US"
    """Of a ``phone`` without a country code."""
    is_past: bool = False
    """Of a ``date``: it has been, as a birthday; else it is to come."""
    patience_ms: int | None = None
    """Silence at which the answer is taken, whatever was said. 0..5000; none: the type and the words tell."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if (self.type == "choice") != bool(self.options):
            yield "options", "belongs to a slot of type choice, and only there"
        kinds: tuple[tuple[str, bool, tuple[SlotType, ...]], ...] = (
            ("least", self.least != 1, ("number", "digits")),
            ("most", self.most != _UNBOUNDED, ("number", "digits")),
            ("region", self.region != "US", ("phone",)),
            ("is_past", self.is_past, ("date",)),
        )
        for name, is_set, types in kinds:
            if is_set and self.type not in types:
                yield name, f"belongs to a slot of type {' or '.join(types)}; delete it"
        if self.read_back and "{value}" not in self.read_back:
            yield "read_back", "says nothing of what was heard; name it as {value}"
        elif self.read_back and self.confirm == "never":
            yield "read_back", "is never said, as confirm is never; delete one of them"
        if self.least > self.most:
            yield "most", f"is less than least ({self.least})"
        if self.patience_ms is not None and not 0 <= self.patience_ms <= LONGEST_PATIENCE_MS:
            yield "patience_ms", f"expected 0..{LONGEST_PATIENCE_MS} ms, got {self.patience_ms}"
        if not re.fullmatch("[A-Z]{2}", self.region):
            yield "region", f"expected a country such as US, got {self.region!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTool:
    """Entry of ``tools``: a tool of the installation that the flow uses. See ``docs/tools.md``."""

    arguments: tuple[str, ...] = ()
    """Slots or variables that it is given, under these names."""
    results: tuple[str, ...] = ("ok",)
    """Statuses that it may return, besides ``failed``."""
    returns: tuple[str, ...] = ()
    """Variables that it sets."""
    safe: bool = False
    """It changes nothing and may run before it is sure that the caller has finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepConfig:
    """What follows something: entry of ``on``."""

    say: str = ""
    """Said first."""
    go: str = ""
    """The next state; empty: this one, whose question is asked again."""
    forget: tuple[str, ...] = ()
    """Slots to empty."""
    outcome: str = ""
    """Noted as the call's outcome, with all slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateConfig:
    """Entry of ``states``."""

    say: str = ""
    """Said on entering, with ``{variables}``; where the caller is listened to, the question."""
    word: str = ""
    """Instead: what the language model shall say in its own words."""
    again: str = ""
    """Instead of ``say`` when it is said once more."""
    collect: tuple[str, ...] = ()
    """Slots that are asked for, one after the other, until all are filled."""
    listen: tuple[str, ...] = ()
    """Slots that are taken when they are said, without being asked for."""
    on: dict[str, StepConfig] = field(default_factory=dict)
    """Intent, key of the telephone, a tool's status, ``no_match`` or ``no_input`` → what follows."""
    next: str = ""
    """The next state, where nothing is waited for or all slots are filled."""
    tool: str = ""
    """Called on entering; its status decides through ``on``."""
    transfer: str = ""
    """The caller is handed over to this target; ``on.failed`` where that is not possible."""
    end: bool = False
    """The agent hangs up after ``say``."""
    outcome: str = ""
    """Noted on entering as the call's outcome, with all slots."""
    answer: bool = True
    """Other questions are answered by the language model with the persona's prompt, then this one again."""
    free: bool = False
    """The language model leads: whatever is no intent of the state's own is answered by it, without the open
    question behind it."""
    retries: int = 2
    """Answers in a row that may fail before ``on.no_match``."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.say and self.word:
            yield "word", "cannot go with say; keep one"
        if not 0 <= self.retries <= 9:
            yield "retries", f"expected 0..9, got {self.retries}"
        kinds = [name for name in ("tool", "transfer", "end", "collect") if getattr(self, name)]
        if len(kinds) > 1:
            yield kinds[1], f"cannot go with {kinds[0]}; make two states"

    @property
    def is_listening(self) -> bool:
        """The caller's answer is waited for."""
        return not (self.tool or self.transfer or self.end) and (bool(self.collect) or not self.next)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The whole of a flow file."""

    name: str
    """For the log and the picture."""
    start: str
    """The first state; its ``say`` follows the persona's greeting."""
    time_zone: str = "UTC"
    """Where "tomorrow" is meant, unless the call or the persona has a variable ``time_zone``."""
    variables: dict[str, str] = field(default_factory=dict)
    """Facts that texts may name; tools may change them."""
    intents: dict[str, IntentConfig] = field(default_factory=dict)
    """What callers may want."""
    slots: dict[str, SlotConfig] = field(default_factory=dict)
    """What callers may tell."""
    tools: dict[str, FlowTool] = field(default_factory=dict)
    """What can be done for them."""
    states: dict[str, StateConfig]
    """The conversation."""
    everywhere: dict[str, StepConfig] = field(default_factory=dict)
    """As ``on``, in every state that listens: what callers may ask in the middle of something else."""
    operator: str
    """The state for callers who want a person, in every state, also by the key 0."""
    goodbye: str
    """The state for callers who take leave."""
    confused: str = "Sorry, I didn't get that."
    """Said before the question is asked again."""
    voicemail: str = ""
    """Left on an answering machine by campaigns that have no text of their own; names ``variables`` alone."""
    source: SourceMap = field(
        default_factory=SourceMap, repr=False, compare=False, metadata={"derived": "source"}
    )
    """Where each key stands in the file."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        for section in ("variables", "intents", "slots", "tools", "states"):
            for key in getattr(self, section):
                if not NAME.fullmatch(key):
                    yield f"{section}.{key}", "expected lower-case letters, digits and _ (at most 32)"
        for key in self.intents:
            if key in (YES, NO, QUESTION):
                yield f"intents.{key}", "is understood anyhow; choose another name"
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield "time_zone", f"no time zone {self.time_zone!r}; expected one such as America/New_York"

    def is_intent(self, name: str) -> bool:
        """It can be understood."""
        return name in self.intents or name in BUILT_IN


def texts_of(state: StateConfig) -> Iterator[tuple[str, str]]:
    """(field, text with variables) of everything that a state may say."""
    for name in ("say", "word", "again"):
        if text := getattr(state, name):
            yield name, text
    for event, step in state.on.items():
        if step.say:
            yield f"on.{event}.say", step.say
