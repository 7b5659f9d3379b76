"""Section ``speech``: ear, voice, turns and interruptions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from sipagent.config.fields import Problem, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class SttConfig:
    """Section ``speech.stt``: the engine that understands the caller."""

    engine: Literal["auto", "vosk", "whisper"] = "auto"
    """``auto``: Vosk where its model for the language is installed, else Whisper."""
    model: str = "auto"
    """Model of kind stt in the catalogue; ``auto``: the installed one for each persona's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsConfig:
    """Section ``speech.tts``: the engine that speaks."""

    engine: Literal["auto", "piper", "hibari"] = "auto"
    """``auto``: the engine of each persona's voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitConfig:
    """Section ``speech.turn.commit_ms``: silence after which a prepared reply is spoken."""

    sure: int = 300
    """The end-of-turn model is sure that the caller has finished. 100..3000 ms."""
    doubt: int = 700
    """It doubts. 100..5000 ms."""
    latest: int = 1600
    """Whatever it thinks, also while a number or a name is dictated. 500..10000 ms."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, sure=(100, 3000), doubt=(100, 5000), latest=(500, 10000))
        if not self.sure <= self.doubt <= self.latest:
            yield "sure", f"expected sure <= doubt <= latest, got {self.sure}, {self.doubt}, {self.latest} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnConfig:
    """Section ``speech.turn``: when the caller's turn ends."""

    pause_ms: int = 64
    """Silence after which a reply is prepared. 60..1000 ms."""
    commit_ms: CommitConfig = field(default_factory=CommitConfig)
    """Silence after which it is spoken."""
    longest_ms: int = 45_000
    """Longest turn of the caller, behind which the next dip of the voice ends it. 10000..600000 ms."""
    smart_turn: bool = True
    """Judge the end of a turn by the sound too; false: by silence and words alone."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, pause_ms=(60, 1000), longest_ms=(10_000, 600_000))
        if self.pause_ms > self.commit_ms.sure:
            yield (
                "pause_ms",
                f"expected at most commit_ms.sure ({self.commit_ms.sure} ms), got {self.pause_ms}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeInConfig:
    """Section ``speech.barge_in``: what happens when the caller speaks while the agent does."""

    enabled: bool = True
    """False: the agent always finishes."""
    min_voice_ms: int = 100
    """Voice that pauses the agent. 32..1000 ms."""
    verdict_ms: int = 700
    """Time in which the words decide between going on and giving way. 200..3000 ms."""
    backchannels: tuple[str, ...] = (
        "mm-hm",
        "uh-huh",
        "okay",
        "right",
        "all right",
        "alright",
        "yeah",
        "sure",
        "I see",
        "got it",
        "really",
        "cool",
    )
    """Words that only say "I am listening"; the agent goes on after them."""
    dtmf: bool = True
    """A key press silences the agent, where its speech may be interrupted."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, min_voice_ms=(32, 1000), verdict_ms=(200, 3000))
        if any(not word.strip() for word in self.backchannels):
            yield "backchannels", "has an empty entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechConfig:
    """Section ``speech``."""

    stt: SttConfig = field(default_factory=SttConfig)
    """The engine that understands the caller."""
    tts: TtsConfig = field(default_factory=TtsConfig)
    """The engine that speaks."""
    turn: TurnConfig = field(default_factory=TurnConfig)
    """When the caller's turn ends."""
    barge_in: BargeInConfig = field(default_factory=BargeInConfig)
    """What happens when the caller speaks while the agent does."""
