"""What the operator may set about turn-taking, in the turn machine's own terms."""

from dataclasses import dataclass, field

from sipagent.call.endpointing import CommitDelays


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What the operator may set."""

    pause_ms: int = 180
    delays: CommitDelays = field(default_factory=CommitDelays)
    barge_in: bool = True
    min_voice_ms: int = 160
    """Voice over the agent that makes it fall silent."""
    verdict_ms: int = 700
    backchannels: frozenset[str] = frozenset()
    no_input_after_ms: int = 8000
    no_input_prompts: int = 2
    max_failures: int = 2
    """Failed turns in a row after which the agent gives up."""
    hands_over: bool = False
    """Then the caller is handed over; else the agent says goodbye."""
    meant_ms: int = 1000
    """Voice without words that is taken for speech nobody could understand."""
    answer_ms: int = 300
    """The same where the agent has asked for an answer."""
    filler_after_ms: int = 1_200
    """Silence behind a commit after which "one moment" is said, at most once a turn."""
    longest_ms: int = 45_000
    """Of a caller's turn; behind it the next dip is taken for its end."""
    dipless_ms: int = 15_000
    """How long that dip is waited for: behind it what there is is answered."""
    result_limit_ms: int = 5_000
    """For the words of a turn; behind it the engine counts as failed."""
    held_limit_ms: int = 4_000
    """Silence of the agent under a voice of which nobody knows what it wants."""
    thinking_limit_ms: int = 12_000
    """Silence of the agent's own making that counts as a failure."""
