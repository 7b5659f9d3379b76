"""Run a command under the limits of ``systemd/hardening.conf`` where systemd itself does not run.

    python tests/peer/as_unit.py COMMAND…

What a process can be made to feel without systemd: the system call filter, the address families, the resource
limits. The user is the business of whoever starts this.
"""

import ctypes
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

HARDENING = Path(__file__).resolve().parents[2] / "systemd" / "hardening.conf"
_ALLOW, _DENY_EPERM = 0x7FFF0000, 0x00050000 | 1
"""libseccomp's SCMP_ACT_ALLOW and SCMP_ACT_ERRNO(EPERM)."""
_EQUAL = 4


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def settings(name: str) -> list[str]:
    """Values of a key of the drop-in, in order."""
    lines = HARDENING.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def system_calls() -> set[str]:
    """What ``SystemCallFilter=`` allows."""
    allowed: set[str] = set()
    for value in settings("SystemCallFilter"):
        names = {call for word in value.lstrip("~").split() for call in _members(word)}
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listing = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in listing.stdout.splitlines()[1:]]
    return {call for word in words if word and not word.startswith("#") for call in _members(word)}


def filter_calls() -> None:
    """Put the filter in force for this process and all that it becomes. Sets no_new_privs, too."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(_DENY_EPERM))
    for call in system_calls() - {"socket"}:
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # else of another processor
            library.seccomp_rule_add_array(context, _ALLOW, number, 0, None)
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in settings("RestrictAddressFamilies")[0].split():
        is_family = _Comparison(0, _EQUAL, getattr(socket, family), 0)
        library.seccomp_rule_add_array(context, _ALLOW, number, 1, ctypes.byref(is_family))
    if library.seccomp_load(context):
        raise OSError("the system call filter could not be loaded")


def main() -> None:
    """Limits first, the filter last."""
    core = int(settings("LimitCORE")[0])
    resource.setrlimit(resource.RLIMIT_CORE, (core, core))
    os.umask(int(settings("UMask")[0], 8))
    for line in settings("Environment"):
        os.environ |= {name: value for name, _, value in (word.partition("=") for word in line.split())}
    filter_calls()
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
