"""What goes into a tool and what comes out of it. Data only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

FAILED = "failed"
"""The status of every tool that could not do its work."""
OK = "ok"
"""The status of a result that names none."""
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class CallContext:
    """The call that a tool works for."""

    call_id: str = ""
    caller: str = ""
    """The human's number. Personal; empty where it is withheld."""
    dialled: str = ""
    persona: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One use of a tool."""

    tool: str
    arguments: Mapping[str, str]
    """As a flow has them; made into numbers and yes/no where the tool's schema wants these."""
    tool_call_id: str
    """Unique within the call: with ``call_id`` it tells a tool whether it has done this before."""
    context: CallContext = field(default_factory=CallContext)


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool did."""

    status: str
    """One of the tool's ``results``, or ``failed``."""
    variables: Mapping[str, str] = field(default_factory=dict)
    result: object = None
    """For the ledger: what the tool returned, or a text of what went wrong."""
    apology: str = ""
    """Said to the caller after a failure, where the flow says nothing itself."""
    took_ms: int = 0

    @property
    def is_ok(self) -> bool:
        """It did its work, whatever came of it."""
        return self.status != FAILED


class ToolRunner(Protocol):
    """Runs the tools of one persona. ``sipagent.tools.toolbox.Toolbox`` is one."""

    def submit(self, call: ToolCall, done: Callable[[ToolAnswer], None]) -> None:
        """Do it off the caller's thread and tell ``done``, once, on a thread of the runner's. Never blocks,
        never raises: what goes wrong is an answer with the status ``failed``."""

    def timeout_ms(self, tool: str) -> int:
        """Time after which it is given up."""

    def filler(self, tool: str) -> str:
        """Said while it runs, once the caller has waited; empty: what is usual."""


class Memory(Protocol):
    """What is remembered about callers from one call to the next."""

    def remember(self, context: CallContext, notes: Mapping[str, str]) -> None:
        """Keep notes on the caller of this call. Waits for the disk.

        :raises SipAgentError: they cannot be kept, or the persona keeps none.
        """
