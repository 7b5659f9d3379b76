"""What a sound over the agent means: a backchannel, a murmur, or words that want the turn."""

import pytest

from sipagent.call.interruption import is_backchannel, means_something

pytestmark = pytest.mark.unit

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
