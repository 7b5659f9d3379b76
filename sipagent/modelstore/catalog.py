"""The catalogue of models: what each is, which files it has and where they can be had."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import ModelError

PATH_MARK = "{path}"
"""Stands for the file's path in a source's ``url`` and ``member``."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file; it is this file only when both size and digest match."""

    path: str
    """Relative to the model's folder, with ``/``."""
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ZipArchive(ModelFile):
    """A zip whose members, below the folder ``top`` in it, are the model's files."""

    top: str


@dataclass(frozen=True, slots=True)
class UrlSource:
    """The publisher's address."""

    url: str

    def url_of(self, file: ModelFile) -> str:
        """Address of one file."""
        return self.url.replace(PATH_MARK, file.path)


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Members of one wheel."""

    requirement: str
    """``NAME==VERSION``."""
    member: str

    def member_of(self, file: ModelFile) -> str:
        """Name of one file inside the wheel."""
        return self.member.replace(PATH_MARK, file.path)


@dataclass(frozen=True, slots=True)
class WheelPart:
    """One piece of a file that was cut for publishing."""

    requirement: str
    member: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """A single file, cut into the wheels of ``parts``, in order."""

    parts: tuple[WheelPart, ...]


Source = UrlSource | WheelSource | JoinedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One model. Exactly one of ``files``, ``archive`` and ``in_library`` says what it consists of."""

    name: str
    kind: str
    """``stt``, ``llm``, ``tts``, ``vad`` or ``eot`` (end of turn)."""
    engine: str
    licence: str
    """SPDX identifier."""
    about: str = ""
    files: tuple[ModelFile, ...] = ()
    archive: ZipArchive | None = None
    in_library: str | None = None
    """Distribution whose own wheel brings the model."""
    sources: tuple[Source, ...] = ()

    @property
    def downloads(self) -> tuple[ModelFile, ...]:
        """What has to be fetched: the files, or the archive they are in."""
        return (self.archive,) if self.archive else self.files

    @property
    def size_bytes(self) -> int:
        """To be downloaded, in all."""
        return sum(file.size_bytes for file in self.downloads)

    @property
    def fingerprint(self) -> str:
        """Changes when the files or their sources do."""
        return hashlib.sha256(repr((self.downloads, self.sources)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SetItem:
    """A place in a set: the first of ``choices`` that can be had fills it."""

    choices: tuple[str, ...]
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything in ``catalog.yaml``."""

    path: Path
    models: Mapping[str, CatalogEntry]
    sets: Mapping[str, tuple[SetItem, ...]]

    def entry(self, name: str) -> CatalogEntry:
        """:raises ModelError: no model of that name."""
        if name not in self.models:
            raise ModelError(_unknown("model", name, self.models, self.path))
        return self.models[name]

    def items_of(self, set_name: str) -> tuple[SetItem, ...]:
        """:raises ModelError: no set of that name."""
        if set_name not in self.sets:
            raise ModelError(_unknown("set", set_name, self.sets, self.path))
        return self.sets[set_name]

    def sets_with(self, name: str) -> Iterator[str]:
        """Names of the sets in which a model may be used."""
        for set_name, items in self.sets.items():
            if any(name in item.choices for item in items):
                yield set_name


def _unknown(what: str, name: str, known: Mapping[str, object], path: Path) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(known)}"
    return f"{path}: no {what} {name!r}; {hint}"
