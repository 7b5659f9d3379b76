"""Puts the gate into the library: a PJSIP module that sees every message behind the parser and before all
others, so that a message which is refused makes no transaction and no call.

The offsets are those of ``pjsip_rx_data`` (pjsip/sip_transport.h of PJSIP 2.15, 64-bit); each message is
checked against them, and one that does not fit is dropped and counted.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path

import pjsua2 as pj

from sipagent.errors import SipError
from sipagent.sip.gate import Action, Packet, Verdict

Judge = Callable[[Packet], Verdict]

_POOL, _PACKET, _PACKET_BYTES, _LENGTH, _HOST, _HOST_CHARS, _PORT, _TEXT, _TEXT_LENGTH = (
    0, 320, 4000, 4328, 4368, 46, 4416, 4424, 4432,
)  # fmt: skip
_PRIORITY = 4
"""Before PJSIP's own first module (PJSIP_MOD_PRIORITY_TRANSPORT_LAYER is 8)."""
_TAKEN, _NOT_OURS = 1, 0

_Pointer = ctypes.c_void_p
_Links = ctypes.c_uint64 * 2
"""Begin of what stands in a ``pj_list``: the previous one, the next one."""
_OnReceive = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class _PjStr(ctypes.Structure):
    """``pj_str_t``."""

    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_ssize_t))


class _PjsipModule(ctypes.Structure):
    """``pjsip_module`` (pjsip/sip_module.h)."""

    _fields_ = (
        ("previous", _Pointer),
        ("next", _Pointer),
        ("name", _PjStr),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("load", _Pointer),
        ("start", _Pointer),
        ("stop", _Pointer),
        ("unload", _Pointer),
        ("on_rx_request", _OnReceive),
        ("on_rx_response", _OnReceive),
        ("on_tx_request", _Pointer),
        ("on_tx_response", _Pointer),
        ("on_tsx_state", _Pointer),
    )


class GateModule:
    """The module. The library keeps its address until ``libDestroy``: so does its owner."""

    def __init__(self, judge: Judge, on_error: Callable[[str, Exception], None]) -> None:
        """:param judge: must not block. :param on_error: told of what must not happen; must not raise."""
        self._judge, self._on_error = judge, on_error
        self._api = _c_api()
        self._endpoint = None
        self._module = _PjsipModule(name=_PjStr(b"mod-gate", 8), id=-1, priority=_PRIORITY)
        self._module.on_rx_request = _OnReceive(lambda rdata: self._receive(rdata, is_request=True))
        self._module.on_rx_response = _OnReceive(lambda rdata: self._receive(rdata, is_request=False))

    def install(self) -> None:
        """Between ``libInit`` and the first transport, on the SIP thread.

        :raises SipError: another version of the library; the gate does not know it.
        """
        version = self._api.pj_get_version().decode()
        if not version.startswith("2.15"):
            raise SipError(f"gate: PJSIP {version} is not known, 2.15 is")
        self._endpoint = self._api.pjsua_get_pjsip_endpt()
        status = self._api.pjsip_endpt_register_module(self._endpoint, ctypes.byref(self._module))
        if status:
            raise SipError(f"gate: the library refuses the module (status {status})")

    def _receive(self, rdata: int, *, is_request: bool) -> int:
        try:
            verdict = self._judge(_packet_of(rdata, is_request=is_request))
            if verdict.action is Action.ANSWER:
                self._answer(rdata, verdict)
            return _NOT_OURS if verdict.action is Action.PASS else _TAKEN
        except Exception as error:  # nobody above us would hear it; what was not judged is not let in
            self._on_error("gate", error)
            return _TAKEN

    def _answer(self, rdata: int, verdict: Verdict) -> None:
        """Answer without a transaction (RFC 3261 s8.2.7)."""
        ends = _Links()
        head = ctypes.addressof(ends)
        ends[:] = [head, head]
        pool = ctypes.c_uint64.from_address(rdata + _POOL).value
        for name, value in verdict.headers:
            fields = [_PjStr(text.encode(), len(text.encode())) for text in (name, value)]
            header: int = self._api.pjsip_generic_string_hdr_create(pool, *map(ctypes.byref, fields))
            last: int = ends[0]
            _Links.from_address(header)[:] = [last, head]
            _Links.from_address(last)[1] = header
            ends[0] = header
        self._api.pjsip_endpt_respond_stateless(self._endpoint, rdata, verdict.status, None, head, None)


def _packet_of(rdata: int, *, is_request: bool) -> Packet:
    text = ctypes.c_uint64.from_address(rdata + _TEXT).value
    length = ctypes.c_int.from_address(rdata + _TEXT_LENGTH).value
    received = ctypes.c_int64.from_address(rdata + _LENGTH).value
    begin = text - rdata - _PACKET
    if not (0 <= begin <= begin + length <= received <= _PACKET_BYTES):
        raise SipError("gate: this pjsua2 lays out pjsip_rx_data differently")
    host = ctypes.string_at(rdata + _HOST, _HOST_CHARS).partition(b"\0")[0].decode("ascii")
    port = ctypes.c_int.from_address(rdata + _PORT).value
    return Packet(ctypes.string_at(text, length), host, port, is_request)


def _c_api() -> ctypes.CDLL:
    library = next(Path(pj.__file__).parent.glob("_pjsua2*.so"), None)
    if library is None:
        raise SipError(f"gate: no _pjsua2*.so beside {pj.__file__}")
    api = ctypes.CDLL(str(library))
    api.pj_get_version.restype = ctypes.c_char_p
    api.pjsua_get_pjsip_endpt.restype = _Pointer
    api.pjsip_endpt_register_module.argtypes = [_Pointer, _Pointer]
    api.pjsip_generic_string_hdr_create.restype = _Pointer
    api.pjsip_generic_string_hdr_create.argtypes = [_Pointer] * 3
    api.pjsip_endpt_respond_stateless.argtypes = [_Pointer, _Pointer, ctypes.c_int, *[_Pointer] * 3]
    return api
