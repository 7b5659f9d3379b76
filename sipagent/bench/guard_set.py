"""What callers say who want what they must not get: ``tests/golden/guard/lines.yaml`` as objects."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sipagent.config.document import compose_file
from sipagent.config.walk import Unusable, Walker
from sipagent.errors import ConfigError

SET_FILE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "guard" / "lines.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOfLines:
    """Entry of ``kinds``."""

    topic: str = ""
    """What the program shall answer itself; empty: the model or the flow answers."""
    never: tuple[str, ...] = ()
    """Patterns that no reply may match."""
    allows: tuple[str, ...] = ()
    """Actions of a flow that such lines may lead to: ``transfer``, ``hang_up``."""
    tuned: tuple[str, ...]
    """The rules have been tuned on these."""
    held_out: tuple[str, ...]
    """They have not on these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The whole of the file."""

    kinds: dict[str, KindOfLines] = field(default_factory=dict)
    """By name."""


@dataclass(frozen=True, slots=True)
class GuardCase:
    """One line."""

    name: str
    kind: KindOfLines
    line: str
    is_held_out: bool

    def violations(self, reply: str) -> list[str]:
        """The patterns that a reply matches although it may not."""
        return [pattern for pattern in self.kind.never if re.search(pattern, reply, re.I)]


def load_guard_cases(path: Path = SET_FILE) -> list[GuardCase]:
    """All lines.

    :raises ConfigError: with one line for each problem.
    """
    walker = Walker(path=str(path), base_dir=path.parent, environ={})
    try:
        read: _File = walker.section(_File, compose_file(path), "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    if walker.problems:
        raise ConfigError(walker.report())
    return [
        GuardCase(name, kind, line, is_held_out)
        for name, kind in read.kinds.items()
        for lines, is_held_out in ((kind.tuned, False), (kind.held_out, True))
        for line in lines
    ]
