"""What a greeting's words tell; people say much of what recordings say, in fewer words or with a question."""

import pytest

from sipagent.bench.stats import upper_pct
from sipagent.campaigns.greeting_words import Hint, hint_of

pytestmark = pytest.mark.unit

MACHINES = (Hint.VOICEMAIL, Hint.SCREENING, Hint.IVR)


@pytest.mark.parametrize(
    "text",
    [
        "I'm not interested.", "Sorry, we're closed.", "No, I'm not.", "She isn't here.",
        "I'm out right now.",
        "He isn't here, can I take a message?", "Who is this? I'm not home.", "Nobody's home but me.",
        "She's not available right now, may I ask who's calling?", "Front desk, please hold.",
        "Extension two oh four, Martin speaking.", "Is this another automated call?",
        "We are closed for lunch, can you call again at two?", "I'm currently driving, who is this?",
        "Thank you for calling, all our dentists are busy, can you hold?",
        "Thank you for calling, all our dentists are with",
    ],
)  # fmt: skip
def test_a_person_may_say_what_recordings_say(text: str) -> None:
    assert hint_of(text) not in MACHINES


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Hi, I'm not here right now. Leave your name and number.", Hint.VOICEMAIL),
        ("You have reached Hillside Auto. We're closed for the day.", Hint.VOICEMAIL),
        ("Hello, this is Doctor Harris. I am currently out of the office.", Hint.VOICEMAIL),
        ("No one is available to take your call at this time.", Hint.VOICEMAIL),
        ("All of our agents are currently busy. Please hold for the next available one.", Hint.IVR),
        ("If you know your party's extension, you may dial it.", Hint.IVR),
        ("Can you tell me your name and why you're calling?", Hint.SCREENING),
    ],
)
def test_a_recording_stays_one(text: str, hint: Hint) -> None:
    assert hint_of(text) is hint


def test_a_share_of_few_measurements_may_hide_more() -> None:
    assert upper_pct(1, 180) == pytest.approx(3.1, abs=0.05)
    assert upper_pct(0, 400) < 1.0 < upper_pct(4, 495) < 2.1
    assert upper_pct(0, 0) == 100.0
