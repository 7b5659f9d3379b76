"""Recorded and spoken clips for the engine tests."""

import json
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sipagent.codecs.g711 import decode_mulaw, encode_mulaw
from sipagent.codecs.resample import resample
from sipagent.media.wav import read_wav
from sipagent.units import Pcm16, ms_to_samples

ROOT = Path(__file__).parent.parent.parent
CLIPS = ROOT / "tests" / "golden" / "speech"


@cache
def clip(name: str) -> Pcm16:
    """A clip of ``tests/golden/speech``, 16 kHz."""
    return read_wav(CLIPS / f"{name}.wav")


@cache
def transcripts() -> dict[str, str]:
    """What is said in each clip, by its name."""
    entries = json.loads((CLIPS / "manifest.json").read_text())
    return {entry["file"].removesuffix(".wav"): entry["text"] for entry in entries}


def silence(duration_ms: int) -> Pcm16:
    """Digital silence."""
    return np.zeros(ms_to_samples(duration_ms), dtype=np.int16)


def over_the_phone(pcm: Pcm16) -> Pcm16:
    """``pcm`` after 8 kHz and G.711 µ-law, back at 16 kHz."""
    return resample(decode_mulaw(encode_mulaw(resample(pcm, 16_000, 8_000))), 8_000, 16_000)


@cache
def korean(text: str, *, words_per_min: int = 130) -> Pcm16:
    """``text`` spoken by espeak-ng, 16 kHz."""
    command = ["espeak-ng", "-v", "ko", "-s", str(words_per_min), "--stdout", text]
    try:
        wav = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    except FileNotFoundError:
        pytest.skip("espeak-ng is not installed; run: apt-get install espeak-ng")
    rate_hz = int.from_bytes(wav[24:28], "little")
    return resample(np.frombuffer(wav[44:], dtype="<i2").astype(np.int16), rate_hz, 16_000)


def model_dir(name: str) -> Path:
    """The folder of an installed model; skips the test where it is not."""
    path = ROOT / "models" / name
    if not path.is_dir():
        pytest.skip(f"{name} is not installed; run: sipagent models fetch {name}")
    return path
