"""Every way out that a program without privileges has, tried as a user, mostly by the C library alone: prints
a line for each.

    python tests/peer/egress_attempts.py UID
"""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable

STRANGER, STRANGER6 = "192.0.2.1", "fd00:db8::1"
"""The second is the world's own address of that family: the program speaks IPv4 alone."""
PORT = 443
LIBC = ctypes.CDLL(None, use_errno=True)
_MSG_FASTOPEN, _UDP_LITE = 0x20000000, 136


def v4(host: str, port: int = PORT) -> bytes:
    """struct sockaddr_in."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


def v6(host: str, port: int = PORT) -> bytes:
    """struct sockaddr_in6."""
    family = struct.pack("=H", socket.AF_INET6)
    return family + struct.pack("!HI", port, 0) + socket.inet_pton(socket.AF_INET6, host) + bytes(4)


def send(address: bytes, kind: int = socket.SOCK_DGRAM, protocol: int = 0, flags: int = 0) -> int:
    """``sendto`` of the C library; its errno."""
    family = struct.unpack_from("=H", address)[0]
    fd = LIBC.socket(family, kind, protocol)
    if fd < 0:
        return ctypes.get_errno()
    payload = b"\x08\x00" + bytes(14) if protocol == socket.IPPROTO_ICMP else b"x"
    LIBC.setsockopt(fd, socket.SOL_SOCKET, socket.SO_BROADCAST, struct.pack("i", 1), 4)
    done = LIBC.sendto(fd, payload, len(payload), flags | socket.MSG_DONTWAIT, address, len(address))
    return ctypes.get_errno() if done < 0 else 0


def connect(address: bytes, kind: int) -> int:
    """``connect`` and ``write`` of the C library; the errno."""
    fd = LIBC.socket(struct.unpack_from("=H", address)[0], kind, 0)
    LIBC.setsockopt(fd, socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 1, 0), 16)
    if LIBC.connect(fd, address, len(address)) < 0 or LIBC.write(fd, b"x", 1) < 0:
        return ctypes.get_errno()
    return 0


def from_child() -> int:
    """By a program that this one starts."""
    command = ["/bin/bash", "-c", f"echo x > /dev/udp/{STRANGER}/{PORT}"]
    return subprocess.run(command, capture_output=True, check=False).returncode


def unix() -> int:
    """A socket of this machine."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/s")
        listener.listen()
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(f"{folder}/s")
    return 0


def loopback() -> int:
    """The console, the resolver of the machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listener.accept)
        thread.start()
        status = connect(v4("127.0.0.1", listener.getsockname()[1]), socket.SOCK_STREAM)
        thread.join()
        return status


WAYS: dict[str, Callable[[], int]] = {
    "UDP": lambda: send(v4(STRANGER)),
    "UDP, connected": lambda: connect(v4(STRANGER), socket.SOCK_DGRAM),
    "TCP": lambda: connect(v4(STRANGER), socket.SOCK_STREAM),
    "TCP with data in its first packet": lambda: send(v4(STRANGER), socket.SOCK_STREAM, 0, _MSG_FASTOPEN),
    "UDP-Lite": lambda: send(v4(STRANGER), socket.SOCK_DGRAM, _UDP_LITE),
    "ping": lambda: send(v4(STRANGER), socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    "raw": lambda: send(v4(STRANGER), socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "DNS to another server": lambda: send(v4("8.8.8.8", 53)),
    "DNS over TCP to another server": lambda: connect(v4("8.8.8.8", 53), socket.SOCK_STREAM),
    "broadcast": lambda: send(v4("198.18.0.255")),
    "multicast": lambda: send(v4("224.0.0.251", 5353)),
    "UDP over IPv6": lambda: send(v6(STRANGER6)),
    "TCP over IPv6": lambda: connect(v6(STRANGER6), socket.SOCK_STREAM),
    "IPv4 in an IPv6 socket": lambda: send(v6(f"::ffff:{STRANGER}")),
    "a program of its own": from_child,
    "AF_UNIX": unix,
    "loopback": loopback,
}


def main() -> None:
    """Become the user, try everything."""
    uid = int(sys.argv[1])
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    with contextlib.suppress(OSError):
        os.chdir("/")
    for name, attempt in WAYS.items():
        print(f"{name}: {attempt()}", flush=True)


if __name__ == "__main__":
    main()
