"""Recordings at rest under the call's key: AES-256-GCM in chunks, so that nothing is on the disk in clear.

```
"SIPAREC1" | salt (16) | chunk 0 | chunk 1 | … | last chunk        chunk = 65 536 bytes of sound, + tag (16)
key   = HKDF-SHA256(call's key, salt, info "sipagent-ledger-recording-1")
nonce = chunk's number (8 bytes, big endian) | 0x00000001 for the last chunk, else 0
```
A missing, changed or swapped chunk, or a cut end, is an error and never silence.
"""

import contextlib
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sipagent.errors import LedgerError
from sipagent.ledger.files import sync_folder

MAGIC = b"SIPAREC1"
SUFFIX = ".sealed"
"""Behind the sound's own suffix: ``….wav.sealed``."""
CHUNK_BYTES = 65_536
_SALT_BYTES, _TAG_BYTES = 16, 16


def _cipher(secret: bytes, salt: bytes) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt, b"sipagent-ledger-recording-1").derive(secret)
    return AESGCM(derived)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(8, "big") + int(is_last).to_bytes(4, "big")


class SealedWriter:
    """Writes one sealed recording. One thread; ``close`` makes it whole."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """:raises OSError: the file cannot be made, or is there already."""
        self.path = path
        salt = os.urandom(_SALT_BYTES)
        self._cipher = _cipher(secret, salt)
        self._held = bytearray()
        self._number = 0
        self._hash = sha256()
        self.bytes_ = 0
        """Written so far."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(fd, "wb")
        self._put(MAGIC + salt)

    def __repr__(self) -> str:
        return f"SealedWriter({self.path}, {self.bytes_})"

    @property
    def sha256(self) -> str:
        """Of the file as it is on the disk: what ``recording.closed`` names."""
        return self._hash.hexdigest()

    def write(self, sound: bytes) -> None:
        """Append. :raises OSError: the disk does not take it."""
        self._held += sound
        while len(self._held) > CHUNK_BYTES:
            self._seal_chunk(CHUNK_BYTES, is_last=False)

    def close(self) -> None:
        """Write the last chunk, durably. Idempotent. :raises OSError: the disk does not take it."""
        if self._file.closed:
            return
        self._seal_chunk(len(self._held), is_last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        sync_folder(self.path.parent)

    def _seal_chunk(self, size_bytes: int, *, is_last: bool) -> None:
        chunk = bytes(self._held[:size_bytes])
        del self._held[:size_bytes]
        self._put(self._cipher.encrypt(_nonce(self._number, is_last=is_last), chunk, None))
        self._number += 1

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.bytes_ += len(data)


def unsealed(path: Path, secret: bytes, *, is_whole: bool = True) -> Iterator[bytes]:
    """The sound of a sealed recording, chunk by chunk.

    :param is_whole: False: of one that was cut short, the whole chunks.
    :raises LedgerError: not such a file, another key, or not whole.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC) + _SALT_BYTES)
            if len(head) < len(MAGIC) + _SALT_BYTES or not head.startswith(MAGIC):
                raise LedgerError(f"{path}: not a sealed recording")
            cipher = _cipher(secret, head[len(MAGIC) :])
            number = 0
            chunk = file.read(CHUNK_BYTES + _TAG_BYTES)
            while True:
                following = file.read(CHUNK_BYTES + _TAG_BYTES)
                yield cipher.decrypt(_nonce(number, is_last=not following), chunk, None)
                if not following:
                    return
                number, chunk = number + 1, following
    except InvalidTag:
        if not is_whole:
            yield from _if_not_last(cipher, number, chunk)
            return
        raise LedgerError(f"{path}: chunk {number} was changed or cut, or this is not its key") from None
    except OSError as exc:
        raise LedgerError(f"{path}: cannot be read: {exc.strerror}") from exc


def _if_not_last(cipher: AESGCM, number: int, chunk: bytes) -> Iterator[bytes]:
    """The chunk, where it is whole and others were to follow."""
    with contextlib.suppress(InvalidTag):
        yield cipher.decrypt(_nonce(number, is_last=False), chunk, None)
