"""What a call leaves in the log: one event for each thing that happened, one summary at its end."""

import statistics

import structlog

from sipagent.call.ports import LineDown
from sipagent.media.ring import AudioRings

STAGES = (
    "speech_end",
    "pause",
    "stt_final",
    "eot_score",
    "llm_first_token",
    "first_clause",
    "tts_first_pcm",
    "commit",
    "first_rtp",
)
"""The stamps of an answered turn, in the order of the pipeline."""


class CallRecord:
    """Logs one call. Everything a person said stands under a ``pii_`` key. Call thread only."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self._turn_id = 0
        self._v2v_ms: list[int] = []
        self._up_ms: int | None = None
        self._interruptions = 0
        self._has_greeted = False

    def __repr__(self) -> str:
        return f"CallRecord(turns={self._turn_id}, v2v_ms={self._v2v_ms})"

    def up(self, at_ms: int) -> None:
        """The caller's ACK has come."""
        self._up_ms = at_ms
        self._log.info("call.connected")

    def phrase_began(self, at_ms: int) -> None:
        """A phrase of the program's own is audible; the first one is the greeting."""
        if not self._has_greeted and self._up_ms is not None:
            self._has_greeted = True
            self._log.info("greeting.began", after_ms=at_ms - self._up_ms)

    def heard(self, text: str) -> None:
        """The caller's turn is over."""
        self._turn_id += 1
        self._log.info("turn.heard", turn_id=self._turn_id, pii_text=text)

    def answered(self, stamps_ms: dict[str, int], queued_ms: dict[str, int]) -> None:
        """The first sample of the answer has gone out.

        :param queued_ms: how long the work waited in each lane.
        """
        v2v_ms = stamps_ms["first_rtp"] - stamps_ms["speech_end"]
        self._v2v_ms.append(v2v_ms)
        stamps = {stage: stamps_ms.get(stage) for stage in STAGES}
        self._log.info(
            "turn.answered", turn_id=self._turn_id, v2v_ms=v2v_ms, stamps=stamps, queued_ms=queued_ms
        )

    def spoken(self, text: str, *, is_interrupted: bool) -> None:
        """What the caller heard of an utterance."""
        self._interruptions += is_interrupted
        self._log.info("turn.spoken", turn_id=self._turn_id, pii_text=text, interrupted=is_interrupted)

    def ended(self, down: LineDown | None, audio: AudioRings, now_ms: int) -> None:
        """The summary line. ``down`` is None where the call failed on our side."""
        self._log.info(
            "call.ended",
            cause=down.cause if down else "failed",
            sip_status=down.sip_status if down else None,
            duration_ms=now_ms - self._up_ms if self._up_ms is not None else 0,
            turns=self._turn_id,
            interruptions=self._interruptions,
            v2v_p50_ms=round(statistics.median(self._v2v_ms)) if self._v2v_ms else None,
            v2v_max_ms=max(self._v2v_ms, default=None),
            tx_underruns=audio.to_line.underruns,
            rx_overrun_samples=audio.from_line.overruns,
        )
