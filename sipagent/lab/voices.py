"""The caller's lines as sound, made before the call and kept: synthesis must not disturb the measurement."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sipagent.codecs.level import level_to, trim_silence
from sipagent.codecs.tones import silence
from sipagent.errors import EngineError, ModelError
from sipagent.lab.scenario import LineConfig, VoiceConfig
from sipagent.media.wav import read_wav, write_wav
from sipagent.speech.types import TtsEngine, never_cancelled
from sipagent.units import Pcm16

MODELS_DIR = Path("models")
PIPER_VOICE = "piper-en_US-joe-medium"
CACHE_DIR = Path(".cache/lab")
LEVEL_DBOV = -22.0
"""Active speech level of a caller."""
_PAUSE = re.compile(r"<\s*(\d{1,5})\s*ms\s*>")
_RECIPE = "1"
"""Changed when lines made earlier should not be used any more."""

Speak = Callable[[str], Pcm16]
"""Text → 16 kHz PCM."""


def unlike(agent_voice: str, voice: VoiceConfig) -> VoiceConfig:
    """The caller's voice where the scenario leaves it open: not the agent's."""
    if voice.engine != "auto":
        return voice
    return replace(voice, engine="hibari" if agent_voice.startswith("piper") else "piper")


def line_files(lines: Iterable[LineConfig], voice: VoiceConfig, *, cache_dir: Path = CACHE_DIR) -> list[Path]:
    """A WAV for each line: its recording, or its text synthesized now or on an earlier run.

    :raises EngineError: the voice cannot speak.
    :raises ModelError: the voice is not installed.
    """
    speak: Speak | None = None
    files = []
    for line in lines:
        path = line.wav or cache_dir / f"{_key(line.say, voice)}.wav"
        if line.wav is None and not path.is_file():
            speak = speak or open_voice(voice)
            cache_dir.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            write_wav(partial, speak_with_pauses(line.say, speak))
            partial.replace(path)
        files.append(path)
    return files


def speak_with_pauses(text: str, speak: Speak) -> Pcm16:
    """``I would like <900ms> a cleaning``: the parts are spoken alone, with silence between."""
    pieces: list[Pcm16] = []
    for index, part in enumerate(_PAUSE.split(text)):
        if index % 2:
            pieces.append(silence(int(part)))
        elif part.strip():
            pieces.append(trim_silence(level_to(speak(part.strip()), LEVEL_DBOV), keep_ms=20))
    return np.concatenate(pieces) if pieces else silence(0)


def without_pauses(text: str) -> str:
    """The text as it reads in a transcript."""
    return " ".join(_PAUSE.sub(" … ", text).split())


def open_voice(voice: VoiceConfig) -> Speak:
    """Load a voice.

    :raises ModelError: it is not installed.
    """
    match voice.engine:
        case "hibari":
            from sipagent.speech.tts_hibari import DEFAULT_VOICE, HibariTts

            return _whole(HibariTts(voice.name or DEFAULT_VOICE))
        case "piper" | "auto":
            from sipagent.speech.tts_piper import PiperTts

            return _whole(PiperTts(MODELS_DIR / (voice.name or PIPER_VOICE)))
        case _:
            return _espeak(voice)


def _key(text: str, voice: VoiceConfig) -> str:
    recipe = "|".join((_RECIPE, voice.engine, voice.name, str(LEVEL_DBOV), text))
    return hashlib.sha256(recipe.encode()).hexdigest()[:20]


def _whole(engine: TtsEngine) -> Speak:
    return lambda text: np.concatenate([silence(0), *engine.synthesize(text, never_cancelled)])


def _espeak(voice: VoiceConfig) -> Speak:
    program = shutil.which("espeak-ng") or shutil.which("espeak")
    if program is None:
        raise ModelError("voice espeak: espeak-ng is not installed; install it or use engine: hibari")

    def speak(text: str) -> Pcm16:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "line.wav"
            command = [program, "-v", voice.name or "en-us", "-w", str(path), "--", text]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode or not path.is_file():
                raise EngineError(f"voice espeak: {done.stderr.strip() or f'exit {done.returncode}'}")
            return read_wav(path)

    return speak
