"""Small models, wheels and folders for the tests of the model store."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sipagent.modelstore.progress import FetchProgress
from sipagent.modelstore.store import ModelStore
from sipagent.modelstore.supply import SourceError

WEIGHTS = bytes(range(256)) * 40
SETTINGS = b'{"rate_hz": 16000}'


class Heard:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[str] = []
        self.is_open = False

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, label: str, total_bytes: int | None) -> None:
        assert not self.is_open
        self.is_open = True
        self.steps.append(label)

    def advance(self, done_bytes: int) -> None:
        assert self.is_open

    def end(self) -> None:
        self.is_open = False


class FakeIndex:
    """A package index: requirement → members of its wheel."""

    def __init__(self, wheels: Mapping[str, Mapping[str, bytes]]) -> None:
        self.wheels = wheels
        self.downloads: list[str] = []

    def download(self, requirement: str, folder: Path, progress: FetchProgress) -> None:
        self.downloads.append(requirement)
        if requirement not in self.wheels:
            raise SourceError(f"no matching distribution for {requirement}")
        write_zip(folder / "carrier-1-py3-none-any.whl", self.wheels[requirement])


def write_zip(path: Path, members: Mapping[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path.read_bytes()


def file_of(path: str, body: bytes) -> dict[str, Any]:
    return {"path": path, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def model(sources: list[dict[str, Any]], **what: Any) -> dict[str, Any]:
    """A catalogue's entry; by default with two files."""
    files = [file_of("model.bin", WEIGHTS), file_of("conf/settings.json", SETTINGS)]
    body = {"kind": "stt", "engine": "whisper", "licence": "MIT", "sources": sources}
    return {**body, **(what or {"files": files})}


def store_of(
    tmp_path: Path, models: Mapping[str, Any], sets: Mapping[str, Any] | None = None, *, root: str = "root"
) -> ModelStore:
    """A store with its own catalogue and cache. JSON is YAML."""
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(json.dumps({"version": 1, "models": models, "sets": sets or {}}))
    return ModelStore(tmp_path / root, catalog, cache=tmp_path / "cache")


def put_model(folder: Path, *, weights: bytes = WEIGHTS, settings: bytes = SETTINGS) -> None:
    (folder / "conf").mkdir(parents=True)
    (folder / "model.bin").write_bytes(weights)
    (folder / "conf" / "settings.json").write_bytes(settings)
