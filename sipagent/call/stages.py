"""Where the time of a reply went: the agent's stamps and the wire's two moments → a chain of stages. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

STAGE_STAMPS = (
    ("pause", "pause"),
    ("STT", "stt_final"),
    ("LLM", "llm_first_token"),
    ("clause", "first_clause"),
    ("TTS", "tts_first_pcm"),
    ("commit", "commit"),
)
"""Stage → the stamp that ends it, in the order of the work."""
WIRE = "wire"
STAGE_NAMES = (*(name for name, _ in STAGE_STAMPS), WIRE)


@dataclass(frozen=True, slots=True)
class Stage:
    """One share of a voice-to-voice time."""

    name: str
    duration_ms: float


def stages_of(speech_end_ms: float, stamps: Mapping[str, float | None], onset_ms: float) -> tuple[Stage, ...]:
    """The stages from the caller's last voiced sample to the agent's first audible packet, both on the wire.

    A stage lasts from the latest moment before it to its own stamp; one that was over by then (work done
    ahead, or in parallel) or has no stamp takes nothing. So the stages add up to the voice-to-voice time.
    """
    stages = []
    reached_ms = speech_end_ms
    for name, stamp in STAGE_STAMPS:
        moment_ms = stamps.get(stamp)
        duration_ms = 0.0
        if moment_ms is not None:
            duration_ms = max(min(moment_ms, onset_ms) - reached_ms, 0.0)
        stages.append(Stage(name, duration_ms))
        reached_ms += duration_ms
    return (*stages, Stage(WIRE, max(onset_ms - reached_ms, 0.0)))
