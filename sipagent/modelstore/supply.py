"""What the sources of a model have in common, and the simplest one: a folder."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sipagent.modelstore.catalog import ModelFile
from sipagent.modelstore.progress import FetchProgress


class SourceError(Exception):
    """A source cannot supply a file; ``str()`` is the reason. The next source is tried."""


class Supplier(Protocol):
    """One place to have a model's files from."""

    @property
    def title(self) -> str:
        """How the source is called in messages."""

    def supply(self, file: ModelFile, to: Path, progress: FetchProgress) -> None:
        """Write ``file`` to ``to``, which may hold its beginning already. The caller checks the digest.

        :raises SourceError: it cannot be had from here; what there is of it stays for another try.
        """


@dataclass(frozen=True, slots=True)
class FolderSupplier:
    """Files that somebody put into a folder, as ``<model>/<file>`` or loose."""

    folder: Path
    model: str

    @property
    def title(self) -> str:
        """The folder."""
        return str(self.folder)

    def find(self, file: ModelFile) -> Path | None:
        """Where the folder has a file of that name."""
        candidates = (self.folder / self.model / file.path, self.folder / Path(file.path).name)
        return next((path for path in candidates if path.is_file()), None)

    def supply(self, file: ModelFile, to: Path, progress: FetchProgress) -> None:
        """Link the file, or copy it where it is on another disk."""
        found = self.find(file)
        if found is None:
            raise SourceError(f"has no {self.model}/{file.path}")
        progress.begin(file.path, file.size_bytes)
        try:
            link_or_copy(found, to)
        except OSError as exc:
            raise SourceError(f"{found}: {exc.strerror}") from exc
        finally:
            progress.end()


def link_or_copy(source: Path, target: Path) -> None:
    """Put the bytes of ``source`` at ``target``, in one step.

    :raises OSError: neither a link nor a copy can be made.
    """
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    try:
        os.link(source, fresh)
    except OSError:
        shutil.copyfile(source, fresh)
    fresh.replace(target)
