"""Who answered, from facts alone; what is said to whom; words that mean: never again."""

import pytest

from sipagent.campaigns.answering import (
    DECIDE_MS,
    WINDOW_MS,
    Answerer,
    Answering,
    AskText,
    Beeped,
    Corrected,
    Decided,
    Finding,
    OurTurn,
    Window,
)
from sipagent.campaigns.conduct import Action, Conduct, HangUp, Phase, Say, Script, StartFlow, StopFlow
from sipagent.campaigns.greeting_words import Hint, hint_of
from sipagent.campaigns.line_tones import WINDOW_SAMPLES, tones_in
from sipagent.campaigns.opting_out import asks_to_stop
from sipagent.campaigns.outcomes import Outcome
from sipagent.codecs.g711 import decode_mulaw, encode_mulaw
from sipagent.codecs.resample import resample
from sipagent.codecs.tones import sine

pytestmark = pytest.mark.unit

SCRIPT = Script("This is an automated call.", "Please call us back.", "Maple Street Dental.", "9")


def line(*parts: tuple[str, int]) -> list[Window]:
    """``("voice", 800), ("quiet", 500), ("1000", 400)`` as windows from the answer on."""
    windows: list[Window] = []
    for kind, duration_ms in parts:
        for _ in range(duration_ms // WINDOW_MS):
            tones = tuple(float(hz) for hz in kind.split("+")) if kind[0].isdigit() else ()
            windows.append(Window(len(windows) * WINDOW_MS, 0.9 if kind == "voice" else 0.02, tones))
    return windows


def verdicts(windows: list[Window], texts: dict[int, str] | None = None) -> list[Finding]:
    """Findings but requests for text; ``texts``: ms → words so far."""
    detector = Answering()
    found: list[Finding] = []
    for window in windows:
        found += detector.step(window)
        for at_ms, text in (texts or {}).items():
            if window.start_ms <= at_ms < window.end_ms:
                found += detector.heard(text)
    return [one for one in found if not isinstance(one, AskText)]


@pytest.mark.parametrize(
    ("windows", "texts", "answerer", "latest_ms"),
    [
        (line(("quiet", 300), ("voice", 500), ("quiet", 2500)), {}, Answerer.HUMAN, 1600),
        (line(("quiet", 300), ("voice", 500), ("quiet", 2500)), {1100: "Hello?"}, Answerer.HUMAN, 1400),
        (line(("quiet", 6000)), {}, Answerer.HUMAN, DECIDE_MS + WINDOW_MS),
        (line(("voice", 5000)), {1500: "You've reached the voicemail of"}, Answerer.VOICEMAIL, 1600),
        (line(("voice", 5000)), {2500: "for billing press one"}, Answerer.IVR, 2600),
        (line(("voice", 5000)), {2000: "please state your name"}, Answerer.SCREENING, 2100),
        (line(("quiet", 100), ("2100", 2500)), {}, Answerer.FAX, 1000),
        (line(("quiet", 100), ("1100", 500), ("quiet", 3000)), {}, Answerer.FAX, 1000),
        (line(("2100", 128), ("quiet", 64), ("2100", 2000)), {}, Answerer.FAX, 1100),  # a gap in the line
        (line(*[("480+620", 512), ("quiet", 480)] * 5), {}, Answerer.BUSY, 4000),
        (line(*[("480+620", 256), ("quiet", 256)] * 6), {}, Answerer.CONGESTION, 3000),
        (line(("950", 320), ("1400", 320), ("1777", 320), ("quiet", 96)), {}, Answerer.INVALID_NUMBER, 1200),
        (line(*[("460", 2016), ("quiet", 2000)] * 2), {}, Answerer.HUMAN, 6100),  # ringing is no voice
        (line(("voice", 7000)), {2500: "Hello, this is Ann speaking"}, Answerer.HUMAN, 3000),
    ],
)  # fmt: skip
def test_who_answered(
    windows: list[Window], texts: dict[int, str], answerer: Answerer, latest_ms: int
) -> None:
    first = verdicts(windows, texts)[0]
    assert isinstance(first, Decided)
    assert first.answerer is answerer
    assert first.at_ms <= latest_ms


def test_a_silent_person_never_waits_longer_than_three_seconds() -> None:
    for lead_ms in range(0, 2600, 96):
        for voice_ms in (96, 400, 800, 1200):
            found = verdicts(line(("quiet", lead_ms), ("voice", voice_ms), ("quiet", 4000)))
            assert isinstance(found[0], Decided)
            assert found[0].answerer is Answerer.HUMAN
            assert found[0].at_ms <= 3000
            assert isinstance(found[1], OurTurn)
            assert found[1].at_ms <= max(3000, lead_ms + voice_ms + 700)


def test_who_still_speaks_after_three_seconds_is_decided_upon_and_then_heard_out() -> None:
    talker = verdicts(line(("quiet", 300), ("voice", 4400), ("quiet", 1500)), {4300: "how may I help you?"})
    assert [(type(one), one.at_ms > 3000) for one in talker] == [(Decided, False), (OurTurn, True)]
    assert 4700 + 480 <= talker[1].at_ms <= 4700 + 1000
    machine = verdicts(line(("quiet", 300), ("voice", 7000), ("quiet", 2000)))
    assert [type(one) for one in machine] == [Decided, Corrected]
    assert machine[1].at_ms <= 6500


def test_a_beep_corrects_a_person_into_a_voicemail() -> None:
    found = verdicts(line(("voice", 900), ("quiet", 1500), ("1000", 400), ("quiet", 500)))
    assert [type(one) for one in found] == [Decided, OurTurn, Corrected, Beeped]
    assert isinstance(found[2], Corrected)
    assert found[2].answerer is Answerer.VOICEMAIL


def test_tones_are_measured_after_a_telephone_line() -> None:
    for hz in ((440,), (950,), (1777,), (2100,), (480, 620), (350, 440)):
        pcm = sine(hz, 200, level_dbov=-25.0, rate_hz=8000)
        heard = resample(decode_mulaw(encode_mulaw(pcm)), 8000, 16000)
        found = tones_in(heard[1024 : 1024 + WINDOW_SAMPLES])
        assert len(found) == len(hz), (hz, found)
        assert all(abs(a - b) < 20 for a, b in zip(found, hz, strict=True)), (hz, found)


def drive(conduct: Conduct, windows: list[Window]) -> list[tuple[int, Action]]:
    done: list[tuple[int, Action]] = []
    for window in windows:
        for action in conduct.window(window):
            if type(action).__name__ != "Transcribe":
                done.append((window.end_ms, action))
    return done


def test_a_person_hears_the_announcement_and_the_flow_begins() -> None:
    conduct = Conduct(SCRIPT)
    ((_, action),) = drive(conduct, line(("quiet", 200), ("voice", 400), ("quiet", 1500)))
    assert action == StartFlow(SCRIPT.announcement)
    assert conduct.ending(200, 9000).outcome is Outcome.ANSWERED


def test_the_voicemail_text_is_left_once_after_the_beep() -> None:
    conduct = Conduct(SCRIPT)
    windows = line(
        ("voice", 6500), ("quiet", 600), ("1000", 512), ("quiet", 300), ("1000", 512), ("quiet", 6000)
    )
    done = drive(conduct, windows)
    assert [action for _, action in done] == [Say(SCRIPT.voicemail)]
    assert 7500 <= done[0][0] <= 7900
    assert conduct.ending(200, 0).outcome is Outcome.MACHINE  # cut off before it was said
    assert conduct.said() == (HangUp(),)
    assert conduct.ending(200, 0).outcome is Outcome.VOICEMAIL


def test_without_a_beep_it_is_left_when_the_greeting_is_over() -> None:
    done = drive(Conduct(SCRIPT), line(("voice", 6500), ("quiet", 9000)))
    assert [action for _, action in done] == [Say(SCRIPT.voicemail)]
    assert 10_000 <= done[0][0] <= 10_700


def test_screening_is_told_who_calls_and_then_judged_anew() -> None:
    conduct = Conduct(SCRIPT)
    windows = line(("voice", 2000), ("quiet", 3000), ("voice", 500), ("quiet", 2000))
    drive(conduct, windows[:60])
    assert conduct.heard("please say your name") == ()  # it has not ended yet
    assert drive(conduct, windows[60:80]) == []
    assert [action for _, action in drive(conduct, windows[80:150])] == [Say(SCRIPT.introduction)]
    assert conduct.said() == ()
    assert [action for _, action in drive(conduct, windows[150:])] == [StartFlow(SCRIPT.announcement)]


def test_a_machine_that_passed_for_a_person_silences_the_flow() -> None:
    conduct = Conduct(SCRIPT)
    drive(conduct, line(("voice", 500), ("quiet", 1000)))
    before = conduct.phase
    assert conduct.heard("Hi. I can't come to the phone, leave a message") == (StopFlow(),)
    assert (before, conduct.phase) == (Phase.TALKING, Phase.LEAVING)


def test_in_a_conversation_only_unmistakable_words_are_a_machines() -> None:
    conduct = Conduct(SCRIPT)
    drive(conduct, line(("voice", 500), ("quiet", 1000)))
    for text in ("No, she isn't here right now.", "Who is calling?", "I'm not available on Monday."):
        assert conduct.heard(text) == ()
    assert conduct.caller_said("No, she isn't here.") == ()
    assert conduct.caller_said("At five.") == ()
    call_waiting = line(("quiet", 2000), ("440", 320), ("quiet", 800))
    assert drive(conduct, [Window(w.start_ms + 1500, w.voice, w.tones_hz) for w in call_waiting]) == []
    assert conduct.phase is Phase.TALKING
    assert conduct.ending(200, 9000).outcome is Outcome.ANSWERED


@pytest.mark.parametrize("how", ["words", "key"])
def test_opting_out_ends_the_call_at_once(how: str) -> None:
    conduct = Conduct(SCRIPT)
    drive(conduct, line(("voice", 500), ("quiet", 1000)))
    actions = conduct.caller_said("Please stop calling me.") if how == "words" else conduct.key_pressed("9")
    assert actions == (StopFlow(), HangUp())
    ending = conduct.ending(200, 4000)
    assert ending.outcome is Outcome.OPTED_OUT
    assert ending.wants_no_more_calls


@pytest.mark.parametrize(
    "text",
    ["Please stop calling me.", "I'm not interested, stop calling me.", "Hello? Take me off your list."],
)
@pytest.mark.parametrize("speech_ms", [900, 2000, 7000])
def test_a_wish_counts_before_we_have_said_anything(text: str, speech_ms: int) -> None:
    conduct = Conduct(SCRIPT)
    windows = line(("quiet", 200), ("voice", speech_ms), ("quiet", 3000))
    heard = (200 + speech_ms + 600) // WINDOW_MS
    done = drive(conduct, windows[:heard])
    assert conduct.heard(text) == ()
    done += drive(conduct, windows[heard:])
    assert [action for _, action in done][-2:] == [StopFlow(), HangUp()]
    assert not any(isinstance(action, Say) for _, action in done)
    assert done[-1][0] <= 200 + speech_ms + 700
    assert conduct.ending(200, 0).outcome is Outcome.OPTED_OUT


def test_a_wish_counts_while_the_announcement_plays_and_after_a_verdict_for_a_machine() -> None:
    for script, texts in ((SCRIPT, ("Stop these calls.",)), (SCRIPT, ("We are closed.", "Stop calling us."))):
        conduct = Conduct(script)
        drive(conduct, line(("voice", 500), ("quiet", 1000)))
        for text in texts:
            conduct.heard(text)
        later = [Window(w.start_ms + 1500, w.voice) for w in line(("voice", 900), ("quiet", 1500))]
        assert [action for _, action in drive(conduct, later)][-2:] == [StopFlow(), HangUp()]
        assert conduct.ending(200, 0).wants_no_more_calls


def test_a_wish_that_goes_on_is_heard_to_its_end() -> None:
    conduct = Conduct(SCRIPT)
    drive(conduct, line(("voice", 500), ("quiet", 1000)))
    conduct.heard("Don't call me")
    later = [Window(w.start_ms + 1500, w.voice) for w in line(("voice", 600), ("quiet", 400), ("voice", 600))]
    assert drive(conduct, later) == []
    conduct.heard("Don't call me before nine.")
    quiet = [Window(w.start_ms + 3100, w.voice) for w in line(("quiet", 3000))]
    assert drive(conduct, quiet) == []
    assert not conduct.ending(200, 0).wants_no_more_calls


def test_the_last_words_before_they_hang_up_count_whatever_went_on() -> None:
    waiting = Conduct(SCRIPT)
    waiting.answered()
    assert waiting.overheard("Hello?") == ()
    assert waiting.overheard("Stop calling me.") == (StopFlow(), HangUp())
    unfinished = Conduct(SCRIPT)
    drive(unfinished, line(("voice", 900)))
    unfinished.heard("Stop calling me")
    assert unfinished.ending(200, 0).outcome is Outcome.OPTED_OUT
    left = Conduct(SCRIPT)
    drive(left, line(("voice", 6500), ("quiet", 4500)))
    assert left.phase is Phase.LEFT
    assert left.heard("Who is this? Never call me again.") == (StopFlow(), HangUp())


@pytest.mark.parametrize(
    "text",
    [
        "You've reached the Turners. If you are selling something, take us off your list.",
        "No telemarketers please, remove this number from your list.",
        "To be removed from our list press nine.",
        "Please leave a message after the tone, and don't call here again.",
    ],
)
def test_a_recordings_own_words_are_no_wish(text: str) -> None:
    conduct = Conduct(SCRIPT)
    drive(conduct, line(("voice", 2000)))
    conduct.heard(text)
    assert not conduct.ending(200, 0).wants_no_more_calls


def test_what_sounds_before_the_answer_tells_of_dead_numbers_only() -> None:
    conduct = Conduct(SCRIPT)
    tones = line(("950", 320), ("1400", 320), ("1777", 320), ("quiet", 96))
    early = [Window(w.start_ms - 10_000, w.voice, w.tones_hz) for w in tones]
    assert [action for _, action in drive(conduct, early)] == [HangUp()]
    assert conduct.ending(487, 0).outcome is Outcome.INVALID_NUMBER
    assert Conduct(SCRIPT).ending(486, 0).outcome is Outcome.BUSY
    assert Conduct(SCRIPT).ending(607, 0).wants_no_more_calls


@pytest.mark.parametrize(
    "text",
    [
        "Stop calling me!", "take me off your list", "Please don't call me again.",
        "Remove my number from your database",
        "do not call", "Never call here again", "Put me on your do not call list", "I want to opt out",
        "would you quit calling", "unsubscribe", "lose my number", "Don’t ever call this number any more",
        "Get me off the list", "I said don't call",
    ],
)  # fmt: skip
def test_words_that_mean_never_again(text: str) -> None:
    assert asks_to_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        "Can you call me back tomorrow?", "I'll call you", "thanks for calling me", "Stop by on Friday",
        "I can't talk now", "Take my appointment off Tuesday", "please don't call me before nine", "Yes.", "",
    ],
)  # fmt: skip
def test_words_that_do_not(text: str) -> None:
    assert not asks_to_stop(text)


def test_words_of_machines_and_people() -> None:
    assert hint_of("Please leave your message after the tone.") is Hint.VOICEMAIL
    assert hint_of("Hello?") is Hint.PERSON
    assert hint_of("Good morning, Anna speaking, how can I help?") is Hint.PERSON_BUSINESS
    assert hint_of("") is Hint.NONE
