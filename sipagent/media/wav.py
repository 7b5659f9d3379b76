"""WAV files: whatever a studio, a switch or a recorder writes → 16 kHz PCM, and PCM → WAV."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sipagent.codecs.g711 import decode_alaw, decode_mulaw
from sipagent.codecs.resample import resample
from sipagent.errors import AudioFormatError
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, to_int16

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_NAMES = {_PCM: "PCM", _FLOAT: "float", _ALAW: "A-law", _MULAW: "µ-law"}
_SAMPLE_BYTES = {(_PCM, 16): 2, (_FLOAT, 32): 4, (_ALAW, 8): 1, (_MULAW, 8): 1}
_RATES_HZ = range(1000, 384_001)


@dataclass(frozen=True, slots=True)
class _Format:
    tag: int
    channels: int
    rate_hz: int
    bits: int


def read_wav(path: Path) -> Pcm16:
    """A file's sound as mono 16 kHz PCM; stereo is mixed down.

    Reads 16-bit PCM, 32-bit float, A-law and µ-law, 1 or 2 channels, any usual rate.

    :raises AudioFormatError: missing, broken or of another kind; one line that names the file.
    """
    channels, rate_hz = read_wav_channels(path)
    mono = channels[0] if len(channels) == 1 else _mix(channels)
    return resample(mono, rate_hz, SAMPLE_RATE_HZ)


def read_wav_channels(path: Path) -> tuple[tuple[Pcm16, ...], int]:
    """The channels as they are, each shape ``(n,)``, and their rate in Hz.

    :raises AudioFormatError: as ``read_wav``.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise AudioFormatError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        layout, body = _split(content)
    except AudioFormatError as exc:
        raise AudioFormatError(f"{path}: {exc}") from None
    samples = _decode(layout, body)
    return tuple(samples[index :: layout.channels].copy() for index in range(layout.channels)), layout.rate_hz


def write_wav(path: Path, *channels: Pcm16, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write one (mono) or two (stereo) channels of equal length as 16-bit PCM.

    :raises ValueError: no channel, more than two, or unequal lengths.
    :raises AudioFormatError: the file cannot be written.
    """
    if len(channels) not in (1, 2) or any(c.shape != channels[0].shape for c in channels):
        raise ValueError(f"wav: need 1 or 2 channels of one length, got {[c.shape for c in channels]}")
    body = np.stack(channels, axis=1).astype("<i2").tobytes()
    try:
        path.write_bytes(wav_header(len(body), len(channels), rate_hz) + body)
    except OSError as exc:
        raise AudioFormatError(f"{path}: cannot be written: {exc.strerror}") from exc


def wav_header(body_bytes: int, channels: int, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """The 44 bytes before ``body_bytes`` of interleaved 16-bit PCM."""
    block = 2 * channels
    layout = struct.pack("<HHIIHH", _PCM, channels, rate_hz, rate_hz * block, block, 16)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", 36 + body_bytes, b"WAVE", b"fmt ", len(layout))
        + layout
        + struct.pack("<4sI", b"data", body_bytes)
    )


def _split(content: bytes) -> tuple[_Format, bytes]:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise AudioFormatError("not a WAV file: it does not begin with RIFF….WAVE")
    layout: _Format | None = None
    offset = 12
    while offset + 8 <= len(content):
        kind, declared = struct.unpack_from("<4sI", content, offset)
        body = content[offset + 8 : offset + 8 + declared]
        if kind == b"fmt ":
            layout = _parse_format(body)
        elif kind == b"data":
            if layout is None:
                raise AudioFormatError("data chunk before the fmt chunk")
            return layout, _whole_data(layout, body, declared)
        offset += 8 + declared + declared % 2  # RIFF chunks are padded to even lengths
    raise AudioFormatError("no data chunk" if layout else "no fmt chunk")


def _whole_data(layout: _Format, body: bytes, declared_bytes: int) -> bytes:
    is_streamed = declared_bytes in (0, 0xFFFFFFFF)  # the writer could not seek back: take what there is
    if len(body) < declared_bytes and not is_streamed:
        raise AudioFormatError(f"truncated: data chunk has {len(body)} of {declared_bytes} bytes")
    block = _SAMPLE_BYTES[layout.tag, layout.bits] * layout.channels
    return body[: len(body) // block * block]


def _parse_format(body: bytes) -> _Format:
    if len(body) < 16:
        raise AudioFormatError(f"fmt chunk needs 16 bytes, got {len(body)}")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    if (tag, bits) not in _SAMPLE_BYTES:
        raise AudioFormatError(
            f"{bits}-bit {_NAMES.get(tag, f'format {tag}')} is not supported; "
            "convert it to 16-bit PCM, 32-bit float, A-law or µ-law"
        )
    if channels not in (1, 2):
        raise AudioFormatError(f"needs 1 or 2 channels, got {channels}")
    if rate_hz not in _RATES_HZ:
        raise AudioFormatError(f"needs a rate of {_RATES_HZ[0]}..{_RATES_HZ[-1]} Hz, got {rate_hz}")
    return _Format(tag, channels, rate_hz, bits)


def _decode(layout: _Format, body: bytes) -> Pcm16:
    match layout.tag:
        case 3:  # float
            floats: npt.NDArray[np.float32] = np.frombuffer(body, dtype="<f4").astype(np.float32)
            return to_int16(np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0))
        case 6:  # A-law
            return decode_alaw(body)
        case 7:  # µ-law
            return decode_mulaw(body)
        case _:
            return np.frombuffer(body, dtype="<i2").astype(np.int16)


def _mix(channels: tuple[Pcm16, ...]) -> Pcm16:
    total = sum(channel.astype(np.int32) for channel in channels)
    return (np.asarray(total) // len(channels)).astype(np.int16)
