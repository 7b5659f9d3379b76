"""What callers say and what is meant: ``tests/golden/flows/*.yaml`` as objects, and the marks for it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sipagent.config.document import compose_file
from sipagent.config.walk import Unusable, Walker
from sipagent.errors import ConfigError
from sipagent.flows.expected import Expected, expected_of
from sipagent.flows.load import load_flow
from sipagent.flows.schema import VARIABLE, Flow
from sipagent.flows.slots.values import Value
from sipagent.flows.talk import Meaning, Talk

SET_DIR = Path(__file__).resolve().parents[2] / "tests" / "golden" / "flows"
FLOW_DIR = Path(__file__).resolve().parents[2] / "flows"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMeant:
    """One line."""

    say: str
    """What the caller says."""
    intent: str | None = None
    """Intents that are right, with ``|`` between them; None: none."""
    slots: dict[str, str] = field(default_factory=dict)
    """Every slot that is to be understood, and no other."""
    refused: bool = False
    """The value that was said cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Lines that are said at the same place of the flow."""

    at: str
    """``state``, ``state/slot`` (asked for) or ``state/slot?`` (read back)."""
    before: str = ""
    """What was read back."""
    lines: tuple[LineMeant, ...]
    """The lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSet:
    """The whole of a file."""

    flow: str
    """Name of a file in ``flows/``."""
    now: str
    """When they are said, ISO 8601."""
    tuned: tuple[Place, ...]
    """The rules and examples have been tuned on these."""
    held_out: tuple[Place, ...]
    """They have not on these."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line, ready to be understood."""

    flow: Flow
    expected: Expected
    now: datetime
    place: str
    line: LineMeant
    is_held_out: bool


def load_cases(path: Path) -> list[Case]:
    """All lines of a file.

    :raises ConfigError: with one line for each problem.
    """
    walker = Walker(path=str(path), base_dir=path.parent, environ={})
    try:
        lines: LineSet = walker.section(LineSet, compose_file(path), "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    if walker.problems:
        raise ConfigError(walker.report())
    flow = load_flow(FLOW_DIR / f"{lines.flow}.yaml")
    now = datetime.fromisoformat(lines.now)
    return [
        Case(flow, expected_of(flow, talk_at(flow, place)), now, place.at, line, is_held_out)
        for part, is_held_out in ((lines.tuned, False), (lines.held_out, True))
        for place in part
        for line in place.lines
    ]


def talk_at(flow: Flow, place: Place) -> Talk:
    """A talk that stands there; slots that the state reads out have a value."""
    state, _, slot = place.at.partition("/")
    name = slot.rstrip("?")
    read_out = {one: Value("-", "-") for one in VARIABLE.findall(flow.states[state].say) if one in flow.slots}
    talk = Talk(state=state, variables=flow.variables, slots=read_out, asking=name)
    if slot.endswith("?"):
        value = Value(place.before, place.before, is_sure=False)
        return Talk(state=state, variables=flow.variables, slots={name: value}, to_confirm=(name,))
    return talk


def is_intent_right(line: LineMeant, meaning: Meaning) -> bool:
    """Also: nothing was understood where nothing was to be."""
    return meaning.intent in (line.intent or "").split("|") and bool(meaning.refused) == line.refused


def slot_marks(line: LineMeant, meaning: Meaning) -> Iterator[bool]:
    """One mark for each slot that was told or understood."""
    for name in {**line.slots, **meaning.slots}:
        value = meaning.slots.get(name)
        yield value is not None and value.value.lower() == line.slots.get(name, "").lower()
