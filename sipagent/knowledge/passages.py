"""A folder of Markdown as passages. Pure but for reading the files.

A heading that ends in a question mark is a question, and what stands under it the answer, which may be said
as it stands; headings that follow each other directly ask for the same answer. Under any other heading each
paragraph is a passage of its own. ``Q:`` and ``A:`` at the beginning of lines do the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sipagent.config.walk import read_text
from sipagent.errors import ConfigError

MOST_PASSAGES = 5000
LONGEST_SAID_WORDS = 60
"""A longer answer is for the language model to shorten: nobody listens to it on the telephone."""
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_ASKED = re.compile(r"Q:\s*(.+)$")
_ANSWERED = re.compile(r"A:\s*(.*)$")
_QUESTION = re.compile(r"[^?\s][^?]*\?|[^?\s][^?]*$")
_FENCE = re.compile(r"(```|~~~)")
_MARKUP = (
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(?<!\w)[*_`]+|[*_`]+(?!\w)"), ""),
    (re.compile(r"<[^>]+>"), ""),
)
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+|^\s*>\s?")


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that can be told."""

    where: str
    """``file:line`` of its first line, for people."""
    topic: str
    """The headings above it."""
    text: str
    """One line, without markup."""
    questions: tuple[str, ...] = ()
    """What it is the answer to; empty: it is prose."""

    @property
    def is_sayable(self) -> bool:
        """It answers a question and is short enough to be said as it stands."""
        return bool(self.questions) and len(self.text.split()) <= LONGEST_SAID_WORDS


def read_folder(folder: Path) -> tuple[Passage, ...]:
    """The passages of every ``*.md`` in the folder and below, in the order of their names.

    :raises ConfigError: with one line for each problem, ``file:line: what is wrong``.
    """
    paths = sorted(path for path in folder.rglob("*.md") if path.is_file())
    if not paths:
        raise ConfigError([f"{folder}: no Markdown file (*.md) in this folder"])
    problems: list[str] = []
    passages: list[Passage] = []
    for path in paths:
        before = len(problems)
        try:
            found = list(passages_of(read_text(path), str(path), problems))
        except OSError as exc:
            problems.append(f"{path}: cannot be read: {exc.strerror or exc}")
            continue
        except ValueError as exc:
            problems.append(f"{path}: {exc}")
            continue
        if not found and len(problems) == before:
            problems.append(f"{path}: nothing to tell in this file: no text under a heading")
        passages += found
    problems += _repeated(passages)
    if len(passages) > MOST_PASSAGES:
        problems.append(f"{folder}: {len(passages)} passages; at most {MOST_PASSAGES} are searched")
    if problems:
        raise ConfigError(problems)
    return tuple(passages)


@dataclass(slots=True)
class _Section:
    """What is being collected: the headings in force and the paragraph under way."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    """(depth, text) from the top down, without questions."""
    questions: list[tuple[int, str]] = field(default_factory=list)
    """(line, text) of questions that wait for their answer."""
    answers: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    first_line: int = 0

    @property
    def topic(self) -> str:
        return " / ".join(text for _, text in self.headings)


def passages_of(text: str, name: str, problems: list[str]) -> Iterator[Passage]:
    """The passages of one file. :param problems: what is wrong is added to it."""
    section = _Section()
    is_fenced = False
    for number, line in enumerate([*text.splitlines(), "# end"], start=1):
        if _FENCE.match(line.strip()):
            is_fenced = not is_fenced
            continue
        heading = None if is_fenced else _HEADING.match(line)
        asked, answered = (None, None) if is_fenced else (_ASKED.match(line), _ANSWERED.match(line))
        if heading or asked:
            yield from _paragraph(section, name)
            if section.answers or not asked:
                yield from _answer(section, name, problems, is_stacked=_is_question(heading))
        if heading:
            _enter(section, len(heading[1]), plain(heading[2]), number)
        elif asked:
            section.questions.append((number, plain(asked[1])))
        elif answered:
            _add(section, answered[1], number)
        elif line.strip():
            _add(section, line, number)
        else:
            yield from _paragraph(section, name)


def _is_question(heading: "re.Match[str] | None") -> bool:
    return heading is not None and heading[2].endswith("?")


def _enter(section: _Section, depth: int, title: str, number: int) -> None:
    if title.endswith("?"):
        section.questions.append((number, title))
    else:
        section.headings = [(d, text) for d, text in section.headings if d < depth] + [(depth, title)]


def _add(section: _Section, line: str, number: int) -> None:
    section.first_line = section.first_line or number
    section.lines.append(line)


def _paragraph(section: _Section, name: str) -> Iterator[Passage]:
    """The paragraph is over: part of an answer, or a passage of its own."""
    text = " ".join(filter(None, (plain(line) for line in section.lines)))
    at, section.lines = section.first_line, []
    if not text:
        section.first_line = section.first_line if section.answers else 0
    elif section.questions:
        section.answers.append(text)
    else:
        section.first_line = 0
        yield Passage(f"{name}:{at}", section.topic, text)


def _answer(section: _Section, name: str, problems: list[str], *, is_stacked: bool) -> Iterator[Passage]:
    """A heading follows: the answer to the questions above is whole. :param is_stacked: it is one more."""
    if section.answers:
        questions = tuple(one for _, text in section.questions for one in _QUESTION.findall(text))
        yield Passage(f"{name}:{section.first_line}", section.topic, " ".join(section.answers), questions)
    elif section.questions and not is_stacked:
        number, question = section.questions[-1]
        problems.append(f"{name}:{number}: no answer stands under {question!r}")
    if section.answers or not is_stacked:
        section.questions, section.answers, section.first_line = [], [], 0


def _repeated(passages: list[Passage]) -> Iterator[str]:
    first: dict[str, str] = {}
    for passage in passages:
        for question in passage.questions:
            key = " ".join(re.findall(r"\w+", question.lower()))
            if key in first:
                yield f"{passage.where}: {question!r} is answered in {first[key]} already; keep one"
            first.setdefault(key, passage.where)


def plain(line: str) -> str:
    """A line of Markdown without its markup."""
    text = _ITEM.sub("", line)
    for pattern, kept in _MARKUP:
        text = pattern.sub(kept, text)
    return " ".join(text.split())
