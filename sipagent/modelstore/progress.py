"""What a long fetch tells whoever waits for it."""

from typing import Protocol


class FetchProgress(Protocol):
    """Called from the fetching thread only."""

    def say(self, line: str) -> None:
        """Something worth a line of its own: a source failed, a model is installed."""

    def begin(self, label: str, total_bytes: int | None) -> None:
        """A step begins; ``None``: how much there is to do is not known."""

    def advance(self, done_bytes: int) -> None:
        """So much of the step is done, counted from its beginning."""

    def end(self) -> None:
        """The step is over, well or badly."""


class Silent:
    """Tells nobody."""

    def say(self, line: str) -> None:
        """Drop it."""

    def begin(self, label: str, total_bytes: int | None) -> None:
        """Drop it."""

    def advance(self, done_bytes: int) -> None:
        """Drop it."""

    def end(self) -> None:
        """Drop it."""


SILENT = Silent()
