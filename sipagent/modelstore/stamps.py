"""What was found out once and need not be found out again.

``models/<name>/.verified.json`` records which bytes were hashed (size and modification time) and what came
out. ``models/.not-available.json`` records which optional models could not be had.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

VERIFIED = ".verified.json"
NOT_AVAILABLE = ".not-available.json"


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """A file at the moment its digest was taken."""

    sha256: str
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path, sha256: str) -> "VerifiedFile":
        """The file as it is now, with the digest it was just found to have.

        :raises OSError: it is gone.
        """
        status = path.stat()
        return cls(sha256, status.st_size, status.st_mtime_ns)

    def is_untouched(self, path: Path) -> bool:
        """True while size and modification time are those of the hashed bytes."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class VerifiedStamp:
    """What is known of a model's folder."""

    files: Mapping[str, VerifiedFile]
    archive_sha256: str | None = None
    """Digest of the archive that the files were unpacked from."""


def read_stamp(folder: Path) -> VerifiedStamp | None:
    """The stamp of a folder; None where there is none or it is not one of ours."""
    document = _read(folder / VERIFIED)
    try:
        files = {path: VerifiedFile(**body) for path, body in document["files"].items()}
        return VerifiedStamp(files, document["archive_sha256"])
    except (KeyError, TypeError, AttributeError):
        return None


def write_stamp(folder: Path, stamp: VerifiedStamp) -> None:
    """Write the stamp. Where the folder is read-only there is none: the next check hashes again."""
    files = {
        path: {"sha256": file.sha256, "size_bytes": file.size_bytes, "mtime_ns": file.mtime_ns}
        for path, file in sorted(stamp.files.items())
    }
    _write(folder / VERIFIED, {"archive_sha256": stamp.archive_sha256, "files": files})


def distrust(folder: Path) -> None:
    """Have every file of a folder hashed again before it is used; what it should be stays known."""
    stamp = read_stamp(folder)
    if stamp:
        files = {path: replace(file, mtime_ns=-1) for path, file in stamp.files.items()}
        write_stamp(folder, replace(stamp, files=files))


class NotAvailable:
    """Optional models that no source had, each with the catalogue's fingerprint of that time."""

    def __init__(self, root: Path) -> None:
        self._path = root / NOT_AVAILABLE

    def has(self, name: str, fingerprint: str) -> bool:
        """True where the model was tried in vain, from the same sources."""
        return _read(self._path).get(name) == fingerprint

    def add(self, name: str, fingerprint: str) -> None:
        """Remember a model."""
        _write(self._path, {**_read(self._path), name: fingerprint})

    def discard(self, name: str) -> None:
        """Forget a model; it may be tried again."""
        known = _read(self._path)
        if known.pop(name, None) is not None:
            _write(self._path, known)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        os.fchmod(descriptor, 0o644)  # the service may run as another user than the one who fetched
        with os.fdopen(descriptor, "w") as stream:
            stream.write(json.dumps(document, indent=1) + "\n")
        Path(temporary).replace(path)
