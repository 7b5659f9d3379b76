"""Section ``campaigns`` of sip.yaml: where campaigns stand and what they may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sipagent.config.fields import Problem, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignsConfig:
    """Section ``campaigns``. The campaigns themselves are files of their own (docs/campaigns.md)."""

    enabled: bool = False
    """True: ``sipagent serve`` runs them."""
    dir: Path = Path("campaigns")
    """Folder of the campaign files, relative to sip.yaml."""
    state_file: Path = Path("campaigns.sqlite")
    """What is known about every contact, relative to sip.yaml; servers that share it never call twice."""
    lines_kept_free: int = 1
    """Lines of ``limits.max_calls`` that campaigns never take, for callers. 0..64."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, lines_kept_free=(0, 64))
