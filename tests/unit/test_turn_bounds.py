"""The turn machine waits for nothing without end: not for an engine, not for a dip of the voice."""

import itertools
from dataclasses import replace

import pytest

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.dictation import Asked
from sipagent.call.turn_rules import TurnRules

pytestmark = pytest.mark.unit

RULES = TurnRules(
    pause_ms=180,
    min_voice_ms=160,
    backchannels=frozenset({"okay"}),
    longest_ms=45_000,
    dipless_ms=15_000,
    result_limit_ms=5_000,
    held_limit_ms=4_000,
)
TEXT = "I need to cancel my appointment"


class Script:
    """Runs events; where the agent stands after ``greeted`` and ``agent_speaks``."""

    def __init__(self) -> None:
        self.turn = tm.Turn()

    def __call__(self, *events: ev.Event) -> list[ev.Action]:
        done: list[ev.Action] = []
        for event in events:
            self.turn, actions = tm.step(self.turn, event, RULES)
            done += actions
        return done

    def greeted(self) -> "Script":
        self(ev.CallStarted(0), ev.SpeechBegan(20), ev.SpeechEnded(1000, Asked.ANYTHING))
        return self

    def committed(self) -> "Script":
        self.greeted()(ev.VoiceStarted(2000), ev.VoiceStopped(3000), ev.Tick(3180))
        self(ev.TextHeard(1, TEXT, 3200), ev.ReplyBegan(1), ev.EndScored(1, 0.9), ev.Tick(3300))
        assert self.turn.agent is tm.Agent.THINKING
        return self

    def agent_speaks(self) -> "Script":
        self.committed()(ev.SpeechBegan(3400))
        return self


def test_words_that_never_come_cost_an_apology() -> None:
    script = Script().greeted()
    script(ev.VoiceStarted(2000), ev.VoiceStopped(3000), ev.Tick(3180))
    assert script(ev.Tick(8179)) == []
    assert script(ev.Tick(8180), ev.Tick(8190))[-1] == ev.Say(ev.Phrase.APOLOGY)


def test_words_that_come_late_are_answered_all_the_same() -> None:
    script = Script().agent_speaks()
    script.turn = replace(script.turn, is_interruptible=False)
    script(ev.VoiceStarted(5000), ev.VoiceStopped(6000), ev.Tick(6180), ev.Tick(11_180))
    assert script.turn.has_failed
    attempt = script.turn.attempt
    script(ev.TextHeard(attempt, TEXT, 11_300), ev.SpeechEnded(12_000))
    assert script(ev.Tick(12_010)) == [ev.Commit(attempt, TEXT)]


def test_verdict_that_never_comes_lets_the_agent_go_on() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.Tick(5700))
    done = script(*(ev.Tick(now) for now in range(5710, 11_000, 10)))
    assert done == [ev.ResumeSpeech()]
    assert script.turn.agent is tm.Agent.SPEAKING


def test_pause_over_the_agent_without_words_lets_it_go_on() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160), ev.VoiceStopped(5300), ev.Tick(5480))
    assert script.turn.agent is tm.Agent.HELD
    assert script(ev.Tick(10_480)) == [ev.ResumeSpeech(), ev.ForgetTurn()]


def test_okay_and_a_voice_that_never_says_more_does_not_silence_the_agent_for_long() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000), ev.Tick(5160))
    for now_ms in range(5170, 9160, 10):
        for action in script(ev.Tick(now_ms)):
            assert isinstance(action, ev.Judge)
            script(ev.TextHeard(action.attempt, "Okay,", now_ms))
    assert script(ev.Tick(9160)) == [ev.ResumeSpeech()]


def test_noise_is_judged_less_and_less_often() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(5000))
    judged_ms = []
    for now_ms in range(5010, 35_000, 10):
        for action in script(ev.Tick(now_ms)):
            if isinstance(action, ev.Judge):
                judged_ms.append(now_ms)
                done = script(ev.TextHeard(action.attempt, "", now_ms))
                assert ev.ForgetSound(1500) in done, "what has been judged is not judged again"
    gaps_ms = [b - a for a, b in itertools.pairwise(judged_ms)]
    assert gaps_ms[:4] == [1400, 2800, 5600, 5600]


def test_sound_that_never_comes_ends_the_utterance_with_an_apology() -> None:
    script = Script().agent_speaks()
    assert script(ev.Tick(4000, is_dry=True), ev.Tick(8999, is_dry=True)) == []
    assert script(ev.Tick(9000, is_dry=False), ev.Tick(9010, is_dry=True), ev.Tick(14_009, is_dry=True)) == []
    done = script(ev.Tick(14_010, is_dry=True))
    assert (done[0], done[-1]) == (ev.DropSpeech(), ev.Say(ev.Phrase.APOLOGY))


def test_turn_that_lasts_too_long_ends_at_the_next_dip() -> None:
    script = Script().greeted()
    script(ev.VoiceStarted(2000), ev.VoiceStopped(47_500), ev.Tick(47_680))
    attempt = script.turn.attempt
    script(ev.TextHeard(attempt, "and then I went to my", 47_700), ev.ReplyBegan(attempt))
    assert script(ev.Tick(47_799)) == []
    assert script(ev.Tick(47_800)) == [ev.Commit(attempt, "and then I went to my"), ev.ForgetSound()]
    assert script(ev.VoiceStarted(47_900)) == [], "who goes on does not take the answer back"
    assert script(ev.SpeechBegan(48_000)) == []
    assert script.turn.agent is tm.Agent.SPEAKING


def test_turn_of_ordinary_length_is_not_hurried() -> None:
    script = Script().greeted()
    script(ev.VoiceStarted(2000), ev.VoiceStopped(40_000), ev.Tick(40_180))
    attempt = script.turn.attempt
    script(ev.TextHeard(attempt, "and then I went to my", 40_200), ev.ReplyBegan(attempt))
    assert script(ev.Tick(41_599)) == []


def test_voice_that_never_pauses_is_answered_in_the_end_and_heard_again_afterwards() -> None:
    script = Script().greeted()
    assert script(ev.VoiceStarted(2000), *(ev.Tick(now) for now in range(2000, 61_990, 10))) == []
    attempt = script.turn.attempt + 1
    assert script(ev.Tick(62_000)) == [ev.BeginAttempt(attempt, 62_000)]
    script(ev.TextHeard(attempt, "on and on", 62_300), ev.ReplyBegan(attempt))
    assert script(ev.Tick(62_310)) == [ev.Commit(attempt, "on and on"), ev.ForgetSound()]
    script(ev.SpeechBegan(62_400))
    assert script(ev.Tick(63_000), ev.SpeechEnded(65_000)) == []
    assert script.turn.caller is tm.Caller.SPEAKING
    assert script(ev.VoiceStopped(66_000), ev.Tick(66_180)) == [ev.BeginAttempt(attempt + 1, 66_000)]


def test_dips_too_short_for_a_pause_do_not_put_the_end_off() -> None:
    script = Script().greeted()
    script(ev.VoiceStarted(2000), ev.VoiceStopped(62_000), ev.Tick(62_180))
    attempt = script.turn.attempt
    assert script(ev.VoiceStarted(62_200)) == []
    script(ev.TextHeard(attempt, "on and on", 62_400), ev.ReplyBegan(attempt))
    assert ev.Commit(attempt, "on and on") in script(ev.Tick(62_410))


def test_voice_without_words_for_a_minute_is_asked_once() -> None:
    script = Script().greeted()
    script(ev.VoiceStarted(2000), ev.Tick(62_000))
    script(ev.VoiceStopped(62_100), ev.TextHeard(script.turn.attempt, "", 62_300))
    assert script(ev.Tick(62_310))[-1] == ev.Say(ev.Phrase.APOLOGY)


def test_who_was_cut_off_is_given_longer_from_then_on() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(3800), ev.Tick(3960), ev.Tick(4500))
    script(ev.TextHeard(script.turn.attempt, "for tomorrow morning", 4600))
    assert script.turn.agent is tm.Agent.IDLE
    assert script.turn.patience.tempo_ms == 800


def test_who_speaks_into_the_greeting_was_not_cut_off() -> None:
    script = Script()
    script(ev.CallStarted(5000), ev.SpeechBegan(5020), ev.VoiceStarted(5300), ev.Tick(5460), ev.Tick(6000))
    script(ev.TextHeard(script.turn.attempt, "wait a moment", 6100))
    assert script.turn.agent is tm.Agent.IDLE
    assert script.turn.patience.tempo_ms == 0


def test_who_interrupts_later_was_not_cut_off() -> None:
    script = Script().agent_speaks()
    script(ev.VoiceStarted(6000), ev.Tick(6160), ev.Tick(6700))
    script(ev.TextHeard(script.turn.attempt, "wait a moment", 6800))
    assert script.turn.agent is tm.Agent.IDLE
    assert script.turn.patience.tempo_ms == 0
