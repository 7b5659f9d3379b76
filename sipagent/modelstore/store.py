"""The models of one installation: which are there, where, and how to get the others."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sipagent.errors import ModelError
from sipagent.modelstore.cache import ModelCache
from sipagent.modelstore.catalog import Catalog, CatalogEntry, SetItem
from sipagent.modelstore.digest import FileProblem
from sipagent.modelstore.fetch import Fetcher
from sipagent.modelstore.installed import InstalledModel
from sipagent.modelstore.lock import fetch_lock
from sipagent.modelstore.progress import SILENT, FetchProgress
from sipagent.modelstore.read_catalog import read_catalog
from sipagent.modelstore.stamps import NotAvailable

CATALOG = "catalog.yaml"
OWN_MODELS = Path(__file__).resolve().parent.parent.parent / "models"
"""The folder of the program's own tree, with the catalogue that it comes with."""


class ModelStore:
    """Models below ``root``, one folder each. Asking is thread-safe; fetching is for one thread.

    :param catalog: the catalogue; by default the one in ``root``, else the program's own.
    :param cache: a folder that several roots of a user share; None: nothing is shared.
    :raises ModelError: the catalogue is missing or wrong.
    """

    def __init__(self, root: Path, catalog: Path | None = None, *, cache: Path | None = None) -> None:
        self.root = Path(root)
        beside = self.root / CATALOG
        self.catalog: Catalog = read_catalog(catalog or (beside if beside.exists() else OWN_MODELS / CATALOG))
        self._cache = ModelCache(cache) if cache else None

    def __repr__(self) -> str:
        return f"ModelStore({str(self.root)!r}, {len(self.catalog.models)} models)"

    def entries(self) -> tuple[CatalogEntry, ...]:
        """Every model of the catalogue, installed or not, in its order."""
        return tuple(self.catalog.models.values())

    def path(self, name: str) -> Path:
        """Folder of an installed model.

        :raises ModelError: the catalogue has no such model, or it is not installed.
        """
        entry = self.catalog.entry(name)
        model = InstalledModel(self.root, entry)
        if entry.in_library:
            return model.library_folder()
        if not model.is_whole():
            state = "damaged or not whole" if model.folder.exists() else "not installed"
            raise ModelError(f"model {name} is {state}: run `sipagent models fetch {name}`")
        return model.folder

    def is_installed(self, name: str) -> bool:
        """Whether ``path`` would answer. A file is hashed only where its size fits and it was not
        hashed since it was last written; False also for a name that the catalogue does not have."""
        entry = self.catalog.models.get(name)
        return entry is not None and InstalledModel(self.root, entry).is_whole()

    def verify(self, name: str) -> tuple[FileProblem, ...]:
        """Hash every file of a model.

        :returns: the files that are missing, truncated or corrupt, with what was expected and found.
        :raises ModelError: the catalogue has no such model.
        """
        return InstalledModel(self.root, self.catalog.entry(name)).check()

    def fetch(
        self,
        names: Sequence[str],
        from_dir: Path | None = None,
        progress: FetchProgress = SILENT,
    ) -> None:
        """Install models by name; those that are there are left alone.

        :param from_dir: a folder to look in first, with ``<model>/<file>`` or loose files.
        :raises ModelError: a name is unknown, or a model could not be had.
        """
        items = [SetItem((self.catalog.entry(name).name,)) for name in names]
        self._fetch_items(items, from_dir, progress, is_retry=True)

    def fetch_set(
        self,
        set_name: str,
        from_dir: Path | None = None,
        progress: FetchProgress = SILENT,
        *,
        is_retry: bool = False,
    ) -> None:
        """Install a set. A place that is filled is left alone, also by a second choice.

        :param is_retry: try again what could not be had before: optional models, and first choices
            whose place another one fills.
        :raises ModelError: no such set, or a model that is not optional could not be had.
        """
        self._fetch_items(self.catalog.items_of(set_name), from_dir, progress, is_retry=is_retry)

    def _fetch_items(
        self, items: Iterable[SetItem], from_dir: Path | None, progress: FetchProgress, *, is_retry: bool
    ) -> None:
        missing = [item for item in items if not self._is_filled(item, is_retry=is_retry)]
        if not is_retry and not from_dir:
            missing = [item for item in missing if not self._was_in_vain(item)]
        if not missing:
            return
        failures: list[str] = []
        with self._fetching(from_dir, progress) as fetcher:
            for item in missing:
                failures += self._fill(item, fetcher, progress, is_retry=is_retry)
        if failures:
            raise ModelError(
                f"{'; '.join(failures)}. With the files in a folder: `sipagent models fetch --from DIR`"
            )

    @contextlib.contextmanager
    def _fetching(self, from_dir: Path | None, progress: FetchProgress) -> Iterator[Fetcher]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with fetch_lock(self.root, progress):
                fetcher = Fetcher(self.root, [from_dir] if from_dir else [], self._cache, progress)
                try:
                    yield fetcher
                finally:
                    fetcher.close()
        except OSError as exc:
            raise ModelError(
                f"{exc.filename or self.root}: {exc.strerror}; models cannot be kept there"
            ) from exc

    def _is_filled(self, item: SetItem, *, is_retry: bool) -> bool:
        choices = item.choices[:1] if is_retry else item.choices
        installed = next((name for name in choices if self.is_installed(name)), None)
        if installed and self._cache:
            with contextlib.suppress(OSError):  # only the next checkout misses it
                self._cache.keep_installed(self.catalog.entry(installed), self.root)
        return installed is not None

    def _was_in_vain(self, item: SetItem) -> bool:
        """An optional place that nobody could fill, with nothing new since."""
        known = NotAvailable(self.root)
        entries = [self.catalog.entry(name) for name in item.choices]
        return item.is_optional and all(
            known.has(entry.name, entry.fingerprint) and not (self._cache and self._cache.has(entry))
            for entry in entries
        )

    def _fill(self, item: SetItem, fetcher: Fetcher, progress: FetchProgress, *, is_retry: bool) -> list[str]:
        """Install the first choice that can be had.

        :returns: why none could; empty where one could, or where the place may stay empty.
        """
        known = NotAvailable(self.root)
        reasons: list[str] = []
        for name in item.choices:
            entry = self.catalog.entry(name)
            if self.is_installed(name):  # also: another fetch that held the lock has brought it
                return []
            try:
                was_in_vain = item.is_optional and known.has(name, entry.fingerprint)
                fetcher.fetch(entry, is_online=is_retry or not was_in_vain)
            except ModelError as exc:
                reasons.append(str(exc))
                continue
            known.discard(name)
            return []
        if not item.is_optional:
            return reasons
        for name in item.choices:
            known.add(name, self.catalog.entry(name).fingerprint)
        progress.say(
            f"{' or '.join(item.choices)}: not available here and not needed; try again with --retry"
        )
        return []
