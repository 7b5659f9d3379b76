"""What a session needs, without models: for tests of what goes on around the conversation."""

import numpy as np
import structlog

from sipagent.brain.types import SamplingLimits
from sipagent.call.ear import HearingEngines
from sipagent.call.parts import SessionParts
from sipagent.call.turn_rules import TurnRules
from sipagent.call.utterance import SpeakingEngines
from sipagent.call.work import Lane
from sipagent.config.persona import PersonaConfig
from sipagent.speech.phrases import PhraseCache
from sipagent.units import Pcm16
from tests.fakes.llm import FakeLlm
from tests.fakes.personas import persona_of
from tests.fakes.stt import FakeStt
from tests.fakes.tts import FakeTts


class LoudIsVoice:
    """A VAD."""

    def open(self) -> "LoudIsVoice":
        return self

    def probability(self, window: Pcm16) -> float:
        return 0.95 if np.abs(window).max() > 500 else 0.02


class FakeParts:
    """Parts of sessions with people who say ``text`` where there is any sound, and the lanes they share."""

    def __init__(self, text: str = "Hello?") -> None:
        self._text, self._llm = text, FakeLlm()
        self._lanes = [Lane(name, 1, structlog.get_logger()) for name in ("stt", "eot", "reply", "tts")]
        for lane in self._lanes:
            lane.start()

    def of(self, persona: PersonaConfig | None = None) -> SessionParts:
        """One session's."""
        hears, ends, replies, speaks = self._lanes
        return SessionParts(
            persona=persona or persona_of(),
            rules=TurnRules(),
            hearing=HearingEngines(LoudIsVoice(), None, hears, ends, is_streaming=False),  # type: ignore[arg-type]  # a fake
            speaking=SpeakingEngines(PhraseCache(FakeTts()), replies, speaks),
            stream=FakeStt([(0, self._text)]).open_stream(),
            conversation=self._llm.open_conversation("Be brief."),
            limits=SamplingLimits(),
        )

    def close(self) -> None:
        """End the lanes."""
        for lane in self._lanes:
            lane.close()
