"""The turn machine, by script: events in, actions and state out."""

import pytest

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.dictation import AnswerForm, Asked
from tests.unit.turn_script import DELAYS, RULES, STORY_MS, Script

pytestmark = pytest.mark.unit


def test_greeting_is_said_first() -> None:
    script = Script()
    assert script(ev.CallStarted(0)) == [ev.Say(ev.Phrase.GREETING)]
    script(ev.SpeechBegan(20))
    assert script.turn.agent is tm.Agent.SPEAKING
    script(ev.SpeechEnded(1000))
    assert script.turn.agent.value == "idle"


def test_pause_begins_an_attempt_but_no_answer() -> None:
    script = Script().greeted()
    assert script(ev.VoiceStarted(2000), ev.Tick(2500), ev.VoiceStopped(3000), ev.Tick(3179)) == []
    assert script(ev.Tick(3180)) == [ev.BeginAttempt(1, 3000)]
    assert script.heard("what are your hours", 3250) == [ev.PrepareReply(1, "what are your hours")]
    assert script(ev.Tick(3399)) == []
    assert script(ev.Tick(3400)) == [ev.Commit(1, "what are your hours")]


def test_long_voice_is_no_pause() -> None:
    script = Script().greeted()
    assert script(ev.VoiceStarted(2000), *(ev.Tick(now) for now in range(2000, 9000, 10))) == []


@pytest.mark.parametrize(
    ("text", "score", "delay_ms"),
    [
        ("what are your hours", 0.9, 400),
        ("I need to cancel my appointment", 0.9, 300),
        ("I need to cancel my appointment", 0.2, 700),
        ("I need to cancel my appointment", None, 700),
        ("next Tuesday would be best", 0.2, 1280),
        ("I would like to", 0.9, 1600),
        ("my number is", 0.9, 1600),
        ("Tuesday and", 0.9, 1600),
    ],
)
def test_commit_waits_by_words_and_score(text: str, score: float | None, delay_ms: int) -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard(text, 3200, score)
    assert not any(isinstance(a, ev.Commit) for a in script(ev.Tick(3000 + delay_ms - 1)))
    assert script(ev.Tick(3000 + delay_ms)) == [ev.Commit(1, text)]


def test_text_that_comes_late_commits_at_once() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    assert script(ev.Tick(5000)) == []
    script.heard("hello there", 5100)
    assert script(ev.Tick(5110)) == [ev.Commit(1, "hello there")]


def test_sound_is_judged_only_where_the_words_leave_it_open() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    text = "I need to cancel my appointment."
    assert script(ev.TextHeard(1, text, 3200)) == [ev.PrepareReply(1, text), ev.ScoreEnd(1)]
    script = Script().greeted()
    script.spoke(2000, 3000)
    assert script(ev.TextHeard(1, "my number is", 3200)) == [ev.PrepareReply(1, "my number is")]


def test_caller_who_goes_on_drops_the_attempt() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard("my number is", 3200)
    assert script(ev.VoiceStarted(3400)) == [ev.DropAttempt(1)]
    assert script(ev.TextHeard(1, "late", 3450)) == []
    assert script(ev.VoiceStopped(5000), ev.Tick(5180)) == [ev.BeginAttempt(3, 5000)]


def test_voice_before_the_first_sound_takes_the_commit_back() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard("I need to cancel my appointment", 3200)
    script(ev.Tick(3300))
    assert script.turn.agent is tm.Agent.THINKING
    assert script(ev.VoiceStarted(3400)) == [ev.DropAttempt(1)]
    assert (script.turn.agent, script.turn.caller) == (tm.Agent.IDLE, tm.Caller.SPEAKING)


def test_noise_without_words_is_forgotten() -> None:
    script = Script().greeted()
    script.spoke(2000, 2300)
    assert script.heard("", 2600, None) == [ev.ForgetTurn()]
    assert script.turn.caller is tm.Caller.SILENT


def test_answer_that_nobody_understood_is_asked_for_again() -> None:
    script = Script()
    script(ev.CallStarted(0), ev.SpeechBegan(20), ev.SpeechEnded(1000, Asked.YES_NO))
    script.spoke(2000, 2400)
    script(ev.TextHeard(script.turn.attempt, "", 2700))
    assert script(ev.Tick(2400 + DELAYS.latest))[-1] == ev.Say(ev.Phrase.APOLOGY)


def test_long_voice_without_words_is_asked_for_again() -> None:
    script = Script().greeted()
    script.spoke(2000, 3200)
    assert script(ev.TextHeard(script.turn.attempt, "", 3400), ev.Tick(4799)) == []
    assert script(ev.Tick(4800))[-1] == ev.Say(ev.Phrase.APOLOGY)
    assert script.turn.failures == 0


def test_who_spells_on_is_not_asked_to_say_it_again() -> None:
    script = Script().greeted()
    script.spoke(2000, 3200)
    script(ev.TextHeard(script.turn.attempt, "", 3400))
    assert script(ev.VoiceStarted(4000)) == [ev.DropAttempt(1)]
    script(ev.VoiceStopped(5000), ev.Tick(5180))
    assert script.heard("Z G E R", 5300)[0] == ev.PrepareReply(3, "Z G E R")


def test_silence_is_prompted_twice_then_the_agent_hangs_up() -> None:
    script = Script().greeted()
    assert script(ev.Tick(8999)) == []
    assert script(ev.Tick(9000)) == [ev.Say(ev.Phrase.NO_INPUT, 0)]
    script(ev.SpeechBegan(9050), ev.SpeechEnded(10000))
    assert script(ev.Tick(18000)) == [ev.Say(ev.Phrase.NO_INPUT, 1)]
    assert script(ev.SpeechBegan(18050), ev.SpeechEnded(20000)) == [ev.HangUp()]


def test_an_answer_resets_the_count_of_prompts() -> None:
    script = Script().greeted()
    script(ev.Tick(9000), ev.SpeechBegan(9050), ev.SpeechEnded(10000))
    script.spoke(11000, 12000)
    script.heard("yes I am", 12200)
    script(ev.Tick(12400), ev.SpeechBegan(12500), ev.SpeechEnded(14000))
    assert script(ev.Tick(22000)) == [ev.Say(ev.Phrase.NO_INPUT, 0)]


def test_failed_attempt_costs_an_apology_the_second_in_a_row_the_call() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    assert script(ev.AttemptFailed(1, 3200), ev.Tick(4599)) == []
    assert script(ev.Tick(4600))[-1] == ev.Say(ev.Phrase.APOLOGY)
    script(ev.SpeechBegan(4700), ev.SpeechEnded(5000))
    script.spoke(6000, 7000)
    done = script(ev.AttemptFailed(script.turn.attempt, 7200), ev.Tick(8600))
    assert done[-1] == ev.Say(ev.Phrase.GOODBYE)
    assert script(ev.SpeechBegan(8700), ev.SpeechEnded(9000)) == [ev.HangUp()]


def test_silent_engine_counts_as_failed() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard("I need to cancel my appointment", 3200)
    script(ev.Tick(3300))
    assert script(ev.Tick(3300 + RULES.thinking_limit_ms))[-1] == ev.Say(ev.Phrase.APOLOGY)


def test_farewell_hangs_up_after_the_last_word_unless_interrupted() -> None:
    for is_interrupted in (False, True):
        script = Script().greeted()
        script.spoke(2000, 3000)
        script.heard("thanks, goodbye", 3200)
        script(ev.ReplyEndsCall(1), ev.Tick(3300), ev.SpeechBegan(3400))
        if is_interrupted:
            script(ev.VoiceStarted(3500), ev.Tick(3700), ev.VoiceStopped(3900), ev.Tick(4100))
            script.heard("one more thing please", 4200)
            assert ev.HangUp() not in script(ev.Tick(9000))
        else:
            assert script(ev.SpeechEnded(4000)) == [ev.HangUp()]


def test_end_wanted_says_goodbye_whatever_happens() -> None:
    script = Script().agent_speaks()
    done = script(ev.EndWanted(5000))
    assert done[-2:] == [ev.DropSpeech(), ev.Say(ev.Phrase.GOODBYE)]
    assert script(ev.VoiceStarted(5100), ev.Tick(5400), ev.EndWanted(5500)) == []
    assert script(ev.SpeechBegan(5200), ev.SpeechEnded(6000)) == [ev.HangUp()]


def test_slow_reply_is_bridged_by_one_filler() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard("I need to cancel my appointment", 3200)
    script(ev.Tick(3300))
    assert script(ev.Tick(3300 + RULES.filler_after_ms - 1)) == []
    assert script(ev.Tick(3300 + RULES.filler_after_ms)) == [ev.SayFiller()]
    assert script(ev.Tick(9000)) == []
    script(ev.SpeechBegan(4600))
    assert script.turn.agent is tm.Agent.SPEAKING


def test_reply_that_fails_behind_the_filler_costs_an_apology() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard("I need to cancel my appointment", 3200)
    script(ev.Tick(3300), ev.Tick(4500), ev.SpeechBegan(4600))
    script(ev.AttemptFailed(1, 5000))
    assert script(ev.SpeechEnded(5400))[-1] == ev.Say(ev.Phrase.APOLOGY)


def test_nothing_is_committed_before_the_model_has_read_the_turn() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    attempt = script.turn.attempt
    assert ev.Commit not in map(type, script(ev.TextHeard(attempt, "Is it okay if I", 3300), ev.Tick(3450)))
    script(ev.WordsScored(attempt, 0.0001), ev.ReplyBegan(attempt))
    assert script(ev.Tick(3000 + STORY_MS - 1)) == []
    assert script(ev.Tick(3000 + STORY_MS)) == [ev.Commit(attempt, "Is it okay if I")]


def test_model_that_takes_long_to_read_is_not_waited_for() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    text = "What is your address?"
    script(ev.TextHeard(script.turn.attempt, text, 3300))
    assert script(ev.Tick(3699)) == []
    assert script(ev.Tick(3700)) == [ev.Commit(script.turn.attempt, text)]


def test_patience_of_a_slot_may_be_longer_than_any_other() -> None:
    script = Script().greeted()
    script(ev.SpeechEnded(1500, Asked.TEXT, AnswerForm(patience_ms=3000)))
    script.spoke(2000, 3000)
    attempt = script.turn.attempt
    script.heard("It hurts.", 3300)
    script(ev.ReplyBegan(attempt))
    assert script(ev.Tick(5999)) == []
    assert script(ev.Tick(6000)) == [ev.Commit(attempt, "It hurts.")]


def test_machine_learns_the_tempo_from_pauses_within_a_turn() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script(ev.VoiceStarted(3500))
    assert script.turn.patience.tempo_ms == 500
    script(ev.VoiceStopped(5000), ev.Tick(5180))
    script.heard("what is your address?", 5200)
    assert script(ev.Tick(5624)) == []
    assert isinstance(script(ev.Tick(5625))[0], ev.Commit)
