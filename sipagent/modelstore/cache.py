"""The user's own cache: checkouts of one user share one download."""

import os
from pathlib import Path

from sipagent.modelstore.catalog import CatalogEntry, ModelFile
from sipagent.modelstore.supply import FolderSupplier, link_or_copy


def user_cache() -> Path:
    """``~/.cache/sipagent/models``, or where XDG_CACHE_HOME says."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sipagent" / "models"


class ModelCache:
    """A folder laid out like a store's root, for archives before they are unpacked. Its files are links
    where the disk allows it; their digests are checked on every use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"ModelCache({str(self._folder)!r})"

    def has(self, entry: CatalogEntry) -> bool:
        """Files of the right names are there."""
        return all((self._folder / entry.name / file.path).is_file() for file in entry.downloads)

    def supplier(self, entry: CatalogEntry) -> FolderSupplier:
        """The cache as a source of one model."""
        return FolderSupplier(self._folder, entry.name)

    def keep(self, entry: CatalogEntry, file: ModelFile, path: Path) -> None:
        """Take a link to a checked file, or a copy where the cache is on another disk.

        :raises OSError: the cache cannot be written to.
        """
        cached = self._folder / entry.name / file.path
        if cached.is_file() and cached.stat().st_size == file.size_bytes:
            return
        cached.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path, cached)

    def keep_installed(self, entry: CatalogEntry, root: Path) -> None:
        """Take everything of an installed model that is kept as it was fetched.

        :raises OSError: the cache cannot be written to.
        """
        for file in entry.files:
            self.keep(entry, file, root / entry.name / file.path)

    def drop(self, entry: CatalogEntry, file: ModelFile) -> None:
        """Remove a file that turned out damaged."""
        (self._folder / entry.name / file.path).unlink(missing_ok=True)
