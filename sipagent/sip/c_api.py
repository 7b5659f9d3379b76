"""The C API inside the pjsua2 extension module, for what pjsua2 does not hand out. SIP thread only."""

import ctypes
from pathlib import Path

import pjsua2 as pj

from sipagent.errors import SipError

_CONFIG_WORDS, _KEEP_ALIVE_S = 12, 90
_BY_TRANSPORT = 1


class _TransportSelector(ctypes.Structure):
    """``pjsip_tpselector`` (pjsip/sip_transport.h)."""

    _fields_ = (("kind", ctypes.c_int), ("is_never_shared", ctypes.c_int), ("pointer", ctypes.c_void_p))


_loaded: ctypes.CDLL | None = None


def c_api() -> ctypes.CDLL:
    """The library, with the argument types of what is used of it.

    :raises SipError: there is no such file. :raises AttributeError: this build exports less.
    """
    global _loaded
    if _loaded is None:
        library = next(Path(pj.__file__).parent.glob("_pjsua2*.so"), None)
        if library is None:
            raise SipError(f"media: no _pjsua2*.so beside {pj.__file__}")
        api = ctypes.CDLL(str(library))
        pointer, unsigned, signed = ctypes.c_void_p, ctypes.c_uint, ctypes.c_int
        api.pjsua_pool_create.restype = pointer
        api.pjsua_pool_create.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t]
        api.pjmedia_null_port_create.argtypes = [pointer, *[unsigned] * 4, ctypes.POINTER(pointer)]
        api.pjsua_conf_add_port.argtypes = [pointer, pointer, ctypes.POINTER(signed)]
        api.pjsua_conf_connect.argtypes = [signed, signed]
        api.pj_log_set_level.argtypes = [signed]
        api.pjsip_tsx_set_timers.argtypes = [unsigned] * 4
        api.pjsua_get_pjsip_endpt.restype = pointer
        api.pjsip_endpt_create_response.argtypes = [
            pointer,
            pointer,
            signed,
            pointer,
            ctypes.POINTER(pointer),
        ]
        api.pjsip_tsx_send_msg.argtypes = [pointer, pointer]
        api.pjsip_endpt_register_module.argtypes = [pointer, pointer]
        api.pjsip_endpt_respond_stateless.argtypes = [pointer, pointer, signed, *[pointer] * 3]
        api.pjsip_rx_data_get_info.restype = ctypes.c_char_p
        api.pjsip_rx_data_get_info.argtypes = [pointer]
        api.pjsip_endpt_get_capability.restype = pointer
        api.pjsip_endpt_get_capability.argtypes = [pointer, signed, pointer]
        api.pjsip_hdr_shallow_clone.restype = pointer
        api.pjsip_hdr_shallow_clone.argtypes = [pointer, pointer]
        api.pjsip_tsx_get_dlg.restype = pointer
        api.pjsip_tsx_get_dlg.argtypes = [pointer]
        api.pjsip_dlg_set_transport.argtypes = [pointer, ctypes.POINTER(_TransportSelector)]
        _loaded = api
    return _loaded


def silence_library() -> None:
    """Keep the library from writing its own log to standard output. Before ``libCreate``."""
    c_api().pj_log_set_level(0)


def shorten_sip_timers(*, transaction_ms: int) -> None:
    """Give up a transaction earlier than RFC 3261's 32 s, so that dead peers free their handles."""
    c_api().pjsip_tsx_set_timers(0, 0, 0, transaction_ms)


def set_keep_alive(*, tcp_s: int | None, tls_s: int | None) -> bool:
    """Pause between the empty lines on idle connections (RFC 5626 §3.5.1); 0: none, None: leave as it is.

    The two numbers stand at the end of a structure that no function sets; it is searched for their defaults.

    :returns: False where this pjsua2 lays it out differently, so that its own pauses hold.
    """
    words = (ctypes.c_long * _CONFIG_WORDS).in_dll(c_api(), "pjsip_sip_cfg_var")
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
    api = c_api()
    dialog = api.pjsip_tsx_get_dlg(transaction)
    if dialog:
        api.pjsip_dlg_set_transport(dialog, _TransportSelector(_BY_TRANSPORT, 0, connection))
