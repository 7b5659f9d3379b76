"""One entry, one line: canonical JSON by RFC 8785, its own SHA-256 last.

The names of the nine members are chosen so that sorting puts ``sha256`` at the end. The hash is therefore
over the line's own bytes with ``,"sha256":"…"`` cut out: nobody has to canonicalise anything to check it.
"""

import hashlib
import json
import marshal
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import rfc8785

from sipagent.ledger.clock import utc_text
from sipagent.ledger.kinds import Kind

ZERO = "0" * 64
"""``prev`` of a chain's first entry."""
MAX_BODY_BYTES = 256 * 1024
MAX_LINE_BYTES = 1024 * 1024
"""No entry is longer; a reader may give up on a line that is."""

HASH_TAIL_BYTES = len(',"sha256":""}') + 64
_TAIL = re.compile(
    rb'(?P<kind>[a-z_]+(?:\.[a-z_]+)*)","personal":(?:null|"[A-Za-z0-9+/=]*"),"prev":"(?P<prev>[0-9a-f]{64})",'
    rb'"seq":(?P<seq>[1-9][0-9]{0,15}),"sha256":"(?P<sha256>[0-9a-f]{64})"\}'
)
_HEAD = re.compile(rb'\{"at_ms":-?[0-9]{1,16},"at_utc":"[0-9TZ:.-]{24}","body":\{')
_KIND = b',"kind":"'
_GROWTH = 6
"""One character becomes at most this many in JSON."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place in the chain."""

    kind: Kind
    call_id: str | None
    body: bytes
    """Canonical JSON."""
    personal: str | None
    """Base64 of what ``sipagent.ledger.seal`` made."""
    at_ms: int
    at_utc_ms: int


@dataclass(frozen=True, slots=True)
class Tail:
    """What the end of a line says: enough to follow the chain without parsing the JSON."""

    kind: str
    prev: str
    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that was read."""

    at_ms: int
    at_utc: str
    body: dict[str, object]
    call_id: str | None
    kind: str
    personal: str | None
    prev: str
    seq: int
    sha256: str


def canonical(value: object) -> bytes:
    """RFC 8785 JSON. What a peer's bytes can do to it (lone surrogates, NaN) is mended, not refused.

    :raises ValueError: longer than ``MAX_BODY_BYTES``.
    """
    try:
        # where the two cannot differ, the C encoder takes a quarter of the time
        text = _ENCODER.encode(value).encode() if _is_plain(value) else _dumps(value)
    except (rfc8785.CanonicalizationError, TypeError, UnicodeEncodeError):
        text = _dumps(_mended(value))
    if len(text) > MAX_BODY_BYTES:
        raise ValueError(f"ledger: a body has at most {MAX_BODY_BYTES} bytes, got {len(text)}")
    return text


def _dumps(value: object) -> bytes:
    return rfc8785.dumps(value)  # type: ignore[arg-type]  # its type names JSON, and it checks


@dataclass(slots=True)  # frozen dataclasses take thrice the time to make, and a call pays for it
class Frozen:
    """A value as it was, at a few microseconds; made canonical later and elsewhere."""

    data: bytes
    is_canonical: bool

    def canonical(self) -> bytes:
        """RFC 8785 JSON of it."""
        return self.data if self.is_canonical else canonical(marshal.loads(self.data))


def freeze(value: object) -> Frozen:
    """Keep ``value`` as it is now; the caller may change it afterwards.

    :raises ValueError: longer than ``MAX_BODY_BYTES``.
    """
    try:
        data = marshal.dumps(value)  # type: ignore[arg-type]  # what it cannot take it says
    except ValueError:  # not of Python's own types
        data = b""
    if data and len(data) <= MAX_BODY_BYTES // _GROWTH:
        return Frozen(data, is_canonical=False)
    return Frozen(canonical(value), is_canonical=True)


def _is_plain(value: object) -> bool:
    """Is this where RFC 8785 and Python's encoder cannot differ: no floats, keys sorted alike?"""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -(2**53) < value < 2**53  # type: ignore[operator]  # it is an int
    if kind is dict:
        fields: dict[object, object] = value  # type: ignore[assignment]  # it is a dict
        return all(type(key) is str and key.isascii() for key in fields) and all(
            map(_is_plain, fields.values())
        )
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))  # type: ignore[call-overload]  # it is a sequence
    return False


def _mended(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_mended(str(key))): _mended(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_mended(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    return _mended(str(value))


def line_of(draft: Draft, *, seq: int, prev: str) -> tuple[bytes, str]:
    """The line with its newline, and its hash."""
    call = canonical(draft.call_id).decode()
    personal = "null" if draft.personal is None else f'"{draft.personal}"'
    head = f'{{"at_ms":{draft.at_ms},"at_utc":"{utc_text(draft.at_utc_ms)}","body":'.encode()
    tail = f',"call":{call},"kind":"{draft.kind.value}","personal":{personal},"prev":"{prev}","seq":{seq}'
    hashed = head + draft.body + tail.encode()
    sha256 = hashlib.sha256(hashed + b"}").hexdigest()
    return hashed + f',"sha256":"{sha256}"}}\n'.encode(), sha256


def tail_of(line: bytes) -> Tail | None:
    """What the end of a line says; ``None``: this is no entry. ``line`` without its newline."""
    if _HEAD.match(line) is None:
        return None
    start = line.rfind(_KIND)
    match = _TAIL.fullmatch(line, start + len(_KIND)) if start >= 0 else None
    if match is None:
        return None
    kind, prev, seq, sha256 = match.groups()
    return Tail(kind.decode(), prev.decode(), int(seq), sha256.decode())


def hash_of(line: bytes) -> str:
    """SHA-256 over a line (without its newline) with its own hash cut out."""
    return hashlib.sha256(line[:-HASH_TAIL_BYTES] + b"}").hexdigest()


def parse(line: bytes) -> Entry:
    """A line as an entry. Does not check the hash.

    :raises ValueError: not an entry.
    """
    raw = json.loads(line)
    if not isinstance(raw, dict) or not isinstance(raw.get("body"), dict):
        raise ValueError("not an entry")
    try:
        return Entry(
            at_ms=raw["at_ms"],
            at_utc=raw["at_utc"],
            body=raw["body"],
            call_id=raw["call"],
            kind=raw["kind"],
            personal=raw["personal"],
            prev=raw["prev"],
            seq=raw["seq"],
            sha256=raw["sha256"],
        )
    except KeyError as exc:
        raise ValueError(f"not an entry: {exc.args[0]} is missing") from exc
