"""What the benchmarks' callers say: the lines of a scenario, or a folder of recordings with their texts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sipagent.errors import ConfigError, EngineError, ModelError
from sipagent.lab.plan import PlannedLine
from sipagent.lab.scenario import LineConfig, VoiceConfig, find_scenario, load_scenario
from sipagent.lab.voices import line_files, without_pauses

DEFAULT_SCENARIO = "bench"
MANIFEST = "manifest.json"
VOICES = (VoiceConfig(engine="hibari"), VoiceConfig(engine="espeak"), VoiceConfig(engine="piper"))
"""Who speaks lines that several callers should say."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of a folder with a manifest."""

    wav: Path
    text: str
    kind: str
    """The first part of its name: ``pause-flite-rms.wav`` is of kind ``pause``."""
    voice: str
    """Who speaks: the manifest's ``engine`` and ``voice``, else the folder's name."""

    def as_line(self) -> PlannedLine:
        """A line that waits for the agent's reply."""
        return PlannedLine(self.text, str(self.wav.absolute()), tag=self.kind)


def speech_lines(source: str | None, default: str = DEFAULT_SCENARIO) -> list[PlannedLine]:
    """Lines that all wait for the agent's reply.

    :param source: a folder with ``manifest.json`` (a list of ``{"file": …, "text": …}``), or a scenario.
    :raises ConfigError: it is neither, or names files that are not there.
    """
    if source is not None and Path(source).is_dir():
        return [recording.as_line() for recording in recordings(Path(source))]
    scenario = load_scenario(find_scenario(source or default))
    wavs = line_files(scenario.lines, scenario.voice)
    return [
        PlannedLine(without_pauses(line.words), str(wav.absolute()))
        for line, wav in zip(scenario.lines, wavs, strict=True)
    ]


def spoken_by_all(
    lines: Sequence[LineConfig], console: Console, voices: Sequence[VoiceConfig] = VOICES
) -> list[tuple[LineConfig, str, Path]]:
    """(line, voice, WAV) of every line in every voice that is installed; the console is told of others.

    :raises ModelError: none is.
    """
    spoken: list[tuple[LineConfig, str, Path]] = []
    for voice in voices:
        try:
            wavs = line_files(lines, voice)
        except (ModelError, EngineError) as error:
            console.print(f"! without {voice.engine}: {error}", style="yellow", markup=False)
            continue
        spoken += [(line, voice.engine, wav) for line, wav in zip(lines, wavs, strict=True)]
    if not spoken:
        raise ModelError("bench: no voice for the caller is installed; install espeak-ng or hibari-tts")
    return spoken


def scenario_by_all(name: str, console: Console) -> list[PlannedLine]:
    """The lines of a scenario in every voice, tagged with the voice: all lines of one, then of the next."""
    scenario = load_scenario(find_scenario(name))
    return [
        PlannedLine(without_pauses(line.words), str(wav.absolute()), tag=voice)
        for line, voice, wav in spoken_by_all(scenario.lines, console)
    ]


def recordings(folder: Path) -> list[Recording]:
    """What the folder's ``manifest.json`` lists.

    :raises ConfigError: no manifest, a wrong one, or files that are not there.
    """
    path = folder / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        found = [_recording(folder, entry) for entry in entries]
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be read: {exc.strerror or exc}"]) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        expected = 'expected a list of {"file": "a.wav", "text": "what it says"}'
        raise ConfigError([f"{path}: {expected}; {exc!r}"]) from exc
    problems = [f"{path}: {one.wav} is not a file" for one in found if not one.wav.is_file()]
    if problems or not found:
        raise ConfigError(problems or [f"{path}: names no recordings"])
    return found


def _recording(folder: Path, entry: dict[str, str]) -> Recording:
    file = Path(str(entry["file"]))
    voice = "-".join(str(entry[key]) for key in ("engine", "voice") if entry.get(key))
    return Recording(folder / file, str(entry["text"]), file.stem.partition("-")[0], voice or folder.name)
