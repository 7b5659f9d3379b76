"""``sipagent models``: data on stdout, the rest on stderr, honest exit codes."""

import argparse
import json
from pathlib import Path

import pytest

from sipagent.cli import models
from sipagent.errors import ModelError
from tests.unit.modelstore_fixtures import WEIGHTS, file_of, put_model
from tests.unit.modelstore_fixtures import model as entry_of

pytestmark = pytest.mark.unit


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SIPAGENT_MODEL_DIR", raising=False)
    root = tmp_path / "models"
    root.mkdir()
    catalog = {
        "version": 1,
        "models": {"tiny": entry_of([]), "other": entry_of([], files=[file_of("other.bin", WEIGHTS)])},
        "sets": {"default": {"models": ["tiny"]}},
    }
    (root / "catalog.yaml").write_text(json.dumps(catalog))
    return root


def _run(root: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    models.register(parser.add_subparsers())
    args = parser.parse_args(["models", *words, "--models-dir", str(root)])
    status: int = args.run(args)
    return status


def test_list_prints_one_json_object_a_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_model(root / "tiny")
    assert _run(root, "list", "--json") == 0
    captured = capsys.readouterr()
    tiny, other = (json.loads(line) for line in captured.out.splitlines())
    assert (tiny["name"], tiny["is_installed"], tiny["path"]) == ("tiny", True, str(root / "tiny"))
    assert (other["name"], other["is_installed"], other["path"]) == ("other", False, None)
    assert tiny["sets"] == ["default"]
    assert captured.err == ""


def test_list_shows_what_is_installed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_model(root / "tiny")
    assert _run(root, "list") == 0
    tiny, other = capsys.readouterr().out.splitlines()
    assert "installed" in tiny
    assert "installed" not in other


def test_fetch_without_names_means_the_default_set(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_model(root.parent / "stick" / "tiny")
    assert _run(root, "fetch", "--from", str(root.parent / "stick")) == 0
    assert (root / "tiny" / "model.bin").read_bytes() == WEIGHTS
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "tiny: installed from" in captured.err


def test_the_folder_may_come_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_model(root.parent / "stick" / "tiny")
    monkeypatch.setenv("SIPAGENT_MODEL_DIR", str(root.parent / "stick"))
    assert _run(root, "fetch", "tiny") == 0
    assert (root / "tiny" / "model.bin").exists()


def test_a_model_that_cannot_be_had_is_an_error(root: Path) -> None:
    with pytest.raises(ModelError, match="tiny: no source could supply"):
        _run(root, "fetch")


@pytest.mark.parametrize(
    "words",
    [("fetch", "tyni"), ("fetch", "--set", "deflaut"), ("fetch", "--from", "/nowhere"), ("verify", "tyni")],
)
def test_an_unknown_name_is_a_usage_error(
    root: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert _run(root, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_verify_says_ok_or_names_the_damage_and_the_remedy(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_model(root / "tiny")
    assert _run(root, "verify") == 0
    assert capsys.readouterr().out == "tiny: ok\n"
    (root / "tiny" / "model.bin").write_bytes(WEIGHTS[:7])
    assert _run(root, "verify") == 1
    captured = capsys.readouterr()
    assert captured.out == "tiny: damaged\n"
    assert "model.bin: truncated: expected 10240 bytes, got 7 bytes" in captured.err
    assert "sipagent models fetch tiny" in captured.err


def test_verify_of_a_model_that_is_not_there_fails(root: Path) -> None:
    assert _run(root, "verify", "other") == 1


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    progress = models.ConsoleProgress()
    progress.begin("model.bin", 50_000_000)
    progress.advance(1_000_000)
    now_s = 200.0
    progress.advance(20_000_000)
    progress.end()
    assert capsys.readouterr().err == "model.bin: 20 of 50 MB\n"
