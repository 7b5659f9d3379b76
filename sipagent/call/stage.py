"""The ``Stage`` of a call: what a guide wants done, done with the dialogue and the ear. Call thread only."""

from collections.abc import Callable

from sipagent.call.dialogue import Dialogue
from sipagent.call.ear import Ear
from sipagent.speech.types import never_cancelled
from sipagent.units import monotonic_ms


class CallStage:
    """One call's stage."""

    def __init__(self, dialogue: Dialogue, ear: Ear, hang_up: Callable[[], None]) -> None:
        self._dialogue, self._ear, self._hang_up = dialogue, ear, hang_up

    def __repr__(self) -> str:
        return f"CallStage({self._dialogue!r})"

    def begin(self, announcement: str) -> None:
        """As ``Stage.begin``."""
        self._dialogue.open(monotonic_ms(), announcement)

    def say(self, text: str) -> None:
        """As ``Stage.say``."""
        self._dialogue.say_aside(text, interruptible=False)

    def transcribe(self) -> None:
        """As ``Stage.transcribe``. Where a reply is due the words come by themselves."""
        if not self._dialogue.has_begun or self._dialogue.is_saying:
            self.transcribe_now()

    def transcribe_now(self) -> None:
        """Whatever goes on."""
        attempt = self._ear.guides_attempt
        self._ear.transcribe(attempt, never_cancelled, lambda lane, waited_ms: None, is_final=False)

    def fall_silent(self) -> None:
        """As ``Stage.fall_silent``."""
        self._dialogue.fall_silent()

    def hang_up(self) -> None:
        """As ``Stage.hang_up``."""
        self._hang_up()
