"""What campaigns need of whoever places calls: SIP, the laboratory, a fake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sipagent.campaigns.conduct import Script
from sipagent.campaigns.outcomes import Ending


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One attempt."""

    attempt_id: int
    campaign: str
    number: str
    caller_id: str
    trunk: str
    persona: str
    zone: str
    """The callee's."""
    n: int
    """This is the contact's n-th attempt."""
    ring_s: int
    max_call_s: int
    script: Script
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WantsNoCalls:
    """The person on the line has just asked for it; ``Finished`` follows."""

    attempt_id: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A call is over: exactly one for each order, but for those that are ``NotPlaced``."""

    attempt_id: int
    ending: Ending


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Nothing was dialled, in place of ``Finished``: the attempt does not count."""

    attempt_id: int
    why: str
    is_lasting: bool
    """The same order will be refused again, until somebody changes the configuration."""


CallEvent = WantsNoCalls | Finished | NotPlaced
Tell = Callable[[CallEvent], None]


class Dialler(Protocol):
    """Places calls. ``place`` and ``hang_up_all`` return at once; events come on any thread."""

    def free_lines(self) -> int:
        """Calls that could be placed now, without the lines kept for inbound callers."""

    def place(self, order: CallOrder, tell: Tell) -> None:
        """Send the INVITE, conduct the call by :class:`sipagent.campaigns.conduct.Conduct`, tell its end."""

    def hang_up_all(self) -> None:
        """End every call of campaigns; each still tells its end."""
