"""What somebody with the disk in his hands may do to a ledger, one function each, and what must be found."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipagent.ledger import Fault
from sipagent.ledger.entry import canonical
from sipagent.ledger.identity import head_statement

STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER_KEY = STRANGER.public_key().public_bytes_raw().hex()
Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Edit:
    """One way to tamper."""

    name: str
    apply: Callable[[Path], None]
    finds: Fault
    segment: int = 0
    line: int = 0
    """Where it must be found; 0: anywhere."""


def segment(folder: Path, number: int) -> Path:
    """File of a segment of the sample."""
    return folder / "chains" / "main" / f"{number:08d}.jsonl"


def heads(folder: Path, number: int) -> Path:
    """File of its heads."""
    return segment(folder, number).with_suffix(".heads")


def lines_of(path: Path) -> list[bytes]:
    """Lines with their newlines."""
    return path.read_bytes().splitlines(keepends=True)


def rehashed(fields: Fields) -> bytes:
    """An entry with a hash of its own, as anybody can make one."""
    bare = {key: value for key, value in fields.items() if key != "sha256"}
    sha256 = hashlib.sha256(canonical(bare)).hexdigest()
    return canonical({**bare, "sha256": sha256}) + b"\n"


def sha256_of(line: bytes) -> str:
    """The hash that a line bears."""
    return str(json.loads(line)["sha256"])


def _changed(folder: Path) -> None:
    path = segment(folder, 2)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"ring_ms":120', b'"ring_ms":121', 1))


def _rehashed(folder: Path) -> None:
    path = segment(folder, 2)
    lines = lines_of(path)
    fields = json.loads(lines[3])
    fields["body"] = {"changed": True}
    lines[3] = rehashed(fields)
    path.write_bytes(b"".join(lines))


def _rewritten(folder: Path) -> None:
    """Changes one entry and makes every later hash of the chain anew, without the key."""
    prev = ""
    for number in range(2, 5):
        path = segment(folder, number)
        lines = lines_of(path)
        for index, line in enumerate(lines):
            fields = json.loads(line)
            if number == 2 and index == 3:
                fields["body"] = {"changed": True}
            if prev:
                fields["prev"] = prev
            if prev or (number == 2 and index == 3):
                lines[index] = rehashed(fields)
                prev = sha256_of(lines[index])
        path.write_bytes(b"".join(lines))


def _removed(folder: Path) -> None:
    path = segment(folder, 2)
    lines = lines_of(path)
    del lines[4]
    path.write_bytes(b"".join(lines))


def _removed_segment(folder: Path) -> None:
    segment(folder, 2).unlink()
    heads(folder, 2).unlink()


def _inserted(folder: Path) -> None:
    path = segment(folder, 2)
    lines = lines_of(path)
    before = json.loads(lines[3])
    forged = {**before, "body": {"forged": True}, "prev": before["sha256"], "seq": before["seq"] + 1}
    lines.insert(4, rehashed(forged))
    path.write_bytes(b"".join(lines))


def _reordered(folder: Path) -> None:
    path = segment(folder, 2)
    lines = lines_of(path)
    lines[4], lines[5] = lines[5], lines[4]
    path.write_bytes(b"".join(lines))


def _duplicated(folder: Path) -> None:
    path = segment(folder, 2)
    lines = lines_of(path)
    lines.insert(5, lines[4])
    path.write_bytes(b"".join(lines))


def _cut_tail(folder: Path) -> None:
    path = segment(folder, 4)
    path.write_bytes(b"".join(lines_of(path)[:-1]))


def cut_tail_and_heads(folder: Path) -> None:
    """Back to an earlier state of everything: only a head from outside can tell."""
    shutil.rmtree(folder / "recordings")
    segment(folder, 4).unlink()
    heads(folder, 4).unlink()
    for number in (3, 2):
        segment(folder, number).unlink()
        heads(folder, number).unlink()
    path = segment(folder, 1)
    lines = lines_of(path)[:2]
    path.write_bytes(b"".join(lines))
    kept = heads(folder, 1).read_text().splitlines()[:1]
    heads(folder, 1).write_text("\n".join(kept) + "\n")


def _torn(folder: Path) -> None:
    path = segment(folder, 4)
    path.write_bytes(path.read_bytes()[:-40])


def _cut_heads(folder: Path) -> None:
    for number in (2, 3, 4):
        heads(folder, number).write_bytes(b"")


def _foreign(folder: Path) -> None:
    """A checkpoint by another key, everything behind it thrown away, with heads to fit."""
    path = segment(folder, 3)
    lines = lines_of(path)
    index = next(i for i, line in enumerate(lines) if b'"kind":"checkpoint"' in line)
    fields = json.loads(lines[index])
    chain_id = json.loads(lines_of(segment(folder, 1))[0])["body"]["chain_id"]
    statement = head_statement(chain_id, fields["seq"] - 1, fields["prev"])
    fields["body"] |= {"key": STRANGER_KEY, "signature": STRANGER.sign(statement).hex()}
    path.write_bytes(b"".join([*lines[:index], rehashed(fields)]))
    heads(folder, 3).write_bytes(b"")
    segment(folder, 4).unlink()
    heads(folder, 4).unlink()


def _replaced_recording(folder: Path) -> None:
    sorted((folder / "recordings").glob("*/*"))[0].write_bytes(b"another sound")


def _missing_recording(folder: Path) -> None:
    sorted((folder / "recordings").glob("*/*"))[0].unlink()


EDITS = (
    Edit("changed", _changed, Fault.CHANGED, 2, 3),
    Edit("rehashed", _rehashed, Fault.REWRITTEN, 2, 4),
    Edit("rewritten", _rewritten, Fault.REWRITTEN, 2),
    Edit("removed", _removed, Fault.REMOVED, 2, 5),
    Edit("removed-segment", _removed_segment, Fault.REMOVED, 3, 1),
    Edit("inserted", _inserted, Fault.INSERTED, 2, 5),
    Edit("reordered", _reordered, Fault.REORDERED, 2, 5),
    Edit("duplicated", _duplicated, Fault.DUPLICATED, 2, 6),
    Edit("cut-tail", _cut_tail, Fault.CUT_TAIL, 4),
    Edit("torn-tail", _torn, Fault.TORN_TAIL, 4),
    Edit("cut-heads", _cut_heads, Fault.CUT_HEADS, 4),
    Edit("foreign-signature", _foreign, Fault.FOREIGN_SIGNATURE, 3),
    Edit("replaced-recording", _replaced_recording, Fault.REPLACED_RECORDING),
    Edit("missing-recording", _missing_recording, Fault.MISSING_RECORDING),
)
