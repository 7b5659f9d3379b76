"""A filter in the kernel on our SIP sockets: strangers' packets end before the library reads them.

Classic BPF (linux/filter.h, SO_ATTACH_FILTER), no privilege needed. On the TCP listener it sees the SYN, so a
stranger is never connected; on the UDP socket only the answers to our own requests come from elsewhere.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Network

from sipagent.errors import SipError

_SO_ATTACH_FILTER = 26
_LOAD_WORD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_SOURCE_ADDRESS = 0xFFF00000 + 12  # SKF_NET_OFF, then the source field of the IPv4 header
_UDP_PAYLOAD = 8
_ANSWER = int.from_bytes(b"SIP/", "big")
_WHOLE_PACKET, _NOTHING = 0xFFFFFFFF, 0
MOST_NETWORKS = 1000
"""A program has at most 4096 instructions."""


def program(networks: Iterable[IPv4Network], *, lets_answers_in: bool) -> list[bytes]:
    """The instructions: accept the networks and, over UDP, what begins with ``SIP/``; drop the rest.

    :raises SipError: too many networks.
    """
    wanted = list(networks)
    if len(wanted) > MOST_NETWORKS:
        raise SipError(f"trunks: {len(wanted)} networks are more than the {MOST_NETWORKS} a filter holds")
    steps: list[bytes] = []

    def add(code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        steps.append(struct.pack("HBBI", code, if_true, if_false, value))

    for network in wanted:
        add(_LOAD_WORD, _SOURCE_ADDRESS)
        add(_AND, int(network.netmask))
        add(_JUMP_IF_EQUAL, int(network.network_address), 0, 1)
        add(_RETURN, _WHOLE_PACKET)
    if lets_answers_in:
        add(_LOAD_WORD, _UDP_PAYLOAD)
        add(_JUMP_IF_EQUAL, _ANSWER, 0, 1)
        add(_RETURN, _WHOLE_PACKET)
    add(_RETURN, _NOTHING)
    return steps


def attach(sock: socket.socket, steps: list[bytes]) -> None:
    """Put the program on a socket, in place of an earlier one.

    :raises OSError: the kernel does not take it.
    """
    code = b"".join(steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(steps), ctypes.addressof(buffer))
    )


def attach_to_own(kind: socket.SocketKind, port: int, steps: list[bytes]) -> int:
    """Put the program on this process's sockets of that kind bound to the port: the library keeps them.

    :returns: how many were found.
    :raises OSError: the kernel does not take it.
    """
    found = 0
    for name in os.listdir("/proc/self/fd"):
        if not _is_socket(name):
            continue
        with socket.socket(fileno=os.dup(int(name))) as sock:
            if sock.family == socket.AF_INET and sock.type == kind and sock.getsockname()[1] == port:
                attach(sock, steps)
                found += 1
    return found


def _is_socket(name: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    except OSError:  # closed since it was listed
        return False
