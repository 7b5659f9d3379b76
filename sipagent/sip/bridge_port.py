"""A conference-bridge port whose audio is moved by native code, without the interpreter.

PJMEDIA's null port is made through the C API that the extension module exports; its ``put_frame`` and
``get_frame`` are replaced by the two functions of ``media/_bridge.c``. Ports are pooled: made once, given
to one call after another, never destroyed while the endpoint lives (destroying them races the clock).
"""

import ctypes
from typing import Any, Protocol

import numpy as np
import pjsua2 as pj

from sipagent.errors import SipError
from sipagent.media import _bridge
from sipagent.media.ring import AudioRings
from sipagent.sip.c_api import c_api
from sipagent.units import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ


class BridgePort(Protocol):
    """One slot of the conference bridge and the rings behind it. SIP thread only."""

    rings: AudioRings

    def connect(self, media: pj.AudioMedia) -> None:
        """Connect both ways with a call's audio. The call's end disconnects by itself."""

    def close(self) -> None:
        """Free what the endpoint will not free by itself. Before ``libDestroy``."""


# pjmedia_port of PJSIP 2.15 (pjmedia/port.h) on 64-bit machines, as 64-bit and 32-bit words
_PORT_WORDS64 = 15
_USER_POINTER, _CLOCK_SOURCE, _PUT, _GET, _ON_DESTROY = 8, 11, 12, 13, 14
# pjsip_cfg_t (pjsip/sip_config.h), as long integers
_CONFIG_WORDS, _KEEP_ALIVE_S = 12, 90
_RATE32, _CHANNELS32, _PTIME_US32, _BITS32 = 9, 10, 11, 12


class NativePort:
    """A null port with our native frame functions."""

    def __init__(self) -> None:
        self.rings = AudioRings()
        self._api = c_api()
        self._pool = self._api.pjsua_pool_create(b"sipagent", 1000, 1000)
        port = ctypes.c_void_p()
        status = self._api.pjmedia_null_port_create(
            self._pool, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES, 16, ctypes.byref(port)
        )
        if status or not port.value:
            raise SipError(f"media: the library made no bridge port (status {status})")
        self._pointers = (ctypes.c_uint64 * 3)(
            self.rings.to_line.address, self.rings.from_line.address, self.rings.played.address
        )
        self._replace_frame_functions(port.value)
        slot = ctypes.c_int()
        status = self._api.pjsua_conf_add_port(self._pool, port, ctypes.byref(slot))
        if status:
            raise SipError(f"media: the bridge has no slot for another port (status {status})")
        self.slot = slot.value

    def __repr__(self) -> str:
        return f"NativePort(slot={self.slot}, {self.rings.from_line!r})"

    def connect(self, media: pj.AudioMedia) -> None:
        peer = media.getPortId()
        for source, sink in ((peer, self.slot), (self.slot, peer)):
            status = self._api.pjsua_conf_connect(source, sink)
            if status:
                raise SipError(f"media: bridge slots {source} and {sink} do not connect (status {status})")

    def close(self) -> None:
        self.rings.close()

    def _replace_frame_functions(self, address: int) -> None:
        words = (ctypes.c_uint64 * _PORT_WORDS64).from_address(address)
        halves = (ctypes.c_uint32 * (2 * _PORT_WORDS64)).from_address(address)
        as_expected = (
            halves[_RATE32] == SAMPLE_RATE_HZ
            and halves[_CHANNELS32] == 1
            and halves[_PTIME_US32] == FRAME_MS * 1000
            and halves[_BITS32] == 16
            and words[_USER_POINTER] == 0
            and words[_CLOCK_SOURCE] == 0
            and all(words[i] for i in (_PUT, _GET, _ON_DESTROY))
            and abs(words[_PUT] - words[_GET]) < 4096
        )
        if not as_expected:
            raise SipError("media: this pjsua2 lays out pjmedia_port differently: no native audio")
        put, get = _bridge.addresses()
        words[_USER_POINTER] = ctypes.addressof(self._pointers)
        words[_PUT], words[_GET] = put, get


class DirectorPort(pj.AudioMediaPort):  # type: ignore[misc]  # pjsua2 has no type information
    """The fallback: frames pass through the interpreter, on the media clock's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = AudioRings()
        self.callback_errors = 0
        format_ = pj.MediaFormatAudio()
        format_.init(pj.PJMEDIA_FORMAT_PCM, SAMPLE_RATE_HZ, 1, FRAME_MS * 1000, 16)
        self.createPort("sipagent", format_)

    def __repr__(self) -> str:
        return f"DirectorPort(callback_errors={self.callback_errors}, {self.rings.from_line!r})"

    def connect(self, media: pj.AudioMedia) -> None:
        media.startTransmit(self)
        self.startTransmit(media)

    def close(self) -> None:
        self.rings.close()
        pj.AudioMediaPort.__swig_destroy__(self)  # while the endpoint lives, on the SIP thread
        self.this.disown()

    def onFrameReceived(self, frame: Any) -> None:
        try:
            pcm = np.frombuffer(bytes(frame.buf), dtype=np.int16)
            self.rings.from_line.append(pcm if len(pcm) else np.zeros(FRAME_SAMPLES, dtype=np.int16))
        except Exception:  # nobody above us would hear it: the counter is read at the call's end
            self.callback_errors += 1

    def onFrameRequested(self, frame: Any) -> None:
        try:
            pcm = self.rings.to_line.read_frame(FRAME_SAMPLES)
            self.rings.played.append(pcm)
            frame.buf = pj.ByteVector(pcm.tobytes())
            frame.size = pcm.nbytes
            frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        except Exception:
            self.callback_errors += 1


def make_port() -> BridgePort:
    """A native port, or the director fallback where the library's layout is unknown."""
    try:
        return NativePort()
    except (SipError, AttributeError, OSError):
        return DirectorPort()
