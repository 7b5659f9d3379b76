"""Section ``ledger``: the audit ledger."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sipagent.config.fields import Problem, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorConfig:
    """Section ``ledger.anchor``: keeping the ledger's signed heads somewhere else."""

    command: str | None = None
    """Run without a shell for each head, which comes on standard input and in ``SIPAGENT_HEAD``."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.command is None:
            return
        try:
            if not shlex.split(self.command):
                yield "command", "is empty; leave it out where no command shall run"
        except ValueError as exc:
            yield "command", f"cannot be split into words: {exc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerConfig:
    """Section ``ledger``: the record of every call that nobody can alter unnoticed."""

    enabled: bool = True
    """False: calls leave no record."""
    dir: Path = Path("ledger")
    """Folder of chains, keys and recordings, relative to sip.yaml. One server at a time writes it."""
    keep_days: Literal["forever"] | int = "forever"
    """Days after which a call's words, numbers and recording are made unreadable. 1..36500."""
    checkpoint_entries: int = 256
    """Entries after which the chain is signed, besides every call's end. 1..100000."""
    segment_max_mib: int = 16
    """Size after which a file is sealed and the next one begun, besides every day's end (UTC). 1..1024."""
    anchor: AnchorConfig = field(default_factory=AnchorConfig)
    """Keeping the signed heads somewhere else."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self, keep_days=(1, 36500), checkpoint_entries=(1, 100_000), segment_max_mib=(1, 1024)
        )
