"""``catalog.yaml`` → ``Catalog``. A mistake in it is named with the key it stands at."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from sipagent.errors import ModelError
from sipagent.modelstore.catalog import (
    Catalog,
    CatalogEntry,
    JoinedSource,
    ModelFile,
    SetItem,
    Source,
    UrlSource,
    WheelPart,
    WheelSource,
    ZipArchive,
)

KINDS = ("stt", "llm", "tts", "vad", "eot")
_SHA256_DIGITS = 64
# the C loader reads the catalogue in a tenth of the time
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
T = TypeVar("T")


class _Mistake(Exception):
    """``key: problem``; the reader puts the file in front."""


def read_catalog(path: Path) -> Catalog:
    """Read and check a catalogue.

    :raises ModelError: the file is missing or wrong; one line says where.
    """
    try:
        document = yaml.load(path.read_bytes(), _LOADER)
    except OSError as exc:
        raise ModelError(f"{path}: {exc.strerror}; the model catalogue must be there") from exc
    except yaml.YAMLError as exc:
        raise ModelError(f"{path}: not YAML: {' '.join(str(exc).split())}") from exc
    try:
        return _catalog(path, _mapping(document, "catalogue"))
    except _Mistake as exc:
        raise ModelError(f"{path}: {exc}") from None


def _catalog(path: Path, document: Mapping[str, Any]) -> Catalog:
    if document.get("version") != 1:
        raise _Mistake(f"version: expected 1, got {document.get('version')!r}")
    bodies = _mapping(document.get("models"), "models")
    models = {name: _entry(name, _mapping(body, f"models.{name}")) for name, body in bodies.items()}
    sets = {
        name: _each(_mapping(body, f"sets.{name}").get("models"), f"sets.{name}.models", _item)
        for name, body in _mapping(document.get("sets", {}), "sets").items()
    }
    for name, items in sets.items():
        for choice in (choice for item in items for choice in item.choices):
            if choice not in models:
                raise _Mistake(f"sets.{name}: no model {choice!r} in this catalogue")
    return Catalog(path, MappingProxyType(models), MappingProxyType(sets))


def _entry(name: str, body: Mapping[str, Any]) -> CatalogEntry:
    at = f"models.{name}"
    if _relative(name, at) != PurePosixPath(name).name:
        raise _Mistake(f"{at}: a model's name is one folder name")
    kind = _text(body, "kind", at)
    if kind not in KINDS:
        raise _Mistake(f"{at}.kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    if sum(key in body for key in ("files", "archive", "in_library")) != 1:
        raise _Mistake(f"{at}: expected exactly one of files, archive and in_library")
    entry = CatalogEntry(
        name=name,
        kind=kind,
        engine=_text(body, "engine", at),
        licence=_text(body, "licence", at),
        about=str(body.get("about", "")),
        files=_each(body.get("files", []), f"{at}.files", _file),
        archive=_archive(body["archive"], f"{at}.archive") if "archive" in body else None,
        in_library=_text(body, "in_library", at) if "in_library" in body else None,
        sources=_each(body.get("sources", []), f"{at}.sources", _source),
    )
    for source in entry.sources:
        _check_joined(entry, source, at)
    return entry


def _check_joined(entry: CatalogEntry, source: Source, at: str) -> None:
    if not isinstance(source, JoinedSource):
        return
    joined_bytes = sum(part.size_bytes for part in source.parts)
    if len(entry.downloads) != 1 or joined_bytes != entry.size_bytes:
        raise _Mistake(f"{at}.sources: parts make {joined_bytes} bytes of one file, not {entry.size_bytes}")


def _file(value: object, at: str) -> ModelFile:
    body = _mapping(value, at)
    sha256 = _text(body, "sha256", at)
    if len(sha256) != _SHA256_DIGITS or set(sha256) - set("0123456789abcdef"):
        raise _Mistake(f"{at}.sha256: expected 64 lower-case hex digits, got {sha256!r}")
    return ModelFile(_relative(_text(body, "path", at), f"{at}.path"), _count(body, "bytes", at), sha256)


def _archive(value: object, at: str) -> ZipArchive:
    body = _mapping(value, at)
    if body.get("unpack") != "zip":
        raise _Mistake(f"{at}.unpack: expected zip, got {body.get('unpack')!r}")
    file = _file(body, at)
    return ZipArchive(file.path, file.size_bytes, file.sha256, _relative(_text(body, "top", at), f"{at}.top"))


def _source(value: object, at: str) -> Source:
    body = _mapping(value, at)
    match sorted(body):
        case ["url"]:
            return UrlSource(_text(body, "url", at))
        case ["member", "pypi"]:
            return WheelSource(_requirement(body, at), _text(body, "member", at))
        case ["parts"]:
            return JoinedSource(_each(body["parts"], f"{at}.parts", _part))
        case keys:
            raise _Mistake(f"{at}: expected url, pypi with member, or parts; got {', '.join(keys)}")


def _part(value: object, at: str) -> WheelPart:
    body = _mapping(value, at)
    return WheelPart(_requirement(body, at), _text(body, "member", at), _count(body, "bytes", at))


def _item(value: object, at: str) -> SetItem:
    if isinstance(value, Mapping):
        model = value.get("model")
        return SetItem(_choices(model, f"{at}.model"), is_optional=value.get("optional") is True)
    return SetItem(_choices(value, at))


def _choices(value: object, at: str) -> tuple[str, ...]:
    choices = value if isinstance(value, list) else [value]
    if not choices or not all(isinstance(choice, str) for choice in choices):
        raise _Mistake(f"{at}: expected a model's name or a list of names, got {value!r}")
    return tuple(choices)


def _requirement(body: Mapping[str, Any], at: str) -> str:
    requirement = _text(body, "pypi", at)
    name, _, version = requirement.partition("==")
    if not name or not version or name.startswith("-"):
        raise _Mistake(f"{at}.pypi: expected NAME==VERSION, got {requirement!r}")
    return requirement


def _relative(text: str, at: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or not path.parts or any(part.startswith("..") for part in path.parts):
        raise _Mistake(f"{at}: expected a path below the model's folder, got {text!r}")
    return str(path)


def _each(value: object, at: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise _Mistake(f"{at}: expected a list, got {value!r}")
    return tuple(read(item, f"{at}[{index}]") for index, item in enumerate(value))


def _mapping(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _Mistake(f"{at}: expected keys and values, got {value!r}")
    return value


def _text(body: Mapping[str, Any], key: str, at: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise _Mistake(f"{at}.{key}: expected text, got {value!r}")
    return value


def _count(body: Mapping[str, Any], key: str, at: str) -> int:
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise _Mistake(f"{at}.{key}: expected a number of bytes above 0, got {value!r}")
    return value
