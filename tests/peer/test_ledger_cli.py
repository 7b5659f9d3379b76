"""``sipagent ledger``: from the command line, and what forgetting leaves."""

import argparse
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sipagent.call.tape import SealedFile
from sipagent.cli import ledger as command
from sipagent.cli.main import main
from sipagent.config.recording import RecordingFormat
from sipagent.errors import ConfigError, LedgerError
from sipagent.ledger import SUFFIX, Eraser, Kind, Ledger, LedgerReader, verify
from sipagent.ledger.files import destroy
from sipagent.ledger.keystore import KeyStore
from sipagent.media.recorder_formats import open_encoder, suffix_of
from tests.fakes.ledger import CALLER, QUIET, write_call, write_sample
from tests.fakes.ledger_edits import EDITS
from tests.peer.running_agent import write_config

pytestmark = pytest.mark.peer

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sample(tmp_path / "ledger")
    return tmp_path / "ledger"


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_it(*words: str) -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        command.register(parser.add_subparsers())
        args = parser.parse_args(["ledger", words[0], "--dir", str(folder), *words[1:]])
        capsys.readouterr()
        status: int = args.run(args)
        return status, capsys.readouterr().out

    return run_it


def test_verify_says_what_it_found_and_writes_down_that_it_looked(run: Run, folder: Path) -> None:
    status, out = run("verify")
    assert (status, "integrity:    intact" in out, "completeness: complete" in out) == (0, True, True)
    EDITS[0].apply(folder)
    status, out = run("verify", "--json")
    told = json.loads(out)
    assert (status, told["intact"], told["complete"]) == (1, False, True)
    assert told["findings"][0]["finding"] == "changed"
    assert told["findings"][0]["segment"] == 2
    seen = [one.entry.body for one in LedgerReader(folder, None).entries(chain="admin")]
    assert [body["intact"] for body in seen if "intact" in body] == [True, False]


def test_a_copy_is_only_read(run: Run, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "copy").rglob("*"))
    status, _ = run("verify", "--from", str(tmp_path / "copy"))
    assert status == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "copy").rglob("*")) == before


def test_heads_and_key_from_elsewhere(run: Run, folder: Path, tmp_path: Path) -> None:
    status, out = run("head")
    assert status == 0
    (tmp_path / "kept").write_text(out)
    key = folder / "identity" / "instance.pub"
    assert run("verify", "--head", f"@{tmp_path / 'kept'}", "--trusted-key", str(key))[0] == 0
    assert run("verify", "--head", out.strip(), "--trusted-key", "ab" * 32)[0] == 1
    with pytest.raises(LedgerError, match="not a head"):
        run("verify", "--head", "rubbish")


def test_a_rotated_key_is_trusted_through_the_old_one_and_back(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.pem"
    shutil.copy(folder / "identity" / "instance.pub", old)
    status, out = run("rotate-key")
    assert (status, len(out.strip())) == (0, 64)
    assert run("verify", "--no-record")[0] == 0
    with Ledger.open(folder, "test", limits=QUIET) as ledger:
        write_call(ledger, "call-9")
    for key in (old, folder / "identity" / "instance.pub"):
        assert run("verify", "--no-record", "--trusted-key", str(key))[0] == 0
    kinds = [one.entry.kind for one in LedgerReader(folder, None).entries(chain="main")]
    assert kinds.count("key.rotated") == 1


def test_show_tail_search_export(run: Run, tmp_path: Path) -> None:
    assert "caller: I have a toothache, number 2. Ñandú" in run("show", "call-1")[1]
    assert "[sealed]" in run("tail", "--chain", "main")[1]
    assert "toothache" not in run("tail", "-n", "50")[1]
    assert "toothache" in run("tail", "-n", "50", "--personal")[1]
    assert [line.split()[1] for line in run("search", "TOOTHACHE")[1].splitlines()] == [
        "call-1",
        "call-2",
        "call-3",
    ]
    found = run("search", "--caller", "+1 555 010 0456", "--kind", "turn.agent", "--json")[1]
    assert json.loads(found)["call_id"] == "call-2"
    assert run("search", "--since", "2027-01-01") == (1, "")
    assert run("search", "--until", "2026-03-01T12:00:00.100Z")[1].count("\n") == 1
    assert run("export", "--format", "csv")[1].count("\n") == 5
    assert json.loads(run("export", "call-3", "--format", "json")[1])["call_id"] == "call-3"
    page = tmp_path / "call.html"
    assert run("export", "call-1", "--format", "html", "-o", str(page))[0] == 0
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert run("export", "--format", "html")[0] == 2
    with pytest.raises(LedgerError, match="no call nobody"):
        run("show", "nobody")


def test_without_a_folder_it_is_that_of_the_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SIPAGENT_LEDGER_DIR", raising=False)
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    config = write_config(folder.parent)
    args = parser.parse_args(["ledger", "tail", "-c", str(config)])
    assert args.run(args) == 0
    assert "main/" in capsys.readouterr().out
    config.unlink()
    with pytest.raises(ConfigError, match=r"sip\.yaml"):
        args.run(args)


def test_a_caller_is_forgotten_and_the_chain_still_verifies(run: Run, folder: Path) -> None:
    status, out = run("forget", "--caller", "+1 (555) 010-0123", "--dry-run")
    assert (status, out) == (0, "call-1\ncall-3\n")
    assert "toothache" in run("show", "call-1")[1]
    assert run("forget", "--caller", "+1 (555) 010-0123")[0] == 0
    for call in ("call-1", "call-3"):
        shown = run("show", call)[1]
        assert "toothache" not in shown
        assert CALLER not in shown
        assert "500 ms" in shown
    assert "toothache" in run("show", "call-2")[1]
    assert len([path for path in (folder / "recordings").rglob("*") if path.is_file()]) == 1
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert CALLER.encode() not in everything
    report = verify(folder)
    assert report.findings == ()
    assert run("forget", "--caller", CALLER)[0] == 1
    bodies = {one.entry.kind: one.entry.body for one in LedgerReader(folder, None).entries(chain="admin")}
    assert bodies["ledger.erasing"]["calls"] == ["call-1", "call-3"]
    assert bodies["ledger.erasing"]["reason"] == "caller"
    assert (bodies["ledger.erased"]["keys_destroyed"], bodies["ledger.erased"]["recordings_deleted"]) == (
        2,
        2,
    )


def test_a_call_is_forgotten_while_a_server_writes(run: Run, folder: Path) -> None:
    with Ledger.open(folder, "test", limits=QUIET) as server:
        call = server.call("call-9", [CALLER])
        call.append(Kind.CALL_STARTED, {}, sealed={"caller": CALLER}, durable=True)
        assert run("forget", "--call", "call-9")[0] == 0
        call.append(Kind.TURN_CALLER, {}, sealed={"text": "after"}, durable=True)
        call.end({})
    assert "[forgotten]" in run("show", "call-9")[1]
    assert verify(folder).is_good


def test_retention_forgets_by_age(run: Run, folder: Path) -> None:
    with Ledger.open(folder, "test", limits=QUIET) as ledger:
        write_call(ledger, "new-call")
    assert run("retain", "--days", "30")[0] == 0
    assert "[forgotten]" in run("show", "call-1")[1]
    assert "toothache" in run("show", "new-call")[1]
    assert "192.0.2.7" not in run("tail", "-n", "99", "--personal")[1]
    assert verify(folder).is_good
    with pytest.raises(LedgerError, match="--days"):
        run("retain", "--days", "0")


def test_recordings_keep_within_their_limit_oldest_first(folder: Path) -> None:
    with Ledger.open(folder, "test", chain="admin") as ledger:
        sizes = {path: path.stat().st_size for path in sorted(ledger.recordings.glob("*/*"), reverse=True)}
        for age, path in enumerate(sizes):
            os.utime(path, (age, age))
        done = Eraser(ledger).trim_recordings(sum(sizes.values()) - 1)
    assert done.recordings == 1
    assert not next(iter(sizes)).exists()
    report = verify(folder)
    assert report.findings == ()
    assert report.recordings_checked == 2


def test_without_a_number_of_days_the_configuration_has_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, {"ledger": {"dir": str(folder), "keep_days": 30}})
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    args = parser.parse_args(["ledger", "retain", "-c", str(config), "--dry-run"])
    assert args.run(args) == 0
    assert "call-1" in capsys.readouterr().out.split()


def test_recordings_may_go_before_the_words(run: Run, folder: Path) -> None:
    assert run("retain", "--recordings-days", "30")[0] == 0
    assert not [path for path in (folder / "recordings").rglob("*") if path.is_file()]
    assert "toothache" in run("show", "call-1")[1]
    assert verify(folder).is_good
    with pytest.raises(LedgerError, match="--recordings-days"):
        run("retain", "--recordings-days", "0")


@pytest.mark.parametrize("format_", ["wav", "g711", "flac"])
def test_a_sealed_recording_is_exported_for_any_player(
    run: Run, folder: Path, tmp_path: Path, format_: RecordingFormat
) -> None:
    sound = (np.random.default_rng(5).standard_normal((16_000 * 5, 2)) * 900).astype(np.int16)
    with Ledger.open(folder, "test", limits=QUIET) as ledger:
        call = ledger.call("call-9")
        call.append(Kind.CALL_STARTED, {}, durable=True)
        path = call.recording_path(suffix_of(format_) + SUFFIX)
        sealed = SealedFile(path, call.secret)
        encoder = open_encoder(format_, sealed)
        encoder.push(sound)
        encoder.finish()
        body = {"file": ledger.recording_name(path), "sha256": sealed.close(), "bytes": sealed.bytes_}
        call.append(Kind.RECORDING_CLOSED, body)
        call.end({})
    out = tmp_path / "out"
    assert run("export", "call-9", "--format", "recording", "-o", str(out))[0] == 0
    assert out.stat().st_mode & 0o777 == 0o600
    heard, rate_hz = soundfile.read(io.BytesIO(out.read_bytes()), dtype="int16")
    assert heard.shape == (5 * rate_hz, 2)
    assert format_ == "g711" or np.array_equal(heard, sound)
    assert run("export", "call-9", "--format", "recording")[0] == 2
    assert run("export", "--format", "recording", "-o", str(out))[0] == 2
    with pytest.raises(LedgerError, match="was not recorded"):
        run("export", "call-4", "--format", "recording", "-o", str(out))
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(LedgerError, match="changed"):
        run("export", "call-9", "--format", "recording", "-o", str(tmp_path / "changed"))
    assert not (tmp_path / "changed").exists()
    run("forget", "--call", "call-9")
    with pytest.raises(LedgerError, match="was deleted"):
        run("export", "call-9", "--format", "recording", "-o", str(tmp_path / "changed"))


def test_an_erasure_that_was_cut_short_is_seen_and_finished(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(path: Path) -> bool:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("sipagent.ledger.keystore.destroy", crash)
        with pytest.raises(LedgerError, match="run sipagent ledger retain"):
            run("forget", "--caller", CALLER)
    assert [one.fault.value for one in verify(folder).findings] == ["unfinished_erasure"]
    assert run("retain")[0] == 0
    assert verify(folder).findings == ()
    assert "[forgotten]" in run("show", "call-1")[1]


def test_an_erasure_touches_nothing_outside(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with Ledger.open(folder, "test", chain="admin") as ledger:
        body = {"erasure": "e", "calls": [], "files": ["../../precious", str(tmp_path / "precious")]}
        ledger.append(Kind.LEDGER_ERASING, body, durable=True)
        Eraser(ledger).finish_interrupted()
    assert (tmp_path / "precious").exists()


def test_destroying_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"):
        destroy(tmp_path / "link")
    assert (tmp_path / "precious").read_text() == "x"


def test_the_store_of_keys_forgets_for_good(folder: Path) -> None:
    keys = KeyStore(folder / "keys", b"")
    assert len(keys.find("call-1")) == 1
    with Ledger.open(folder, "test", chain="admin") as ledger:
        Eraser(ledger).forget(["call-1"], reason="test")
    assert keys.find("call-1") == []
    assert len(list(folder.glob("keys/*/*.key"))) == 4


def test_the_benchmark_prints_what_an_entry_costs_and_how_fast_a_ledger_is_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "bench",
        "ledger",
        "--appends",
        "60",
        "--calls",
        "2",
        "--verify-mib",
        "2",
        "--out",
        str(tmp_path),
    ]
    assert main([*words, "--json"]) in (0, 1)  # slow machines are no fault
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["append_p50_us"] <= told["append_p99_us"]
    assert 0 < told["durable_p50_us"] <= told["durable_p99_us"]
    assert told["verify"]["is_good"]
    assert told["verify"]["mib"] >= 2
    assert told["verify"]["calls"] > 50
    main(words)
    assert "append, no fsync  p50" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
