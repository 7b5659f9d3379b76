"""The turn machine, by script: events in, actions and state out."""

import pytest

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.dictation import AnswerForm, Asked
from sipagent.call.endpointing import (
    CommitDelays,
    EndScores,
    Patience,
    asked_by,
    commit_delay_ms,
    is_farewell,
    is_unfinished,
)
from sipagent.call.interruption import is_backchannel, means_something
from sipagent.call.turn_rules import TurnRules

pytestmark = pytest.mark.unit

DELAYS = CommitDelays(300, 700, 1600)
STORY_MS = 1280
MIDDLE_MS = 880
RULES = TurnRules(
    pause_ms=180,
    delays=DELAYS,
    min_voice_ms=160,
    verdict_ms=700,
    backchannels=frozenset({"mm-hm", "okay", "yeah"}),
    no_input_after_ms=8000,
    no_input_prompts=2,
)


class Script:
    """Runs events and collects actions, with shorthands for what happens often."""

    def __init__(self, rules: TurnRules = RULES) -> None:
        self.rules = rules
        self.turn = tm.Turn()
        self.actions: list[ev.Action] = []

    def __call__(self, *events: ev.Event) -> list[ev.Action]:
        done: list[ev.Action] = []
        for event in events:
            self.turn, actions = tm.step(self.turn, event, self.rules)
            done += actions
        self.actions += done
        return done

    def greeted(self) -> "Script":
        self(ev.CallStarted(0), ev.SpeechBegan(20), ev.SpeechEnded(1000, Asked.ANYTHING))
        return self

    def spoke(self, start_ms: int, end_ms: int) -> list[ev.Action]:
        """The caller speaks and pauses long enough for an attempt."""
        return self(ev.VoiceStarted(start_ms), ev.VoiceStopped(end_ms), ev.Tick(end_ms + 180))

    def heard(self, text: str, now_ms: int, score: float | None = 0.9) -> list[ev.Action]:
        """The attempt's engines answer."""
        done = self(ev.TextHeard(self.turn.attempt, text, now_ms), ev.ReplyBegan(self.turn.attempt))
        if score is not None:
            done += self(ev.EndScored(self.turn.attempt, score))
        return done

    def agent_speaks(self) -> "Script":
        """Greeted, one turn answered, the agent's reply is playing since 4000."""
        self.greeted().spoke(2000, 3000)
        self.heard("what are your hours", 3300)
        self(ev.Tick(3410), ev.SpeechBegan(4000))
        assert self.turn.agent is tm.Agent.SPEAKING
        return self


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


def test_uninterruptible_greeting_plays_on_and_the_caller_is_answered_after_it() -> None:
    script = Script()
    script(ev.CallStarted(0, greeting_interruptible=False), ev.SpeechBegan(20))
    assert script(ev.VoiceStarted(500), ev.Tick(700), ev.Tick(1500)) == []
    script(ev.VoiceStopped(1600), ev.Tick(1780))
    assert script.heard("are you open", 1900) == [ev.PrepareReply(1, "are you open")]
    assert script(ev.Tick(2500)) == []
    assert script(ev.SpeechEnded(3000), ev.Tick(3010)) == [ev.Commit(1, "are you open")]


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


@pytest.mark.parametrize(
    "text",
    [
        "bye",
        "OK, goodbye!",
        "Thank you, bye-bye.",
        "have a nice day",
        "Bye now. Thank you for your help.",
        "No, that's all. Have a great evening, you too.",
        "Goodbye. Goodbye.",
    ],
)
def test_farewells(text: str) -> None:
    assert is_farewell(text)


@pytest.mark.parametrize(
    "text",
    [
        "can I buy one",
        "Hyde Park by night",
        "hello",
        "I want to have a nice day with my wife, is there a table?",
        "I wanted to have a nice evening.",
        "Before I say goodbye, what is your address?",
        "Bye the way, are you open on Friday?",
    ],
)
def test_no_farewells(text: str) -> None:
    assert not is_farewell(text)


def test_unfinished_and_backchannel() -> None:
    assert is_unfinished("I would like to...")
    assert is_unfinished("I would like to, let me think")
    assert is_unfinished("Can you tell me?")
    assert is_unfinished("Do you know when?")
    assert not is_unfinished("When?")
    assert not is_unfinished("Sorry, what?")
    assert not is_unfinished("I would like to book an appointment.")


BACKCHANNELS = frozenset({"mm-hm", "okay", "got it"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mm-hm, okay",
        "Okay. Okay. Okay.",
        "Got it! Got it!",
        "mm",
        "Hm Hm",
        "Uh-uh",
        "Uh-huh.",
        "Oh. Oh.",
        "Aha",
        "MHM",
    ],
)
def test_backchannels(text: str) -> None:
    assert is_backchannel(text, BACKCHANNELS)


@pytest.mark.parametrize("text", ["okay but wait", "got", "it", "no", "him", "Tuesday", "man", "ham"])
def test_no_backchannels(text: str) -> None:
    assert not is_backchannel(text, BACKCHANNELS)


@pytest.mark.parametrize(
    ("text", "confidence", "voiced_ms", "is_meant"),
    [
        ("And then I can...", 0.39, 672, False),
        ("And then I can...", 0.39, 1200, True),
        ("10.", 0.47, 320, True),
        ("Are you a robot?", 0.4, 700, True),
        ("Monday.", 0.72, 500, True),
        ("Wait.", 0.41, 352, True),
        ("Sunday. Sunday.", 0.32, 544, True),
        ("Insurance.", 0.41, 704, True),
        ("Insurance.", 0.41, 250, False),
        ("Louder", 0.45, 512, True),
        ("Amen.", 0.38, 480, False),
        ("It has.", 0.55, 480, False),
        ("M-H-M", 0.55, 1300, False),
        ("Aha.", 0.52, 512, False),
        ("okay", 0.9, 2000, False),
    ],
)
def test_what_a_sound_over_the_agent_means(
    text: str, confidence: float, voiced_ms: int, *, is_meant: bool
) -> None:
    assert means_something(text, confidence, voiced_ms, BACKCHANNELS) is is_meant


@pytest.mark.parametrize(
    "text",
    [
        "Sorry,",
        "Well, actually.",
        "Hi. I have a question.",
        "Okay, so",
        "We are, uh,",
        "I was wondering if...",
    ],
)
def test_what_introduces_more_is_waited_for(text: str) -> None:
    assert commit_delay_ms(text, EndScores(0.9), DELAYS, Patience()) >= DELAYS.doubt


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


@pytest.mark.parametrize(
    ("asked", "text", "score", "delay_ms"),
    [
        (Asked.ANYTHING, "What is your address?", 0.9, 400),
        (Asked.ANYTHING, "Can I talk to a real person, please?", 0.3, 400),
        (Asked.ANYTHING, "I need to cancel my appointment.", 0.3, 700),
        (Asked.NOTHING, "My name is Sarah Miller.", 0.9, 300),
        (Asked.ANYTHING, "My name is Sarah Miller.", 0.9, 300),
        (Asked.NOTHING, "Thank you so much. Goodbye.", 0.02, 300),
        (Asked.ANYTHING, "I need to cancel my appointment.", 0.9, 300),
        (Asked.ANYTHING, "I have had a toothache since yesterday evening.", 0.98, STORY_MS),
        (Asked.SOMETHING, "I have had a toothache since yesterday evening.", 0.98, 300),
        (
            Asked.ANYTHING,
            "I have had a toothache since Monday, and I was wondering whether somebody could see me today.",
            0.9,
            300,
        ),
        (Asked.ANYTHING, "What I wanted to find out", 0.98, STORY_MS),
        (Asked.ANYTHING, "When I called you yesterday.", 0.98, STORY_MS),
        (Asked.ANYTHING, "When can I come in?", 0.02, 400),
        (Asked.YES_NO, "Yes.", 0.02, 300),
        (Asked.YES_NO, "No, thank you.", 0.02, 300),
        (Asked.YES_NO, "No, I would rather come on Thursday.", 0.02, 700),
        (Asked.ANYTHING, "No, thank you.", 0.02, 400),
        (Asked.ANYTHING, "My number is 555", 0.99, 1600),
        (Asked.ANYTHING, "My number is five five five", 0.99, 1600),
        (Asked.ANYTHING, "My number is 555-0123.", 0.99, 700),
        (Asked.PHONE, "five five five, zero one", 0.99, 1600),
        (Asked.NUMBER, "five five five, zero one two three", 0.99, STORY_MS),
        (Asked.SPELLING, "It's Smyth, S M Y", 0.99, 1600),
        (Asked.SPELLING, "My name is Sarah Miller.", 0.99, 300),
        (Asked.NOTHING, "Thank you so much.", 0.99, 300),
    ],
)
def test_patience_by_words_and_question(asked: Asked, text: str, score: float, delay_ms: int) -> None:
    assert commit_delay_ms(text, EndScores(score), DELAYS, Patience(asked)) == delay_ms


@pytest.mark.parametrize(
    ("asked", "text", "sound", "words", "delay_ms"),
    [
        (Asked.ANYTHING, "I wanted to ask whether my daughter.", 0.99, 0.0004, 1600),
        (Asked.SOMETHING, "Is it okay if I?", 0.95, 0.0001, STORY_MS),
        (Asked.SOMETHING, "I have a toothache end.", 0.9, 0.05, STORY_MS),
        (Asked.NOTHING, "I was there last week.", 0.99, 0.18, STORY_MS),
        (Asked.NOTHING, "I was there last week.", 0.99, 0.44, MIDDLE_MS),
        (Asked.NOTHING, "I was there last week.", 0.99, 0.55, 300),
        (Asked.ANYTHING, "I'm calling about my invoice.", 0.98, 0.33, MIDDLE_MS),
        (Asked.ANYTHING, "I'd like to speak to somebody.", 0.97, 0.11, STORY_MS),
        (Asked.ANYTHING, "I'm calling about my invoice from last month.", 0.97, 0.59, 300),
        (Asked.ANYTHING, "Could you send me a copy?", 0.9, 0.004, 700),
        (Asked.ANYTHING, "Can I bring my dog if he is on a leash?", 0.1, 0.83, 400),
        (Asked.SOMETHING, "I'd prefer the afternoon.", 0.2, 0.65, 300),
        (Asked.SOMETHING, "I'd prefer the afternoon.", 0.2, 0.4, 700),
        (Asked.SOMETHING, "Friday.", 0.9, 0.009, 300),
        (Asked.SOMETHING, "Tuesday, please.", 0.2, 0.02, 700),
        (Asked.ANYTHING, "Can you repeat that?", 0.9, 0.1, 400),
    ],
)
def test_patience_where_the_language_model_has_judged(
    asked: Asked, text: str, sound: float, words: float, delay_ms: int
) -> None:
    assert commit_delay_ms(text, EndScores(sound, words), DELAYS, Patience(asked)) == delay_ms


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


def test_caller_who_pauses_long_is_given_longer() -> None:
    question = "What is your address?"
    patience = Patience().paused(100, None)
    assert commit_delay_ms(question, EndScores(0.9), DELAYS, patience) == 400
    patience = patience.paused(400, "Hello there.")
    assert commit_delay_ms(question, EndScores(0.9), DELAYS, patience) == 500
    for _ in range(20):
        patience = patience.paused(5000, "Hello there.")
    assert commit_delay_ms(question, EndScores(0.9), DELAYS, patience) == MIDDLE_MS


def test_pause_that_the_words_explain_tells_nothing_of_the_tempo() -> None:
    assert Patience().paused(1000, "I would like to").tempo_ms == 0
    assert Patience().paused(1000, "My number is 555").tempo_ms == 0


def test_machine_learns_the_tempo_from_pauses_within_a_turn() -> None:
    script = Script().greeted()
    script.spoke(2000, 3000)
    script(ev.VoiceStarted(3500))
    assert script.turn.patience.tempo_ms == 500
    script(ev.VoiceStopped(5000), ev.Tick(5180))
    script.heard("what is your address?", 5200)
    assert script(ev.Tick(5624)) == []
    assert isinstance(script(ev.Tick(5625))[0], ev.Commit)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Maple Street Dental, how can I help?", Asked.ANYTHING),
        ("We close at five. Is there anything else?", Asked.ANYTHING),
        ("Would Tuesday suit you?", Asked.YES_NO),
        ("What's the best number to reach you?", Asked.PHONE),
        ("What is your reference number?", Asked.NUMBER),
        ("Could I have the number on your card?", Asked.CARD),
        ("Could you spell that?", Asked.SPELLING),
        ("Could I have your e-mail address?", Asked.EMAIL),
        ("Sure. Which day?", Asked.SOMETHING),
        ("We are open on Friday.", Asked.NOTHING),
        ("", Asked.NOTHING),
    ],
)
def test_what_the_agent_asked(text: str, asked: Asked) -> None:
    assert asked_by(text) is asked
