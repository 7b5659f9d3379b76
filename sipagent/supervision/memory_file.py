"""Files without a name: how a configuration, and the stack of a crash, pass between processes."""

import os


def memory_file(name: str, content: bytes = b"") -> int:
    """A new one that holds ``content``; the caller closes the descriptor."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def content_of(fd: int, most_bytes: int = 64 << 20) -> bytes:
    """All of it up to ``most_bytes``, wherever anybody stands in it."""
    parts, at = [], 0
    while part := os.pread(fd, min(1 << 20, most_bytes - at), at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)
