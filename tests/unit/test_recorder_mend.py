"""Recordings that were cut short anywhere: their heads tell the truth again, and other programs read them."""

import io
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.config.recording import RecordingFormat
from sipagent.errors import AudioFormatError
from sipagent.media.recorder_formats import Stereo16, open_encoder
from sipagent.media.recorder_mend import HEAD_BYTES, TAIL_BYTES, mend, mend_stream, mended_chunks

pytestmark = pytest.mark.unit

SECONDS = 70
"""More frames of FLAC than their numbers have bits in one byte."""


class Stream:
    """A sink whose head cannot be patched, like a sealed one."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def patch(self, at_byte: int, data: bytes) -> None:
        """As it was."""


@cache
def sound() -> Stereo16:
    """Words and pauses, roughly."""
    loud = np.repeat(np.random.default_rng(7).integers(0, 2, SECONDS * 4), 4000)[:, None]
    noise = np.random.default_rng(8).standard_normal((SECONDS * 16_000, 2)) * 800
    return (noise * loud).astype(np.int16)


@cache
def recording(format_: RecordingFormat) -> bytes:
    stream = Stream()
    encoder = open_encoder(format_, stream)
    for start in range(0, len(sound()), 8000):
        encoder.push(sound()[start : start + 8000])
    encoder.finish()
    return bytes(stream.data)


def mended(content: bytes) -> tuple[bytes, int]:
    found = mend(content[:HEAD_BYTES], content[-TAIL_BYTES:], len(content))
    return (found.head + content[len(found.head) :])[: found.size_bytes], found.duration_ms


@pytest.mark.parametrize("format_", ["wav", "g711", "flac"])
def test_a_stream_that_is_whole_keeps_every_sample(format_: RecordingFormat) -> None:
    content, duration_ms = mended(recording(format_))
    assert duration_ms == SECONDS * 1000
    assert len(content) == len(recording(format_))
    heard, rate_hz = soundfile.read(io.BytesIO(content), dtype="int16")
    assert len(heard) == SECONDS * rate_hz
    if format_ != "g711":
        assert np.array_equal(heard, sound())


@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0.05, 1.0), format_=st.sampled_from(["wav", "g711", "flac"]))
def test_cut_anywhere_what_is_there_is_read_and_is_what_was_said(
    cut: float, format_: RecordingFormat
) -> None:
    whole = recording(format_)
    content, duration_ms = mended(whole[: round(len(whole) * cut)])
    heard, rate_hz = soundfile.read(io.BytesIO(content), dtype="int16")
    assert len(heard) * 1000 // rate_hz == duration_ms > SECONDS * 1000 * cut * 0.5 - 1000
    if format_ != "g711":
        assert np.array_equal(heard, sound()[: len(heard)])


@pytest.mark.parametrize("format_", ["wav", "g711", "flac"])
def test_in_chunks_it_is_the_same(format_: RecordingFormat) -> None:
    cut = recording(format_)[:300_001]
    for size_bytes in (1000, 4096, 65_536, 1 << 20):
        chunks = [cut[start : start + size_bytes] for start in range(0, len(cut), size_bytes)]
        assert b"".join(mended_chunks(chunks, mend_stream(chunks))) == mended(cut)[0]


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"OggS" * 20, b"fLaC", b"fLaC" + bytes(4000), recording("wav")[:44]]
)
def test_what_has_no_sound_is_no_recording(content: bytes) -> None:
    with pytest.raises(AudioFormatError, match="recording: "):
        mended(content)
