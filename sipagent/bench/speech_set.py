"""What the benchmarks' callers say: the lines of a scenario, or a folder of recordings with their texts."""

import json
from pathlib import Path

from sipagent.errors import ConfigError
from sipagent.lab.plan import PlannedLine
from sipagent.lab.scenario import find_scenario, load_scenario
from sipagent.lab.voices import line_files, without_pauses

DEFAULT_SCENARIO = "bench"
MANIFEST = "manifest.json"


def speech_lines(source: str | None) -> list[PlannedLine]:
    """Lines that all wait for the agent's reply.

    :param source: a folder with ``manifest.json`` (a list of ``{"file": …, "text": …}``), or a scenario.
    :raises ConfigError: it is neither, or names files that are not there.
    """
    if source is not None and Path(source).is_dir():
        return _recordings(Path(source))
    scenario = load_scenario(find_scenario(source or DEFAULT_SCENARIO))
    wavs = line_files(scenario.lines, scenario.voice)
    return [
        PlannedLine(without_pauses(line.words), str(wav.absolute()))
        for line, wav in zip(scenario.lines, wavs, strict=True)
    ]


def _recordings(folder: Path) -> list[PlannedLine]:
    path = folder / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        lines = [PlannedLine(str(e["text"]), str((folder / e["file"]).absolute())) for e in entries]
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be read: {exc.strerror or exc}"]) from exc
    except (ValueError, KeyError, TypeError) as exc:
        expected = 'expected a list of {"file": "a.wav", "text": "what it says"}'
        raise ConfigError([f"{path}: {expected}; {exc!r}"]) from exc
    problems = [f"{path}: {line.wav} is not a file" for line in lines if not Path(line.wav).is_file()]
    if problems or not lines:
        raise ConfigError(problems or [f"{path}: names no recordings"])
    return lines
