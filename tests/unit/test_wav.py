"""WAV files of every kind we read, and the line for those we do not."""

import struct
from pathlib import Path

import numpy as np
import pytest

from sipagent.codecs.g711 import encode_alaw, encode_mulaw
from sipagent.errors import AudioFormatError
from sipagent.media.wav import read_wav, read_wav_channels, write_wav
from sipagent.units import Pcm16, to_float

pytestmark = pytest.mark.golden

TONE: Pcm16 = np.rint(9000 * np.sin(2 * np.pi * 500 * np.arange(8000) / 16000)).astype(np.int16)


def _wav(
    tag: int, bits: int, body: bytes, *, channels: int = 1, rate_hz: int = 16000, extra: bytes = b""
) -> bytes:
    block = channels * bits // 8
    layout = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block, block, bits) + extra
    chunks = (
        struct.pack("<4sI", b"fmt ", len(layout)) + layout + struct.pack("<4sI", b"data", len(body)) + body
    )
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "sound.wav"
    path.write_bytes(content)
    return path


def _close(got: Pcm16, want: Pcm16, tolerance: int) -> bool:
    return got.size == want.size and bool(
        np.all(np.abs(got.astype(np.int32) - want.astype(np.int32)) <= tolerance)
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    write_wav(path, TONE)
    assert np.array_equal(read_wav(path), TONE)
    write_wav(path, TONE, TONE[::-1].copy(), rate_hz=8000)
    (left, right), rate_hz = read_wav_channels(path)
    assert np.array_equal(left, TONE)
    assert np.array_equal(right, TONE[::-1])
    assert rate_hz == 8000


@pytest.mark.parametrize(
    ("tag", "bits", "body", "tolerance"),
    [
        (1, 16, TONE.astype("<i2").tobytes(), 0),
        (3, 32, to_float(TONE).astype("<f4").tobytes(), 0),
        (6, 8, encode_alaw(TONE).tobytes(), 256),
        (7, 8, encode_mulaw(TONE).tobytes(), 256),
    ],
)
def test_every_supported_kind(tmp_path: Path, tag: int, bits: int, body: bytes, tolerance: int) -> None:
    assert _close(read_wav(_file(tmp_path, _wav(tag, bits, body))), TONE, tolerance)


def test_other_rates_become_16_khz(tmp_path: Path) -> None:
    at_8_khz = _file(tmp_path, _wav(1, 16, TONE[::2].astype("<i2").tobytes(), rate_hz=8000))
    assert _close(read_wav(at_8_khz)[200:-200], TONE[200:-200], 30)


def test_stereo_is_mixed_without_overflow(tmp_path: Path) -> None:
    loud = np.full(1000, 32767, dtype=np.int16)
    path = tmp_path / "stereo.wav"
    write_wav(path, loud, loud)
    assert np.array_equal(read_wav(path), loud)


def test_chunks_between_and_extensible_headers_are_passed_over(tmp_path: Path) -> None:
    extensible = struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    content = _wav(0xFFFE, 16, TONE.astype("<i2").tobytes(), extra=extensible)
    odd_chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert np.array_equal(read_wav(_file(tmp_path, content[:12] + odd_chunk + content[12:])), TONE)


def test_a_stream_without_a_length_is_read_to_its_end(tmp_path: Path) -> None:
    content = bytearray(_wav(1, 16, TONE.astype("<i2").tobytes()))
    content[40:44] = b"\xff\xff\xff\xff"
    assert np.array_equal(read_wav(_file(tmp_path, bytes(content))), TONE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a WAV file: it does not begin with RIFF"),
        (b"ID3\x04 an mp3", "not a WAV file"),
        (_wav(1, 16, b"")[:12], "no fmt chunk"),
        (_wav(1, 16, b"")[:36], "no data chunk"),
        (_wav(1, 16, bytes(100))[:-40], "truncated: data chunk has 60 of 100 bytes"),
        (_wav(1, 24, bytes(6)), "24-bit PCM is not supported; convert it to 16-bit PCM"),
        (_wav(85, 16, bytes(6)), "16-bit format 85 is not supported"),
        (_wav(1, 16, bytes(12), channels=6), "needs 1 or 2 channels, got 6"),
        (_wav(1, 16, bytes(12), rate_hz=0), "needs a rate of 1000..384000 Hz, got 0"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcd", "fmt chunk needs 16 bytes, got 4"),
    ],
)
def test_the_line_names_file_and_fault(tmp_path: Path, content: bytes, message: str) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(AudioFormatError) as caught:
        read_wav(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_uneven_channels(tmp_path: Path) -> None:
    with pytest.raises(AudioFormatError, match=r"none\.wav: cannot be read: No such file"):
        read_wav(tmp_path / "none.wav")
    with pytest.raises(AudioFormatError, match=r"x\.wav: cannot be written: No such file"):
        write_wav(tmp_path / "nowhere" / "x.wav", TONE)
    with pytest.raises(ValueError, match="need 1 or 2 channels of one length"):
        write_wav(tmp_path / "x.wav", TONE, TONE[:-1])


def test_wild_floats_are_tamed(tmp_path: Path) -> None:
    body = np.array([np.nan, np.inf, -np.inf, 7.0], dtype="<f4").tobytes()
    assert read_wav(_file(tmp_path, _wav(3, 32, body))).tolist() == [0, 32767, -32768, 32767]
