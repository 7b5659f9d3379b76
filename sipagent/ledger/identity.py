"""Who signs: the instance's Ed25519 key, its successors, and what is signed.

``DIR/identity/`` holds ``instance.key`` (PEM, mode 0600), ``instance.pub`` for auditors, ``succession.jsonl``
(how each key followed another) and ``lookup.key`` (see ``keystore``). All chains of an installation
share it; a running process notices a new key by the file's stamp.
"""

import contextlib
import json
import os
import re
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sipagent.errors import LedgerError
from sipagent.ledger.entry import canonical
from sipagent.ledger.files import private_folder, replace_with, sync_folder, write_all, write_new

HEAD_WORD = "sipagent-head-1"
_HEAD = re.compile(
    rf"{HEAD_WORD} (\S+) ([0-9a-f]+) ([1-9][0-9]*) ([0-9a-f]{{64}}) ([0-9a-f]{{64}}) ([0-9a-f]{{128}})"
)
_RECORD = frozenset({"old_key", "new_key", "signature", "confirmation"})
KEY_NAME, PUBLIC_NAME, SUCCESSION_NAME = "instance.key", "instance.pub", "succession.jsonl"


@dataclass(frozen=True, slots=True)
class Head:
    """A signed statement: this chain has this entry at this place."""

    chain: str
    """Its name: for people, not signed."""
    chain_id: str
    seq: int
    sha256: str
    key: str
    """Public key, hex."""
    signature: str

    def __str__(self) -> str:
        return (
            f"{HEAD_WORD} {self.chain} {self.chain_id} {self.seq} {self.sha256} {self.key} {self.signature}"
        )

    @property
    def is_genuine(self) -> bool:
        """Does the signature fit the key and the statement?"""
        return verifies(self.key, self.signature, head_statement(self.chain_id, self.seq, self.sha256))


def parse_head(text: str) -> Head:
    """Back from ``str(head)``.

    :raises ValueError: not a head.
    """
    match = _HEAD.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a head: expected '{HEAD_WORD} CHAIN ID SEQ SHA256 KEY SIGNATURE'")
    chain, chain_id, seq, sha256, key, signature = match.groups()
    return Head(chain, chain_id, int(seq), sha256, key, signature)


def head_statement(chain_id: str, seq: int, sha256: str) -> bytes:
    """What a head's signature is over."""
    return f"{HEAD_WORD}\n{chain_id}\n{seq}\n{sha256}\n".encode()


def succession_statement(old_key: str, new_key: str) -> bytes:
    """What both keys sign when the old one hands over: whoever trusts one can trust the other."""
    return f"sipagent-key-1\n{old_key}\n{new_key}\n".encode()


def verifies(key: str, signature: str, statement: bytes) -> bool:
    """Is this hex ``signature`` the hex ``key``'s, over ``statement``?"""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), statement)
    except (ValueError, InvalidSignature):
        return False
    return True


def read_public_key(text: str) -> str:
    """A public key as hex, from PEM or from hex.

    :raises LedgerError: neither.
    """
    stripped = text.strip()
    try:
        if not stripped.startswith("-----"):
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(stripped))
            return stripped.lower()
        public = load_pem_public_key(stripped.encode())
    except ValueError:
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise LedgerError("trusted key: expected an Ed25519 public key, as PEM or 64 hexadecimal digits")
    return _hex_of(public)


class Identity:
    """The instance's signing key. Any thread."""

    def __init__(self, folder: Path, private: Ed25519PrivateKey, stamp: tuple[int, int]) -> None:
        self.folder = folder
        self._private = private
        self._stamp = stamp
        self.key = _hex_of(private.public_key())
        """Public key, hex."""

    def __repr__(self) -> str:
        return f"Identity({self.folder}, key={self.key[:16]}…)"

    @classmethod
    def open(cls, folder: Path) -> "Identity":
        """Read the key; make it where there is none yet.

        :raises LedgerError: unreadable, open to others, or of another kind.
        """
        path = private_folder(folder) / KEY_NAME
        try:
            if not path.exists():
                with contextlib.suppress(FileExistsError):  # another worker was quicker
                    write_new(path, _pem_of(Ed25519PrivateKey.generate()))
            status = path.stat()
            content = path.read_bytes()
        except OSError as exc:
            raise LedgerError(f"{path}: the signing key cannot be read or made: {exc.strerror}") from exc
        if status.st_mode & 0o077:
            raise LedgerError(f"{path}: others may read the signing key; run chmod 600 and rotate the key")
        try:
            private = load_pem_private_key(content, None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise LedgerError(f"{path}: not an Ed25519 private key in PEM; restore it from the backup")
        identity = cls(folder, private, (status.st_mtime_ns, status.st_ino))
        identity._publish()
        return identity

    def sign(self, statement: bytes) -> str:
        """Hex signature."""
        return self._private.sign(statement).hex()

    def head(self, *, chain: str, chain_id: str, seq: int, sha256: str) -> Head:
        """A signed head."""
        signature = self.sign(head_statement(chain_id, seq, sha256))
        return Head(chain, chain_id, seq, sha256, self.key, signature)

    def has_changed(self) -> bool:
        """Has another process rotated the key since this one read it?"""
        try:
            status = (self.folder / KEY_NAME).stat()
        except OSError:
            return False
        return (status.st_mtime_ns, status.st_ino) != self._stamp

    def rotate(self) -> "Identity":
        """Make a new key, let the old one sign it, and destroy the old one.

        :raises LedgerError: the folder cannot be written.
        """
        private = Ed25519PrivateKey.generate()
        new_key = _hex_of(private.public_key())
        statement = succession_statement(self.key, new_key)
        record = {
            "confirmation": private.sign(statement).hex(),
            "new_key": new_key,
            "old_key": self.key,
            "signature": self.sign(statement),
        }
        path = self.folder / KEY_NAME
        try:
            _append_synced(self.folder / SUCCESSION_NAME, canonical(record) + b"\n")
            old = os.open(path, os.O_WRONLY)
            try:
                replace_with(path, _pem_of(private))
                write_all(old, os.urandom(os.fstat(old).st_size))
                os.fsync(old)
            finally:
                os.close(old)
        except OSError as exc:
            raise LedgerError(f"{self.folder}: the key cannot be rotated: {exc.strerror}") from exc
        return Identity.open(self.folder)

    def succession_from(self, key: str) -> list[dict[str, str]]:
        """The records that lead from ``key`` to this one, in order; empty where it is this one.

        :raises LedgerError: ``key`` is no ancestor of this one.
        """
        if key == self.key:
            return []
        following = defaultdict(list)
        for record in _records(self.folder / SUCCESSION_NAME):
            following[record["old_key"]].append(record)
        paths = deque([(key, list[dict[str, str]]())])
        seen = {key}
        while paths:
            at, path = paths.popleft()
            for record in following[at]:
                if record["new_key"] == self.key:
                    return [*path, record]
                if record["new_key"] not in seen:
                    seen.add(record["new_key"])
                    paths.append((record["new_key"], [*path, record]))
        raise LedgerError(
            f"{self.folder / KEY_NAME}: this key never followed the one that signs the chain ({key[:16]}…); "
            f"restore the right key, or begin with an empty ledger folder"
        )

    def _publish(self) -> None:
        path = self.folder / PUBLIC_NAME
        pem = self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if not path.exists() or path.read_bytes() != pem:
            replace_with(path, pem, mode=0o644)


def _records(path: Path) -> list[dict[str, str]]:
    records = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # a line that was cut short by a crash
                records.append(json.loads(line))
    return [r for r in records if isinstance(r, dict) and r.keys() >= _RECORD]


def _append_synced(path: Path, line: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        write_all(fd, line)
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(path.parent)


def _hex_of(public: Ed25519PublicKey) -> str:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _pem_of(private: Ed25519PrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
