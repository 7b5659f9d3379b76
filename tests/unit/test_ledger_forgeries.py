"""Who has the disk and not the key writes entries whose hashes fit: both verifiers must see through them."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sipagent.ledger import Fault, verify
from sipagent.ledger.identity import head_statement
from tests.fakes.ledger_edits import STRANGER, STRANGER_KEY, heads, lines_of, rehashed, segment, sha256_of

pytestmark = pytest.mark.golden

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "tests" / "golden" / "ledger" / "good"
LAST = 4
Forge = Callable[[Path], None]
_BEGIN = b'{"at_ms":1,"at_utc":"2026-03-01T00:00:00.000Z","body":'


def append(folder: Path, **fields: object) -> None:
    last = json.loads(lines_of(segment(folder, LAST))[-1])
    forged = {**last, "call": None, "prev": last["sha256"], "seq": last["seq"] + 1, **fields}
    with segment(folder, LAST).open("ab") as file:
        file.write(rehashed(forged))


def append_raw(folder: Path, begin: bytes, kind: str, seq: str = "") -> None:
    """A line that is no JSON, but ends like an entry and has a fitting hash."""
    last = json.loads(lines_of(segment(folder, LAST))[-1])
    prev, number = last["sha256"], seq or last["seq"] + 1
    end = f',"call":null,"kind":"{kind}","personal":null,"prev":"{prev}","seq":{number}'
    hashed = begin + end.encode()
    sha256 = hashlib.sha256(hashed + b"}").hexdigest()
    with segment(folder, LAST).open("ab") as file:
        file.write(hashed + f',"sha256":"{sha256}"}}\n'.encode())


def delete_recording(folder: Path) -> str:
    path = sorted((folder / "recordings").rglob("*.wav"))[0]
    path.unlink()
    return path.relative_to(folder / "recordings").as_posix()


def excuse(file: str) -> dict[str, object]:
    return {"calls": [], "erasure": "e", "files": [file], "reason": "recordings_age"}


def own_erasure(folder: Path) -> None:
    append(folder, kind="ledger.erasing", body=excuse(delete_recording(folder)))
    append(folder, kind="ledger.erased", body={"erasure": "e"})


def foreign_chain(folder: Path) -> None:
    """A whole chain, signed by a key of the forger's own, that excuses the recording."""
    chain_id, lines, prev = "0" * 32, list[bytes](), "0" * 64
    opened = {"chain": "admin", "chain_id": chain_id, "format": 1, "instance": "x", "key": STRANGER_KEY}
    bodies: list[tuple[str, dict[str, object]]] = [
        ("segment.opened", {**opened, "open_calls": [], "segment": 1}),
        ("ledger.erasing", excuse(delete_recording(folder))),
        ("ledger.erased", {"erasure": "e"}),
        ("checkpoint", {"key": STRANGER_KEY, "reason": "closed"}),
    ]
    for seq, (kind, body) in enumerate(bodies, start=1):
        if kind == "checkpoint":
            body["signature"] = STRANGER.sign(head_statement(chain_id, seq - 1, prev)).hex()
        fields = {
            "at_ms": seq,
            "at_utc": "2026-03-01T00:00:00.000Z",
            "body": body,
            "call": None,
            "kind": kind,
        }
        lines.append(rehashed({**fields, "personal": None, "prev": prev, "seq": seq}))
        prev = sha256_of(lines[-1])
    signature = STRANGER.sign(head_statement(chain_id, 4, prev)).hex()
    chain = folder / "chains" / "admin"
    chain.mkdir()
    (chain / "00000001.jsonl").write_bytes(b"".join(lines))
    (chain / "00000001.heads").write_text(
        f"sipagent-head-1 admin {chain_id} 4 {prev} {STRANGER_KEY} {signature}\n"
    )


def split_segment(folder: Path) -> None:
    first, *rest = lines_of(segment(folder, LAST))
    segment(folder, LAST).write_bytes(first)
    segment(folder, LAST + 1).write_bytes(b"".join(rest))


def rename_chain(folder: Path) -> None:
    (folder / "chains" / "main").rename(folder / "chains" / "other")


def copy_chain(folder: Path) -> None:
    shutil.copytree(folder / "chains" / "main", folder / "chains" / "other")


def renumber_segment(folder: Path) -> None:
    heads(folder, LAST).rename(heads(folder, 9))
    segment(folder, LAST).rename(segment(folder, 9))


FORGERIES: dict[str, tuple[Forge, Fault]] = {
    "no json": (lambda f: append_raw(f, b"rubbish", "turn.caller"), Fault.CHANGED),
    "no json, signed kind": (lambda f: append_raw(f, _BEGIN + b"{]", "checkpoint"), Fault.CHANGED),
    "body is a list": (lambda f: append_raw(f, _BEGIN + b"[]", "checkpoint"), Fault.CHANGED),
    "nested": (lambda f: append_raw(f, _BEGIN + b'{"a":' * 99_999, "checkpoint"), Fault.CHANGED),
    "endless number": (lambda f: append_raw(f, _BEGIN + b"{}", "checkpoint", "9" * 5000), Fault.CHANGED),
    "call is a list": (lambda f: append(f, kind="call.started", call=["x"], body={}), Fault.CHANGED),
    "names are objects": (
        lambda f: append(f, kind="ledger.erasing", body={"calls": [{}], "erasure": "e", "files": []}),
        Fault.CHANGED,
    ),
    "erasure that nobody signed": (own_erasure, Fault.MISSING_RECORDING),
    "chain of a stranger": (foreign_chain, Fault.FOREIGN_SIGNATURE),
    "erasure without its end": (
        lambda f: append(f, kind="ledger.erasing", body=excuse("x")),
        Fault.UNFINISHED_ERASURE,
    ),
    "split segment": (split_segment, Fault.REORDERED),
    "renamed chain": (rename_chain, Fault.REORDERED),
    "copied chain": (copy_chain, Fault.DUPLICATED),
    "renumbered segment": (renumber_segment, Fault.REORDERED),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_named_by_the_verifier_and_found_by_the_other(name: str, tmp_path: Path) -> None:
    forge, fault = FORGERIES[name]
    folder = tmp_path / "ledger"
    shutil.copytree(GOOD, folder)
    forge(folder)
    assert fault in {one.fault for one in verify(folder).findings}
    command = [sys.executable, str(ROOT / "scripts" / "verify-ledger"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr, "FOUND" in done.stdout) == (1, "", True)


def test_a_crash_that_cost_the_newest_head_is_no_cut(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    shutil.copytree(GOOD, folder)
    segment(folder, LAST).unlink()
    heads(folder, LAST).unlink()
    lines = lines_of(heads(folder, 3))
    newest = int(lines[-1].split()[3])
    kept = [line for line in lines_of(segment(folder, 3)) if json.loads(line)["seq"] <= newest]
    segment(folder, 3).write_bytes(b"".join(kept))
    heads(folder, 3).write_bytes(b"".join(lines[:-1]))
    assert Fault.CUT_HEADS not in {one.fault for one in verify(folder).findings}
    command = [sys.executable, str(ROOT / "scripts" / "verify-ledger"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "FOUND cut_heads" not in done.stdout
