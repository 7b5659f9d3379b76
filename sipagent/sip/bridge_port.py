"""A conference-bridge port whose audio is moved by native code, without the interpreter.

PJMEDIA's null port is made through the C API that the extension module exports; its ``put_frame`` and
``get_frame`` are replaced by the two functions of ``media/_bridge.c``. Ports are pooled: made once, given
to one call after another, never destroyed while the endpoint lives (destroying them races the clock).
"""

import ctypes
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pjsua2 as pj

from sipagent.errors import SipError
from sipagent.media import _bridge
from sipagent.media.ring import AudioRings
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
        self._api = _c_api()
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


class _TransportSelector(ctypes.Structure):
    """``pjsip_tpselector`` (pjsip/sip_transport.h)."""

    _fields_ = (("kind", ctypes.c_int), ("is_never_shared", ctypes.c_int), ("pointer", ctypes.c_void_p))


_BY_TRANSPORT = 1
_loaded_api: ctypes.CDLL | None = None


def _c_api() -> ctypes.CDLL:
    """The C API inside the pjsua2 extension module, with its argument types set."""
    global _loaded_api
    if _loaded_api is None:
        library = next(Path(pj.__file__).parent.glob("_pjsua2*.so"), None)
        if library is None:
            raise SipError(f"media: no _pjsua2*.so beside {pj.__file__}")
        api = ctypes.CDLL(str(library))
        pointer, unsigned = ctypes.c_void_p, ctypes.c_uint
        api.pjsua_pool_create.restype = pointer
        api.pjsua_pool_create.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t]
        api.pjmedia_null_port_create.argtypes = [pointer, *[unsigned] * 4, ctypes.POINTER(pointer)]
        api.pjsua_conf_add_port.argtypes = [pointer, pointer, ctypes.POINTER(ctypes.c_int)]
        api.pjsua_conf_connect.argtypes = [ctypes.c_int, ctypes.c_int]
        api.pj_log_set_level.argtypes = [ctypes.c_int]
        api.pjsip_tsx_set_timers.argtypes = [unsigned] * 4
        api.pjsip_tsx_get_dlg.restype = pointer
        api.pjsip_tsx_get_dlg.argtypes = [pointer]
        api.pjsip_dlg_set_transport.argtypes = [pointer, ctypes.POINTER(_TransportSelector)]
        _loaded_api = api
    return _loaded_api


def silence_library() -> None:
    """Keep the library from writing its own log to standard output. Before ``libCreate``."""
    _c_api().pj_log_set_level(0)


def shorten_sip_timers(*, transaction_ms: int) -> None:
    """Give up a transaction earlier than RFC 3261's 32 s, so that dead peers free their handles."""
    _c_api().pjsip_tsx_set_timers(0, 0, 0, transaction_ms)


def set_keep_alive(*, tcp_s: int | None, tls_s: int | None) -> bool:
    """Pause between the empty lines on idle connections (RFC 5626 §3.5.1); 0: none, None: leave as it is.

    The two numbers stand at the end of a structure that no function sets; it is searched for their defaults.

    :returns: False where this pjsua2 lays it out differently, so that its own pauses hold.
    """
    words = (ctypes.c_long * _CONFIG_WORDS).in_dll(_c_api(), "pjsip_sip_cfg_var")
    for at in range(_CONFIG_WORDS - 1):
        if words[at] == words[at + 1] == _KEEP_ALIVE_S:
            words[at] = _KEEP_ALIVE_S if tcp_s is None else tcp_s
            words[at + 1] = _KEEP_ALIVE_S if tls_s is None else tls_s
            return True
    return False


def pin_dialog(transaction: int, connection: int) -> None:
    """Have whatever we send in a dialog go over ``connection``.

    :param transaction: the library's ``pjsip_transaction`` of the dialog, during its callback.
    :param connection: the library's ``pjsip_transport``; it must be alive.
    """
    api = _c_api()
    dialog = api.pjsip_tsx_get_dlg(transaction)
    if dialog:
        api.pjsip_dlg_set_transport(dialog, _TransportSelector(_BY_TRANSPORT, 0, connection))


def make_port() -> BridgePort:
    """A native port, or the director fallback where the library's layout is unknown."""
    try:
        return NativePort()
    except (SipError, AttributeError, OSError):
        return DirectorPort()
