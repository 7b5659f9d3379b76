"""A town to try campaigns on: people, voicemails, busy and dead numbers on loopback, and time that flies."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.store_views import StoreViews
from sipagent.codecs.tones import beep, silence, sine
from sipagent.lab.campaign_line import Listen, SoftphoneDialler, Speak
from sipagent.lab.people import Behaviour, People
from sipagent.lab.scenario import LineConfig, VoiceConfig
from sipagent.lab.voices import MODELS_DIR, line_files
from sipagent.media.wav import read_wav
from sipagent.speech.vad import VadModel
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

_ROUND_S = 0.05
_SHARES = (
    ("confirms", 6), ("cancels", 2), ("another time", 2), ("opts out", 1), ("says nothing", 2),
    ("voicemail", 4), ("busy once", 2), ("busy", 1), ("no answer once", 2), ("dead", 2), ("dead, tones", 1),
    ("rejects", 1), ("fax", 1),
)  # fmt: skip
_PEOPLE_SAY = ("Hello?", "Hi, this is Michael.", "Yes, hello?", "Good morning.")
_VOICEMAIL_SAYS = (
    "Hello, you have reached the voicemail of the Turner family. Please leave a message after the tone."
)
_KEYS = {"confirms": "1", "cancels": "2", "another time": "3", "opts out": "9"}
_TALKERS = (("wrong person", 1), ("calls back", 1), ("screens", 1))
_ANSWERS = {
    "confirms": ("Yes, speaking.", "Yes, I'll be there."),
    "cancels": ("Yes, that's me.", "No, please cancel it.", "Yes."),
    "another time": (
        "Yes, it is.",
        "Can we do another day?",
        "Next Thursday.",
        "Half past two.",
        "Yes, that's right.",
    ),
    "opts out": ("Please stop calling me.",),
    "wrong person": ("No, you have the wrong number.",),
    "calls back": ("Could you call me back later, please?", "At half past five.", "Yes."),
    "screens": ("Yes, speaking.", "Yes, it is.", "Yes, I'll be there."),  # the first to the announcement
}
"""What people answer to ``flows/appointment.yaml``."""
_SCREENING_SAYS = (
    "The person you are calling is using a screening service. Please say your name and why you are calling."
)


class VirtualClock:
    """Wall time that runs on by itself and can be moved ahead, never back."""

    def __init__(self, start: datetime) -> None:
        self._start, self._began_s = start, time.monotonic()

    def __repr__(self) -> str:
        return f"VirtualClock({self.now():%Y-%m-%d %H:%M:%S})"

    def now(self) -> datetime:
        """UTC."""
        return self._start + timedelta(seconds=time.monotonic() - self._began_s)

    def jump(self, to: datetime) -> None:
        """It is that late now; nothing where it is later already."""
        self._start += max(timedelta(), to - self.now())


class LabTown:
    """Everybody who lives there."""

    def __init__(self, *, speaks: bool = False) -> None:
        """:param speaks: people answer in words, else with keys."""
        self._theirs = spoken_by(VoiceConfig(engine="hibari"))
        self._speaks = speaks
        answers = [text for texts in _ANSWERS.values() for text in texts] if speaks else []
        for text in (*_PEOPLE_SAY, _VOICEMAIL_SAYS, _SCREENING_SAYS, *answers):
            self._theirs(text)  # made now: nobody waits for a voice in the middle of a call
        self.people = People(self.behaviour_of)
        self.people.start()

    def close(self) -> None:
        """Nobody answers any more. Idempotent."""
        self.people.close()

    def softphones(
        self, lines: int, *, speak: Speak | None = None, listen: Listen | None = None
    ) -> SoftphoneDialler:
        """Calls without an agent. :param speak: our voice; None: the lab's. :param listen: speech to text."""
        vad = VadModel(MODELS_DIR / "silero-vad" / "silero_vad.onnx")
        return SoftphoneDialler(self.people.address, lines, vad, speak or self._theirs, listen)

    def kind_of(self, number: str) -> str:
        """What a number is, always the same."""
        return kind_among(number, speaks=self._speaks)

    def behaviour_of(self, number: str, before: int) -> Behaviour:
        """What happens when it is called for the ``before + 1``-th time."""
        kind = self.kind_of(number)
        rng = random.Random(f"{number}/{before}")
        ring_ms = rng.randrange(50, 300)
        match kind:
            case "busy" | "busy once" if kind == "busy" or not before:
                return Behaviour(kind, 486, ring_ms)
            case "no answer once" if not before:
                return Behaviour(kind, 480, ring_ms)
            case "dead":
                return Behaviour(kind, 404, ring_ms)
            case "dead, tones":
                return Behaviour(kind, 0, ring_ms, early=information_tones())
            case "rejects":
                return Behaviour(kind, 603, ring_ms)
            case "fax":
                return Behaviour(kind, 200, ring_ms, greeting=tone(2100, 3000))
            case "voicemail":
                parts = [silence(300), self._theirs(_VOICEMAIL_SAYS), silence(500), beep(400), silence(200)]
                return Behaviour(kind, 200, ring_ms, greeting=np.concatenate(parts))
        greeting = self._screening(rng) if kind == "screens" else self._hello(rng)
        if self._speaks:
            texts = _ANSWERS.get(kind, _ANSWERS["confirms"] if "once" in kind else ())
            return Behaviour(
                kind, 200, ring_ms, greeting=greeting, answers=tuple(self._theirs(text) for text in texts)
            )
        keys = _KEYS.get(kind, "1" if "once" in kind else "")
        return Behaviour(kind, 200, ring_ms, greeting=greeting, keys=keys)

    def _screening(self, rng: random.Random) -> Pcm16:
        """A machine asks who calls; the person comes to the phone while it is told."""
        return np.concatenate([silence(rng.randrange(100, 600)), self._theirs(_SCREENING_SAYS)])

    def _hello(self, rng: random.Random) -> Pcm16:
        return np.concatenate([silence(rng.randrange(100, 600)), self._theirs(rng.choice(_PEOPLE_SAY))])


def kind_among(number: str, *, speaks: bool) -> str:
    """What a number is in a town whose people speak, or press keys; always the same."""
    shares = (*_SHARES, *_TALKERS) if speaks else _SHARES
    return random.Random(number).choice([kind for kind, share in shares for _ in range(share)])


def pass_time(
    runner: CampaignRunner,
    views: StoreViews,
    names: Sequence[str],
    clock: VirtualClock,
    each_round: Callable[[], None],
    is_stopped: Callable[[], bool],
) -> None:
    """Run the campaigns until nobody waits to be called: in real time while calls go on, else in leaps."""
    while not is_stopped():
        next_at = runner.tick(clock.now())
        each_round()
        if runner.calls:
            time.sleep(_ROUND_S)
        elif any(views.view(name).due_s is not None for name in names):
            clock.jump(next_at)
        else:
            return


def information_tones() -> Pcm16:
    """The network's three rising tones (ITU-T E.180)."""
    return np.concatenate([silence(100), tone(950, 330), tone(1400, 330), tone(1777, 330), silence(300)])


def tone(hz: int, duration_ms: int) -> Pcm16:
    """One sine at the level of speech."""
    return sine((hz,), duration_ms, level_dbov=-20.0, rate_hz=SAMPLE_RATE_HZ)


def spoken_by(voice: VoiceConfig) -> Speak:
    """A voice whose sentences are made once and kept."""

    def speak(text: str) -> Pcm16:
        (path,) = line_files([LineConfig(say=text)], voice)
        return read_wav(Path(path))

    return speak
