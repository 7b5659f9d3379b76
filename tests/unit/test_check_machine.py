"""Memory, libraries and folders."""

from pathlib import Path

import pytest

from sipagent.cli.check import directory_problems
from sipagent.cli.check_machine import (
    core_notes,
    imported_libraries,
    memory_available_mib,
    memory_problems,
    missing_libraries,
)

pytestmark = pytest.mark.unit


def test_memory_counts_the_models() -> None:
    assert list(memory_problems(0, available_mib=600)) == []
    found = list(memory_problems(500 * 2**20, available_mib=600))
    assert found == ["600 MiB free, about 1150 needed; free some or take a smaller model"]


def test_memory_is_what_the_container_leaves(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8192 kB\nMemAvailable:    4194304 kB\n")
    assert memory_available_mib(meminfo, tmp_path) == 4096
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_available_mib(meminfo, tmp_path) == 4096
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    (tmp_path / "memory.current").write_text(f"{2**29}\n")
    assert memory_available_mib(meminfo, tmp_path) == 512


def test_one_core_is_worth_a_note() -> None:
    assert list(core_notes(2)) == []
    assert "1 for this process" in next(core_notes(1))


def test_missing_library_names_the_remedy() -> None:
    found = list(missing_libraries(["json", "no_such_library_here"]))
    assert [library.name for library in found] == ["no_such_library_here"]
    assert "is not installed; install sipagent again" in found[0].problem


def test_libraries_are_tried_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib_that_aborts.py").write_text("import os\nos.abort()\n")
    (tmp_path / "lib_that_fails.py").write_text("raise OSError('libssl.so.1.1 is missing\\nlook there')\n")
    monkeypatch.syspath_prepend(tmp_path)
    fine, fails, aborts = imported_libraries(["json", "lib_that_fails", "lib_that_aborts", "math"])
    assert (fine.name, fine.problem) == ("json", "")
    assert fails.problem.startswith("cannot be imported: OSError: libssl.so.1.1 is missing; install")
    assert aborts.name == "lib_that_aborts"
    assert aborts.problem.startswith("ended the process (status -6)")


def test_output_folder(tmp_path: Path) -> None:
    assert list(directory_problems(tmp_path)) == []
    assert list(directory_problems(tmp_path / "new" / "deep")) == []
    (tmp_path / "file").write_text("")
    assert list(directory_problems(tmp_path / "file")) == [f"{tmp_path / 'file'} is a file; name a folder"]
