"""Recordings: three formats, both sides in place, pauses, hashes, full disks."""

import errno
import io
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import soundfile
import structlog

from sipagent.call.tape import SealedFile
from sipagent.codecs.tones import sine
from sipagent.config.recording import RecordingFormat
from sipagent.ledger import unsealed
from sipagent.media import recorder as recorder_module
from sipagent.media.recorder import HELD_MS, PART, DiskLimit, PlainFile, Recorder, RecordingSink
from sipagent.media.recorder_formats import suffix_of
from sipagent.media.wav import read_wav_channels
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, ms_to_samples

pytestmark = pytest.mark.unit

LOG: structlog.stdlib.BoundLogger = structlog.get_logger()
FORMATS: tuple[RecordingFormat, ...] = ("wav", "g711", "flac")
WINDOW = 512
CALLER = sine((440,), 3000, level_dbov=-12.0, rate_hz=SAMPLE_RATE_HZ)
AGENT = sine((1000,), 3000, level_dbov=-20.0, rate_hz=SAMPLE_RATE_HZ)


def record(
    folder: Path,
    format_: RecordingFormat = "wav",
    *,
    open_sink: Callable[[Path], RecordingSink] = PlainFile,
    max_bytes: int = 1 << 30,
    min_free_bytes: int = 0,
) -> Recorder:
    limit = DiskLimit(folder, max_bytes, min_free_bytes)
    return Recorder(folder / f"call{suffix_of(format_)}", format_, limit, LOG, open_sink=open_sink)


def feed(recorder: Recorder, caller: Pcm16 = CALLER, agent: Pcm16 = AGENT) -> None:
    for start in range(0, len(caller), WINDOW):
        recorder.take(caller[start : start + WINDOW], agent[start : start + WINDOW])


def channels_of(path: Path) -> tuple[tuple[Pcm16, ...], int]:
    if path.suffix == ".flac":
        sound, rate_hz = soundfile.read(path, dtype="int16")
        return (sound[:, 0], sound[:, 1]), rate_hz
    return read_wav_channels(path)


def loudest_hz(pcm: Pcm16, rate_hz: int) -> int:
    return round(int(np.argmax(np.abs(np.fft.rfft(pcm)))) * rate_hz / len(pcm))


@pytest.mark.parametrize("format_", FORMATS)
def test_caller_is_left_and_agent_is_right(tmp_path: Path, format_: RecordingFormat) -> None:
    recorder = record(tmp_path, format_)
    feed(recorder)
    done = recorder.close()
    assert (done.problem, done.duration_ms, done.path) == (None, 3000, recorder.path)
    assert done.sha256 == sha256(done.path.read_bytes()).hexdigest()
    assert done.bytes_ == done.path.stat().st_size
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [done.path.name], "no part is left behind"
    (left, right), rate_hz = channels_of(done.path)
    assert len(left) == len(right) == 3 * rate_hz
    assert (loudest_hz(left, rate_hz), loudest_hz(right, rate_hz)) == (440, 1000)
    if format_ != "g711":
        assert np.array_equal(left, CALLER)
        assert np.array_equal(right, AGENT)


def test_g711_takes_a_quarter_and_other_programs_read_it(tmp_path: Path) -> None:
    recorder = record(tmp_path, "g711")
    feed(recorder)
    done = recorder.close()
    assert done.bytes_ == 3 * 16_000 + 58
    about = soundfile.info(done.path)
    assert (about.subtype, about.samplerate, about.channels, about.frames) == ("ULAW", 8000, 2, 24_000)


@pytest.mark.parametrize("format_", FORMATS)
def test_sealed_recording_is_the_same_sound(tmp_path: Path, format_: RecordingFormat) -> None:
    secret = bytes(range(32))
    recorder = record(tmp_path, format_, open_sink=lambda part: SealedFile(part, secret))
    feed(recorder)
    done = recorder.close()
    assert done.problem is None
    assert done.sha256 == sha256(done.path.read_bytes()).hexdigest()
    plain = b"".join(unsealed(done.path, secret))
    clear = tmp_path / f"clear{suffix_of(format_)}"
    clear.write_bytes(plain)
    if format_ == "flac":  # the stream does not know its length; this library wants to: FLAC STREAMINFO
        told = plain[:22] + len(CALLER).to_bytes(4, "big") + plain[26:]
        sound, _ = soundfile.read(io.BytesIO(told), dtype="int16")
        assert np.array_equal(sound[:, 0], CALLER)
        assert np.array_equal(sound[:, 1], AGENT)
    else:
        (left, right), rate_hz = read_wav_channels(clear)
        assert (len(left), loudest_hz(left, rate_hz), loudest_hz(right, rate_hz)) == (3 * rate_hz, 440, 1000)


def test_a_pause_is_silence_of_its_length_and_reaches_back(tmp_path: Path) -> None:
    recorder = record(tmp_path)
    feed(recorder)
    recorder.pause(back_ms=1000)
    feed(recorder)
    recorder.resume()
    feed(recorder)
    done = recorder.close()
    (left, right), _ = read_wav_channels(done.path)
    second = SAMPLE_RATE_HZ
    assert len(left) == 9 * second
    assert not left[2 * second : 6 * second].any()
    assert not right[2 * second : 6 * second].any()
    assert np.array_equal(left[: 2 * second], CALLER[: 2 * second])
    assert np.array_equal(left[6 * second :], CALLER)


def test_what_may_still_be_taken_back_never_reaches_the_disk(tmp_path: Path) -> None:
    written: list[bytes] = []

    class Watched(PlainFile):
        def write(self, data: bytes) -> None:
            written.append(data)
            super().write(data)

    recorder = record(tmp_path, open_sink=Watched)
    secret = np.full(ms_to_samples(HELD_MS - 1000), 1234, dtype=np.int16)
    feed(recorder)
    feed(recorder, secret, secret)
    recorder.pause(back_ms=HELD_MS - 1000)
    recorder.close()
    assert np.int16(1234).tobytes() * 8 not in b"".join(written)
    assert len(b"".join(written)) > len(secret) * 4


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_discarded_is_deleted_while_it_is_written_and_after(
    tmp_path: Path, format_: RecordingFormat
) -> None:
    for has_ended in (False, True):
        recorder = record(tmp_path, format_)
        for _ in range(9):
            feed(recorder)
        if has_ended:
            recorder.end(0)
            assert recorder.close().is_kept
        recorder.discard("taken back")
        feed(recorder)
        done = recorder.close()
        assert (done.is_kept, done.problem) == (False, "taken back")
        assert not list(tmp_path.iterdir())


def test_agent_that_has_said_nothing_is_silent(tmp_path: Path) -> None:
    recorder = record(tmp_path)
    feed(recorder, agent=np.zeros(0, dtype=np.int16))
    (left, right), _ = read_wav_channels(recorder.close().path)
    assert len(left) == len(right) == len(CALLER)
    assert not right.any()


class Failing(PlainFile):
    """A disk that is full after the head."""

    def write(self, data: bytes) -> None:
        if self.bytes_:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(data)


@pytest.mark.parametrize("format_", FORMATS)
def test_failing_disk_costs_the_recording_only(tmp_path: Path, format_: RecordingFormat) -> None:
    recorder = record(tmp_path, format_, open_sink=Failing)
    feed(recorder)  # little enough for a slow disk: only the failing one stops the recording
    done = recorder.close()
    assert not done.is_kept
    assert "No space left on device" in str(done.problem)
    assert not list(tmp_path.iterdir())


def test_full_folder_or_disk_begins_no_recording(tmp_path: Path) -> None:
    (tmp_path / "old.wav").write_bytes(bytes(2048))
    for limits, problem in (
        ({"max_bytes": 2048}, "recording.max_mib allows no more"),
        ({"min_free_bytes": 1 << 62}, "are free in"),
    ):
        recorder = record(tmp_path, **limits)  # type: ignore[arg-type]
        feed(recorder)
        done = recorder.close()
        assert not done.is_kept
        assert problem in str(done.problem)
    assert [path.name for path in tmp_path.iterdir()] == ["old.wav"]


def test_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / f"call.wav{PART}").write_bytes(b"of an earlier run")
    recorder = record(tmp_path)
    feed(recorder)
    assert "File exists" in str(recorder.close().problem)
    assert (tmp_path / f"call.wav{PART}").read_bytes() == b"of an earlier run"


def test_a_disk_that_does_not_keep_up_ends_the_recording_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, is_writing = threading.Event(), threading.Event()

    class Slow(PlainFile):
        def write(self, data: bytes) -> None:
            is_writing.set()
            assert gate.wait(30)
            super().write(data)

    monkeypatch.setattr(recorder_module, "_QUEUED_BLOCKS", 4)
    recorder = record(tmp_path, open_sink=Slow)
    for index in range(14):
        feed(recorder)  # returns although nothing is written
        assert index != 2 or is_writing.wait(30), "the first blocks are with the disk"
    assert "does not keep up" in repr(recorder)
    gate.set()
    done = recorder.close()
    assert done.problem == "the disk does not keep up"
    assert done.is_kept, "what was recorded until then is whole"
    assert len(read_wav_channels(done.path)[0][0]) == ms_to_samples(done.duration_ms)
    assert 0 < done.duration_ms < 14 * 3000


def test_a_recording_that_is_told_to_be_lost_does_not_turn_up_later(tmp_path: Path) -> None:
    gate = threading.Event()

    class Stuck(PlainFile):
        def close(self) -> str:
            assert gate.wait(30)
            return super().close()

    recorder = record(tmp_path, open_sink=Stuck)
    feed(recorder)
    assert recorder.close(0.1).problem == "not written within 0.1 s"
    gate.set()
    recorder.close()
    assert not list(tmp_path.iterdir())
