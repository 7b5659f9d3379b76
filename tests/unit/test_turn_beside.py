"""The turn machine, by script: keys, what the agent says out of turn, rests."""

from dataclasses import replace

import pytest

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.dictation import AnswerForm, Asked
from tests.unit.turn_script import RULES, Script

pytestmark = pytest.mark.unit

NUMBER = "I keyed in 5 5 5 1."


def test_a_key_silences_the_agent_unless_it_may_not_be_interrupted() -> None:
    script = Script().agent_speaks()
    assert script(ev.KeyPressed(5000)) == [ev.DropSpeech()]
    assert script.turn.agent is tm.Agent.IDLE
    script = Script()
    script(ev.CallStarted(0, greeting_interruptible=False), ev.SpeechBegan(20))
    assert script(ev.KeyPressed(500)) == []
    assert script.turn.agent is tm.Agent.SPEAKING


def test_a_key_over_the_farewell_keeps_the_call() -> None:
    script = Script().agent_speaks()
    script(ev.ReplyEndsCall(script.turn.attempt), ev.KeyPressed(5000))
    assert not script.turn.ends_call


def test_a_key_is_no_silence() -> None:
    script = Script().greeted()
    script(ev.Tick(9000), ev.SpeechBegan(9050), ev.SpeechEnded(10_000), ev.KeyPressed(17_000))
    assert script(ev.Tick(24_999)) == []
    assert script(ev.Tick(25_000)) == [ev.Say(ev.Phrase.NO_INPUT, 0)]


def test_nothing_is_keyed_or_said_over_the_goodbye() -> None:
    script = Script().agent_speaks()
    script(ev.EndWanted(5000), ev.SpeechBegan(5100))
    assert script(ev.KeyPressed(5200), ev.TextKeyed(5300, NUMBER), ev.AsideWanted(5400)) == []
    assert script(ev.SpeechEnded(6000)) == [ev.HangUp()]


def test_a_number_that_was_keyed_in_is_answered_as_soon_as_the_answer_is_there() -> None:
    script = Script().greeted()
    done = script(ev.TextKeyed(3000, NUMBER))
    attempt = script.turn.attempt
    assert done[:3] == [
        ev.ForgetSound(),
        ev.BeginAttempt(attempt, 3000, is_keyed=True),
        ev.PrepareReply(attempt, NUMBER),
    ]
    assert script(ev.ReplyBegan(attempt), ev.Tick(3005)) == [ev.Commit(attempt, NUMBER)]


def test_an_answer_that_nobody_has_heard_gives_way_to_a_number() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.heard("thanks, goodbye", 3200)
    script(ev.ReplyEndsCall(1), ev.Tick(3300))
    assert script(ev.TextKeyed(3400, NUMBER))[0] == ev.DropAttempt(1)
    assert script.turn.agent is tm.Agent.IDLE
    assert not script.turn.ends_call


def test_a_number_over_what_may_not_be_interrupted_is_answered_after_it() -> None:
    script = Script()
    script(ev.CallStarted(0, greeting_interruptible=False), ev.SpeechBegan(20))
    script(ev.KeyPressed(500), ev.TextKeyed(500, NUMBER), ev.ReplyBegan(script.turn.attempt))
    assert script(ev.Tick(2500)) == []
    assert script(ev.SpeechEnded(3000), ev.Tick(3010)) == [ev.Commit(script.turn.attempt, NUMBER)]


def test_a_number_does_not_wait_as_the_open_question_would() -> None:
    script = Script().greeted()
    script(ev.SpeechEnded(1500, Asked.TEXT, AnswerForm(patience_ms=5000)))
    script(ev.TextKeyed(3000, NUMBER), ev.ReplyBegan(script.turn.attempt))
    assert script(ev.Tick(3005)) == [ev.Commit(script.turn.attempt, NUMBER)]


@pytest.mark.parametrize("is_interruptible", [True, False])
def test_what_is_said_out_of_turn_drops_what_went_on(*, is_interruptible: bool) -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script.turn = replace(script.turn, patience=replace(script.turn.patience, tempo_ms=500))
    assert script(ev.AsideWanted(3300, is_interruptible)) == [ev.ForgetTurn()]
    turn = script.turn
    assert (turn.caller, turn.agent, turn.text) == (tm.Caller.SILENT, tm.Agent.THINKING, None)
    assert (turn.is_interruptible, turn.patience.tempo_ms) == (is_interruptible, 500)
    assert script(ev.TextHeard(1, "late", 3400)) == []


def test_a_rest_does_not_count() -> None:
    script = Script().greeted()
    script(ev.Rested(60_000))
    assert script(ev.Tick(68_999)) == []
    assert script(ev.Tick(69_000)) == [ev.Say(ev.Phrase.NO_INPUT, 0)]
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.Rested(60_000))
    assert script(ev.Tick(65_200)) == []
    assert script(ev.Tick(65_000 + RULES.verdict_ms)) == [ev.Judge(script.turn.attempt)]


def test_nothing_counts_that_was_before_a_new_beginning() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160))
    attempt = script.turn.attempt
    assert script(ev.Restarted()) == [ev.ForgetTurn(), ev.DropSpeech()]
    assert script.turn == tm.Turn(attempt=attempt + 1)
    script(ev.EndWanted(6000), ev.Restarted())
    assert script.turn.is_closing
