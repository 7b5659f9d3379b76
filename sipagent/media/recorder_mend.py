"""Right lengths for the head of a recording that has those of a stream: cut short, or sealed as it grew.

Looks at the head and the tail alone, so that a long recording, or one that must not lie on the disk in clear,
can be mended on its way. FLAC: RFC 9639, sections 8.2 (STREAMINFO) and 9 (frames).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sipagent.errors import AudioFormatError

HEAD_BYTES, TAIL_BYTES = 4096, 128 * 1024
"""What ``mend`` wants to see; two frames of FLAC fit into the tail."""
_FLAC_HEAD_BYTES = 42
_FLAC_TOTAL_BITS = 36
_FLAC_SYNC = b"\xff\xf8"
"""Frames of one size, counted: what the encoder makes."""
_FLAC_SIZES = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}}
_FLAC_SIZES |= {code: 256 << (code - 8) for code in range(8, 16)}


@dataclass(frozen=True, slots=True)
class Mended:
    """What to write instead."""

    head: bytes
    """As long as the one that was given."""
    size_bytes: int
    """Of the whole file; what is behind it is half a sample or half a frame."""
    duration_ms: int


def mend(head: bytes, tail: bytes, size_bytes: int) -> Mended:
    """Count the sound and put it into the head.

    :param head: first ``HEAD_BYTES`` of the file, or all of it. :param tail: its last ``TAIL_BYTES``, or all.
    :raises AudioFormatError: no recording of ours, or there is no sound in it.
    """
    if head.startswith(b"RIFF"):
        return _mend_wave(bytearray(head), size_bytes)
    if head.startswith(b"fLaC") and len(head) >= _FLAC_HEAD_BYTES:
        return _mend_flac(bytearray(head), tail, size_bytes)
    raise AudioFormatError("recording: neither WAV nor FLAC")


def mend_stream(chunks: Iterable[bytes]) -> Mended:
    """What ``mend`` finds in a recording that comes in chunks.

    :raises AudioFormatError: no sound in it.
    """
    head, tail, size_bytes = b"", b"", 0
    for chunk in chunks:
        head += chunk[: HEAD_BYTES - len(head)]
        tail = (tail + chunk)[-TAIL_BYTES:]
        size_bytes += len(chunk)
    return mend(head, tail, size_bytes)


def mended_chunks(chunks: Iterable[bytes], found: Mended) -> Iterator[bytes]:
    """The same recording with its new head, without what is too much."""
    at = 0
    for chunk in chunks:
        if at < len(found.head):
            chunk = found.head[at : at + len(chunk)] + chunk[max(0, len(found.head) - at) :]
        yield chunk[: max(0, found.size_bytes - at)]
        at += len(chunk)


def _mend_wave(head: bytearray, size_bytes: int) -> Mended:
    block_bytes = rate_hz = 0
    fact_at: int | None = None
    at = 12
    while at + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, at)
        if name == b"fmt " and at + 24 <= len(head):
            _, _, rate_hz, _, block_bytes = struct.unpack_from("<HHIIH", head, at + 8)
        elif name == b"fact":
            fact_at = at + 8
        elif name == b"data":
            break
        at += 8 + length
    if not block_bytes or not rate_hz or at + 8 > len(head):
        raise AudioFormatError("recording: a WAV head that is not whole")
    blocks = max(0, size_bytes - at - 8) // block_bytes
    if not blocks:
        raise AudioFormatError("recording: no sound behind the head")
    sound_bytes = blocks * block_bytes
    struct.pack_into("<I", head, 4, at + sound_bytes)
    struct.pack_into("<I", head, at + 4, sound_bytes)
    if fact_at is not None:
        struct.pack_into("<I", head, fact_at, blocks)
    return Mended(bytes(head), at + 8 + sound_bytes, blocks * 1000 // rate_hz)


def _mend_flac(head: bytearray, tail: bytes, size_bytes: int) -> Mended:
    size_samples = int.from_bytes(head[10:12], "big")
    fields = int.from_bytes(head[18:26], "big")
    at = len(tail)
    while (at := tail.rfind(_FLAC_SYNC, 0, at)) >= 0:
        frame = _flac_frame(tail, at)
        if frame is not None:
            break
    else:
        raise AudioFormatError("recording: no whole frame of FLAC in it")
    number, samples = frame
    is_whole = _crc16(tail[at:-2]) == int.from_bytes(tail[-2:], "big")
    total = number * size_samples + (samples if is_whole else 0)
    if not total:
        raise AudioFormatError("recording: no whole frame of FLAC in it")
    cut_bytes = 0 if is_whole else len(tail) - at
    fields = fields >> _FLAC_TOTAL_BITS << _FLAC_TOTAL_BITS | total
    head[18:26] = fields.to_bytes(8, "big")
    rate_hz = fields >> 44
    return Mended(bytes(head), size_bytes - cut_bytes, total * 1000 // rate_hz)


def _flac_frame(data: bytes, at: int) -> tuple[int, int] | None:
    """(number, samples) of the frame that begins here; None: none does."""
    if at + 16 > len(data) or data[at + 3] & 1 or data[at + 3] >> 4 not in (1, 8, 9, 10):
        return None
    size_code, lead = data[at + 2] >> 4, data[at + 4]
    more = 0 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length() - 1
    number = lead & (0x7F if not more else 0x3F >> more)
    for byte in data[at + 5 : at + 5 + more]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 0x3F
    end = at + 5 + more
    samples = _FLAC_SIZES.get(size_code, 0)
    if size_code in (6, 7):  # stands behind the number
        samples = int.from_bytes(data[end : end + size_code - 5], "big") + 1
        end += size_code - 5
    return (number, samples) if samples and _crc8(data[at:end]) == data[end] else None


def _crc8(data: bytes) -> int:
    return _crc(data, 8, 0x07)


def _crc16(data: bytes) -> int:
    return _crc(data, 16, 0x8005)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    crc, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        crc ^= byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
    return crc
