"""``sipagent ledger export CALL --format recording``: a call's sound, opened with its key, for any player."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger import SUFFIX, Kind, LedgerReader, unsealed
from sipagent.ledger.keystore import KeyStore
from sipagent.media.recorder_mend import mend_stream, mended_chunks

_READ_BYTES = 1 << 20


def export_recording(folder: Path, call_id: str, out: Path) -> int:
    """Write the recording of a call to a file that only its owner may read.

    :raises LedgerError: there is none, its key is gone, or the file cannot be written.
    """
    path = _recording_of(folder, call_id)
    chunks = _chunks_of(folder, call_id, path)
    found = mend_stream(chunks())
    try:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            for chunk in mended_chunks(chunks(), found):
                file.write(chunk)
    except OSError as exc:
        raise LedgerError(f"{out}: cannot be written: {exc.strerror}") from exc
    kind = Path(path.name.removesuffix(SUFFIX)).suffix
    print(f"{found.duration_ms / 1000:.1f} s of {kind.lstrip('.').upper()}", file=sys.stderr)
    return 0


def _recording_of(folder: Path, call_id: str) -> Path:
    entries = [one.entry for one in LedgerReader.open(folder).of_call(call_id)]
    if not entries:
        raise LedgerError(f"{folder}: no call {call_id}; sipagent ledger search lists the calls")
    files = [str(entry.body.get("file")) for entry in entries if entry.kind == Kind.RECORDING_CLOSED]
    if not files:
        raise LedgerError(f"call {call_id}: was not recorded; sipagent ledger show {call_id} says why")
    path = folder / "recordings" / files[-1]
    if not path.is_file():
        raise LedgerError(f"call {call_id}: its recording {files[-1]} was deleted")
    return path


def _chunks_of(folder: Path, call_id: str, path: Path) -> Callable[[], Iterator[bytes]]:
    """Reads the sound, each time anew."""
    if not path.name.endswith(SUFFIX):
        return lambda: _blocks_of(path)
    for stored in KeyStore(folder / "keys", b"").find(call_id):
        try:
            next(unsealed(path, stored.key))
        except LedgerError:
            continue  # an id that came twice has two keys
        key = stored.key
        return lambda: unsealed(path, key)
    raise LedgerError(f"call {call_id}: no key opens {path}: the call was forgotten, or the file was changed")


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            yield block
