"""Answers the library's questions for addresses from what the names' thread has found. SIP thread only.

The library would ask the system and wait, on the thread of all calls: a name server that is away would end
every one of them. PJSIP's external resolver (pjsip/sip_resolve.h) is asked for each destination; what is not
known yet is answered when it is.
"""

import ctypes
import socket
from collections.abc import Callable
from dataclasses import dataclass

from sipagent.errors import SipError
from sipagent.sip.c_api import c_api
from sipagent.sip.names import NameWatch
from sipagent.units import monotonic_ms

LONGEST_MS = 5000
"""Nobody is kept waiting longer for a name."""
_NOT_FOUND = 70018
"""``PJ_ERESOLVE``."""
_MOST_ADDRESSES = 8
_AF_INET, _IPV4_BYTES = 2, 16
_KNOWN_HOST = b"192.0.2.77"
_UDP = 1
_SECURE_PORTS, _USUAL_PORT, _SECURE_PORT = (3,), 5060, 5061


class _Text(ctypes.Structure):
    """``pj_str_t``."""

    _fields_ = (("text", ctypes.c_void_p), ("length", ctypes.c_ssize_t))


class _Target(ctypes.Structure):
    """``pjsip_host_info``."""

    _fields_ = (("flag", ctypes.c_uint), ("kind", ctypes.c_int), ("host", _Text), ("port", ctypes.c_int))


class _Address(ctypes.Structure):
    """``pj_sockaddr``, as an IPv4 address; the rest is room for IPv6."""

    _fields_ = (
        ("family", ctypes.c_uint16),
        ("port", ctypes.c_uint16),
        ("ipv4", ctypes.c_uint8 * 4),
        ("room", ctypes.c_uint32 * 5),
    )


class _Entry(ctypes.Structure):
    """``pjsip_server_address_record``."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("priority", ctypes.c_uint),
        ("weight", ctypes.c_uint),
        ("address", _Address),
        ("address_bytes", ctypes.c_int),
    )


class _Addresses(ctypes.Structure):
    """``pjsip_server_addresses``."""

    _fields_ = (("count", ctypes.c_uint), ("entries", _Entry * _MOST_ADDRESSES))


_Callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Addresses))
_Resolve = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(_Target), ctypes.c_void_p, ctypes.c_void_p
)


class _ExtResolver(ctypes.Structure):
    """``pjsip_ext_resolver``."""

    _fields_ = (("resolve", _Resolve),)


@dataclass(frozen=True, slots=True)
class _Question:
    """Something that the library waits for."""

    host: str
    port: int
    kind: int
    token: int | None
    callback: int
    until_ms: int


class Resolver:
    """Put in once; the library keeps its address until ``libDestroy``: so does its owner."""

    def __init__(self, names: NameWatch, on_error: Callable[[str, Exception], None]) -> None:
        """:param on_error: told of what must not happen; must not raise."""
        self._names, self._on_error = names, on_error
        self._waiting: list[_Question] = []
        self._hook = _ExtResolver(resolve=_Resolve(self._resolve))

    def __repr__(self) -> str:
        return f"Resolver(waiting={len(self._waiting)})"

    def install(self) -> None:
        """Behind ``libInit``.

        :raises SipError: another build of the library; it looks names up by itself then.
        """
        api = c_api()
        endpoint = api.pjsua_get_pjsip_endpt()
        if not _is_layout_known(api, endpoint):
            raise SipError("resolver: this pjsua2 lays out pjsip_server_addresses differently")
        api.pjsip_endpt_set_ext_resolver.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        if api.pjsip_endpt_set_ext_resolver(endpoint, ctypes.byref(self._hook)):
            raise SipError("resolver: the library does not take it")

    def tick(self, now_ms: int) -> None:
        """Answer what has become known, give up on what takes too long."""
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            if not self._answered(question, now_ms):
                self._waiting.append(question)

    def _resolve(
        self, _: int, __: int, target: "ctypes._Pointer[_Target]", token: int | None, callback: int
    ) -> None:
        try:
            asked = target.contents
            host = ctypes.string_at(asked.host.text, asked.host.length).decode("latin-1")
            kind = asked.kind or _UDP
            port = asked.port or (_SECURE_PORT if kind in _SECURE_PORTS else _USUAL_PORT)
            now_ms = monotonic_ms()
            question = _Question(host, port, kind, token, callback, now_ms + LONGEST_MS)
            if not self._answered(question, now_ms):
                self._waiting.append(question)
        except Exception as error:  # the library would wait for ever, but nobody above us would hear it
            self._on_error("resolver", error)

    def _answered(self, question: _Question, now_ms: int) -> bool:
        address = _packed(question.host)
        if address is None:
            known = self._names.ask(question.host)
            address = _packed(known.address)
            if address is None and known.problem is None and now_ms < question.until_ms:
                return False
        tell = _Callback(question.callback)
        if address is None:
            tell(_NOT_FOUND, question.token, None)
            return True
        found = _Addresses(count=1)
        entry = found.entries[0]
        entry.kind, entry.address_bytes = question.kind, _IPV4_BYTES
        entry.address.family = _AF_INET
        entry.address.port = socket.htons(question.port)
        entry.address.ipv4[:] = address
        tell(0, question.token, ctypes.byref(found))
        return True


def _packed(text: str) -> bytes | None:
    try:
        return socket.inet_pton(socket.AF_INET, text)
    except OSError:
        return None


def _is_layout_known(api: ctypes.CDLL, endpoint: int) -> bool:
    """The library's own answer for an address must be what ours would be."""
    told: list[tuple[int, ...]] = []

    def tell(status: int, _: int | None, found: "ctypes._Pointer[_Addresses]") -> None:
        entry = found.contents.entries[0]
        where, count = entry.address, found.contents.count
        told.append((status, count, entry.kind, entry.address_bytes, where.family, where.port, *where.ipv4))

    name = ctypes.create_string_buffer(_KNOWN_HOST)
    text = _Text(ctypes.addressof(name), len(_KNOWN_HOST))
    target, callback = _Target(0, _UDP, text, _USUAL_PORT), _Callback(tell)
    pool = api.pjsua_pool_create(b"resolver", 512, 512)
    api.pjsip_endpt_resolve.argtypes = [ctypes.c_void_p] * 5
    api.pjsip_endpt_resolve(
        endpoint, pool, ctypes.addressof(target), None, ctypes.cast(callback, ctypes.c_void_p)
    )
    packed = tuple(_packed(_KNOWN_HOST.decode()) or b"")
    return told == [(0, 1, _UDP, _IPV4_BYTES, _AF_INET, socket.htons(_USUAL_PORT), *packed)]
