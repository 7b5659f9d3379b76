"""RTP packets (RFC 3550), their order and jitter, and telephone events (RFC 4733)."""

import struct
from dataclasses import dataclass

from sipagent.errors import PacketError

HEADER_BYTES = 12
EVENT_BYTES = 4
MAX_CSRCS = 15

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_EVENT = struct.Struct("!BBH")
_EVENT_DIGITS = "0123456789*#ABCD"  # RFC 4733 s3.2, table 3


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet. Payload without padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    is_marked: bool = False
    csrcs: tuple[int, ...] = ()
    extension_profile: int | None = None
    """Profile-defined id of the header extension; None: the packet has none."""
    extension: bytes = b""
    """Whole 32-bit words."""


def parse_rtp(packet: bytes) -> RtpPacket:
    """Read a packet by RFC 3550 s5.1.

    :raises PacketError: too short, another version, or padding that cannot be.
    """
    if len(packet) < HEADER_BYTES:
        raise PacketError(f"rtp: header needs {HEADER_BYTES} bytes, got {len(packet)}")
    flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    if flags >> 6 != 2:
        raise PacketError(f"rtp: version must be 2, got {flags >> 6}")
    csrc_count = flags & 0x0F
    offset = HEADER_BYTES + 4 * csrc_count
    if len(packet) < offset:
        raise PacketError(f"rtp: {csrc_count} CSRCs need {offset} bytes, got {len(packet)}")
    csrcs: tuple[int, ...] = struct.unpack_from(f"!{csrc_count}I", packet, HEADER_BYTES)
    profile: int | None = None
    extension = b""
    if flags & 0x10:
        profile, extension, offset = _parse_extension(packet, offset)
    end = len(packet) - (_padding_bytes(packet, offset) if flags & 0x20 else 0)
    return RtpPacket(
        payload_type=kind & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=packet[offset:end],
        is_marked=bool(kind & 0x80),
        csrcs=csrcs,
        extension_profile=profile,
        extension=extension,
    )


def _parse_extension(packet: bytes, offset: int) -> tuple[int, bytes, int]:
    body = offset + _EXTENSION.size
    if len(packet) < body:
        raise PacketError(f"rtp: extension header needs {body} bytes, got {len(packet)}")
    profile, words = _EXTENSION.unpack_from(packet, offset)
    end = body + 4 * words
    if len(packet) < end:
        raise PacketError(f"rtp: extension of {words} words needs {end} bytes, got {len(packet)}")
    return profile, packet[body:end], end


def _padding_bytes(packet: bytes, offset: int) -> int:
    room = len(packet) - offset
    count = packet[-1] if room else 0
    if not 1 <= count <= room:
        raise PacketError(f"rtp: padding must be 1..{room} bytes, got {count}")
    return count


def pack_rtp(packet: RtpPacket, *, pad_to_bytes: int = 1) -> bytes:
    """Write a packet; pad it to a multiple of ``pad_to_bytes`` (1: never).

    :raises ValueError: a field out of its range.
    """
    _check_ranges(packet, pad_to_bytes)
    flags = 0x80 | len(packet.csrcs)
    body = struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs)
    if packet.extension_profile is not None:
        flags |= 0x10
        body += _EXTENSION.pack(packet.extension_profile, len(packet.extension) // 4) + packet.extension
    body += packet.payload
    missing = -(HEADER_BYTES + len(body)) % pad_to_bytes
    if missing:
        flags |= 0x20
        body += bytes(missing - 1) + bytes([missing])
    kind = packet.payload_type | (0x80 if packet.is_marked else 0)
    return _HEADER.pack(flags, kind, packet.sequence, packet.timestamp, packet.ssrc) + body


def _check_ranges(packet: RtpPacket, pad_to_bytes: int) -> None:
    limits = (
        ("payload type", packet.payload_type, 0x7F),
        ("sequence", packet.sequence, 0xFFFF),
        ("timestamp", packet.timestamp, 0xFFFFFFFF),
        ("ssrc", packet.ssrc, 0xFFFFFFFF),
        ("csrc count", len(packet.csrcs), MAX_CSRCS),
        ("extension profile", packet.extension_profile or 0, 0xFFFF),
        ("extension words", len(packet.extension) // 4, 0xFFFF),
        *(("csrc", csrc, 0xFFFFFFFF) for csrc in packet.csrcs),
    )
    for name, value, most in limits:
        if not 0 <= value <= most:
            raise ValueError(f"rtp: {name} must be 0..{most}, got {value}")
    if len(packet.extension) % 4:
        raise ValueError(f"rtp: extension must be whole 4-byte words, got {len(packet.extension)} bytes")
    if packet.extension and packet.extension_profile is None:
        raise ValueError("rtp: an extension needs its profile")
    if not 1 <= pad_to_bytes <= 255:
        raise ValueError(f"rtp: can pad to 1..255 bytes, got {pad_to_bytes}")


def seq16_after(a: int, b: int) -> bool:
    """Whether sequence number ``a`` comes after ``b``, across the wrap at 65536 (RFC 1982 arithmetic)."""
    return 0 < (a - b) & 0xFFFF < 0x8000


def seq16_distance(a: int, b: int) -> int:
    """How far ``a`` lies after ``b``, −32768..32767; negative: before."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


class JitterEstimator:
    """Interarrival jitter by RFC 3550 s6.4.1 and A.8, in timestamp units. Not thread-safe."""

    def __init__(self, clock_hz: int) -> None:
        self.clock_hz = clock_hz
        self._jitter = 0.0
        self._last_transit: int | None = None

    def __repr__(self) -> str:
        return f"JitterEstimator({self.jitter_ms:.1f} ms)"

    def update(self, timestamp: int, arrival_ms: float) -> float:
        """Take in a packet; the jitter so far, in timestamp units."""
        transit = (round(arrival_ms * self.clock_hz / 1000) - timestamp) & 0xFFFFFFFF
        if self._last_transit is not None:
            change = (transit - self._last_transit) & 0xFFFFFFFF
            if change >= 1 << 31:
                change = (1 << 32) - change
            self._jitter += (change - self._jitter) / 16  # RFC 3550 A.8: gain 1/16
        self._last_transit = transit
        return self._jitter

    @property
    def jitter_ms(self) -> float:
        """The jitter so far."""
        return self._jitter * 1000 / self.clock_hz


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """A telephone-event payload (RFC 4733 s2.3)."""

    event: int
    is_end: bool
    volume_db: int
    """How far below 0 dBm0, 0..63."""
    duration: int
    """Timestamp units since the event's timestamp."""

    @property
    def digit(self) -> str | None:
        """The DTMF digit; None for other events (flash, modem tones)."""
        return _EVENT_DIGITS[self.event] if self.event < len(_EVENT_DIGITS) else None


def parse_telephone_event(payload: bytes) -> TelephoneEvent:
    """Read the first event of a payload (the RTP packet's, unpadded).

    :raises PacketError: fewer than 4 bytes.
    """
    if len(payload) < EVENT_BYTES:
        raise PacketError(f"rtp: telephone-event needs {EVENT_BYTES} bytes, got {len(payload)}")
    event, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(event, bool(flags & 0x80), flags & 0x3F, duration)


def pack_telephone_event(event: TelephoneEvent) -> bytes:
    """Write a telephone-event payload.

    :raises ValueError: a field out of its range.
    """
    limits = (
        ("event", event.event, 255),
        ("volume", event.volume_db, 63),
        ("duration", event.duration, 0xFFFF),
    )
    for name, value, most in limits:
        if not 0 <= value <= most:
            raise ValueError(f"rtp: telephone-event {name} must be 0..{most}, got {value}")
    flags = event.volume_db | (0x80 if event.is_end else 0)
    return _EVENT.pack(event.event, flags, event.duration)


def digit_event(digit: str) -> int:
    """The RFC 4733 event code of a DTMF digit.

    :raises ValueError: no DTMF digit.
    """
    code = _EVENT_DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if code < 0:
        raise ValueError(f"rtp: {digit!r} is no DTMF digit")
    return code
