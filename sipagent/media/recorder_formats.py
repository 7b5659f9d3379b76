"""Stereo sound → the bytes of a recording: 16-bit WAV, G.711 WAV or FLAC, written as the call goes on.

The lengths in the head are only known at the end. A plain file is patched then; a sealed one cannot be,
and keeps the head of a stream, which players take as "until the end of the file".
"""

import struct
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from sipagent.codecs.g711 import encode_mulaw
from sipagent.codecs.resample import StreamingResampler
from sipagent.config.recording import RecordingFormat
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

Stereo16 = npt.NDArray[np.int16]
"""Shape ``(n, 2)``, int16, 16 kHz: the caller left, the agent right."""

_G711_RATE_HZ = 8_000
_MULAW_TAG = 7
_UNKNOWN_BYTES = 0xFFFF_FFFF
_RIFF_SIZE_AT = 4


class Sink(Protocol):
    """Where the bytes go. One thread. Every method may raise OSError."""

    def write(self, data: bytes) -> None:
        """Append."""

    def patch(self, at_byte: int, data: bytes) -> None:
        """Overwrite what was written before; a sink that cannot leaves it as it is."""


class Encoder(Protocol):
    """Encodes one recording into its sink."""

    def push(self, sound: Stereo16) -> None:
        """:raises OSError: the sink does not take it."""

    def finish(self) -> None:
        """Write what is held back, and the lengths. :raises OSError: the sink does not take it."""


def suffix_of(format_: RecordingFormat) -> str:
    """Of the file's name."""
    return ".flac" if format_ == "flac" else ".wav"


def open_encoder(format_: RecordingFormat, sink: Sink) -> Encoder:
    """Begin a recording; its head is written at once. :raises OSError: the sink does not take it."""
    match format_:
        case "wav":
            return _WavEncoder(sink)
        case "g711":
            return _G711Encoder(sink)
        case "flac":
            return _FlacEncoder(sink)


class _WavEncoder:
    """16-bit PCM at 16 kHz: 64 000 bytes a second."""

    def __init__(self, sink: Sink) -> None:
        layout = struct.pack("<HHIIHH", 1, 2, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * 4, 4, 16)
        self._wave = _Wave(sink, layout, block_bytes=4)

    def push(self, sound: Stereo16) -> None:
        self._wave.write(sound.astype("<i2").tobytes())

    def finish(self) -> None:
        self._wave.finish()


class _G711Encoder:
    """µ-law at 8 kHz, as on the telephone line: 16 000 bytes a second."""

    def __init__(self, sink: Sink) -> None:
        layout = struct.pack("<HHIIHHH", _MULAW_TAG, 2, _G711_RATE_HZ, _G711_RATE_HZ * 2, 2, 8, 0)
        self._wave = _Wave(sink, layout, block_bytes=2)
        self._resamplers = [StreamingResampler(SAMPLE_RATE_HZ, _G711_RATE_HZ) for _ in range(2)]

    def push(self, sound: Stereo16) -> None:
        columns = (np.ascontiguousarray(sound[:, side]) for side in range(2))
        self._write([one.push(pcm) for one, pcm in zip(self._resamplers, columns, strict=True)])

    def finish(self) -> None:
        self._write([one.flush() for one in self._resamplers])
        self._wave.finish()

    def _write(self, channels: list[Pcm16]) -> None:
        self._wave.write(np.stack([encode_mulaw(pcm) for pcm in channels], axis=1).tobytes())


class _Wave:
    """A RIFF file around encoded sound."""

    def __init__(self, sink: Sink, layout: bytes, *, block_bytes: int) -> None:
        self._sink = sink
        self._block_bytes = block_bytes
        self._sound_bytes = 0
        head = struct.pack("<4sI4s4sI", b"RIFF", _UNKNOWN_BYTES, b"WAVE", b"fmt ", len(layout)) + layout
        self._fact_at: int | None = None
        if len(layout) > 16:  # every format but plain PCM tells its length in samples, too
            self._fact_at = len(head) + 8
            head += struct.pack("<4sII", b"fact", 4, _UNKNOWN_BYTES)
        self._data_size_at = len(head) + 4
        self._head_bytes = len(head) + 8
        sink.write(head + struct.pack("<4sI", b"data", _UNKNOWN_BYTES))

    def write(self, sound: bytes) -> None:
        self._sink.write(sound)
        self._sound_bytes += len(sound)

    def finish(self) -> None:
        self._patch(_RIFF_SIZE_AT, self._head_bytes - 8 + self._sound_bytes)
        if self._fact_at is not None:
            self._patch(self._fact_at, self._sound_bytes // self._block_bytes)
        self._patch(self._data_size_at, self._sound_bytes)

    def _patch(self, at_byte: int, number: int) -> None:
        self._sink.patch(at_byte, struct.pack("<I", number))


class _FlacEncoder:
    """Lossless at 16 kHz: about a third of the WAV file for speech with pauses."""

    def __init__(self, sink: Sink) -> None:
        self._file = _SinkFile(sink)
        with _SinkErrors(self._file):
            self._sound = soundfile.SoundFile(self._file, "w", SAMPLE_RATE_HZ, 2, "PCM_16", format="FLAC")

    def push(self, sound: Stereo16) -> None:
        with _SinkErrors(self._file):
            self._sound.write(sound)

    def finish(self) -> None:
        with _SinkErrors(self._file):
            self._sound.close()


class _SinkFile:
    """A sink as the library wants files. What fails is kept: the library's callbacks cannot raise."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._at_byte = self._end = 0
        self.error: OSError | None = None

    def write(self, data: object) -> int:
        content = bytes(data)  # type: ignore[call-overload]
        if self.error is not None:
            return 0
        try:
            if self._at_byte < self._end:
                self._sink.patch(self._at_byte, content)
            else:
                self._sink.write(content)
        except OSError as error:
            self.error = error
            return 0
        self._at_byte += len(content)
        self._end = max(self._end, self._at_byte)
        return len(content)

    def read(self, _size_bytes: int = -1) -> bytes:
        return b""

    def seek(self, offset_bytes: int, whence: int = 0) -> int:
        self._at_byte = (0, self._at_byte, self._end)[whence] + offset_bytes
        return self._at_byte

    def tell(self) -> int:
        return self._at_byte


class _SinkErrors:
    """Raises what the sink raised, instead of the library's account of it."""

    def __init__(self, file: _SinkFile) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._file.error is not None:
            raise self._file.error from None
        if isinstance(error, soundfile.SoundFileError):
            raise OSError(0, f"flac: {error}") from error
