"""Is a file the one that the catalogue means?"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sipagent.modelstore.catalog import ModelFile

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One file of an installed model that is not as it should be."""

    path: Path
    problem: str
    """``missing``, ``truncated``, ``too long``, ``corrupt`` or ``unreadable``."""
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}: expected {self.expected}, got {self.actual}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex.

    :raises OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def size_problem(path: Path, file: ModelFile) -> FileProblem | None:
    """What the file's size alone tells; cheap."""
    try:
        actual_bytes = path.stat().st_size
    except OSError as exc:
        problem = "missing" if isinstance(exc, FileNotFoundError) else "unreadable"
        return FileProblem(path, problem, f"{file.size_bytes} bytes", exc.strerror or "nothing")
    if actual_bytes == file.size_bytes:
        return None
    problem = "truncated" if actual_bytes < file.size_bytes else "too long"
    return FileProblem(path, problem, f"{file.size_bytes} bytes", f"{actual_bytes} bytes")


def content_problem(path: Path, file: ModelFile) -> FileProblem | None:
    """What reading the whole file tells."""
    problem = size_problem(path, file)
    if problem:
        return problem
    try:
        actual = sha256_of(path)
    except OSError as exc:
        return FileProblem(path, "unreadable", f"sha256 {file.sha256}", exc.strerror or "nothing")
    if actual == file.sha256:
        return None
    return FileProblem(path, "corrupt", f"sha256 {file.sha256}", f"sha256 {actual}")
