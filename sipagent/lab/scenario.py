"""What a scripted caller says and when: ``lab/*.yaml`` as objects; every problem names file and line."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sipagent.config.document import compose_file
from sipagent.config.fields import Problem, out_of_range
from sipagent.config.walk import Unusable, Walker
from sipagent.errors import ConfigError

SCENARIO_DIR = Path("lab")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceConfig:
    """Section ``voice``: who speaks the caller's lines."""

    engine: Literal["auto", "hibari", "piper", "espeak"] = "auto"
    """``auto``: of hibari and Piper the one that the agent does not use."""
    name: str = ""
    """The engine's voice: hibari ``heart``, a Piper model's name, espeak ``en-us``. Empty: its usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectConfig:
    """Section ``expect`` of a line: words that should turn up. Reported, never fatal."""

    heard: tuple[str, ...] = ()
    """In what the agent understood."""
    said: tuple[str, ...] = ()
    """In what the agent answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineConfig:
    """One entry of ``lines``: one stretch of the caller's speech."""

    say: str = ""
    """Text to synthesize; ``<900ms>`` inside it is a pause."""
    wav: Path | None = None
    """A recording instead, relative to the scenario; 16-bit mono WAV of any rate."""
    text: str = ""
    """What the recording says, for the transcript."""
    wait: Literal["reply"] = "reply"
    """Speak when the agent has answered and has been silent for ``reply_silence_ms``."""
    after_ms: int | None = None
    """Speak this long after the line before (or the answer to the call), whatever the agent does."""
    barge_in_after_ms: int | None = None
    """Speak this long into the agent's next speech."""
    expect: ExpectConfig = field(default_factory=ExpectConfig)
    """Words that should turn up."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if bool(self.say.strip()) == (self.wav is not None):
            yield "say", "a line has either say: (text) or wav: (a file)"
        if self.after_ms is not None and self.barge_in_after_ms is not None:
            yield "after_ms", "cannot go with barge_in_after_ms; keep one"
        for name in ("after_ms", "barge_in_after_ms"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 60_000:
                yield name, f"expected 0..60000, got {value}"

    @property
    def words(self) -> str:
        """What is said, as in a transcript."""
        return self.say or self.text or (self.wav.stem if self.wav else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The whole of a scenario file."""

    lines: tuple[LineConfig, ...]
    """What the caller says, in order."""
    name: str = ""
    """For the title of the call; the file's name if empty."""
    to: str = "receptionist"
    """The number or name that is dialled, or a whole ``sip:`` address."""
    voice: VoiceConfig = field(default_factory=VoiceConfig)
    """Who speaks the lines."""
    hang_up: Literal["caller", "agent"] = "caller"
    """Who ends the call after the last line."""
    reply_silence_ms: int = 700
    """Silence after which the agent is taken to have finished. 200..5000."""
    reply_timeout_ms: int = 15_000
    """The caller goes on after this long without a reply. 1000..120000."""
    max_call_s: int = 300
    """The caller hangs up after this long whatever happens. 5..3600."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self, reply_silence_ms=(200, 5000), reply_timeout_ms=(1000, 120_000), max_call_s=(5, 3600)
        )
        if not self.lines:
            yield "lines", "is empty; give at least one line with say:"
        if not self.to.strip():
            yield "to", "is empty; give a number or a name"
        for index, line in enumerate(self.lines):
            if line.wav is not None and not line.wav.is_file():
                yield f"lines[{index}].wav", f"{line.wav} is not a file"


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario.

    :raises ConfigError: with one line for each problem, ``lab/quick.yaml:5: lines[1].say: …``.
    """
    root = compose_file(path)
    walker = Walker(path=str(path), base_dir=path.absolute().parent, environ=os.environ)
    try:
        scenario: Scenario = walker.section(Scenario, root, "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    if walker.problems:
        raise ConfigError(walker.report())
    return scenario


def find_scenario(name_or_path: str) -> Path:
    """``receptionist`` → ``lab/receptionist.yaml``; a path stays one.

    :raises ConfigError: there is no such file; names those there are.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    for folder in (SCENARIO_DIR, Path(__file__).resolve().parents[2] / SCENARIO_DIR):
        if (inside := folder / f"{name_or_path}.yaml").is_file():
            return inside
    known = sorted(file.stem for file in SCENARIO_DIR.glob("*.yaml"))
    hint = f"; in {SCENARIO_DIR}/ there are: {', '.join(known)}" if known else ""
    raise ConfigError([f"{name_or_path}: no such scenario{hint}"])
