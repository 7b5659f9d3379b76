"""Nobody alters a ledger unnoticed: every edit by name and place, and every single byte."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from sipagent.errors import LedgerError
from sipagent.ledger import Fault, Head, LedgerReader, Report, Verdict, parse_head, read_public_key, verify
from sipagent.ledger.keystore import KeyStore
from tests.fakes.ledger_edits import EDITS, STRANGER_KEY, Edit, heads, segment

pytestmark = pytest.mark.golden

VECTORS = Path(__file__).parents[1] / "golden" / "ledger"
GOOD = VECTORS / "good"
STANDALONE = Path(__file__).parents[2] / "scripts" / "verify-ledger"
TRUSTED = read_public_key((VECTORS / "trusted.pem").read_text())
SAMPLE = 4
"""The newest segment, small: nothing behind it gives an edit away but the heads."""


@cache
def outside_head() -> Head:
    return parse_head((VECTORS / "head.txt").read_text())


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    shutil.copytree(GOOD, tmp_path / "ledger")
    return tmp_path / "ledger"


def places(report: Report) -> list[tuple[Fault, int, int]]:
    return [(one.fault, one.place.segment, one.place.line) for one in report.findings]


def test_the_sample_is_good() -> None:
    report = verify(GOOD, trusted_key=TRUSTED, heads=[outside_head()])
    assert report.findings == ()
    assert report.notes == ()
    assert report.recordings_checked == 3
    (chain,) = report.chains
    assert (chain.entries, chain.calls, chain.signed_seq, chain.is_closed) == (46, 3, 46, True)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_each_edit_is_found_named_and_placed(edit: Edit, ledger: Path) -> None:
    edit.apply(ledger)
    report = verify(ledger)
    found = places(report)
    assert any(
        fault is edit.finds and edit.segment in (0, number) and edit.line in (0, line)
        for fault, number, line in found
    ), report.findings
    verdicts = {one.fault.verdict for one in report.findings}
    assert report.is_intact == (Verdict.INTEGRITY not in verdicts)
    assert report.is_complete == (Verdict.COMPLETENESS not in verdicts)
    assert edit.finds.verdict in verdicts


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_vectors_are_what_the_verifier_says(edit: Edit) -> None:
    expected = json.loads((VECTORS / "expected.json").read_text())[edit.name]
    found = [one.as_json() for one in verify(VECTORS / "tampered" / edit.name).findings]
    assert found == expected
    assert found


def run_standalone(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, STANDALONE, folder, *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_standalone_verifier_agrees_on_every_vector() -> None:
    options = ("--trusted-key", str(VECTORS / "trusted.pem"), "--head", str(outside_head()))
    good = run_standalone(GOOD, *options)
    assert (good.returncode, good.stderr) == (0, "")
    assert "FOUND" not in good.stdout
    for edit in EDITS:
        done = run_standalone(VECTORS / "tampered" / edit.name)
        assert (done.returncode, done.stderr) == (1, ""), edit.name
        assert "FOUND" in done.stdout
    earlier = VECTORS / "tampered" / "cut-tail-and-heads"
    assert run_standalone(earlier).returncode == 0
    assert "FOUND cut_tail" in run_standalone(earlier, *options).stdout


def test_the_standalone_verifier_is_short() -> None:
    source = STANDALONE.read_text()
    assert source.count("\n") < 150
    modules = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import", "from"))
    }
    assert modules - set(sys.stdlib_module_names) == {"cryptography"}


def test_only_a_head_from_outside_sees_a_cut_together_with_its_heads() -> None:
    earlier = VECTORS / "tampered" / "cut-tail-and-heads"
    assert verify(earlier).is_good
    report = verify(earlier, heads=[outside_head()])
    assert [one.fault for one in report.findings] == [Fault.CUT_TAIL]
    assert report.is_intact


def test_a_ledger_of_a_stranger_is_not_trusted() -> None:
    report = verify(GOOD, trusted_key=STRANGER_KEY)
    assert [one.fault for one in report.findings] == [Fault.FOREIGN_SIGNATURE]


def test_a_head_that_nobody_signed_is_refused() -> None:
    forged = parse_head(str(outside_head()).replace(" 46 ", " 47 "))
    with pytest.raises(LedgerError, match="signature"):
        verify(GOOD, heads=[forged])


def test_a_head_of_a_chain_that_is_gone(ledger: Path) -> None:
    shutil.move(ledger / "chains" / "main", ledger / "chains" / "other")
    for path in (ledger / "chains" / "other").iterdir():
        path.unlink()
    report = verify(ledger, heads=[outside_head()])
    assert Fault.UNKNOWN_HEAD in [one.fault for one in report.findings]


def test_every_single_bit_of_a_segment_counts(ledger: Path) -> None:
    path = segment(ledger, SAMPLE)
    content = path.read_bytes()
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 1 << index % 8
        path.write_bytes(changed)
        report = verify(ledger, skips_recordings=True)
        assert not report.is_good, f"bit {index % 8} of byte {index}"


def test_every_byte_that_is_cut_off_a_segment_counts(ledger: Path) -> None:
    for number in (2, SAMPLE):
        path = segment(ledger, number)
        content = path.read_bytes()
        step = 1 if number == SAMPLE else 5
        for size_bytes in range(0, len(content), step):
            path.write_bytes(content[:size_bytes])
            report = verify(ledger, skips_recordings=True)
            assert not report.is_complete, f"segment {number} cut to {size_bytes} bytes"
        path.write_bytes(content)
    assert verify(ledger).is_good


def test_every_byte_of_the_heads_counts(ledger: Path) -> None:
    path = heads(ledger, SAMPLE)
    content = path.read_bytes()
    name = content.index(b"main")
    for index in range(len(content) - 1):
        if name <= index < name + 4:
            continue  # the chain's name stands there for people
        changed = bytearray(content)
        changed[index] ^= 1 << index % 8
        path.write_bytes(changed)
        faults = {one.fault for one in verify(ledger, skips_recordings=True).findings}
        assert faults, f"byte {index}"


@pytest.mark.parametrize("line", range(1, 13))
def test_every_line_that_is_taken_out_doubled_or_moved(line: int, ledger: Path) -> None:
    path = segment(ledger, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    index = line - 1
    edits = {
        Fault.REMOVED: lines[:index] + lines[index + 1 :],
        Fault.DUPLICATED: [*lines[: index + 1], lines[index], *lines[index + 1 :]],
        Fault.REORDERED: [*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]],
    }
    for fault, edited in edits.items():
        path.write_bytes(b"".join(edited))
        assert fault in {one.fault for one in verify(ledger, skips_recordings=True).findings}


def test_a_block_that_is_copied_moved_or_reversed(ledger: Path) -> None:
    path = segment(ledger, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    cases = {
        Fault.DUPLICATED: [*lines[:8], *lines[4:8], *lines[8:]],
        Fault.REORDERED: [*lines[:4], *reversed(lines[4:8]), *lines[8:]],
    }
    for fault, edited in cases.items():
        path.write_bytes(b"".join(edited))
        found = {one.fault for one in verify(ledger, skips_recordings=True).findings}
        assert found == {fault}


def test_a_line_of_rubbish_between_two_entries(ledger: Path) -> None:
    path = segment(ledger, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"rubbish\n", *lines[4:]]))
    assert places(verify(ledger)) == [(Fault.INSERTED, 2, 5)]


def test_several_edits_are_all_found(ledger: Path) -> None:
    for name in ("changed", "replaced-recording"):
        next(edit for edit in EDITS if edit.name == name).apply(ledger)
    path = segment(ledger, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5] + lines[6:]))
    faults = {one.fault for one in verify(ledger).findings}
    assert faults == {Fault.CHANGED, Fault.REPLACED_RECORDING, Fault.REMOVED}


def test_swapped_files_are_found(ledger: Path) -> None:
    first, second = segment(ledger, 2), segment(ledger, 3)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert Fault.REORDERED in {found.fault for found in verify(ledger).findings}


def test_a_line_without_an_end_does_not_fill_the_memory(ledger: Path) -> None:
    with segment(ledger, SAMPLE).open("ab") as file:
        file.truncate(64 << 20)
    assert not verify(ledger, skips_recordings=True).is_good


def test_personal_fields_open_with_the_keys_and_only_with_them(ledger: Path) -> None:
    expected = {
        line["seq"]: line["personal"]
        for line in map(json.loads, (VECTORS / "unsealed.jsonl").read_text().splitlines())
    }
    reader = LedgerReader(ledger, KeyStore(ledger / "keys", b""))
    sealed = [one for one in reader.entries() if one.entry.personal is not None]
    assert {one.entry.seq: reader.personal(one) for one in sealed} == expected
    assert len(expected) == 23
    chain = b"".join(path.read_bytes() for path in (ledger / "chains").rglob("*") if path.is_file())
    for secret in (b"toothache", b"15550100123", b"two thirty", b"192.0.2.7"):
        assert secret not in chain
    shutil.rmtree(ledger / "keys")
    fresh = KeyStore(ledger / "keys", b"")
    assert not any(LedgerReader(ledger, keys).personal(one) for keys in (None, fresh) for one in sealed)
    assert verify(ledger).is_good


def test_no_ledger_there(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger here"):
        verify(tmp_path)
