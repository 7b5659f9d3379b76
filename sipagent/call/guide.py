"""What steers a call that we place: it decides when the conversation begins, and whether it does.

::

    line ──windows, words, keys──▶ Guide ──begin, say, transcribe, hang_up──▶ Stage (the session)

Nothing is said before the guide says so; until then the turn machine rests. ``BeginAtOnce`` is the guide of
every call that has none. Everything here runs on the call's thread.
"""

from collections.abc import Mapping
from typing import Protocol

from sipagent.units import Pcm16


class Stage(Protocol):
    """What a guide may do with its call."""

    def begin(self, announcement: str) -> None:
        """Let the conversation begin: the announcement to its end, then the greeting."""

    def say(self, text: str) -> None:
        """Say this to its end; ``Guide.said`` follows."""

    def transcribe(self) -> None:
        """The words so far are wanted; ``Guide.heard`` may follow."""

    def fall_silent(self) -> None:
        """Stop speaking, and let the conversation rest again."""

    def hang_up(self) -> None:
        """End the call at once."""


class Guide(Protocol):
    """Decides. Times are milliseconds since the answer, negative before it."""

    announcement: str
    """Prepared while it rings, so that nobody waits for the voice."""

    def enter(self, stage: Stage) -> None:
        """The call is about to be placed. First, once."""

    def answered(self) -> None:
        """The called has answered: what comes now is no early media any more."""

    def window(self, pcm: Pcm16, voice: float) -> None:
        """The next 32 ms of the line.

        :param pcm: shape ``(512,)``, int16, 16 kHz. :param voice: probability of speech, 0..1, echo of ours
            taken off.
        """

    def heard(self, text: str) -> None:
        """The words so far, of the call or, in the conversation, of the present turn."""

    def overheard(self, text: str) -> None:
        """Words of a part of the call that is over, or the last ones before they hang up."""

    def caller_said(self, text: str) -> None:
        """A turn of the conversation is over."""

    def pressed(self, digit: str) -> bool:
        """A key. True: it was for the guide."""

    def said(self) -> None:
        """A ``Stage.say`` was said to its end."""

    def outcome(self, name: str, data: Mapping[str, str]) -> None:
        """The conversation has come to something."""

    def left(self, *, is_broken: bool) -> None:
        """The call is over, and nothing more comes. Last, once. ``is_broken``: by a fault of ours."""


class BeginAtOnce:
    """The conversation begins with the answer, and nobody steers it."""

    announcement = ""

    def enter(self, stage: Stage) -> None:
        self._stage = stage

    def answered(self) -> None:
        self._stage.begin("")

    def window(self, pcm: Pcm16, voice: float) -> None:
        pass

    def heard(self, text: str) -> None:
        pass

    def overheard(self, text: str) -> None:
        pass

    def caller_said(self, text: str) -> None:
        pass

    def pressed(self, digit: str) -> bool:
        return False

    def said(self) -> None:
        pass

    def outcome(self, name: str, data: Mapping[str, str]) -> None:
        pass

    def left(self, *, is_broken: bool) -> None:
        pass
