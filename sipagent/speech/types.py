"""What the speech engines give and take. Engines are structural: they satisfy these Protocols."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sipagent.units import Pcm16

Cancelled = Callable[[], bool]
"""Asked between steps of a job; True means: stop now, raise JobCancelled."""


def never_cancelled() -> bool:
    """The Cancelled of a job nobody can cancel."""
    return False


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word. Times count from the first sample the stream accepted."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard since the stream was opened or reset. Empty text: nothing intelligible."""

    text: str
    words: tuple[Word, ...] = ()
    confidence: float = 1.0
    """0..1, the engine's own estimate for the whole text."""


class SttStream(Protocol):
    """One caller's ear. Not thread-safe: one engine thread at a time uses it."""

    def accept(self, pcm: Pcm16) -> None:
        """Append 16 kHz PCM of any length. May compute (Vosk) or only keep it (Whisper)."""

    def partial(self, cancelled: Cancelled) -> Transcript:
        """The cheap, possibly stale or unstable text of the turn so far."""

    def snapshot(self, cancelled: Cancelled, hint: str = "") -> Transcript:
        """The best text of everything accepted since ``reset``. Accepting may go on afterwards:
        a later snapshot covers the whole turn again. Without new audio it repeats itself.

        :param hint: what an answer to the open question may look like in writing, as ``212-555-0147.``; what
            is doubtful is heard in its manner. An engine may ignore it.
        :raises JobCancelled: when ``cancelled()`` turned true; the stream stays usable.
        :raises EngineError: the engine failed; the stream stays usable after ``reset``.
        """

    def reset(self) -> None:
        """Forget the turn; the next ``accept`` begins a new one."""

    def close(self) -> None:
        """Free native memory. Idempotent."""


class SttEngine(Protocol):
    """A loaded speech-to-text model."""

    name: str
    """``vosk`` or ``whisper``."""
    is_streaming: bool
    """True where ``accept`` computes and partials are stable enough to read ahead."""

    def open_stream(self) -> SttStream: ...

    def close(self) -> None: ...


class TtsEngine(Protocol):
    """A loaded voice."""

    name: str

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[Pcm16]:
        """Yield 16 kHz PCM chunks of ``text`` (one clause or sentence), levelled, without leading or
        trailing silence beyond 20 ms, each chunk ready to be queued behind the one before.

        :raises JobCancelled: between chunks, when ``cancelled()`` turned true.
        :raises EngineError: the voice cannot say this.
        """

    def close(self) -> None: ...
