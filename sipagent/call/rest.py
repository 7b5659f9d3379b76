"""Times in which the conversation rests: the caller has put us on hold, or waits for somebody else.

Nothing that comes is heard, what the agent was saying waits and goes on from a word boundary, and the turn
machine does not see the time pass.
"""

from sipagent.call.ear import Ear
from sipagent.call.mouth import Mouth
from sipagent.media.ring import PcmRing


class Rest:
    """Begins and ends the rests of one call. Call thread only."""

    def __init__(self, ear: Ear, mouth: Mouth) -> None:
        self._ear, self._mouth = ear, mouth
        self._since_ms: int | None = None
        self._has_paused = False

    def __repr__(self) -> str:
        return f"Rest(since_ms={self._since_ms})"

    @property
    def is_on(self) -> bool:
        """The conversation rests."""
        return self._since_ms is not None

    def go_on(self, now_ms: int, beside: PcmRing | None = None) -> None:
        """Rest, or rest on.

        :param beside: of whom the caller hears instead of the agent, for the recording.
        """
        if self._since_ms is None:
            self._since_ms = now_ms
        if self._mouth.is_active and not self._mouth.is_held:
            self._mouth.hold()
            self._has_paused = True
        self._ear.pass_over(beside)

    def end(self, now_ms: int) -> int:
        """Go on talking; how long the rest was."""
        assert self._since_ms is not None
        rested_ms, self._since_ms = now_ms - self._since_ms, None
        if self._has_paused:
            self._mouth.resume()
        self._has_paused = False
        return rested_ms
