"""A model that is published as a zip."""

import hashlib
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from sipagent.errors import ModelError
from sipagent.modelstore.catalog import ModelFile, ZipArchive

_CHUNK_BYTES = 1 << 20


def unpack_zip(zip_path: Path, archive: ZipArchive, folder: Path) -> tuple[ModelFile, ...]:
    """Unpack the members below ``archive.top`` into ``folder``, which is emptied first.

    :returns: what was unpacked, with the digests of the bytes as they were written.
    :raises ModelError: it is no zip, has nothing below ``top`` or has a member that points elsewhere.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(zip_path) as source:
            members = tuple(
                _unpack_member(source, info, path, folder)
                for info in source.infolist()
                if (path := _below(archive.top, info.filename)) and not info.is_dir()
            )
    except zipfile.BadZipFile as exc:
        raise ModelError(f"{archive.path}: {exc}") from exc
    if not members:
        raise ModelError(f"{archive.path}: has nothing below {archive.top}/")
    return members


def _below(top: str, name: str) -> str:
    """The path below ``top``; empty for what lies elsewhere."""
    path = PurePosixPath(name)
    if not path.is_relative_to(top) or path == PurePosixPath(top):
        return ""
    relative = path.relative_to(top)
    if ".." in relative.parts or "\\" in name:
        raise ModelError(f"{name}: a member of the archive points out of the model's folder")
    return str(relative)


def _unpack_member(source: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, folder: Path) -> ModelFile:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open(info) as member, target.open("wb") as sink:
        while chunk := member.read(_CHUNK_BYTES):
            digest.update(chunk)
            sink.write(chunk)
    return ModelFile(path, info.file_size, digest.hexdigest())
