"""A scripted ear: hears what the script says, when enough sound has come."""

from collections.abc import Sequence

import numpy as np

from sipagent.errors import EngineError, JobCancelled
from sipagent.speech.types import Cancelled, Transcript, Word
from sipagent.units import Pcm16, samples_to_ms

_WORD_MS = 200


class FakeStt:
    """``FakeStt([(0, "hello"), (900, "goodbye")])``: each stream hears "hello" as soon as there is any sound,
    and "goodbye" once there have been more than 900 ms of it. Digital silence is no sound. The script's
    clock runs for the life of a stream: ``reset`` forgets the words, the next turn hears the next lines.
    """

    name = "fake"

    def __init__(
        self, script: Sequence[tuple[int, str]], *, is_streaming: bool = False, failures: Sequence[int] = ()
    ) -> None:
        """:param failures: the snapshots, counted from 0 over all streams, that raise EngineError."""
        self.is_streaming = is_streaming
        self.script = tuple(script)
        self.failures = frozenset(failures)
        self.snapshots = 0
        self.open_streams = 0

    def open_stream(self) -> "FakeSttStream":
        """A new ear, at the beginning of the script."""
        self.open_streams += 1
        return FakeSttStream(self)

    def close(self) -> None:
        """Nothing to free."""


class FakeSttStream:
    """One caller's ear."""

    def __init__(self, engine: FakeStt) -> None:
        self._engine = engine
        self._sound_samples = 0
        self._turn_from_samples = 0
        self._is_closed = False

    def accept(self, pcm: Pcm16) -> None:
        """Count what is not silence."""
        self._sound_samples += int(np.count_nonzero(pcm))

    def partial(self, cancelled: Cancelled) -> Transcript:
        """What has been heard so far."""
        if cancelled():
            raise JobCancelled("fake: cancelled")
        heard = [
            (at_ms, text)
            for at_ms, text in self._engine.script
            if self._is_heard(at_ms) and not self._is_past(at_ms)
        ]
        from_ms = samples_to_ms(self._turn_from_samples)
        words = tuple(
            Word(word, at_ms - from_ms + i * _WORD_MS, at_ms - from_ms + (i + 1) * _WORD_MS, 1.0)
            for at_ms, text in heard
            for i, word in enumerate(text.split())
        )
        return Transcript(" ".join(text for _, text in heard), words)

    def snapshot(self, cancelled: Cancelled, hint: str = "") -> Transcript:
        """The same; or the failure that the script wants."""
        transcript = self.partial(cancelled)
        number = self._engine.snapshots
        self._engine.snapshots += 1
        if number in self._engine.failures:
            raise EngineError(f"fake: snapshot {number} fails")
        return transcript

    def reset(self) -> None:
        """Begin the next turn."""
        self._turn_from_samples = self._sound_samples

    def close(self) -> None:
        """Count the stream as closed, once."""
        if not self._is_closed:
            self._is_closed = True
            self._engine.open_streams -= 1

    def _is_heard(self, at_ms: int) -> bool:
        return self._sound_samples > 16 * at_ms

    def _is_past(self, at_ms: int) -> bool:
        return self._turn_from_samples > 16 * at_ms
