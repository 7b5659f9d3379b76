"""Personal fields: AES-256-GCM under a key of the call's own. Without the key they are noise for good."""

import base64
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
_PAD_BYTES = 64
"""Plaintexts grow to a multiple of this, so that the length does not tell yes from no."""


def new_key() -> bytes:
    """A fresh key."""
    return os.urandom(KEY_BYTES)


def _associated(key_name: str, kind: str) -> bytes:
    return f"sipagent-ledger-seal-1\n{key_name}\n{kind}\n".encode("utf-8", "replace")


def seal(key: bytes, fields: bytes, *, key_name: str, kind: str) -> str:
    """Base64 of nonce, ciphertext and tag.

    :param fields: canonical JSON of an object; the plaintext is that with spaces behind it.
    """
    plain = fields + b" " * (-len(fields) % _PAD_BYTES)
    nonce = os.urandom(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, _associated(key_name, kind))).decode()


def unseal(key: bytes, personal: str, *, key_name: str, kind: str) -> dict[str, object] | None:
    """The fields, or ``None`` where this is not the key (or the text is not whole)."""
    raw = base64.b64decode(personal)
    if len(raw) < NONCE_BYTES:
        return None
    try:
        plain = AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated(key_name, kind))
    except InvalidTag:
        return None
    fields = json.loads(plain)
    return fields if isinstance(fields, dict) else None
