"""One attempt to reach an address, from Python and from native code: what the lock says to it.

The attempt is a datagram, because a refused one is told at once and beyond doubt (EPERM), while a connection
that does not come about has many causes; a connection is tried for what gets through all the same.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sipagent.egress.guard import EgressRefused

CONNECT_TIMEOUT_S = 2.0
_DNS_QUERY = b"\x00\x00\x01\x00\x00\x01" + bytes(6) + b"\x00\x00\x02\x00\x01"
"""Asks for the name servers of the root: the least that a DNS server answers."""
_KEEPALIVE = b"\r\n\r\n"
"""RFC 5626 §3.5.1; what SIP peers ignore."""
_CONNECTED = frozenset({0, errno.ECONNREFUSED, errno.ECONNRESET})
_REFUSED = frozenset({errno.EPERM, errno.EACCES})


class Verdict(Enum):
    """How an attempt ended."""

    PASSED = "passes"
    REFUSED = "is refused"
    NO_ROUTE = "has no route"
    SILENT = "gets no answer"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to one address."""

    way: str
    verdict: Verdict


def from_python(host: str, port: int) -> list[Attempt]:
    """A datagram and a connection by the interpreter, which its guard sees."""
    return [
        Attempt("python datagram", _in_python(_python_datagram, host, port)),
        Attempt("python connection", _in_python(_python_connection, host, port)),
    ]


def from_native(host: str, port: int) -> list[Attempt]:
    """The same by the C library, past the interpreter."""
    return [
        Attempt("native datagram", _verdict(_native(host, port, socket.SOCK_DGRAM))),
        Attempt("native connection", _verdict(_native(host, port, socket.SOCK_STREAM))),
    ]


def _in_python(attempt: Callable[[str, int], None], host: str, port: int) -> Verdict:
    try:
        attempt(host, port)
    except EgressRefused:
        return Verdict.REFUSED
    except TimeoutError:
        return Verdict.SILENT
    except OSError as error:
        return _verdict(error.errno or 0)
    return Verdict.PASSED


def _python_datagram(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(_payload(port), (host, port))


def _python_connection(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(CONNECT_TIMEOUT_S)
        sock.connect((host, port))


def _native(host: str, port: int, kind: int) -> int:
    """The errno that libc left; 0 where it went through."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
    fd = libc.socket(socket.AF_INET, kind, 0)
    try:
        if kind == socket.SOCK_DGRAM:
            payload = _payload(port)
            result = libc.sendto(fd, payload, len(payload), 0, address, len(address))
        else:
            wait = struct.pack("@ll", int(CONNECT_TIMEOUT_S), 0)
            libc.setsockopt(fd, socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait, len(wait))
            result = libc.connect(fd, address, len(address))
        return ctypes.get_errno() if result < 0 else 0
    finally:
        os.close(fd)


def _payload(port: int) -> bytes:
    return _DNS_QUERY if port == 53 else _KEEPALIVE


def _verdict(number: int) -> Verdict:
    if number in _CONNECTED:
        return Verdict.PASSED
    if number in _REFUSED:
        return Verdict.REFUSED
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Verdict.NO_ROUTE
    return Verdict.SILENT
