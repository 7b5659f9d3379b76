"""A model's folder: is it whole, and are these the right bytes?"""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from sipagent.errors import ModelError
from sipagent.modelstore.catalog import CatalogEntry, ModelFile
from sipagent.modelstore.digest import FileProblem, content_problem, size_problem
from sipagent.modelstore.stamps import VerifiedFile, VerifiedStamp, distrust, read_stamp, write_stamp


class InstalledModel:
    """One model below the store's root. Safe to use from several threads."""

    def __init__(self, root: Path, entry: CatalogEntry) -> None:
        self.folder = root / entry.name
        self._entry = entry

    def __repr__(self) -> str:
        return f"InstalledModel({str(self.folder)!r})"

    def is_whole(self) -> bool:
        """Every file is there with the right digest. Hashes only what was not hashed before."""
        if self._entry.in_library:
            return _has_distribution(self._entry.in_library)
        stamp = read_stamp(self.folder)
        if stamp and self._is_covered_by(stamp):
            return True
        if any(size_problem(self.folder / file.path, file) for file in self._entry.files):
            return False
        return not self.check()

    def check(self) -> tuple[FileProblem, ...]:
        """Hash every file; what is found out is remembered.

        :returns: the files that are not as they should be.
        """
        entry = self._entry
        if entry.in_library:
            return (
                () if _has_distribution(entry.in_library) else (self._missing(f"library {entry.in_library}"),)
            )
        members = self._members()
        if not members:
            return (self._missing(f"what was unpacked from {entry.downloads[0].path}"),)
        found = [content_problem(self.folder / member.path, member) for member in members]
        problems = tuple(problem for problem in found if problem)
        if problems:
            distrust(self.folder)
        else:
            self.stamp(members)
        return problems

    def stamp(self, members: tuple[ModelFile, ...]) -> None:
        """Record that ``members``, all of them, were just found to be right."""
        archive = self._entry.archive
        files = {member.path: VerifiedFile.of(self.folder / member.path, member.sha256) for member in members}
        write_stamp(self.folder, VerifiedStamp(files, archive.sha256 if archive else None))

    def library_folder(self) -> Path:
        """Folder of the package that brings the model.

        :raises ModelError: the library is not installed.
        """
        library = self._entry.in_library or ""
        try:
            files = importlib.metadata.distribution(library).files or []
        except importlib.metadata.PackageNotFoundError:
            raise ModelError(
                f"model {self._entry.name} comes with the library {library}, which is not installed"
            ) from None
        inits = [file for file in files if file.name == "__init__.py" and len(file.parts) == 2]
        return Path(str(inits[0].locate())).parent

    def _is_covered_by(self, stamp: VerifiedStamp) -> bool:
        """Everything that should be there was hashed, had the right digest and was not touched since."""
        if self._entry.archive:
            if stamp.archive_sha256 != self._entry.archive.sha256:
                return False
        elif {path: file.sha256 for path, file in stamp.files.items()} != _digests(self._entry.files):
            return False
        return all(file.is_untouched(self.folder / path) for path, file in stamp.files.items())

    def _members(self) -> tuple[ModelFile, ...]:
        """The files as they should be; for an archive as they were when it was unpacked."""
        if not self._entry.archive:
            return self._entry.files
        stamp = read_stamp(self.folder)
        if not stamp or stamp.archive_sha256 != self._entry.archive.sha256:
            return ()
        return tuple(ModelFile(path, file.size_bytes, file.sha256) for path, file in stamp.files.items())

    def _missing(self, expected: str) -> FileProblem:
        return FileProblem(self.folder, "missing", expected, "nothing")


def _digests(files: tuple[ModelFile, ...]) -> Mapping[str, str]:
    return {file.path: file.sha256 for file in files}


def _has_distribution(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
