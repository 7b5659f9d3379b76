"""What a benchmark leaves: JSON, a picture, a table or the JSON on stdout, and figures for the summary."""

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rich.console import Console
from rich.table import Table


class Result(Protocol):
    """A dataclass of plain values and enums."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def failures(self) -> Sequence[str]:
        """Calls that were not answered."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the summary."""

    name: str
    measured: str
    count: int
    """Measurements behind it."""
    wanted: str
    """What was aimed at."""
    is_met: bool | None
    """None: nothing was measured."""


def ms_figure(name: str, measured: Sequence[float], wanted: Sequence[float], count: int) -> Figure:
    """A figure of one or more percentiles in ms, none of which should be beyond its ``wanted``."""
    is_met = all(a <= b for a, b in zip(measured, wanted, strict=True)) if count else None
    return Figure(name, f"{_slashed(measured)} ms", count, f"≤ {_slashed(wanted)} ms", is_met)


def share_figure(name: str, bad: int, count: int, wanted_pct: float) -> Figure:
    """A figure that counts cases of which at most ``wanted_pct`` may be."""
    is_met = 100 * bad <= wanted_pct * count if count else None
    return Figure(name, share_text(bad, count), count, f"≤ {wanted_pct:g} %", is_met)


def share_text(bad: int, count: int) -> str:
    """``1 of 24 (4.2 %)``."""
    return f"{bad} of {count} ({100 * bad / count:.1f} %)" if count else "none measured"


def _slashed(values_ms: Sequence[float]) -> str:
    return " / ".join(f"{value:.0f}" for value in values_ms)


def publish(
    name: str,
    result: Result,
    tables: Sequence[Table],
    draw: Callable[[Path], None],
    args: argparse.Namespace,
    console: Console,
) -> int:
    """Write ``NAME.json`` and ``NAME.png`` to ``args.out``, print the tables or, with ``--json``, the JSON.

    :param draw: draws the picture.
    :returns: the status of the command: 1 where calls were not answered.
    """
    plain = dataclasses.asdict(result)
    json_path, png_path = args.out / f"{name}.json", args.out / f"{name}.png"
    json_path.write_text(json.dumps(plain, indent=1, ensure_ascii=False, default=_value) + "\n")
    draw(png_path)
    if args.json:
        print(json.dumps(plain, ensure_ascii=False, default=_value))
    else:
        for table in tables:
            Console().print(table)
    for failure in result.failures:
        console.print(f"! {failure}", style="yellow", markup=False)
    console.print(f"{json_path}, {png_path}", highlight=False)
    return 1 if result.failures else 0


def _value(member: object) -> Any:
    if isinstance(member, Enum):
        return member.value
    raise TypeError(f"{member!r} has no place in JSON")


def plain_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    table = Table(title=title, caption=caption or None)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    for row in rows:
        table.add_row(*(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


def markdown_summary(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    verdicts = {True: "yes", False: "**no**", None: "–"}
    rows = ["| figure | measured | of | wanted | met |", "|---|---|---|---|---|"]
    rows += [f"| {f.name} | {f.measured} | {f.count} | {f.wanted} | {verdicts[f.is_met]} |" for f in figures]
    return "\n".join(rows) + "\n"
