"""When a model counts as installed, and what is said of one that is not whole."""

import os
from pathlib import Path

import pytest

from sipagent.errors import ModelError
from sipagent.modelstore import digest
from tests.unit.modelstore_fixtures import SETTINGS, WEIGHTS, model, put_model, store_of

pytestmark = pytest.mark.unit


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are hashed during the test."""
    paths: list[Path] = []
    real = digest.sha256_of

    def sha256_of(path: Path) -> str:
        paths.append(path)
        return real(path)

    monkeypatch.setattr(digest, "sha256_of", sha256_of)
    return paths


def test_a_missing_model_names_the_remedy(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"tiny": model([])})
    assert not store.is_installed("tiny")
    with pytest.raises(ModelError, match="model tiny is not installed: run `sipagent models fetch tiny`"):
        store.path("tiny")


def test_files_put_there_by_hand_count_when_their_digests_match(tmp_path: Path, hashed: list[Path]) -> None:
    put_model(tmp_path / "root" / "tiny")
    store = store_of(tmp_path, {"tiny": model([])})
    assert store.path("tiny") == tmp_path / "root" / "tiny"
    assert len(hashed) == 2


def test_what_was_hashed_once_is_not_hashed_again(tmp_path: Path, hashed: list[Path]) -> None:
    put_model(tmp_path / "root" / "tiny")
    assert store_of(tmp_path, {"tiny": model([])}).is_installed("tiny")
    hashed.clear()
    assert store_of(tmp_path, {"tiny": model([])}).is_installed("tiny")
    assert hashed == []


def test_a_file_written_since_is_hashed_again(tmp_path: Path) -> None:
    put_model(tmp_path / "root" / "tiny")
    store = store_of(tmp_path, {"tiny": model([])})
    assert store.is_installed("tiny")
    (tmp_path / "root" / "tiny" / "model.bin").write_bytes(WEIGHTS[:-1] + b"!")
    assert not store.is_installed("tiny")
    with pytest.raises(ModelError, match="model tiny is damaged or not whole"):
        store.path("tiny")


def test_a_new_catalogue_makes_the_stamp_worthless(tmp_path: Path) -> None:
    put_model(tmp_path / "root" / "tiny")
    assert store_of(tmp_path, {"tiny": model([])}).is_installed("tiny")
    other = model([])
    other["files"][0]["sha256"] = "0" * 64
    assert not store_of(tmp_path, {"tiny": other}).is_installed("tiny")


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (WEIGHTS[:100], "model.bin: truncated: expected 10240 bytes, got 100 bytes"),
        (WEIGHTS + b"more", "model.bin: too long: expected 10240 bytes, got 10244 bytes"),
        (b"\1" + WEIGHTS[1:], "model.bin: corrupt: expected sha256 "),
    ],
)
def test_verify_names_the_file_with_expected_and_actual(tmp_path: Path, weights: bytes, problem: str) -> None:
    put_model(tmp_path / "root" / "tiny", weights=weights)
    (found,) = store_of(tmp_path, {"tiny": model([])}).verify("tiny")
    assert problem in str(found)


def test_verify_names_every_missing_file(tmp_path: Path) -> None:
    problems = store_of(tmp_path, {"tiny": model([])}).verify("tiny")
    assert [problem.problem for problem in problems] == ["missing", "missing"]


def test_bytes_that_changed_without_a_trace_are_found_by_verify_and_not_trusted_after(tmp_path: Path) -> None:
    put_model(tmp_path / "root" / "tiny")
    store = store_of(tmp_path, {"tiny": model([])})
    assert store.is_installed("tiny")
    weights = tmp_path / "root" / "tiny" / "model.bin"
    times = (weights.stat().st_atime_ns, weights.stat().st_mtime_ns)
    weights.write_bytes(b"\1" + WEIGHTS[1:])
    os.utime(weights, ns=times)
    assert store.is_installed("tiny"), "the stamp cannot know"
    assert [problem.problem for problem in store.verify("tiny")] == ["corrupt"]
    assert not store.is_installed("tiny")


@pytest.mark.parametrize("stamp", ["", "[]", '{"files": 1}', '{"files": {"a": 1}, "archive_sha256": null}'])
def test_a_damaged_stamp_is_no_stamp(tmp_path: Path, stamp: str) -> None:
    put_model(tmp_path / "root" / "tiny")
    (tmp_path / "root" / "tiny" / ".verified.json").write_text(stamp)
    assert store_of(tmp_path, {"tiny": model([])}).is_installed("tiny")


def test_a_model_that_comes_with_a_library_has_the_librarys_folder(tmp_path: Path) -> None:
    store = store_of(
        tmp_path, {"there": model([], in_library="pytest"), "gone": model([], in_library="no-such-lib")}
    )
    assert store.is_installed("there")
    assert (store.path("there") / "__init__.py").is_file()
    assert not store.is_installed("gone")
    with pytest.raises(ModelError, match="comes with the library no-such-lib, which is not installed"):
        store.path("gone")


def test_a_name_that_the_catalogue_does_not_have_is_not_installed(tmp_path: Path) -> None:
    put_model(tmp_path / "root" / "other", settings=SETTINGS)
    store = store_of(tmp_path, {"tiny": model([])})
    assert not store.is_installed("other")
    with pytest.raises(ModelError, match="no model 'other'"):
        store.path("other")
