"""Greetings of people and machines as they sound on a line. Seeded: every run has the same ones.

wording × voice ──▶ speech, pauses, beep ──▶ level, noise, G.711 ──▶ 16 kHz as the detector gets it
"""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from sipagent.campaigns.answering import Answerer
from sipagent.codecs.g711 import decode_mulaw, encode_mulaw
from sipagent.codecs.level import level_to
from sipagent.codecs.resample import resample
from sipagent.codecs.tones import beep, silence, sine
from sipagent.errors import SipAgentError
from sipagent.lab.scenario import VoiceConfig
from sipagent.lab.voices import CACHE_DIR, Speak, open_voice, speak_with_pauses
from sipagent.media.wav import read_wav, write_wav
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, samples_to_ms

_ESPEAK = ("en-us", "en-gb", "en-us+f2", "en-us+m3", "en-gb+f4", "en-us+Annie", "en-gb+Andy", "en-us+Storm",
           "en-gb-scotland", "en-us+f5", "en-us+m7", "en-gb-x-rp+Alicia", "en-us+Michael", "en-gb+linda",
           "en-us+Gene", "en-gb-x-gbclan+m2", "en-us+David", "en-gb+Belinda")  # fmt: skip
VOICES_DEV = (
    VoiceConfig(engine="hibari"),
    *(VoiceConfig(engine="espeak", name=name) for name in _ESPEAK[:8]),
)
VOICES_HELD_OUT = (
    VoiceConfig(engine="piper"),
    *(VoiceConfig(engine="espeak", name=name) for name in _ESPEAK[8:]),
)
WORDINGS = Path("lab/bench-answering.tsv")
_BEEP = re.compile(r"<beep>")
_RECIPE = "1"
_AFTER_MS = 1500
_GAP = silence(250)
_SIT_HZ = (950, 1400, 1777)
_BEEPS_HZ = (440, 620, 850, 1000, 1320, 1400, 1850)


@dataclass(frozen=True, slots=True)
class Greeting:
    """One call as it sounds from the answer on."""

    name: str
    answerer: Answerer
    wording: str
    voice: str
    pcm: Pcm16
    """16 kHz, through G.711."""
    said_ms: int
    """Where the first speech or tone begins."""
    beep_end_ms: int | None
    """Where the beep ends; None: there is none."""

    def __repr__(self) -> str:
        return f"Greeting({self.name}, {self.answerer.value}, {self.wording[:30]!r})"


def greetings(part: str, *, seed: int = 1, most: int | None = None) -> list[Greeting]:
    """Every greeting of a part, ``dev`` or ``held-out``; ``most`` people and as many machines where given."""
    voices = VOICES_DEV if part == "dev" else VOICES_HELD_OUT
    wordings = read_wordings(part)
    people = [one for one in wordings if one[0] is Answerer.HUMAN]
    machines = [one for one in wordings if one[0] is not Answerer.HUMAN]
    found = []
    for group in (people, machines):
        cases = [(case, voice) for case in group for voice in voices]
        random.Random(seed).shuffle(cases)
        found += [_greeting(part, answerer, text, voice, seed) for (answerer, text), voice in cases[:most]]
    return found


def read_wordings(part: str, path: Path = WORDINGS) -> list[tuple[Answerer, str]]:
    """What people and machines say on answering, of one part.

    :raises SipAgentError: the file is not there.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise SipAgentError(f"{path}: cannot be read: {exc.strerror}; run this in the source tree") from exc
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(Answerer(kind), text) for where, kind, text in rows if where == part]


def signal_greetings(seed: int = 1) -> list[Greeting]:
    """Fax machines, busy and information tones, without a voice."""
    made = []
    for index in range(6):
        rng = random.Random(f"{seed}/{index}")
        level_dbov = rng.uniform(-28, -12)
        made += [
            _line("fax", Answerer.FAX, _tone((2100,), 3000, level_dbov), rng),
            _line("cng", Answerer.FAX, [_tone((1100,), 500, level_dbov), silence(3000)] * 2, rng),
            _line("busy", Answerer.BUSY, [_tone((480, 620), 500, level_dbov), silence(500)] * 5, rng),
            _line("busy-eu", Answerer.BUSY, [_tone((425,), 480, level_dbov), silence(480)] * 5, rng),
            _line("reorder", Answerer.CONGESTION, [_tone((480, 620), 250, level_dbov), _GAP] * 8, rng),
            _line("sit", Answerer.INVALID_NUMBER, [_tone((hz,), 330, level_dbov) for hz in _SIT_HZ], rng),
        ]  # fmt: skip
    return made


def _tone(hz: tuple[int, ...], duration_ms: int, level_dbov: float) -> Pcm16:
    return sine(hz, duration_ms, level_dbov=level_dbov, rate_hz=SAMPLE_RATE_HZ)


def _line(name: str, answerer: Answerer, parts: Pcm16 | list[Pcm16], rng: random.Random) -> Greeting:
    lead_ms = rng.randrange(0, 900)
    sound = [parts] if isinstance(parts, np.ndarray) else parts
    pcm = _through_line(np.concatenate([silence(lead_ms), *sound, silence(_AFTER_MS)]), -20.0, rng)
    return Greeting(f"{name}-{lead_ms}", answerer, "", name, pcm, lead_ms, None)


def _greeting(part: str, answerer: Answerer, text: str, voice: VoiceConfig, seed: int) -> Greeting:
    label = f"{voice.engine}-{voice.name}"
    rng = random.Random(f"{seed}/{answerer}/{text}/{label}")
    lead_ms = rng.randrange(80, 1200) if answerer is Answerer.HUMAN else rng.randrange(100, 1400)
    spoken = [spoken_line(piece.strip(), voice) for piece in _BEEP.split(text)]
    parts, beep_end_ms = [silence(lead_ms), spoken[0]], None
    if len(spoken) > 1:
        parts.append(beep(rng.randrange(150, 900), frequency_hz=rng.choice(_BEEPS_HZ), level_dbov=-20.0))
        beep_end_ms = samples_to_ms(sum(piece.size for piece in parts))
    pcm = np.concatenate([*parts, silence(_AFTER_MS if beep_end_ms else 2 * _AFTER_MS)])
    name = hashlib.sha256(f"{part}/{text}/{label}/{seed}".encode()).hexdigest()[:10]
    heard = _through_line(pcm, rng.uniform(-32, -17), rng)
    return Greeting(name, answerer, text, label, heard, lead_ms, beep_end_ms)


def _through_line(pcm: Pcm16, level_dbov: float, rng: random.Random) -> Pcm16:
    """Level, hiss or hum of the room, narrow band, µ-law."""
    noise_dbov = level_dbov - rng.uniform(15, 45)
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(pcm.size)
    noise = np.convolve(noise, np.ones(rng.choice((1, 4, 12))), mode="same")
    noise *= 32768 * 10 ** (noise_dbov / 20) / float(np.sqrt(np.mean(noise**2)))
    mixed = level_to(pcm, level_dbov).astype(np.float64) + noise
    narrow = resample(np.clip(mixed, -32768, 32767).astype(np.int16), SAMPLE_RATE_HZ, 8000)
    return resample(decode_mulaw(encode_mulaw(narrow)), 8000, SAMPLE_RATE_HZ)


def spoken_line(text: str, voice: VoiceConfig, *, cache_dir: Path = CACHE_DIR) -> Pcm16:
    """``text`` with its pauses, made now or on an earlier run; a ``<500ms>`` at the end stays."""
    if not text:
        return silence(0)
    key = hashlib.sha256(f"{_RECIPE}|{voice.engine}|{voice.name}|{text}".encode()).hexdigest()[:20]
    path = cache_dir / f"answer-{key}.wav"
    if not path.is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        write_wav(partial, speak_with_pauses(text, _voice(voice)))
        partial.replace(path)
    return read_wav(path)


@cache
def _voice(voice: VoiceConfig) -> Speak:
    return open_voice(voice)


def windows_of(pcm: Pcm16, window_samples: int) -> Iterator[tuple[int, Pcm16]]:
    """(start in ms, window) for each whole window."""
    for start in range(0, pcm.size - window_samples + 1, window_samples):
        yield samples_to_ms(start), pcm[start : start + window_samples]
