"""Asks a STUN server under which address the world sees us (RFC 8489 §5, §14.2): one request, one answer."""

import secrets
import socket
import struct
import time

from sipagent.errors import SipError

_BINDING_REQUEST, _BINDING_SUCCESS = 0x0001, 0x0101
_MAGIC_COOKIE = 0x2112A442
_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS = 0x0001, 0x0020
_IPV4 = 0x01
_TRIES = 4
_WAIT_S = 0.7


def public_address(host: str, port: int, bind_host: str = "0.0.0.0") -> str:
    """Our IPv4 address as ``host:port`` sees it. Waits up to three seconds.

    :raises SipError: the server cannot be found, does not answer, or answers something else.
    """
    where = f"rtp.public_address: the STUN server {host}:{port}"
    try:
        server = (socket.gethostbyname(host), port)
    except OSError as exc:
        raise SipError(f"{where} cannot be found: {exc}; give the public address itself") from exc
    transaction = secrets.token_bytes(12)
    request = struct.pack("!HHI", _BINDING_REQUEST, 0, _MAGIC_COOKIE) + transaction
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind((bind_host, 0))
        for _ in range(_TRIES):
            channel.sendto(request, server)
            address = _awaited_answer(channel, transaction)
            if address:
                return address
    raise SipError(f"{where} does not answer; is UDP to it allowed? Else give the public address itself")


def _awaited_answer(channel: socket.socket, transaction: bytes) -> str:
    deadline_s = time.monotonic() + _WAIT_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        channel.settimeout(left_s)
        try:
            address = mapped_address(channel.recv(2048), transaction)
        except OSError:  # nothing came, or ICMP says that nobody listens there
            return ""
        if address:
            return address
    return ""


def mapped_address(answer: bytes, transaction: bytes) -> str:
    """The IPv4 address in a success response; empty for anything else. Total: takes any bytes."""
    if len(answer) < 20:
        return ""
    kind, length, cookie = struct.unpack_from("!HHI", answer)
    if (kind, cookie, answer[8:20]) != (_BINDING_SUCCESS, _MAGIC_COOKIE, transaction):
        return ""
    end, at = min(len(answer), 20 + length), 20
    found = ""
    while at + 4 <= end:
        attribute, size = struct.unpack_from("!HH", answer, at)
        value = answer[at + 4 : min(end, at + 4 + size)]
        if len(value) == 8 and value[1] == _IPV4:
            number = int.from_bytes(value[4:8], "big")
            if attribute == _XOR_MAPPED_ADDRESS:
                return socket.inet_ntoa((number ^ _MAGIC_COOKIE).to_bytes(4, "big"))
            if attribute == _MAPPED_ADDRESS:
                found = socket.inet_ntoa(number.to_bytes(4, "big"))
        at += 4 + (size + 3) // 4 * 4
    return found
