"""What the caller's process is told to do, and the decision what to do next. Pure.

::

    WAITING ─(agent done | time | barge-in)─▶ TALKING ─(line is out)─▶ WAITING … ─▶ hang up
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from sipagent.lab.impairments import Impairments
from sipagent.lab.wire import Span

_STUCK_FACTOR = 3
"""An agent that talks on for this many reply time-outs is spoken over."""


class Trigger(Enum):
    """When a line is spoken."""

    REPLY = "reply"
    """When the agent has spoken and is silent."""
    AFTER = "after"
    """So long after the line before, whatever the agent does."""
    BARGE_IN = "barge_in"
    """So long into the agent's speech; where that was shorter, as REPLY."""


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One line, synthesized."""

    text: str
    wav: str
    """Path of a 16-bit mono WAV."""
    trigger: Trigger = Trigger.REPLY
    delay_ms: int = 0
    tag: str = ""
    """What kind of line this is, for those who measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """One call, ready to be placed."""

    uri: str
    lines: tuple[PlannedLine, ...]
    caller_hangs_up: bool = True
    leaves_after_ms: int | None = None
    """Hang up this long into the reply to the last line; None: hear it to its end."""
    reply_silence_ms: int = 700
    reply_timeout_ms: int = 15_000
    max_call_ms: int = 300_000
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    from_user: str = "caller"
    impairments: Impairments = field(default_factory=Impairments)

    def dialling(self, uri: str) -> "CallPlan":
        """The same call to another address."""
        return dataclasses.replace(self, uri=uri)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        plain = dataclasses.asdict(self)
        for line in plain["lines"]:
            line["trigger"] = line["trigger"].value
        path.write_text(json.dumps(plain, indent=1))

    @classmethod
    def load(cls, path: Path) -> "CallPlan":
        """Read what ``save`` wrote."""
        plain: dict[str, Any] = json.loads(path.read_text())
        lines = tuple(PlannedLine(**{**line, "trigger": Trigger(line["trigger"])}) for line in plain["lines"])
        return cls(
            **{
                **plain,
                "lines": lines,
                "codecs": tuple(plain["codecs"]),
                "impairments": Impairments(**plain["impairments"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the script is."""

    next_line: int
    since_ms: float
    """When the line before ended (its last voiced sample), or the call was answered."""
    answered_ms: float


class Move(Enum):
    """What the caller does now."""

    WAIT = "wait"
    SPEAK = "speak"
    HANG_UP = "hang_up"


@dataclass(frozen=True, slots=True)
class Decision:
    """A move; ``was_answered`` is False where the caller gives up waiting."""

    move: Move
    was_answered: bool = True


def decide(
    plan: CallPlan, progress: Progress, spans: Sequence[Span], *, is_agent_speaking: bool, now_ms: float
) -> Decision:
    """What to do while no line is being spoken.

    :param spans: the agent's stretches of speech, the one under way last.
    """
    if now_ms - progress.answered_ms >= plan.max_call_ms:
        return Decision(Move.HANG_UP, was_answered=False)
    waited_ms = now_ms - progress.since_ms
    is_done = progress.next_line >= len(plan.lines)
    if is_done and not plan.caller_hangs_up:
        is_late = waited_ms >= 2 * plan.reply_timeout_ms
        return Decision(Move.HANG_UP, was_answered=False) if is_late else Decision(Move.WAIT)
    move = Move.HANG_UP if is_done else Move.SPEAK
    trigger, delay_ms = Trigger.REPLY, 0
    if not is_done:
        trigger, delay_ms = plan.lines[progress.next_line].trigger, plan.lines[progress.next_line].delay_ms
    elif plan.leaves_after_ms is not None:
        trigger, delay_ms = Trigger.BARGE_IN, plan.leaves_after_ms
    if trigger is Trigger.AFTER:
        return Decision(move if waited_ms >= delay_ms else Move.WAIT)
    heard = [span for span in spans if span.end_ms > progress.since_ms]
    newest = heard[-1] if heard else None
    is_quiet = newest is not None and now_ms - newest.end_ms >= plan.reply_silence_ms
    is_time = is_quiet and not is_agent_speaking
    if trigger is Trigger.BARGE_IN and is_agent_speaking and heard:
        into_ms = now_ms - max(heard[0].start_ms, progress.since_ms)
        is_time = into_ms >= delay_ms
    if is_time:
        return Decision(move)
    patience_ms = plan.reply_timeout_ms * (_STUCK_FACTOR if is_agent_speaking else 1)
    is_fed_up = waited_ms >= patience_ms and (newest is None or is_agent_speaking)
    return Decision(move, was_answered=False) if is_fed_up else Decision(Move.WAIT)
