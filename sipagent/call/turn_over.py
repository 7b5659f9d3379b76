"""The caller's voice over the agent's: hold first, judge second. Part of the turn machine, pure.

::

    SPEAKING ──voice──▶ HELD ──words──▶ IDLE, the rest of the utterance is dropped
                          ├──no words──▶ SPEAKING; the noise is judged again, later and later
                          └──no verdict for long──▶ SPEAKING
"""

from dataclasses import replace

from sipagent.call.endpointing import is_short_answer
from sipagent.call.interruption import means_something
from sipagent.call.turn_events import (
    Action,
    DropSpeech,
    ForgetSound,
    ForgetTurn,
    HoldSpeech,
    Judge,
    ResumeSpeech,
    TextHeard,
)
from sipagent.call.turn_rules import TurnRules
from sipagent.call.turn_state import Agent, Caller, Turn

_KEPT_OF_NOISE_MS = 1500
"""A word may have begun before the noise was judged."""
_LONGEST_DOUBLING = 3
_CUT_OFF_MS = 1000
"""Who begins again so soon after the agent has begun was cut off."""


def over_agent(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    """The caller's voice goes on while the agent has the turn."""
    if turn.agent is Agent.HELD and now_ms - turn.held_since_ms >= rules.held_limit_ms:
        actions.append(ResumeSpeech())
        return replace(turn, agent=Agent.SPEAKING, is_noise=True)
    is_sure = turn.is_voiced and now_ms - turn.run_since_ms >= rules.min_voice_ms
    if turn.agent is Agent.SPEAKING and is_sure and not turn.is_noise:
        actions.append(HoldSpeech())
        return replace(turn, agent=Agent.HELD, held_since_ms=now_ms)
    patience_ms = rules.verdict_ms << min(turn.wordless, _LONGEST_DOUBLING)
    is_due = now_ms - turn.voice_since_ms >= patience_ms
    if (turn.agent is Agent.HELD or turn.is_noise) and not turn.is_judging and is_due:
        actions.append(Judge(turn.attempt + 1))
        return replace(turn, attempt=turn.attempt + 1, is_judging=True, asked_ms=now_ms)
    return turn


def judged(turn: Turn, heard: TextHeard, rules: TurnRules, actions: list[Action]) -> Turn:
    """The caller still speaks, and these are the words so far."""
    turn = replace(turn, is_judging=False)
    if turn.agent not in (Agent.SPEAKING, Agent.HELD):
        return turn
    if is_meant(turn, heard, rules):
        return yielded(turn, heard.now_ms, actions)
    turn = replace(turn, voice_since_ms=heard.now_ms)
    if heard.text.strip():
        return turn  # "Okay," and a voice that goes on: wait for what follows
    actions.append(ForgetSound(_KEPT_OF_NOISE_MS))
    return unjudged(replace(turn, wordless=turn.wordless + 1), heard.now_ms, actions)


def unjudged(turn: Turn, now_ms: int, actions: list[Action]) -> Turn:
    """Nobody can tell whether it means anything: go on speaking."""
    turn = replace(turn, is_judging=False, is_noise=True, voice_since_ms=now_ms)
    if turn.agent is not Agent.HELD:
        return turn
    actions.append(ResumeSpeech())
    return replace(turn, agent=Agent.SPEAKING)


def passed_over(turn: Turn, actions: list[Action]) -> Turn:
    """The sound is over, and it meant nothing."""
    if turn.agent is Agent.HELD:
        actions.append(ResumeSpeech())
    actions.append(ForgetTurn())
    return replace(turn.next_words(), agent=Agent.SPEAKING, caller=Caller.SILENT)


def is_meant(turn: Turn, heard: TextHeard, rules: TurnRules) -> bool:
    """The caller wants the turn."""
    if heard.is_asked and is_short_answer(heard.text):
        return True
    running_ms = heard.now_ms - turn.run_since_ms if turn.is_voiced else 0
    return means_something(heard.text, heard.confidence, turn.voiced_ms + running_ms, rules.backchannels)


def yielded(turn: Turn, now_ms: int, actions: list[Action]) -> Turn:
    """The agent gives up its turn. Who was cut off is given longer from now on."""
    actions.append(DropSpeech())
    said = turn.committed
    if said and said.answered_ms is not None and turn.run_since_ms - said.answered_ms < _CUT_OFF_MS:
        paused_ms = turn.run_since_ms - said.last_voice_ms
        turn = replace(turn, patience=turn.patience.paused(paused_ms, said.text))
    return replace(
        turn, agent=Agent.IDLE, ends_call=False, idle_since_ms=now_ms, is_noise=False, has_interrupted=True
    )
