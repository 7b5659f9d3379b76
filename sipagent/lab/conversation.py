"""Two views of one call joined: the wire's (the caller's process) and the agent's own log. Pure.

They share CLOCK_MONOTONIC, so a reply on the wire belongs to the turn that the agent says it began then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sipagent.call.stages import Stage, stages_of
from sipagent.lab.child import ChildEvent

_BEFORE_MS, _AFTER_MS = 500.0, 300.0
"""A reply's first packet comes this close to the moment that the agent logged for it."""


class Party(Enum):
    """Who speaks."""

    CALLER = "caller"
    AGENT = "agent"


@dataclass(slots=True)
class Utterance:
    """One turn, as it was on the wire."""

    party: Party
    start_ms: float
    """From the start of the call."""
    end_ms: float
    text: str = ""
    turn_id: int | None = None
    heard: str | None = None
    """Caller's: what the agent understood."""
    v2v_ms: float | None = None
    """Agent's: since the caller's last voiced sample; None for the greeting and after an interruption."""
    filler_ms: float | None = None
    """Agent's: the same until the "one moment" that came before the answer, if it was said."""
    stages: tuple[Stage, ...] = ()
    """Agent's: where the time went."""
    was_interrupted: bool = False
    yielded_ms: float | None = None
    """Caller's, spoken into the agent's speech: until the agent was silent."""
    cut_in_ms: float | None = None
    """Caller's: the agent began this long (negative) before the end of it."""


@dataclass(slots=True)
class Conversation:
    """One call."""

    utterances: list[Utterance] = field(default_factory=list)
    """In the order of their beginnings."""
    duration_ms: float = 0.0
    setup_ms: float | None = None
    greeting_ms: float | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    """The whole of ``call.measured``."""

    @property
    def v2v_ms(self) -> list[float]:
        """Every reply's voice-to-voice time."""
        return [u.v2v_ms for u in self.utterances if u.v2v_ms is not None]


def join(measured: dict[str, Any], agent_events: Sequence[ChildEvent]) -> Conversation:
    """One conversation of a call's measurement and of the agent's events during that call."""
    start_ms = float(measured["answered_ms"])
    callers = [_caller_line(line, start_ms) for line in measured["lines"]]
    turns = {int(e.facts["turn_id"]): e.facts for e in agent_events if e.event == "turn.answered"}
    agents = _agent_turns(measured, turns, callers, start_ms)
    _add_texts(callers, agents, agent_events, start_ms)
    _add_latencies(measured, agents, turns, start_ms)
    return Conversation(
        utterances=sorted([*callers, *agents], key=lambda u: u.start_ms),
        duration_ms=float(measured["ended_ms"]) - start_ms,
        setup_ms=measured["setup_ms"],
        greeting_ms=measured["greeting_ms"],
        measured=measured,
    )


def _caller_line(line: dict[str, Any], call_start_ms: float) -> Utterance:
    return Utterance(
        Party.CALLER,
        line["start_ms"] - call_start_ms,
        line["end_ms"] - call_start_ms,
        line["text"],
        yielded_ms=line["yielded_ms"],
        cut_in_ms=line["cut_in_ms"],
    )


def _agent_turns(
    measured: dict[str, Any], turns: dict[int, dict[str, Any]], callers: list[Utterance], call_start_ms: float
) -> list[Utterance]:
    """Stretches of the agent's speech, put together where they belong to one turn."""
    agents: list[Utterance] = []
    for span in measured["agent_spans"]:
        start_ms, end_ms = span["start_ms"] - call_start_ms, span["end_ms"] - call_start_ms
        turn_id = _turn_begun_at(span["start_ms"], turns)
        previous = agents[-1] if agents else None
        is_same = previous is not None and turn_id in (None, previous.turn_id)
        has_caller_between = previous is not None and any(
            previous.end_ms <= c.start_ms < start_ms for c in callers
        )
        if previous is not None and is_same and not (turn_id is None and has_caller_between):
            previous.end_ms = end_ms
        else:
            greeting_id = 0 if previous is None and turn_id is None else turn_id
            agents.append(Utterance(Party.AGENT, start_ms, end_ms, turn_id=greeting_id))
    return agents


def _turn_begun_at(onset_ms: float, turns: dict[int, dict[str, Any]]) -> int | None:
    """The turn whose first sound the agent logged close to ``onset_ms``, the closest if several."""
    near = [
        (abs(onset_ms - begun_ms), turn_id)
        for turn_id, facts in turns.items()
        if -_BEFORE_MS <= onset_ms - (begun_ms := _begun_ms(facts)) <= _AFTER_MS
    ]
    return min(near)[1] if near else None


def _begun_ms(facts: dict[str, Any]) -> float:
    """The first sound of a turn: the answer's, or the filler's before it."""
    stamp = facts.get("stamps", {}).get("first_rtp")
    return float(facts.get("at_ms", 0.0) if stamp is None else stamp) - _after_filler_ms(facts)


def _after_filler_ms(facts: dict[str, Any]) -> float:
    """From the filler's first sound to the answer's; 0 where none was said."""
    filler_ms = facts.get("filler_ms")
    return 0.0 if filler_ms is None else float(facts["v2v_ms"]) - float(filler_ms)


def _add_texts(
    callers: list[Utterance], agents: list[Utterance], events: Sequence[ChildEvent], call_start_ms: float
) -> None:
    by_turn = {u.turn_id: u for u in agents if u.turn_id is not None}
    for event in events:
        if event.event == "turn.spoken" and (spoken := by_turn.get(int(event.facts["turn_id"]))):
            spoken.text = str(event.facts.get("pii_text") or "")
            spoken.was_interrupted = bool(event.facts.get("interrupted"))
        elif event.event == "turn.heard":
            at_ms = float(event.facts["at_ms"]) - call_start_ms
            before = [u for u in callers if u.start_ms <= at_ms]
            if before:
                text = str(event.facts.get("pii_text") or "")
                before[-1].heard = f"{before[-1].heard} | {text}" if before[-1].heard else text


def _add_latencies(
    measured: dict[str, Any], agents: list[Utterance], turns: dict[int, dict[str, Any]], call_start_ms: float
) -> None:
    for line in measured["lines"]:
        if line["onset_ms"] is None:
            continue
        onset_ms = line["onset_ms"] - call_start_ms
        reply = next((u for u in agents if u.start_ms <= onset_ms < u.end_ms), None)
        if reply is None or reply.v2v_ms is not None:
            continue
        facts = turns.get(reply.turn_id, {}) if reply.turn_id is not None else {}
        after_ms = _after_filler_ms(facts)
        reply.v2v_ms = None if line["v2v_ms"] is None else line["v2v_ms"] + after_ms
        reply.filler_ms = line["v2v_ms"] if "filler_ms" in facts else None
        if facts:
            reply.stages = stages_of(line["end_ms"], facts.get("stamps", {}), line["onset_ms"] + after_ms)
