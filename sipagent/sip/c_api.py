"""The C API inside the pjsua2 extension module, for what pjsua2 does not hand out. SIP thread only."""

import ctypes
from pathlib import Path

import pjsua2 as pj

from sipagent.errors import SipError

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
        _loaded = api
    return _loaded


def silence_library() -> None:
    """Keep the library from writing its own log to standard output. Before ``libCreate``."""
    c_api().pj_log_set_level(0)


def shorten_sip_timers(*, transaction_ms: int) -> None:
    """Give up a transaction earlier than RFC 3261's 32 s, so that dead peers free their handles."""
    c_api().pjsip_tsx_set_timers(0, 0, 0, transaction_ms)
