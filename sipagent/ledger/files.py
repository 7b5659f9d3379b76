"""Files that must survive a power cut, or must not survive at all."""

import contextlib
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, where it does not exist yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_new(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole and durable, or not at all.

    :raises FileExistsError: it is there already; nothing was changed.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    _write_synced(temporary, content, mode)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def replace_with(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole and durable over what was there."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    _write_synced(temporary, content, mode)
    temporary.rename(path)
    sync_folder(path.parent)


def write_all(fd: int, content: bytes) -> None:
    """``os.write`` until everything is written.

    :raises OSError: part of it may have been written.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def destroy(path: Path) -> bool:
    """Overwrite a small secret, then remove it; the folder is for the caller to sync.

    On a copying file system or flash the old block may outlive this: use full-disk encryption under it.

    :returns: False where it was gone already.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        write_all(fd, os.urandom(os.fstat(fd).st_size))
        os.fsync(fd)
    finally:
        os.close(fd)
    path.unlink(missing_ok=True)
    return True


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(fd, mode)
        write_all(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
