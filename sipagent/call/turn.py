"""Whose turn it is: one pure state machine for a call. The time is in the events.

::

    caller   SILENT ──voice──▶ SPEAKING ──pause──▶ PAUSING ──commit──▶ SILENT
                                   ▲──────voice──────┘
    agent    IDLE ──commit──▶ THINKING ──first sound──▶ SPEAKING ──end──▶ IDLE
                                   voice ──▶ HELD ──words──▶ IDLE
                                              └──no words──▶ SPEAKING

During a pause the reply is prepared before anybody knows whether the turn is over (an *attempt*). If the
caller goes on, the attempt is dropped; when the silence has lasted long enough, it is committed. A late
or repeated event is ignored: the world is late, that is no fault.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

from sipagent.call.endpointing import (
    Asked,
    EndScores,
    Patience,
    commit_delay_ms,
    is_farewell,
    is_short_answer,
    needs_score,
)
from sipagent.call.interruption import means_something
from sipagent.call.turn_events import (
    Action,
    AttemptFailed,
    BeginAttempt,
    CallStarted,
    Commit,
    DropAttempt,
    DropSpeech,
    EndScored,
    EndWanted,
    Event,
    ForgetTurn,
    HandOver,
    HangUp,
    HoldSpeech,
    Judge,
    Phrase,
    PrepareReply,
    ReplyBegan,
    ReplyEndsCall,
    ResumeSpeech,
    Say,
    SayFiller,
    ScoreEnd,
    SpeechBegan,
    SpeechEnded,
    TextHeard,
    Tick,
    VoiceStarted,
    VoiceStopped,
    WordsScored,
)
from sipagent.call.turn_rules import TurnRules


class Caller(Enum):
    """The caller's side."""

    SILENT = "silent"
    SPEAKING = "speaking"
    PAUSING = "pausing"


class Agent(Enum):
    """The agent's side."""

    IDLE = "idle"
    THINKING = "thinking"
    SPEAKING = "speaking"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Turn:
    """The whole state."""

    caller: Caller = Caller.SILENT
    agent: Agent = Agent.IDLE
    attempt: int = 0
    """Counts attempts and judgements through the call; a result with another number is late."""
    last_voice_ms: int = 0
    is_voiced: bool = False
    """Between VoiceStarted and VoiceStopped."""
    run_since_ms: int = 0
    """When the voice last began."""
    voice_since_ms: int = 0
    """When the caller began to speak over the agent, or was last judged."""
    voiced_ms: int = 0
    """The caller's voice since then, in stretches that have ended."""
    is_noise: bool = False
    """This stretch of voice has been judged and had no words: it does not hold the agent again."""
    has_interrupted: bool = False
    """The caller has silenced the agent and nothing was answered yet."""
    has_asked_again: bool = False
    """The agent has said that it could not understand, and has not understood since."""
    text: str | None = None
    """None: not known yet. Empty: a voice that meant something, and nobody understood it."""
    scores: EndScores = field(default_factory=EndScores)
    has_reply: bool = False
    """The reply has begun: all that the words can tell is known."""
    patience: Patience = field(default_factory=Patience)
    has_failed: bool = False
    has_filled: bool = False
    """The filler of this turn has been said."""
    is_interruptible: bool = True
    idle_since_ms: int = 0
    """Since when the agent has had nothing to say, or has been thinking."""
    prompts_said: int = 0
    failures: int = 0
    is_judging: bool = False
    ends_call: bool = False
    """Hang up when the utterance has ended, unless the caller interrupts it."""
    is_closing: bool = False
    """The last utterance; nothing the caller does changes it."""

    def next_attempt(self) -> "Turn":
        """Nothing is known of it yet."""
        return replace(
            self,
            attempt=self.attempt + 1,
            text=None,
            scores=EndScores(),
            has_reply=False,
            has_failed=False,
            is_judging=False,
        )


def step(turn: Turn, event: Event, rules: TurnRules) -> tuple[Turn, tuple[Action, ...]]:
    """Advance the machine. The caller performs the actions in order."""
    actions: list[Action] = []
    if turn.is_closing and not isinstance(event, SpeechBegan | SpeechEnded):
        return turn, ()  # the goodbye is bounded by its own sound; the session hangs up if there is none
    match event:
        case CallStarted(now_ms, interruptible):
            turn = replace(turn, agent=Agent.THINKING, is_interruptible=interruptible, idle_since_ms=now_ms)
            actions.append(Say(Phrase.GREETING))
        case VoiceStarted(now_ms):
            turn = _voice_started(turn, now_ms, rules, actions)
        case VoiceStopped(last_voice_ms):
            voiced_ms = turn.voiced_ms + max(0, last_voice_ms - turn.run_since_ms)
            turn = replace(turn, is_voiced=False, last_voice_ms=last_voice_ms, voiced_ms=voiced_ms)
        case Tick(now_ms):
            turn = _tick(turn, now_ms, rules, actions)
        case TextHeard(attempt) if attempt == turn.attempt:
            turn = _text_heard(turn, event, rules, actions)
        case EndScored(attempt, score) if attempt == turn.attempt and turn.caller is Caller.PAUSING:
            turn = replace(turn, scores=replace(turn.scores, sound=score))
        case WordsScored(attempt, score) if attempt == turn.attempt and turn.caller is Caller.PAUSING:
            turn = replace(turn, scores=replace(turn.scores, words=score))
        case ReplyBegan(attempt) if attempt == turn.attempt:
            turn = replace(turn, has_reply=True)
        case AttemptFailed(attempt, now_ms) if attempt == turn.attempt:
            turn = _failed(turn, now_ms, rules, actions)
        case ReplyEndsCall(attempt) if attempt == turn.attempt:
            turn = replace(turn, ends_call=True)
        case SpeechBegan():
            if turn.agent is Agent.THINKING:
                turn = replace(turn, agent=Agent.SPEAKING)
        case SpeechEnded(now_ms, asked):
            turn = replace(turn, patience=replace(turn.patience, asked=asked))
            turn = _speech_ended(turn, now_ms, rules, actions)
        case EndWanted():
            turn = _close(turn, actions)
    return turn, tuple(actions)


def _voice_started(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    if turn.caller is not Caller.SILENT or turn.agent is Agent.THINKING:
        turn = replace(turn, patience=turn.patience.paused(now_ms - turn.last_voice_ms, turn.text))
    if turn.caller is Caller.PAUSING:
        actions.append(DropAttempt(turn.attempt))
        turn = replace(turn.next_attempt(), ends_call=False)
    elif turn.caller is Caller.SILENT and turn.agent is Agent.THINKING and turn.text is not None:
        # committed too early: nothing was audible yet, so the turn simply goes on
        actions.append(DropAttempt(turn.attempt))
        turn = replace(turn.next_attempt(), agent=Agent.IDLE, ends_call=False)
    if turn.caller is Caller.SILENT:
        turn = replace(turn, voiced_ms=0)
    since_ms = turn.voice_since_ms if turn.caller is Caller.SPEAKING else now_ms
    return replace(
        turn,
        caller=Caller.SPEAKING,
        is_voiced=True,
        is_noise=False,
        voice_since_ms=since_ms,
        run_since_ms=now_ms,
        last_voice_ms=now_ms,
    )


def _tick(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    silent_ms = now_ms - turn.last_voice_ms
    if turn.agent is Agent.THINKING and now_ms - turn.idle_since_ms >= rules.thinking_limit_ms:
        return _failed(turn, now_ms, rules, actions)
    is_waiting = turn.agent is Agent.THINKING and turn.text is not None and not turn.has_filled
    if is_waiting and now_ms - turn.idle_since_ms >= rules.filler_after_ms:
        actions.append(SayFiller())
        return replace(turn, has_filled=True)
    if turn.caller is Caller.SPEAKING and not turn.is_voiced and silent_ms >= rules.pause_ms:
        turn = replace(turn.next_attempt(), caller=Caller.PAUSING)
        actions.append(BeginAttempt(turn.attempt, turn.last_voice_ms))
        return turn
    if turn.caller is Caller.SPEAKING and turn.is_interruptible and rules.barge_in:
        return _over_agent(turn, now_ms, rules, actions)
    if turn.caller is Caller.PAUSING and turn.agent is Agent.IDLE:
        return _maybe_commit(turn, silent_ms, now_ms, rules, actions)
    is_quiet = turn.caller is Caller.SILENT and turn.agent is Agent.IDLE
    if is_quiet and now_ms - max(turn.idle_since_ms, turn.last_voice_ms) >= rules.no_input_after_ms:
        return _prompt_again(turn, now_ms, rules, actions)
    return turn


def _over_agent(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    """The caller's voice goes on while the agent has the turn."""
    is_sure = turn.is_voiced and now_ms - turn.run_since_ms >= rules.min_voice_ms
    if turn.agent is Agent.SPEAKING and is_sure and not turn.is_noise:
        actions.append(HoldSpeech())
        return replace(turn, agent=Agent.HELD)
    is_due = now_ms - turn.voice_since_ms >= rules.verdict_ms
    if (turn.agent is Agent.HELD or turn.is_noise) and not turn.is_judging and is_due:
        actions.append(Judge(turn.attempt + 1))
        return replace(turn, attempt=turn.attempt + 1, is_judging=True)
    return turn


def _maybe_commit(turn: Turn, silent_ms: int, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    is_unknown = turn.has_failed or turn.text == ""
    if is_unknown and silent_ms >= rules.delays.latest:  # nobody can tell whether the sentence was over
        if turn.has_failed:
            return _apologise(turn, now_ms, rules, actions)
        return replace(_say_sorry(turn, now_ms, actions), has_asked_again=True)
    if is_unknown or turn.text is None:
        return turn
    is_read = turn.has_reply or is_farewell(turn.text) or silent_ms >= rules.delays.doubt
    if not is_read:
        return turn  # nothing could be said yet, and the model may still find the sentence unfinished
    if silent_ms < commit_delay_ms(turn.text, turn.scores, rules.delays, turn.patience):
        return turn
    actions.append(Commit(turn.attempt, turn.text))
    return replace(
        turn,
        caller=Caller.SILENT,
        agent=Agent.THINKING,
        is_interruptible=True,
        prompts_said=0,
        has_filled=False,
        has_interrupted=False,
        has_asked_again=False,
        idle_since_ms=now_ms,
    )


def _text_heard(turn: Turn, heard: TextHeard, rules: TurnRules, actions: list[Action]) -> Turn:
    is_over_agent = turn.agent in (Agent.SPEAKING, Agent.HELD)
    if turn.is_judging:
        return _judged(turn, heard, rules, actions)
    if is_over_agent and not _means_something(turn, heard, rules):
        if turn.agent is Agent.HELD:
            actions.append(ResumeSpeech())
        actions.append(ForgetTurn())
        return replace(turn, agent=Agent.SPEAKING, caller=Caller.SILENT, text=None, scores=EndScores())
    if not heard.text.strip():
        return _not_understood(turn, rules, actions)
    if is_over_agent and turn.is_interruptible and rules.barge_in:
        turn = _yielded(turn, heard.now_ms, actions)
    actions.append(PrepareReply(turn.attempt, heard.text))
    if needs_score(heard.text, turn.patience):
        actions.append(ScoreEnd(turn.attempt))
    return replace(turn, text=heard.text)


def _judged(turn: Turn, heard: TextHeard, rules: TurnRules, actions: list[Action]) -> Turn:
    """The caller still speaks, and these are the words so far."""
    turn = replace(turn, is_judging=False)
    if turn.agent not in (Agent.SPEAKING, Agent.HELD):
        return turn
    if _means_something(turn, heard, rules):
        return _yielded(turn, heard.now_ms, actions)
    turn = replace(turn, voice_since_ms=heard.now_ms)
    if heard.text.strip():
        return turn  # "Okay," and a voice that goes on: wait for what follows
    if turn.agent is Agent.HELD:
        actions.append(ResumeSpeech())
    return replace(turn, agent=Agent.SPEAKING, is_noise=True)


def _means_something(turn: Turn, heard: TextHeard, rules: TurnRules) -> bool:
    if heard.is_asked and is_short_answer(heard.text):
        return True
    running_ms = heard.now_ms - turn.run_since_ms if turn.is_voiced else 0
    return means_something(heard.text, heard.confidence, turn.voiced_ms + running_ms, rules.backchannels)


def _yielded(turn: Turn, now_ms: int, actions: list[Action]) -> Turn:
    """The agent gives up its turn."""
    actions.append(DropSpeech())
    return replace(
        turn, agent=Agent.IDLE, ends_call=False, idle_since_ms=now_ms, is_noise=False, has_interrupted=True
    )


def _not_understood(turn: Turn, rules: TurnRules, actions: list[Action]) -> Turn:
    """A voice without words. Noise is passed over; who has interrupted or spoken at length is asked again."""
    is_answer = turn.patience.asked not in (Asked.NOTHING, Asked.ANYTHING)
    meant_ms = rules.answer_ms if is_answer else rules.meant_ms
    is_meant = turn.has_interrupted or turn.voiced_ms >= meant_ms
    if turn.agent is Agent.IDLE and is_meant and not turn.has_asked_again:
        return replace(turn, text="")
    actions.append(ForgetTurn())
    return replace(turn, caller=Caller.SILENT, text=None, scores=EndScores())


def _failed(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    if turn.is_judging:  # without words nobody can tell: go on speaking
        turn = replace(turn, is_judging=False, is_noise=True, voice_since_ms=now_ms)
        if turn.agent is not Agent.HELD:
            return turn
        actions.append(ResumeSpeech())
        return replace(turn, agent=Agent.SPEAKING)
    if turn.agent is Agent.THINKING:
        return _apologise(turn, now_ms, rules, actions)
    if turn.agent is Agent.HELD:
        actions.append(ResumeSpeech())
        actions.append(ForgetTurn())
        return replace(turn, agent=Agent.SPEAKING, caller=Caller.SILENT)
    return replace(turn, has_failed=True)


def _apologise(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    turn = replace(turn, failures=turn.failures + 1)
    if turn.failures >= rules.max_failures and rules.hands_over:
        actions += [DropAttempt(turn.attempt), ForgetTurn(), HandOver()]
        return replace(
            turn.next_attempt(), caller=Caller.SILENT, agent=Agent.IDLE, failures=0, idle_since_ms=now_ms
        )
    if turn.failures >= rules.max_failures:
        actions.append(ForgetTurn())
        return _close(turn, actions)
    return _say_sorry(turn, now_ms, actions)


def _say_sorry(turn: Turn, now_ms: int, actions: list[Action]) -> Turn:
    """Ask for the turn once more."""
    actions += [DropAttempt(turn.attempt), ForgetTurn(), Say(Phrase.APOLOGY)]
    return replace(
        turn.next_attempt(),
        caller=Caller.SILENT,
        agent=Agent.THINKING,
        has_interrupted=False,
        idle_since_ms=now_ms,
        is_interruptible=True,
    )


def _prompt_again(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    actions.append(Say(Phrase.NO_INPUT, turn.prompts_said))
    said = turn.prompts_said + 1
    return replace(
        turn,
        agent=Agent.THINKING,
        prompts_said=said,
        idle_since_ms=now_ms,
        text=None,
        is_interruptible=True,
        ends_call=said >= rules.no_input_prompts,
    )


def _speech_ended(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    if turn.agent not in (Agent.SPEAKING, Agent.THINKING):
        return turn
    if turn.has_failed and turn.caller is Caller.SILENT and not turn.is_closing:
        return _apologise(turn, now_ms, rules, actions)  # only the filler was said
    if turn.ends_call or turn.is_closing:
        actions.append(HangUp())
        return replace(turn, agent=Agent.IDLE, is_closing=True)
    failures = turn.failures if turn.text is None else 0
    return replace(turn, agent=Agent.IDLE, idle_since_ms=now_ms, is_interruptible=True, failures=failures)


def _close(turn: Turn, actions: list[Action]) -> Turn:
    actions.append(DropAttempt(turn.attempt))
    if turn.agent in (Agent.SPEAKING, Agent.HELD):
        actions.append(DropSpeech())
    actions.append(Say(Phrase.GOODBYE))
    return replace(turn, agent=Agent.THINKING, is_closing=True, attempt=turn.attempt + 1)
