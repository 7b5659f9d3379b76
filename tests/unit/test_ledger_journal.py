"""The files: what a failing disk leaves, and what recovery makes of a file that was cut anywhere."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sipagent.errors import LedgerDamaged
from sipagent.ledger import journal as journal_module
from sipagent.ledger.chain import Line, NewSegment, SaveKey
from sipagent.ledger.files import write_all
from sipagent.ledger.identity import Head
from sipagent.ledger.journal import Journal, heads_path, segment_path
from sipagent.ledger.keystore import KeyStore, StoredKey
from sipagent.ledger.recover import recover
from tests.fakes.ledger_edits import segment

pytestmark = pytest.mark.golden

GOOD = Path(__file__).parents[1] / "golden" / "ledger" / "good"


def line(text: str, head: Head | None = None) -> Line:
    return Line(text.encode() + b"\n", None, head)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    (tmp_path / "chain").mkdir()
    return Journal(tmp_path / "chain", KeyStore(tmp_path / "keys", bytes(32)))


def failing(count: int, real: Callable[..., None], part_bytes: int = 0) -> Callable[[int, bytes], None]:
    """``write_all`` that writes a part and fails, ``count`` times."""
    left = [count]

    def write(fd: int, content: bytes) -> None:
        if left[0]:
            left[0] -= 1
            os.write(fd, content[:part_bytes])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd, content)

    return write


def test_a_line_that_was_written_in_part_is_cut_off_and_tried_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment_path(journal.folder, 1)
    journal.put(NewSegment(1), line("one"))
    journal.flush()
    monkeypatch.setattr(journal_module, "write_all", failing(2, write_all, 3))
    journal.put(line("two"), line("three"))
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            journal.flush()
        assert path.read_bytes() == b"one\n"
    assert journal.has_queued
    journal.flush()
    assert [one.data for one in journal.sync()] == [b"one\n", b"two\n", b"three\n"]
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    journal.close()


def test_after_a_failed_sync_everything_since_the_last_one_is_written_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment_path(journal.folder, 1)
    journal.put(NewSegment(1), line("one"))
    journal.flush()
    journal.sync()
    journal.put(line("two"))
    journal.flush()

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="Input/output"):
            journal.sync()
    assert journal.has_queued
    journal.put(line("three"))
    journal.flush()
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert [one.data for one in journal.sync()] == [b"two\n", b"three\n"]
    journal.close()


def test_a_key_is_on_the_disk_before_the_line_behind_it(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a folder")
    key = StoredKey("call", bytes(32), "2026-03-01T12:00:00.000Z")
    journal.put(NewSegment(1), SaveKey(key), line("sealed"))
    with pytest.raises(OSError, match=r"directory|exists"):
        journal.flush()
    assert segment_path(journal.folder, 1).read_bytes() == b""
    (tmp_path / "keys").unlink()
    journal.flush()
    assert [stored.key for stored in KeyStore(tmp_path / "keys", b"").find("call")] == [bytes(32)]
    assert segment_path(journal.folder, 1).read_bytes() == b"sealed\n"
    journal.close()


def test_a_segment_that_is_there_is_never_written_over(journal: Journal) -> None:
    segment_path(journal.folder, 1).write_bytes(b"evidence\n")
    journal.put(NewSegment(1), line("one"))
    with pytest.raises(OSError, match="there already"):
        journal.flush()
    assert segment_path(journal.folder, 1).read_bytes() == b"evidence\n"
    journal.close()


# --- recovery ---


def chain_of(tmp_path: Path, keep: int, size_bytes: int) -> Path:
    """The first ``keep`` segments of the sample, the last one cut to a size, without its heads."""
    folder = tmp_path / "main"
    folder.mkdir(exist_ok=True)
    for number in range(1, keep + 1):
        segment_path(folder, number).write_bytes(segment(GOOD, number).read_bytes())
        heads = heads_path(segment(GOOD, 1).parent, number).read_bytes() if number < keep else b""
        heads_path(folder, number).write_bytes(heads)
    os.truncate(segment_path(folder, keep), size_bytes)
    return folder


def test_cut_anywhere_the_whole_lines_are_kept_and_the_rest_is_set_aside(tmp_path: Path) -> None:
    content = segment(GOOD, 3).read_bytes()
    first_seq = 30
    ends = [index for index, byte in enumerate(content) if byte == ord("\n")]
    for size_bytes in sorted({*ends, *(end + 1 for end in ends), *range(0, len(content), 97)}):
        folder = chain_of(tmp_path, 3, size_bytes)
        found = recover(folder)
        whole = content[:size_bytes].rfind(b"\n") + 1
        rest = content[whole:size_bytes]
        assert found.state is not None
        entries = content[:whole].count(b"\n")
        assert found.state.seq == first_seq - 1 + entries
        assert [(aside.bytes_, (folder / aside.file).read_bytes()) for aside in found.set_aside] == (
            [(len(rest), rest)] if rest else []
        )
        assert found.state.segment == (3 if entries else 2)
        assert found.state.is_sealed == (entries == 0 or whole == len(content))
        for torn in folder.glob("*.torn-*"):
            torn.unlink()


def test_rubbish_between_is_set_aside_with_what_follows(tmp_path: Path) -> None:
    content = segment(GOOD, 3).read_bytes()
    folder = chain_of(tmp_path, 3, len(content))
    lines = content.splitlines(keepends=True)
    segment_path(folder, 3).write_bytes(b"".join([*lines[:4], bytes(4096), *lines[4:]]))
    found = recover(folder)
    assert found.state is not None
    assert found.state.seq == 33
    assert segment_path(folder, 3).read_bytes() == b"".join(lines[:4])
    assert found.set_aside[0].bytes_ == 4096 + sum(map(len, lines[4:]))


def test_open_calls_and_the_key_are_known_again(tmp_path: Path) -> None:
    lines = segment(GOOD, 2).read_bytes().splitlines(keepends=True)
    folder = chain_of(tmp_path, 2, sum(map(len, lines[:5])))
    found = recover(folder)
    assert found.state is not None
    assert list(found.state.open_calls) == ["call-2"]
    assert not found.is_clean
    assert len(found.state.key) == 64


def test_what_was_signed_and_is_gone_is_damage(tmp_path: Path) -> None:
    folder = chain_of(tmp_path, 3, 3000)
    heads_path(folder, 3).write_bytes(segment(GOOD, 3).with_suffix(".heads").read_bytes())
    with pytest.raises(LedgerDamaged, match=r"signed up to entry 43.*as evidence"):
        recover(folder)
    assert segment_path(folder, 3).stat().st_size == 3000
    assert not list(folder.glob("*.torn-*"))


def test_an_empty_folder_is_no_chain(tmp_path: Path) -> None:
    assert recover(tmp_path).state is None
