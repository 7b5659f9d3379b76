"""What became of the agent's speech after the caller spoke into it, by the wire and by the log. Pure.

::

    agent   ▇▇▇▇▇▇▇▇▇▇▇▇▇┤ silent_ms ├            gap_ms             ├▇▇▇▇▇▇ goes on (KEPT)
    caller           ┌onset
                     ▇▇▇▇ mm-hm
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from sipagent.lab.child import ChildEvent
from sipagent.lab.quality import NATURAL_GAP_MS
from sipagent.lab.wire import Span

_REACTION_MS = 1500.0
"""A silence that begins this long after the caller's line has nothing to do with it."""
_GONE_MS = 4000.0
"""An agent that is silent for longer will not go on with that utterance."""
_TOLD = ("turn.spoken", "turn.heard", "turn.answered", "turn.acted", "stt.failed", "reply.failed")


class Outcome(Enum):
    """What happened to the utterance."""

    MISSED = "missed"
    """The agent had nothing under way when the line began: nothing to learn."""
    FINISHED = "finished"
    """It was said to its end, which came at that moment anyway."""
    KEPT = "kept"
    """The agent went on, perhaps after a pause."""
    LOST = "lost"
    """The rest was never said."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """One line of the caller, spoken into the agent's speech."""

    outcome: Outcome
    silent_ms: float | None
    """From the line's first voiced sample to the end of the agent's last audible packet, if so."""
    gap_ms: float
    """The longest pause of the agent's between the line and its going on; 0 where there was none."""
    answered_ms: float | None
    """From the line's last voiced sample to the agent's next speech, where the rest was dropped."""
    spoke_over: bool
    """The agent fell silent and began again before the line was over."""
    heard: str
    """What the agent took for a turn of the caller's."""
    log: tuple[str, ...]
    """The agent's decisions from the line's beginning on, ``+180 HoldSpeech``."""


def reaction_to(
    line: Span, spans: Sequence[Span], events: Sequence[ChildEvent], until_ms: float = float("inf")
) -> Reaction:
    """What the agent did about ``line`` before ``until_ms``.

    :param spans: the agent's stretches of speech, in order. :param events: its log.
    """
    told = [e for e in events if e.event in _TOLD and line.start_ms <= float(e.facts["at_ms"]) < until_ms]
    spoken = next((e for e in told if e.event == "turn.spoken"), None)
    into = _spoken_into(line, spans, told)
    later = [s for s in spans if into is not None and into.end_ms < s.start_ms < until_ms]
    outcome = _outcome(line, into, later, spoken)
    reacted = into is not None and into.end_ms < line.end_ms + _REACTION_MS
    was_silent = into is not None and into.end_ms <= line.start_ms
    answer = next((s for s in later if s.start_ms >= line.end_ms), None)
    return Reaction(
        outcome=outcome,
        silent_ms=round(into.end_ms - line.start_ms, 1) if into and reacted and not was_silent else None,
        gap_ms=_gap_ms(line, into, later) if outcome is Outcome.KEPT else 0.0,
        answered_ms=round(answer.start_ms - line.end_ms, 1) if outcome is Outcome.LOST and answer else None,
        spoke_over=outcome is not Outcome.MISSED and any(s.start_ms < line.end_ms for s in later),
        heard=" | ".join(str(e.facts.get("pii_text", "")) for e in told if e.event == "turn.heard"),
        log=tuple(_entry(e, line.start_ms) for e in told),
    )


def _spoken_into(line: Span, spans: Sequence[Span], told: Sequence[ChildEvent]) -> Span | None:
    """The stretch of speech that the line met, or fell behind while the agent was between two words."""
    before = [s for s in spans if s.start_ms <= line.start_ms]
    if not before:
        return None
    is_held = any(e.facts.get("action") == "HoldSpeech" for e in told)
    is_cut = any(e.event == "turn.spoken" and e.facts.get("interrupted") for e in told)
    is_between = line.start_ms - before[-1].end_ms < NATURAL_GAP_MS and (is_held or is_cut)
    return before[-1] if line.start_ms < before[-1].end_ms or is_between else None


def _outcome(line: Span, into: Span | None, later: list[Span], spoken: ChildEvent | None) -> Outcome:
    if into is None:
        return Outcome.MISSED
    goes_on = into.end_ms >= line.end_ms + _REACTION_MS
    if spoken is not None and spoken.facts.get("interrupted"):
        return Outcome.LOST
    if spoken is not None:
        was_last_word = not goes_on and float(spoken.facts["at_ms"]) < line.end_ms + _REACTION_MS
        return Outcome.FINISHED if was_last_word else Outcome.KEPT
    is_back = bool(later) and later[0].start_ms - into.end_ms < _GONE_MS
    return Outcome.KEPT if goes_on or is_back else Outcome.LOST


def _gap_ms(line: Span, into: Span | None, later: list[Span]) -> float:
    if into is None:
        return 0.0
    longest_ms, end_ms = 0.0, into.end_ms
    for span in later:
        if end_ms > line.end_ms + _REACTION_MS or span.start_ms - end_ms > _GONE_MS:
            break
        longest_ms, end_ms = max(longest_ms, span.start_ms - end_ms), span.end_ms
    return round(longest_ms, 1)


def _entry(event: ChildEvent, onset_ms: float) -> str:
    facts = event.facts
    what = str(facts.get("action", "")) if event.event == "turn.acted" else event.event
    if event.event == "turn.spoken":
        what += " (interrupted)" if facts.get("interrupted") else ""
    elif event.event == "turn.heard":
        what += f" {facts.get('pii_text', '')!r}"
    elif event.event.endswith(".failed"):
        what += f" {facts.get('reason', '')}"
    return f"{float(facts['at_ms']) - onset_ms:+.0f} {what}"
