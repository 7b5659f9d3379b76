"""The catalogue: the real one is complete, and a mistake in one is named where it stands."""

from pathlib import Path

import pytest

from sipagent.errors import ModelError
from sipagent.modelstore.catalog import JoinedSource, UrlSource, WheelSource
from sipagent.modelstore.read_catalog import read_catalog
from sipagent.modelstore.store import OWN_MODELS

pytestmark = pytest.mark.unit

SHA256 = "ab" * 32
HEAD = "version: 1\nmodels:\n  tiny:\n    kind: stt\n    engine: whisper\n    licence: MIT\n"
FILE = f"    files:\n      - {{path: a.bin, bytes: 3, sha256: {SHA256}}}\n"


def _read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(text)
    read_catalog(path)


def test_the_programs_own_catalogue_can_be_read() -> None:
    catalog = read_catalog(OWN_MODELS / "catalog.yaml")
    assert {"default", "quick", "test"} <= set(catalog.sets)
    whisper = catalog.entry("whisper-tiny.en")
    assert {file.path for file in whisper.files} == {
        "model.bin",
        "config.json",
        "tokenizer.json",
        "vocabulary.txt",
    }
    assert [type(source) for source in whisper.sources] == [UrlSource, WheelSource]
    assert isinstance(catalog.entry("qwen2.5-coder-0.5b-instruct").sources[-1], JoinedSource)


def test_every_model_of_the_own_catalogue_has_a_source_and_a_licence() -> None:
    for entry in read_catalog(OWN_MODELS / "catalog.yaml").models.values():
        assert entry.licence
        assert bool(entry.sources) != bool(entry.in_library), entry.name


def test_every_url_of_the_own_catalogue_is_pinned_to_a_revision_or_release() -> None:
    for entry in read_catalog(OWN_MODELS / "catalog.yaml").models.values():
        for source in entry.sources:
            if isinstance(source, UrlSource):
                assert source.url.startswith("https://")
                assert "/main/" not in source.url
                assert "/master/" not in source.url


def test_the_general_language_model_is_preferred_and_english_vosk_is_optional() -> None:
    items = read_catalog(OWN_MODELS / "catalog.yaml").items_of("default")
    assert ("qwen2.5-0.5b-instruct", "qwen2.5-coder-0.5b-instruct") in [item.choices for item in items]
    assert [item.choices for item in items if item.is_optional] == [("vosk-small-en-us",)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version: 2\nmodels: {}\n", "version: expected 1, got 2"),
        ("- a\n", "expected keys and values"),
        ("a: [\n", "not YAML"),
        (HEAD, "expected exactly one of files, archive and in_library"),
        (HEAD.replace("stt", "ear") + FILE, "models.tiny.kind: expected one of"),
        (HEAD.replace("tiny:", "../tiny:") + FILE, "expected a path below"),
        (HEAD + FILE.replace("a.bin", "../../a.bin"), "models.tiny.files[0].path: expected a path below"),
        (HEAD + FILE.replace("a.bin", "/a.bin"), "models.tiny.files[0].path: expected a path below"),
        (HEAD + FILE.replace(SHA256, "ab12"), "models.tiny.files[0].sha256: expected 64"),
        (HEAD + FILE.replace("bytes: 3", "bytes: true"), "models.tiny.files[0].bytes: expected a number"),
        (HEAD + FILE + "    sources:\n      - {pypi: carrier, member: a}\n", "expected NAME==VERSION"),
        (HEAD + FILE + "    sources:\n      - {pypi: --x==1, member: a}\n", "expected NAME==VERSION"),
        (HEAD + FILE + "    sources:\n      - {mirror: x}\n", "models.tiny.sources[0]: expected url"),
        (
            HEAD + FILE + "    sources:\n      - parts:\n          - {pypi: p==1, member: m, bytes: 2}\n",
            "parts make 2 bytes of one file, not 3",
        ),
        (HEAD + FILE + "sets:\n  default:\n    models: [huge]\n", "sets.default: no model 'huge'"),
        (
            HEAD + FILE + "sets:\n  default:\n    models: [1]\n",
            "sets.default.models[0]: expected a model's name",
        ),
    ],
)
def test_a_mistake_is_named_where_it_stands(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ModelError) as caught:
        _read(tmp_path, text)
    assert complaint in str(caught.value)
    assert str(tmp_path / "catalog.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="catalogue must be there"):
        read_catalog(tmp_path / "none.yaml")


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    catalog = read_catalog(OWN_MODELS / "catalog.yaml")
    with pytest.raises(ModelError, match=r"no model 'whisper-tiny'; did you mean whisper-tiny\.en\?"):
        catalog.entry("whisper-tiny")
