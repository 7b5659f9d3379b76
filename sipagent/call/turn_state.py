"""The turn machine's state: what is known of the caller's turn and of the agent's."""

from dataclasses import dataclass, field, replace
from enum import Enum

from sipagent.call.endpointing import EndScores, Patience


class Caller(Enum):
    """The caller's side."""

    SILENT = "silent"
    SPEAKING = "speaking"
    PAUSING = "pausing"


class Agent(Enum):
    """The agent's side."""

    IDLE = "idle"
    THINKING = "thinking"
    SPEAKING = "speaking"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Committed:
    """The turn that is being answered."""

    text: str
    last_voice_ms: int
    answered_ms: int | None = None
    """When the answer was first heard."""
    is_cut: bool = False
    """It had lasted too long: who goes on does not take it back."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The whole state."""

    caller: Caller = Caller.SILENT
    agent: Agent = Agent.IDLE
    attempt: int = 0
    """Counts attempts and judgements through the call; a result with another number is late."""
    last_voice_ms: int = 0
    is_voiced: bool = False
    """Between VoiceStarted and VoiceStopped."""
    run_since_ms: int = 0
    """When the voice last began."""
    voice_since_ms: int = 0
    """When the caller began to speak over the agent, or was last judged."""
    voiced_ms: int = 0
    """The caller's voice since then, in stretches that have ended."""
    turn_since_ms: int = 0
    """When the caller's turn began."""
    is_noise: bool = False
    """This stretch of voice has been judged and had no words: it does not hold the agent again."""
    wordless: int = 0
    """How often it has been judged so: the next judgement comes later and later."""
    held_since_ms: int = 0
    asked_ms: int = 0
    """When the words were last asked for."""
    dry_from_ms: int | None = None
    """Since when an utterance that is not over has had no sound left."""
    committed: Committed | None = None
    """None: what the agent says is a phrase of its own."""
    has_interrupted: bool = False
    """The caller has silenced the agent and nothing was answered yet."""
    has_asked_again: bool = False
    """The agent has said that it could not understand, and has not understood since."""
    text: str | None = None
    """None: not known yet. Empty: a voice that meant something, and nobody understood it."""
    scores: EndScores = field(default_factory=EndScores)
    has_reply: bool = False
    """The reply has begun: all that the words can tell is known."""
    patience: Patience = field(default_factory=Patience)
    has_failed: bool = False
    has_filled: bool = False
    """The filler of this turn has been said."""
    is_interruptible: bool = True
    idle_since_ms: int = 0
    """Since when the agent has had nothing to say, or has been thinking."""
    prompts_said: int = 0
    failures: int = 0
    is_judging: bool = False
    ends_call: bool = False
    """Hang up when the utterance has ended, unless the caller interrupts it."""
    is_closing: bool = False
    """The last utterance; nothing the caller does changes it."""

    def has_lasted(self, now_ms: int, limit_ms: int) -> bool:
        """The caller has had the turn for so long."""
        return self.caller is not Caller.SILENT and now_ms - self.turn_since_ms >= limit_ms

    def delayed(self, by_ms: int) -> "Turn":
        """As if all its times were ``by_ms`` later."""
        return replace(
            self,
            last_voice_ms=self.last_voice_ms + by_ms,
            run_since_ms=self.run_since_ms + by_ms,
            voice_since_ms=self.voice_since_ms + by_ms,
            turn_since_ms=self.turn_since_ms + by_ms,
            idle_since_ms=self.idle_since_ms + by_ms,
            held_since_ms=self.held_since_ms + by_ms,
            asked_ms=self.asked_ms + by_ms,
            dry_from_ms=None,
        )

    def next_attempt(self) -> "Turn":
        """Nothing is known of it yet."""
        attempt = self.attempt + 1
        return replace(self.next_words(), attempt=attempt, has_failed=False, is_judging=False)

    def next_words(self) -> "Turn":
        """No words are known."""
        return replace(self, text=None, scores=EndScores(), has_reply=False)
