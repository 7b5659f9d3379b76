"""Section ``campaigns`` of sip.yaml: where campaigns stand and what they may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sipagent.config.campaign_values import Span
from sipagent.config.fields import Problem, out_of_range

QUARTER_OF_AN_HOUR = Span(15 * 60)


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
    pause: Span = QUARTER_OF_AN_HOUR
    """From the end of a call to the next one to the same number, by whatever campaign. 5m..1d."""
    calls_per_number: int = 3
    """Calls to one number in 24 hours, by all campaigns together. 1..8."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, lines_kept_free=(0, 64), calls_per_number=(1, 8))
        if not 300 <= self.pause.seconds <= 86_400:
            yield "pause", f"expected 5m..1d, got {self.pause}"
