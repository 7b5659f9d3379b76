"""What callers ask and what is to be told: ``tests/golden/knowledge`` as objects, and the verdict."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sipagent.config.document import compose_file
from sipagent.config.walk import Unusable, Walker, read_text
from sipagent.errors import ConfigError
from sipagent.knowledge.knowledge import Advice, Knowledge, Move
from sipagent.knowledge.passages import read_folder

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "tests" / "golden" / "knowledge" / "questions.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedConfig:
    """One question."""

    ask: str
    tells: str = ""
    """What the answer has to contain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartConfig:
    """The questions by what is to become of them."""

    answered: tuple[AskedConfig, ...]
    declined: tuple[AskedConfig, ...]
    left: tuple[AskedConfig, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConfig:
    """The whole file."""

    knowledge: str
    """Folder, relative to the project."""
    prompt: str
    """File, relative to the project."""
    tuned: PartConfig
    held_out: PartConfig
    """Never looked at while the rules were made."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question and what is to become of it."""

    ask: str
    kind: str
    """``answered``, ``declined`` or ``left``."""
    tells: str
    is_held_out: bool


class Verdict(Enum):
    """On one decision."""

    RIGHT = "right"
    CAUTIOUS = "cautious"
    """Nothing wrong is said, but what is written down is not told, or not by the program."""
    WRONG = "wrong"


def load_questions() -> tuple[Knowledge, list[Question]]:
    """The knowledge and all questions.

    :raises ConfigError: a file is not usable.
    """
    walker = Walker(path=str(QUESTIONS), base_dir=ROOT, environ={})
    try:
        config: SetConfig = walker.section(SetConfig, compose_file(QUESTIONS), "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    if walker.problems:
        raise ConfigError(walker.report())
    questions = [
        Question(one.ask, kind, one.tells, is_held_out)
        for part, is_held_out in ((config.tuned, False), (config.held_out, True))
        for kind in ("answered", "declined", "left")
        for one in getattr(part, kind)
    ]
    return Knowledge(read_folder(ROOT / config.knowledge), read_text(ROOT / config.prompt)), questions


def judged(question: Question, advice: Advice) -> Verdict:
    """Was that the right thing to do? Declining a request or small talk is wrong, too."""
    told = advice.text if advice.move is Move.SAY else ""
    if question.kind == "answered":
        if question.tells in told and told:
            return Verdict.RIGHT
        return Verdict.WRONG if told else Verdict.CAUTIOUS
    wanted = Move.DECLINE if question.kind == "declined" else Move.LEAVE
    if advice.move is wanted:
        return Verdict.RIGHT
    return Verdict.CAUTIOUS if question.kind == "declined" and advice.move is Move.LEAVE else Verdict.WRONG
