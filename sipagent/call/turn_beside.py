"""What happens to the turns besides talk: keys, what the agent says out of turn, rests. Part of the turn
machine, pure.
"""

from dataclasses import replace

from sipagent.call.dictation import ANY_FORM
from sipagent.call.turn_events import (
    Action,
    AsideWanted,
    BeginAttempt,
    BesideEvent,
    DropAttempt,
    DropSpeech,
    ForgetSound,
    ForgetTurn,
    KeyPressed,
    Restarted,
    Rested,
)
from sipagent.call.turn_rules import TurnRules
from sipagent.call.turn_state import Agent, Caller, Turn


def happened(turn: Turn, event: BesideEvent, actions: list[Action]) -> Turn:
    """Neither a voice nor words: what becomes of the turns."""
    match event:
        case Restarted():
            actions += [ForgetTurn(), DropSpeech()]
            return Turn(attempt=turn.attempt + 1, is_closing=turn.is_closing)
        case AsideWanted(now_ms, is_interruptible):
            actions.append(ForgetTurn())
            return Turn(
                attempt=turn.attempt + 1,
                agent=Agent.THINKING,
                patience=turn.patience,
                is_interruptible=is_interruptible,
                idle_since_ms=now_ms,
            )
        case KeyPressed(now_ms):
            return _key_pressed(replace(turn, idle_since_ms=now_ms, prompts_said=0), actions)
        case Rested(rested_ms):
            return turn.delayed(rested_ms)


def _key_pressed(turn: Turn, actions: list[Action]) -> Turn:
    """The agent falls silent, where that is allowed."""
    if turn.agent not in (Agent.SPEAKING, Agent.HELD) or not turn.is_interruptible:
        return turn
    actions.append(DropSpeech())
    return replace(turn, agent=Agent.IDLE, ends_call=False)


def keyed(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    """The caller's turn is a number that was keyed in: there is nothing to hear and nothing to wait for."""
    if turn.agent is Agent.THINKING and turn.committed is not None:  # nothing of the answer was audible
        actions.append(DropAttempt(turn.attempt))
        turn = replace(turn, agent=Agent.IDLE, ends_call=False)
    turn = replace(
        turn.next_attempt(),
        caller=Caller.PAUSING,
        patience=replace(turn.patience, form=ANY_FORM),
        last_voice_ms=now_ms - rules.delays.latest,
        turn_since_ms=now_ms,
        asked_ms=now_ms,
        is_voiced=False,
    )
    actions += [ForgetSound(), BeginAttempt(turn.attempt, now_ms, is_keyed=True)]
    return turn
