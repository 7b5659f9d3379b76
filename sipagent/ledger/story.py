"""One call as its entries tell it: parties, turns, events, times relative to its start."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sipagent.ledger.kinds import Kind
from sipagent.ledger.read import ChainEntry, LedgerReader

FORGOTTEN = "[forgotten]"
"""Stands where personal fields are sealed and their key is gone."""
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
_TURNS = {Kind.TURN_CALLER: "caller", Kind.TURN_AGENT: "agent"}


@dataclass(frozen=True, slots=True)
class StoryTurn:
    """One side's stretch of speech."""

    who: str
    """``caller`` or ``agent``."""
    turn_id: int
    text: str
    """What was heard; of the agent: what the caller really heard."""
    meant: str
    """Of the agent: what it was about to say, where that differs."""
    began_ms: int
    """Since the call's start."""
    ended_ms: int
    is_interrupted: bool
    v2v_ms: int | None
    stages_ms: dict[str, int]
    """Stamps since the caller's last voiced sample."""


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """Anything else that happened."""

    at_ms: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class CallStory:
    """A call."""

    call_id: str
    began_utc: str
    direction: str
    trunk: str
    persona: str
    caller: str
    dialled: str
    outcome: str
    cause: str
    sip_status: int | None
    duration_ms: int
    """From its first entry to its last, where ``call.ended`` does not say."""
    is_ended: bool
    turns: tuple[StoryTurn, ...]
    events: tuple[StoryEvent, ...]
    recordings: tuple[str, ...]

    @property
    def v2v_ms(self) -> list[int]:
        """Voice-to-voice latencies, in order."""
        return [turn.v2v_ms for turn in self.turns if turn.v2v_ms is not None]

    def as_row(self) -> dict[str, object]:
        """One row of a table of calls."""
        v2v = self.v2v_ms
        return {
            "call_id": self.call_id,
            "began_utc": self.began_utc,
            "direction": self.direction,
            "trunk": self.trunk,
            "persona": self.persona,
            "caller": self.caller,
            "dialled": self.dialled,
            "outcome": self.outcome,
            "cause": self.cause,
            "sip_status": self.sip_status,
            "duration_ms": self.duration_ms,
            "turns": sum(turn.who == "caller" for turn in self.turns),
            "interruptions": sum(turn.is_interrupted for turn in self.turns),
            "v2v_p50_ms": round(statistics.median(v2v)) if v2v else None,
            "v2v_max_ms": max(v2v, default=None),
            "recordings": " ".join(self.recordings),
        }


def tell(entries: Sequence[ChainEntry], reader: LedgerReader) -> CallStory:
    """The story of a call from its entries (at least one)."""
    start_ms = entries[0].entry.at_ms
    about: dict[str, object] = {}
    turns: list[StoryTurn] = []
    events: list[StoryEvent] = []
    recordings: list[str] = []
    is_ended = False
    for one in entries:
        entry = one.entry
        fields = {**entry.body, **personal_of(one, reader)}
        if entry.kind in _TURNS:
            if turns and fields.get("continues") == turns[-1].turn_id:
                turns.pop()  # it was not over yet
            turns.append(_turn(_TURNS[Kind(entry.kind)], fields, start_ms, entry.at_ms))
            continue
        if entry.kind in (Kind.CALL_STARTED, Kind.CALL_ENDED, Kind.CALL_REFUSED):
            about |= fields
            is_ended |= entry.kind != Kind.CALL_STARTED
        elif entry.kind == Kind.RECORDING_CLOSED:
            recordings.append(str(fields.get("file", "")))
        events.append(StoryEvent(entry.at_ms - start_ms, entry.kind, _plain(fields)))
    status = about.get("sip_status")
    return CallStory(
        call_id=entries[0].entry.call_id or "",
        began_utc=entries[0].entry.at_utc,
        direction=str(about.get("direction", "")),
        trunk=str(about.get("trunk", "")),
        persona=str(about.get("persona", "")),
        caller=str(about.get("caller", "")),
        dialled=str(about.get("dialled", "")),
        outcome=str(about.get("outcome", about.get("rule", ""))),
        cause=str(about.get("cause", "")),
        sip_status=status if isinstance(status, int) else None,
        duration_ms=_number(about.get("duration_ms"), entries[-1].entry.at_ms - start_ms),
        is_ended=is_ended,
        turns=tuple(turns),
        events=tuple(events),
        recordings=tuple(recordings),
    )


def personal_of(one: ChainEntry, reader: LedgerReader) -> dict[str, object]:
    """The sealed fields, or what stands for them once they are forgotten."""
    if one.entry.personal is None:
        return {}
    fields = reader.personal(one)
    return dict.fromkeys(_SEALED.get(one.entry.kind, ("sealed",)), FORGOTTEN) if fields is None else fields


_SEALED: dict[str, tuple[str, ...]] = {
    Kind.CALL_STARTED: ("caller", "dialled"),
    Kind.CALL_REFUSED: ("caller", "dialled"),
    Kind.DTMF_RECEIVED: ("digits",),
    Kind.TURN_CALLER: ("text",),
    Kind.TURN_AGENT: ("text",),
}


def _turn(who: str, fields: dict[str, object], start_ms: int, at_ms: int) -> StoryTurn:
    stamps = fields.get("stamps_ms")
    stamps = stamps if isinstance(stamps, dict) else {}
    zero_ms = stamps.get("speech_end")
    text, meant = str(fields.get("text", "")), str(fields.get("meant", ""))
    v2v = fields.get("v2v_ms")
    return StoryTurn(
        who=who,
        turn_id=_number(fields.get("turn_id"), 0),
        text=text,
        meant=meant if meant != text else "",
        began_ms=_number(fields.get("began_ms"), at_ms) - start_ms,
        ended_ms=_number(fields.get("ended_ms"), at_ms) - start_ms,
        is_interrupted=fields.get("interrupted") is True,
        v2v_ms=v2v if isinstance(v2v, int) else None,
        stages_ms={
            stage: stamps[stage] - zero_ms
            for stage in STAGES
            if isinstance(zero_ms, int) and isinstance(stamps.get(stage), int)
        },
    )


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _plain(fields: dict[str, object]) -> str:
    return "  ".join(f"{key}={value}" for key, value in fields.items() if value not in (None, "", [], {}))
