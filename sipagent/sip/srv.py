"""Asks for SRV records (RFC 2782): which servers a SIP domain names. A question and an answer over UDP."""

import secrets
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import PacketError

_SRV, _INTERNET, _RECURSE = 33, 1, 0x0100
_MOST_STEPS = 150
_PORT = 53


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """One SRV record; the lowest priority is asked first."""

    priority: int
    weight: int
    port: int
    host: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def nameserver(resolv_conf: Path = Path("/etc/resolv.conf")) -> tuple[str, int]:
    """The first IPv4 name server of this machine."""
    try:
        lines = resolv_conf.read_text().splitlines()
    except OSError:
        lines = []
    named = (line.split()[1] for line in lines if line.startswith("nameserver ") and ":" not in line)
    return next(named, "127.0.0.1"), _PORT


def servers_of(name: str, where: tuple[str, int], *, timeout_s: float = 2.0) -> list[Server]:
    """The servers of a name such as ``_sip._udp.example.com``, best first; empty: there are none.

    :param where: address and port of the name server.
    :raises OSError: it does not answer. :raises PacketError: it answers something else.
    """
    number = secrets.randbits(16)
    labels = b"".join(bytes([len(part)]) + part.encode("ascii") for part in name.split("."))
    question = struct.pack("!6H", number, _RECURSE, 1, 0, 0, 0)
    question += labels + b"\0" + struct.pack("!2H", _SRV, _INTERNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.connect(where)
        sock.send(question)
        return parse_answer(sock.recv(4096), number)


def parse_answer(data: bytes, number: int) -> list[Server]:
    """The SRV records of a response to question ``number``.

    :raises PacketError: it is none.
    """
    try:
        given, flags, questions, answers = struct.unpack_from("!4H", data)
        if given != number or not flags & 0x8000:
            raise PacketError("dns: not the answer to our question")
        at = 12
        for _ in range(questions):
            at = _name(data, at)[1] + 4
        found = []
        for _ in range(answers):
            at = _name(data, at)[1]
            kind, _, _, length = struct.unpack_from("!2HIH", data, at)
            at += 10
            if kind == _SRV:
                priority, weight, port = struct.unpack_from("!3H", data, at)
                found.append(Server(priority, weight, port, _name(data, at + 6)[0]))
            at += length
    except (struct.error, IndexError) as error:
        raise PacketError(f"dns: the answer is cut off: {error}") from error
    return sorted(found, key=lambda server: (server.priority, -server.weight))


def _name(data: bytes, at: int) -> tuple[str, int]:
    """The name at an offset, and the offset behind it (RFC 1035 s4.1.4: names may point backwards)."""
    parts: list[str] = []
    end = -1
    for _ in range(_MOST_STEPS):
        length = data[at]
        if length >= 0xC0:
            end = at + 2 if end < 0 else end
            at = (length & 0x3F) << 8 | data[at + 1]
        elif length:
            parts.append(data[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
        else:
            return ".".join(parts), at + 1 if end < 0 else end
    raise PacketError("dns: a name that points in circles")
