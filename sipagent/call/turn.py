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

``turn_over`` is the part about the caller's voice over the agent's, ``turn_beside`` the one about keys, rests
and what the agent says out of turn.
"""

from dataclasses import replace

from sipagent.call import turn_beside as beside
from sipagent.call import turn_over as over
from sipagent.call.dictation import ANY_FORM, AnswerForm, Asked
from sipagent.call.endpointing import EndScores, commit_delay_ms, is_farewell, needs_score
from sipagent.call.turn_events import (
    Action,
    AsideWanted,
    AttemptFailed,
    BeginAttempt,
    CallStarted,
    Commit,
    DropAttempt,
    DropSpeech,
    EndScored,
    EndWanted,
    Event,
    ForgetSound,
    ForgetTurn,
    HandOver,
    HangUp,
    KeyPressed,
    Phrase,
    PrepareReply,
    QuestionBegan,
    ReplyBegan,
    ReplyEndsCall,
    Restarted,
    Rested,
    Say,
    SayFiller,
    ScoreEnd,
    SpeechBegan,
    SpeechEnded,
    TextHeard,
    TextKeyed,
    Tick,
    VoiceStarted,
    VoiceStopped,
    WordsScored,
)
from sipagent.call.turn_rules import TurnRules
from sipagent.call.turn_state import Agent, Caller, Committed, Turn

__all__ = ["Agent", "Caller", "Turn", "step"]


def step(turn: Turn, event: Event, rules: TurnRules) -> tuple[Turn, tuple[Action, ...]]:
    """Advance the machine. The caller performs the actions in order."""
    actions: list[Action] = []
    if turn.is_closing and not isinstance(event, SpeechBegan | SpeechEnded | Restarted):
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
        case Tick(now_ms, is_dry):
            since_ms = turn.dry_from_ms if turn.dry_from_ms is not None else now_ms
            turn = replace(turn, dry_from_ms=since_ms if is_dry else None)
            turn = _overdue(turn, now_ms, rules, actions) or _tick(turn, now_ms, rules, actions)
        case TextHeard(attempt) if attempt == turn.attempt:
            turn = _text_heard(turn, event, rules, actions)
        case TextKeyed(now_ms, text):
            turn = beside.keyed(turn, now_ms, rules, actions)
            turn = _text_heard(turn, TextHeard(turn.attempt, text, now_ms), rules, actions)
        case AttemptFailed(attempt, now_ms) if attempt == turn.attempt:
            turn = _failed(turn, now_ms, rules, actions)
        case EndScored() | WordsScored() | ReplyBegan() | ReplyEndsCall() if event.attempt == turn.attempt:
            turn = _learned(turn, event)
        case SpeechBegan(now_ms):
            turn = _speech_began(turn, now_ms)
        case QuestionBegan(asked, form):
            turn = _asks(turn, asked, form)
        case SpeechEnded(now_ms, asked, form):
            turn = _asks(turn, asked, form)
            turn = _speech_ended(turn, now_ms, rules, actions)
        case EndWanted():
            turn = _close(turn, actions)
        case Restarted() | AsideWanted() | KeyPressed() | Rested():
            turn = beside.happened(turn, event, actions)
    return turn, tuple(actions)


def _learned(turn: Turn, event: EndScored | WordsScored | ReplyBegan | ReplyEndsCall) -> Turn:
    """Something is known of the attempt."""
    match event:
        case EndScored(score=score) if turn.caller is Caller.PAUSING:
            return replace(turn, scores=replace(turn.scores, sound=score))
        case WordsScored(score=score) if turn.caller is Caller.PAUSING:
            return replace(turn, scores=replace(turn.scores, words=score))
        case ReplyBegan():
            return replace(turn, has_reply=True)
        case ReplyEndsCall():
            return replace(turn, ends_call=True)
    return turn


def _voice_started(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    if turn.caller is not Caller.SILENT or turn.agent is Agent.THINKING:
        turn = replace(turn, patience=turn.patience.paused(now_ms - turn.last_voice_ms, turn.text))
    has_gone_on = _can_be_taken_back(turn)
    if turn.caller is Caller.PAUSING and turn.has_lasted(now_ms, rules.longest_ms + rules.dipless_ms):
        return replace(turn, is_voiced=True, run_since_ms=now_ms)  # enough was waited: see _limit_ms
    if turn.caller is Caller.PAUSING:
        actions.append(DropAttempt(turn.attempt))
        turn = replace(turn.next_attempt(), ends_call=False)
    elif has_gone_on:
        # committed too early: nothing was audible yet, so the turn simply goes on
        actions.append(DropAttempt(turn.attempt))
        turn = replace(turn.next_attempt(), agent=Agent.IDLE, ends_call=False)
    if turn.caller is Caller.SILENT:
        turn_since_ms = turn.turn_since_ms if has_gone_on else now_ms
        turn = replace(turn, voiced_ms=0, wordless=0, turn_since_ms=turn_since_ms)
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


def _can_be_taken_back(turn: Turn) -> bool:
    """A turn is committed, and nothing of its answer was audible."""
    is_waiting = turn.caller is Caller.SILENT and turn.agent is Agent.THINKING and turn.text is not None
    return is_waiting and not (turn.committed and turn.committed.is_cut)


def _overdue(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn | None:
    """Nothing is waited for without end. None: nothing is overdue."""
    is_thinking = turn.agent is Agent.THINKING and now_ms - turn.idle_since_ms >= rules.thinking_limit_ms
    is_without_words = turn.is_judging or (turn.caller is Caller.PAUSING and turn.text is None)
    if is_without_words and not turn.has_failed and now_ms - turn.asked_ms >= rules.result_limit_ms:
        return _failed(turn, now_ms, rules, actions)
    if is_thinking:
        return _failed(turn, now_ms, rules, actions)
    is_dry = turn.dry_from_ms is not None and now_ms - turn.dry_from_ms >= rules.result_limit_ms
    if is_dry and turn.agent is Agent.SPEAKING:
        actions.append(DropSpeech())
        return _apologise(turn, now_ms, rules, actions)
    has_no_end = turn.is_voiced and turn.has_lasted(now_ms, rules.longest_ms + rules.dipless_ms)
    if has_no_end and turn.caller is Caller.SPEAKING and turn.agent is Agent.IDLE:
        return _attempt(replace(turn, last_voice_ms=now_ms), now_ms, actions)
    return None


def _attempt(turn: Turn, now_ms: int, actions: list[Action]) -> Turn:
    turn = replace(turn.next_attempt(), caller=Caller.PAUSING, asked_ms=now_ms)
    actions.append(BeginAttempt(turn.attempt, turn.last_voice_ms))
    return turn


def _tick(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    silent_ms = now_ms - turn.last_voice_ms
    is_waiting = turn.agent is Agent.THINKING and turn.text is not None and not turn.has_filled
    if is_waiting and now_ms - turn.idle_since_ms >= rules.filler_after_ms:
        actions.append(SayFiller())
        return replace(turn, has_filled=True)
    if turn.caller is Caller.SPEAKING and not turn.is_voiced and silent_ms >= rules.pause_ms:
        return _attempt(turn, now_ms, actions)
    if turn.caller is Caller.SPEAKING and turn.is_interruptible and rules.barge_in:
        return over.over_agent(turn, now_ms, rules, actions)
    if turn.caller is Caller.PAUSING and turn.agent is Agent.IDLE:
        return _maybe_commit(turn, silent_ms, now_ms, rules, actions)
    is_quiet = turn.caller is Caller.SILENT and turn.agent is Agent.IDLE
    if is_quiet and now_ms - max(turn.idle_since_ms, turn.last_voice_ms) >= rules.no_input_after_ms:
        return _prompt_again(turn, now_ms, rules, actions)
    return turn


def _maybe_commit(turn: Turn, silent_ms: int, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    limit_ms = _limit_ms(turn, now_ms, rules)
    is_unknown = turn.has_failed or turn.text == ""
    if is_unknown and silent_ms >= min(limit_ms, rules.delays.latest):  # nobody can tell whether it was over
        if turn.has_failed:
            return _apologise(turn, now_ms, rules, actions)
        return replace(_say_sorry(turn, now_ms, actions), has_asked_again=True)
    if is_unknown or turn.text is None:
        return turn
    is_read = turn.has_reply or is_farewell(turn.text) or silent_ms >= rules.delays.doubt
    if not is_read:
        return turn  # nothing could be said yet, and the model may still find the sentence unfinished
    delay_ms = commit_delay_ms(turn.text, turn.scores, rules.delays, turn.patience)
    if silent_ms < min(limit_ms, delay_ms):
        return turn
    is_cut = limit_ms < rules.delays.latest
    actions.append(Commit(turn.attempt, turn.text))
    if is_cut:
        actions.append(ForgetSound())
    return replace(
        turn,
        committed=Committed(turn.text, turn.last_voice_ms, is_cut=is_cut),
        caller=Caller.SILENT,
        agent=Agent.THINKING,
        is_interruptible=True,
        prompts_said=0,
        has_filled=False,
        has_interrupted=False,
        has_asked_again=False,
        idle_since_ms=now_ms,
    )


def _limit_ms(turn: Turn, now_ms: int, rules: TurnRules) -> int:
    """Silence that ends the turn, however it sounds: a turn that lasts long ends at the next dip, at last
    without one."""
    if turn.has_lasted(now_ms, rules.longest_ms + rules.dipless_ms):
        return 0
    if turn.has_lasted(now_ms, rules.longest_ms):
        return rules.delays.sure
    return max(rules.delays.latest, turn.patience.form.patience_ms or 0)


def _text_heard(turn: Turn, heard: TextHeard, rules: TurnRules, actions: list[Action]) -> Turn:
    is_over_agent = turn.agent in (Agent.SPEAKING, Agent.HELD)
    if turn.is_judging:
        return over.judged(turn, heard, rules, actions)
    if is_over_agent and not over.is_meant(turn, heard, rules):
        return over.passed_over(turn, actions)
    if not heard.text.strip():
        return _not_understood(turn, rules, actions)
    if is_over_agent and turn.is_interruptible and rules.barge_in:
        turn = over.yielded(turn, heard.now_ms, actions)
    actions.append(PrepareReply(turn.attempt, heard.text))
    if needs_score(heard.text, turn.patience):
        actions.append(ScoreEnd(turn.attempt))
    return replace(turn, text=heard.text, has_failed=False)


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
        return over.unjudged(turn, now_ms, actions)
    if turn.agent is Agent.THINKING:
        return _apologise(turn, now_ms, rules, actions)
    is_over_agent = turn.agent is Agent.SPEAKING and turn.caller is Caller.PAUSING and turn.is_interruptible
    if turn.agent is Agent.HELD or is_over_agent:
        return over.passed_over(turn, actions)
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
        committed=None,
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
        committed=None,
        prompts_said=said,
        idle_since_ms=now_ms,
        text=None,
        is_interruptible=True,
        ends_call=said >= rules.no_input_prompts,
    )


def _speech_began(turn: Turn, now_ms: int) -> Turn:
    if turn.agent is not Agent.THINKING:
        return turn
    committed = turn.committed and replace(turn.committed, answered_ms=now_ms)
    patience = replace(turn.patience, form=ANY_FORM)  # it was of a question that is answered
    return replace(turn, agent=Agent.SPEAKING, committed=committed, patience=patience)


def _asks(turn: Turn, asked: Asked, form: AnswerForm) -> Turn:
    return replace(turn, patience=replace(turn.patience, asked=asked, form=form))


def _speech_ended(turn: Turn, now_ms: int, rules: TurnRules, actions: list[Action]) -> Turn:
    if turn.agent not in (Agent.SPEAKING, Agent.THINKING):
        return turn
    if turn.has_failed and turn.caller is Caller.SILENT and not turn.is_closing:
        return _apologise(turn, now_ms, rules, actions)  # only the filler was said
    if turn.ends_call or turn.is_closing:
        actions.append(HangUp())
        return replace(turn, agent=Agent.IDLE, is_closing=True)
    failures = turn.failures if turn.text is None else 0
    turn = replace(turn, agent=Agent.IDLE, idle_since_ms=now_ms, is_interruptible=True, failures=failures)
    if turn.is_voiced and turn.caller is Caller.SILENT:  # a voice that never stopped: its next turn
        turn = replace(turn, caller=Caller.SPEAKING, turn_since_ms=now_ms, voice_since_ms=now_ms)
        return replace(turn, run_since_ms=now_ms, voiced_ms=0)
    return turn


def _close(turn: Turn, actions: list[Action]) -> Turn:
    actions.append(DropAttempt(turn.attempt))
    if turn.agent in (Agent.SPEAKING, Agent.HELD):
        actions.append(DropSpeech())
    actions.append(Say(Phrase.GOODBYE))
    return replace(turn, agent=Agent.THINKING, is_closing=True, attempt=turn.attempt + 1)
