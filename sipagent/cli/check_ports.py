"""Can the ports of ``sip.yaml`` be opened, and who has them if not?"""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from sipagent.config.schema import Config, for_worker

MOST_CALLS = 4
PORTS_PER_CALL = 2
LISTENING = "0A"
"""State of a TCP socket in /proc/net/tcp."""
Kind = Literal["udp", "tcp"]


def port_problems(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (key, problem) for each socket of each worker that cannot be opened now. Opens and closes them
    all."""
    for index in range(config.workers):
        own = for_worker(config, index)
        for name, where in own.listen.binds.items():
            kind: Kind = "udp" if name == "udp" else "tcp"
            if problem := bind_problem(kind, where.host, where.port):
                yield f"listen.{name}", problem
        yield from rtp_problems(own)
    if config.console is not None:
        where = config.console.bind
        if problem := bind_problem("tcp", where.host, where.port):
            yield "console.bind", problem


def rtp_problems(config: Config) -> Iterator[tuple[str, str]]:
    """Yield a problem where fewer pairs of RTP ports are free than calls may come."""
    wanted = config.limits.max_calls
    needed = MOST_CALLS if isinstance(wanted, str) else wanted
    free, taken = 0, ""
    for port in range(config.rtp.port_first, config.rtp.port_last, PORTS_PER_CALL):
        problems = [bind_problem("udp", "0.0.0.0", port + offset) for offset in range(PORTS_PER_CALL)]
        taken = taken or next(filter(None, problems), "")
        free += not any(problems)
        if free >= needed:
            return
    yield "rtp.port_range", f"room for {free} of {needed} calls in {config.rtp.port_range}: {taken}"


def bind_problem(kind: str, host: str, port: int) -> str:
    """Why the socket cannot be opened and what to do, or an empty string."""
    type_ = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, type_) as probe:
        if kind == "tcp":  # as the SIP library does: connections that just ended do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            if kind == "tcp":
                probe.listen(1)
        except OSError as exc:
            return _reason(exc, kind, host, port)
    return ""


def _reason(exc: OSError, kind: str, host: str, port: int) -> str:
    match exc.errno:
        case errno.EADDRINUSE:
            return f"{kind} port {port} is in use by {holder_of(kind, port)}; stop it or choose another port"
        case errno.EADDRNOTAVAIL:
            return f"this machine has no address {host}; give one of its own, or 0.0.0.0 for all"
        case errno.EACCES:
            return f"{kind} port {port} is for root only; choose one above 1023"
    return f"{kind} {host}:{port} cannot be opened: {exc.strerror}"


def holder_of(kind: str, port: int, proc: Path = Path("/proc")) -> str:
    """``sipagent (pid 1234)``, as far as this user may know."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(kind, port, proc)}
    for process in sorted(proc.glob("[0-9]*")):
        try:
            if any(os.readlink(fd) in sockets for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # gone, or another user's
    return "another user's process"


def _inodes(kind: str, port: int, proc: Path) -> Iterator[str]:
    """Inodes of the sockets bound to the port, from lines such as ``0: 00000000:13C4 00000000:0000 07 …``."""
    for name in (kind, f"{kind}6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            is_bound = int(columns[1].rpartition(":")[2], 16) == port
            if is_bound and (kind == "udp" or columns[3] == LISTENING):
                yield columns[9]
