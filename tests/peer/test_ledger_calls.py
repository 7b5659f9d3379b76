"""What real calls leave in the audit ledger of a real agent, and what it withstands."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.lab.softphone import Softphone
from sipagent.ledger import Kind, LedgerReader, parse_head
from tests.fakes.ledger import write_sample
from tests.peer.running_agent import ALONE, RunningAgent, running_agent, write_config
from tests.peer.spoken_call import greeted, talk

pytestmark = pytest.mark.peer

ONE_NUMBER = {"numbers": [{"match": "receptionist", "persona": "receptionist"}]}


def sipagent(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sipagent", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def in_ledger(folder: Path, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``sipagent ledger`` with the configuration of the agent in ``folder``."""
    return sipagent("ledger", command, "-c", folder / "sip.yaml", *words)


def bodies(folder: Path, kind: Kind) -> list[dict[str, object]]:
    """Of all entries of a kind; waits a moment for the first."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        entries = LedgerReader(folder / "ledger", None).entries()
        if found := [one.entry.body for one in entries if one.entry.kind == kind]:
            return found
        time.sleep(0.1)
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audited")


@pytest.fixture(scope="module")
def audited(folder: Path) -> Iterator[RunningAgent]:
    keep = f"sh -c 'cat >> {folder}/kept-heads'"
    with running_agent(folder, ONE_NUMBER | {"ledger.anchor.command": keep}) as started:
        yield started


def test_a_call_is_there_with_every_word_and_verifies(audited: RunningAgent, folder: Path) -> None:
    call_id = talk(audited)
    assert bodies(folder, Kind.CALL_ENDED)
    verified = in_ledger(folder, "verify")
    assert verified.returncode == 0, verified.stdout
    heard = next(e.facts["pii_text"] for e in audited.drain() if e.event == "turn.heard")
    shown = in_ledger(folder, "show", call_id).stdout
    assert f"caller: {heard}" in shown
    assert "agent: Maple Street Dental, how can I help?" in shown
    page = in_ledger(folder, "export", call_id, "--format", "html").stdout
    assert heard in page
    entries = LedgerReader(folder / "ledger", None).of_call(call_id)
    kinds = [one.entry.kind for one in entries]
    assert kinds[:3] == [Kind.CALL_STARTED, Kind.CALL_ANSWERED, Kind.CALL_MILESTONE]
    assert kinds[-1] == Kind.CALL_ENDED
    answer = next(one.entry.body for one in entries if "v2v_ms" in one.entry.body)
    assert isinstance(answer["v2v_ms"], int)
    assert set(answer) >= {"stamps_ms", "queued_ms", "interrupted", "turn_id"}
    ended = entries[-1].entry.body
    assert (ended["outcome"], ended["cause"], ended["sip_status"]) == ("conversation", "caller hung up", 200)
    assert heard.encode() not in b"".join(p.read_bytes() for p in (folder / "ledger/chains").rglob("*.jsonl"))


def test_heads_that_were_handed_on_show_a_cut_that_the_folder_does_not(
    audited: RunningAgent, folder: Path, tmp_path: Path
) -> None:
    before = len((folder / "kept-heads").read_text().splitlines())
    shutil.copytree(folder / "ledger", tmp_path / "earlier")
    talk(audited)
    deadline = time.monotonic() + 10
    while len(kept := (folder / "kept-heads").read_text().splitlines()) <= before:
        assert time.monotonic() < deadline, "the end of a call is a head"
        time.sleep(0.05)
    heads = f"@{folder}/kept-heads"
    verified = in_ledger(folder, "verify", "--head", heads)
    assert verified.returncode == 0, verified.stdout
    assert parse_head(kept[-1]).is_genuine
    copy = str(tmp_path / "earlier")
    assert "cut_tail" not in in_ledger(folder, "verify", "--from", copy).stdout
    assert "FOUND cut_tail" in in_ledger(folder, "verify", "--from", copy, "--head", heads).stdout


def test_what_the_server_runs_on_is_there(audited: RunningAgent, folder: Path) -> None:
    config = bodies(folder, Kind.CONFIG_IN_FORCE)[0]
    assert "smollm2-135m-instruct" in str(config["text"])
    files = bodies(folder, Kind.MODELS_IN_USE)[0]["files"]
    assert isinstance(files, dict)
    assert {str(name).partition("/")[0] for name in files} >= {"silero-vad", "smollm2-135m-instruct"}


def test_a_refused_call_is_there_with_its_rule(audited: RunningAgent, folder: Path) -> None:
    with Softphone() as phone:
        phone.call(audited.uri("+15550109999"))
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    refused = bodies(folder, Kind.CALL_REFUSED)
    assert [(body["sip_status"], body["rule"]) for body in refused] == [
        (404, "no entry of numbers matches the dialled number")
    ]
    found = json.loads(in_ledger(folder, "search", "--kind", "call.refused", "--json").stdout)
    assert found["dialled"] == "+15550109999"


def test_a_forgotten_caller_is_gone_and_the_chain_still_verifies(audited: RunningAgent, folder: Path) -> None:
    call_id = talk(audited)
    caller = json.loads(in_ledger(folder, "show", call_id, "--json").stdout.splitlines()[0])
    number = caller["personal"]["caller"]
    assert in_ledger(folder, "forget", "--caller", number).returncode == 0
    shown = in_ledger(folder, "show", call_id).stdout
    assert "caller: [forgotten]" in shown
    assert "Maple Street" not in shown
    verified = in_ledger(folder, "verify")
    assert verified.returncode == 0, verified.stdout


def test_a_second_server_on_the_same_ledger_does_not_start(
    audited: RunningAgent, folder: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path, {"ledger.dir": str(folder / "ledger")})
    refused = sipagent("serve", "-c", config)
    assert refused.returncode == 78
    reason = refused.stderr.strip().splitlines()[-1]
    assert reason.startswith(f"{config}:"), "the operator's last line is the reason, with file and line"
    assert "writes this chain" in reason


def test_a_killed_server_names_the_call_that_it_lost_and_a_flipped_byte_is_found(tmp_path: Path) -> None:
    write_sample(tmp_path / "ledger")
    changes = {"recording.enabled": True, "ledger.keep_days": 30}
    with running_agent(tmp_path, changes, program=ALONE) as agent, Softphone() as phone:
        forgot = agent.wait_for("ledger.forgot").facts
        assert (forgot["keys"], forgot["recordings"]) == (5, 3), "what is older goes by itself"
        greeted(phone, agent)
        call_id = agent.wait_for("call.started").facts["call_id"]
        assert agent.child.pid is not None
        os.kill(agent.child.pid, signal.SIGKILL)
        agent.wait_for("child.exited")
    with running_agent(tmp_path, changes, program=ALONE) as agent:
        lost = agent.wait_for("recording.dropped").facts
        assert (lost["call_id"], "cut short by a crash" in lost["reason"]) == (call_id, True)
        assert [body["open_calls"] for body in bodies(tmp_path, Kind.SERVER_CRASHED)] == [[call_id]]
        assert agent.child.pid is not None
        os.kill(agent.child.pid, signal.SIGTERM)
        agent.wait_for("child.exited")
    assert bodies(tmp_path, Kind.SERVER_STOPPED)[-1]["reason"] == "SIGTERM"
    verified = in_ledger(tmp_path, "verify", "--no-record")
    assert verified.returncode == 0, verified.stdout
    shutil.copytree(tmp_path / "ledger", tmp_path / "copy")
    segment = next((tmp_path / "copy" / "chains" / "main").glob("*.jsonl"))
    data = bytearray(segment.read_bytes())
    data[data.index(b"call.answered")] ^= 1
    segment.write_bytes(data)
    verified = in_ledger(tmp_path, "verify", "--from", str(tmp_path / "copy"))
    assert verified.returncode == 1
    assert "integrity:    BROKEN" in verified.stdout
