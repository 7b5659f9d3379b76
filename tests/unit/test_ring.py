"""PCM rings: order kept, nothing invented, losses counted."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.media import _bridge
from sipagent.media.ring import AudioRings, Flag, PcmRing
from sipagent.units import FRAME_SAMPLES, Pcm16

pytestmark = pytest.mark.unit


def ramp(start: int, count: int) -> Pcm16:
    return (np.arange(start, start + count) % 30000).astype(np.int16)


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700)), max_size=40))
def test_what_goes_in_comes_out_in_order(steps: list[tuple[int, int]]) -> None:
    ring = PcmRing(50)
    written = read = 0
    for put, take in steps:
        accepted = ring.write(ramp(written, put))
        assert accepted == min(put, 800 - (written - read))
        written += accepted
        pcm = ring.read(take)
        assert np.array_equal(pcm, ramp(read, len(pcm)))
        assert len(pcm) == min(take, written - read)
        read += len(pcm)
    assert ring.available == written - read


def test_late_reader_loses_the_oldest_and_counts_them() -> None:
    ring = PcmRing(50)
    for frame in range(10):
        ring.append(ramp(frame * FRAME_SAMPLES, FRAME_SAMPLES))
    pcm = ring.read(10_000)
    assert ring.overruns == 10 * FRAME_SAMPLES - len(pcm)
    assert pcm[-1] == ramp(10 * FRAME_SAMPLES - 1, 1)[0]


def test_truncate_forgets_only_what_is_unread() -> None:
    ring = PcmRing(50)
    ring.write(ramp(0, 500))
    ring.read(100)
    ring.truncate(300)
    assert np.array_equal(ring.read(1000), ramp(100, 200))
    ring.truncate(50)
    assert ring.available == 0


def test_time_of_a_sample_counts_back_from_the_last_tick() -> None:
    ring = PcmRing(1000)
    for frame in range(5):
        ring.append(ramp(frame, FRAME_SAMPLES))
    last_ms = ring.last_tick_ns // 1_000_000
    assert ring.time_of_ms(ring.written - FRAME_SAMPLES, is_read=False) == last_ms
    assert ring.time_of_ms(ring.written - 3 * FRAME_SAMPLES, is_read=False) == last_ms - 40


class _Frame(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("buf", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("timestamp", ctypes.c_uint64),
        ("bit_info", ctypes.c_uint32),
    )


class _NativePort:
    """The native functions called as the bridge calls them."""

    AUDIO, NONE = 1, 0

    def __init__(self, rings: AudioRings) -> None:
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Frame))
        put, get = _bridge.addresses()
        self._put, self._get = prototype(put), prototype(get)
        self._rings = (ctypes.c_uint64 * 3)(
            rings.to_line.address, rings.from_line.address, rings.played.address
        )
        self._port = (ctypes.c_uint64 * 15)()
        self._port[8] = ctypes.addressof(self._rings)

    def put(self, pcm: Pcm16 | None) -> None:
        data = pcm if pcm is not None else np.zeros(0, dtype=np.int16)
        frame = _Frame(self.AUDIO if pcm is not None else self.NONE, data.ctypes.data, data.nbytes, 0, 0)
        assert self._put(ctypes.addressof(self._port), ctypes.byref(frame)) == 0

    def get(self) -> Pcm16:
        out = np.full(FRAME_SAMPLES, 77, dtype=np.int16)
        frame = _Frame(self.NONE, out.ctypes.data, out.nbytes, 0, 0)
        assert self._get(ctypes.addressof(self._port), ctypes.byref(frame)) == 0
        assert frame.type == self.AUDIO
        return out


def test_native_put_appends_and_keeps_time_in_silence() -> None:
    rings = AudioRings()
    rings.open()
    port = _NativePort(rings)
    port.put(ramp(5, FRAME_SAMPLES))
    port.put(None)
    assert np.array_equal(rings.from_line.read(FRAME_SAMPLES), ramp(5, FRAME_SAMPLES))
    assert not rings.from_line.read(FRAME_SAMPLES).any()
    assert rings.from_line.last_tick_ns > 0


def test_native_get_plays_copies_and_counts_underruns() -> None:
    rings = AudioRings()
    rings.open()
    port = _NativePort(rings)
    rings.to_line.write(ramp(1, 400))
    assert np.array_equal(port.get(), ramp(1, FRAME_SAMPLES))
    rings.to_line.set_flags(Flag.ACTIVE | Flag.EXPECTING)
    second = port.get()
    assert np.array_equal(second[:80], ramp(321, 80))
    assert not second[80:].any()
    assert rings.to_line.underruns == 1
    rings.to_line.set_flags(Flag.ACTIVE)
    assert not port.get().any()
    assert rings.to_line.underruns == 1
    played = rings.played.read(10_000)
    assert np.array_equal(played[:400], ramp(1, 400))
    assert len(played) == 3 * FRAME_SAMPLES


def test_native_functions_leave_an_inactive_ring_alone() -> None:
    rings = AudioRings()
    port = _NativePort(rings)
    rings.to_line.write(ramp(1, 400))
    port.put(ramp(1, FRAME_SAMPLES))
    assert not port.get().any()
    assert (rings.from_line.written, rings.to_line.position) == (0, 0)


@given(st.integers(0, 3000), st.integers(1, 40))
def test_native_wraps_around_without_loss(offset: int, frames: int) -> None:
    rings = AudioRings()
    rings.from_line = PcmRing(100)
    rings.open()
    port = _NativePort(rings)
    for index in range(frames):
        pcm = ramp(offset + index * FRAME_SAMPLES, FRAME_SAMPLES)
        port.put(pcm)
        assert np.array_equal(rings.from_line.read(FRAME_SAMPLES), pcm)
