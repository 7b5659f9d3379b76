"""Digest authentication of SIP (RFC 3261 s22, RFC 8760): read header fields, compute responses. Pure."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""Algorithm → hash, the better one first. MD5 is all that many phones know."""
_FIELD = re.compile(r'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')


def fields_of(value: str) -> dict[str, str]:
    """The parameters of a ``Digest …`` header field by lower-case name; empty where it is none."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {
        match[1].lower(): match[2] if match[2] is not None else match[3] for match in _FIELD.finditer(rest)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a response is computed over."""

    method: str
    uri: str
    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    """``auth``, or empty for the form of RFC 2069."""
    nc: str = ""
    cnonce: str = ""

    def response(self, username: str, password: str) -> str:
        """The hash that proves the password (RFC 8760 s2.4)."""

        def digest(text: str) -> str:
            return HASHES[self.algorithm](text.encode()).hexdigest()

        secret = digest(f"{username}:{self.realm}:{password}")
        middle = f"{self.nonce}:{self.nc}:{self.cnonce}:{self.qop}" if self.qop else self.nonce
        return digest(f"{secret}:{middle}:{digest(f'{self.method}:{self.uri}')}")


def authorization(challenge: str, *, method: str, uri: str, username: str, password: str, cnonce: str) -> str:
    """The Authorization value that answers a challenge.

    :param cnonce: random text of ours.
    :raises ValueError: the challenge wants what we do not know.
    """
    given = fields_of(challenge)
    algorithm = given.get("algorithm", "MD5").upper()
    if algorithm not in HASHES or not given.get("nonce"):
        raise ValueError(f"digest: cannot answer the challenge {challenge[:120]!r}")
    has_qop = "auth" in [word.strip() for word in given.get("qop", "").split(",")]
    request = Request(
        method=method, uri=uri, realm=given.get("realm", ""), nonce=given["nonce"], algorithm=algorithm,
        qop="auth" if has_qop else "", nc="00000001" if has_qop else "", cnonce=cnonce if has_qop else "",
    )  # fmt: skip
    text = f'Digest username="{username}", realm="{request.realm}", nonce="{request.nonce}", uri="{uri}", '
    text += f'response="{request.response(username, password)}", algorithm={algorithm}'
    if has_qop:
        text += f', qop=auth, nc={request.nc}, cnonce="{cnonce}"'
    if "opaque" in given:
        text += f', opaque="{given["opaque"]}"'
    return text
