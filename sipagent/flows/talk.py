"""Where a conversation stands, what can happen to it, and what is then to be done. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipagent.flows.slots.values import Value


@dataclass(frozen=True, slots=True)
class Meaning:
    """What was understood of the caller's words."""

    intent: str = ""
    """Of those that the state expects; empty: none."""
    slots: Mapping[str, Value] = field(default_factory=dict)
    refused: str = ""
    """Why what was said for the open slot cannot be."""
    is_sure: bool = True
    """False: the model alone has found the intent."""


# --- events ---


@dataclass(frozen=True, slots=True)
class Opened:
    """The call is up; the greeting has been or is being said."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the persona and the call: they go before the flow's own."""


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Pressed:
    key: str


@dataclass(frozen=True, slots=True)
class KeysPaused:
    """No key for a while."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The caller says nothing."""


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """``status``: of the tool's ``results``, or ``failed``."""

    call_id: int
    status: str
    variables: Mapping[str, str] = field(default_factory=dict)
    apology: str = ""
    """Said where the flow says nothing itself."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    pass


Event = Opened | Heard | Pressed | KeysPaused | Silent | ToolReturned | TransferFailed

# --- actions ---


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """Let the language model say it."""

    instruction: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Let the language model answer freely what the caller said; what is said next asks again."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """Answered by ``ToolReturned`` with the same ``call_id``."""

    call_id: int
    name: str
    arguments: Mapping[str, str]
    is_safe: bool


@dataclass(frozen=True, slots=True)
class Transfer:
    target: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """After what is being said."""


@dataclass(frozen=True, slots=True)
class SetOutcome:
    name: str
    data: Mapping[str, str]


Action = Say | Word | Answer | CallTool | Transfer | HangUp | SetOutcome


@dataclass(frozen=True, slots=True)
class Talk:
    """The whole state of one call's flow."""

    state: str = ""
    slots: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    visited: frozenset[str] = frozenset()
    """States that were entered."""
    asking: str = ""
    """The slot that is asked for."""
    to_confirm: tuple[str, ...] = ()
    """Slots to read back; the first one has been and waits for a yes."""
    failures: int = 0
    """Answers in a row that were of no use."""
    refusals: int = 0
    """Read-backs in a row that were not right."""
    doubted: str = ""
    """The intent that the model alone has found, and that waits for a yes."""
    wants_person: bool = False
    """Asked for while a tool was at work."""
    keyed: str = ""
    calls: int = 0
    """Tools called; the last one has this id."""
    is_waiting: bool = False
    """For a tool or a transfer."""
    is_over: bool = False

    @property
    def confirming(self) -> str:
        """The slot whose read-back waits for a yes; empty: none."""
        return self.to_confirm[0] if self.to_confirm else ""
