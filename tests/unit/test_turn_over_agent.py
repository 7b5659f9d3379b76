"""The turn machine, by script: the caller's voice over the agent's."""

import pytest

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.dictation import AnswerForm, Asked
from tests.unit.turn_script import Script

pytestmark = pytest.mark.unit


def test_short_sound_does_not_hold_the_agent() -> None:
    script = Script().agent_speaks()
    assert script(ev.VoiceStarted(5000), ev.Tick(5150), ev.VoiceStopped(5155), ev.Tick(5170)) == []


def test_barge_in_holds_then_words_yield() -> None:
    script = Script().agent_speaks()
    assert script(ev.VoiceStarted(5000), ev.Tick(5160)) == [ev.HoldSpeech()]
    judged = script(ev.Tick(5700))
    assert judged == [ev.Judge(script.turn.attempt)]
    assert script(ev.TextHeard(script.turn.attempt, "wait a moment", 5850)) == [ev.DropSpeech()]
    assert script.turn.agent is tm.Agent.IDLE
    attempt = script.turn.attempt + 1
    assert script(ev.VoiceStopped(6000), ev.Tick(6180)) == [ev.BeginAttempt(attempt, 6000)]


@pytest.mark.parametrize("text", ["mm-hm", "Okay.", "yeah, okay", ""])
def test_backchannel_lets_the_agent_go_on(text: str) -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.VoiceStopped(5400), ev.Tick(5580))
    assert script.heard(text, 5700) == [ev.ResumeSpeech(), ev.ForgetTurn()]
    assert (script.turn.agent, script.turn.caller) == (tm.Agent.SPEAKING, tm.Caller.SILENT)


def test_short_interruption_with_words_is_answered() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.VoiceStopped(5400), ev.Tick(5580))
    attempt = script.turn.attempt
    assert script.heard("stop", 5700) == [
        ev.DropSpeech(),
        ev.PrepareReply(attempt, "stop"),
        ev.ScoreEnd(attempt),
    ]
    assert script(ev.Tick(5700)) == [ev.Commit(attempt, "stop")]


def test_noise_over_the_agent_holds_it_once_and_is_watched_for_words() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.Tick(5700))
    assert script(ev.TextHeard(script.turn.attempt, "", 5800)) == [ev.ForgetSound(1500), ev.ResumeSpeech()]
    assert script(ev.Tick(5810), ev.Tick(7199)) == []
    assert script(ev.Tick(7200)) == [ev.Judge(script.turn.attempt)]
    assert script(ev.TextHeard(script.turn.attempt, "please stop", 7350)) == [ev.DropSpeech()]


def test_verdict_that_comes_after_the_last_word_changes_nothing() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.Tick(5700))
    script(ev.TextHeard(script.turn.attempt, "", 5800), ev.Tick(7200), ev.SpeechEnded(7300))
    assert script(ev.TextHeard(script.turn.attempt, "", 7350)) == []
    assert script.turn.agent is tm.Agent.IDLE


def test_okay_and_a_voice_that_goes_on_keeps_the_agent_silent_until_the_words_are_there() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.Tick(5700))
    assert script(ev.TextHeard(script.turn.attempt, "Okay,", 5850)) == []
    assert script.turn.agent is tm.Agent.HELD
    assert script(ev.Tick(6550)) == [ev.Judge(script.turn.attempt)]
    assert script(ev.TextHeard(script.turn.attempt, "Okay, but not on Monday", 6700)) == [ev.DropSpeech()]


@pytest.mark.parametrize(
    ("text", "confidence", "is_lost"), [("And my mom.", 0.35, False), ("Stop.", 0.3, True)]
)
def test_short_sound_needs_words_that_interrupt(text: str, confidence: float, *, is_lost: bool) -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.VoiceStopped(5540), ev.Tick(5720))
    done = script(ev.TextHeard(script.turn.attempt, text, 5850, confidence))
    assert (ev.DropSpeech() in done) is is_lost
    assert (ev.ResumeSpeech() in done) is not is_lost


def test_interruption_that_nobody_understood_is_asked_for_again_once() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.Tick(5700))
    script(ev.TextHeard(script.turn.attempt, "wait a moment", 5850), ev.VoiceStopped(6000), ev.Tick(6180))
    assert script(ev.TextHeard(script.turn.attempt, "", 6300), ev.Tick(7599)) == []
    assert script(ev.Tick(7600))[-1] == ev.Say(ev.Phrase.APOLOGY)
    script(ev.SpeechBegan(7650), ev.SpeechEnded(8000))
    script.spoke(9000, 10_500)
    assert script(ev.TextHeard(script.turn.attempt, "", 10_800)) == [ev.ForgetTurn()]


def test_yeah_over_the_last_words_of_a_question_is_the_answer() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.VoiceStopped(5400), ev.Tick(5580))
    attempt = script.turn.attempt
    done = script(ev.TextHeard(attempt, "Yeah.", 5700, 0.4, is_asked=True))
    assert done == [ev.DropSpeech(), ev.PrepareReply(attempt, "Yeah.")]


def test_uninterruptible_greeting_plays_on_and_the_caller_is_answered_after_it() -> None:
    script = Script()
    script(ev.CallStarted(0, greeting_interruptible=False), ev.SpeechBegan(20))
    assert script(ev.VoiceStarted(500), ev.Tick(700), ev.Tick(1500)) == []
    script(ev.VoiceStopped(1600), ev.Tick(1780))
    assert script.heard("are you open", 1900) == [ev.PrepareReply(1, "are you open")]
    assert script(ev.Tick(2500)) == []
    assert script(ev.SpeechEnded(3000), ev.Tick(3010)) == [ev.Commit(1, "are you open")]


def answered_over(script: Script, text: str) -> list[ev.Action]:
    """The caller answers over the end of the agent's question, from 5000 to 5700."""
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.VoiceStopped(5700), ev.Tick(5880))
    attempt = script.turn.attempt
    return script(ev.TextHeard(attempt, text, 5900), ev.ReplyBegan(attempt))


def test_an_answer_over_the_end_of_a_question_is_judged_by_that_question() -> None:
    script = Script().agent_speaks()
    script(ev.QuestionBegan(Asked.NUMBER, AnswerForm(4, 4)))
    assert ev.DropSpeech() in answered_over(script, "four seven one")
    assert script(ev.Tick(7299)) == [], "a digit is missing"
    script = Script().agent_speaks()
    script(ev.QuestionBegan(Asked.NUMBER, AnswerForm(4, 4)))
    answered_over(script, "four seven one one")
    assert script(ev.Tick(6000)) == [ev.Commit(script.turn.attempt, "four seven one one")]


def test_the_patience_of_a_question_holds_for_an_answer_over_its_end() -> None:
    script = Script().agent_speaks()
    script(ev.QuestionBegan(Asked.TEXT, AnswerForm(patience_ms=3000)))
    answered_over(script, "my tooth hurts")
    assert script(ev.Tick(8699)) == []
    assert script(ev.Tick(8700)) == [ev.Commit(script.turn.attempt, "my tooth hurts")]


def test_words_before_the_question_are_not_judged_by_the_form_of_the_one_before() -> None:
    script = Script().greeted()
    script(ev.SpeechEnded(1500, Asked.NUMBER, AnswerForm(8, 8, patience_ms=3000)))
    script.spoke(2000, 3000)
    script.heard("one two three four five six seven eight", 3300)
    script(ev.Tick(6000), ev.SpeechBegan(6050), ev.VoiceStarted(8000), ev.Tick(8160))
    script(ev.VoiceStopped(8700), ev.Tick(8880))
    attempt = script.turn.attempt
    script(ev.TextHeard(attempt, "what are your hours", 8900), ev.ReplyBegan(attempt))
    assert script(ev.Tick(9100)) == [ev.Commit(attempt, "what are your hours")]


def test_a_question_changes_nothing_of_what_yields() -> None:
    script = Script().agent_speaks()
    script(ev.QuestionBegan(Asked.YES_NO))
    assert answered_over(script, "mm-hm")[:2] == [ev.ResumeSpeech(), ev.ForgetTurn()]
    assert script.turn.agent is tm.Agent.SPEAKING
