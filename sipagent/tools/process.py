"""One program, run for one job: bounded in time and output, its whole process group killed at the end.

No shell is involved, and the program inherits only what ``KEPT`` names of the environment: no password.
"""

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sipagent.errors import ToolError
from sipagent.units import monotonic_ms

MOST_OUTPUT_BYTES = 65_536
MOST_ERROR_BYTES = 4_096
_CHUNK_BYTES = 16_384
KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR")


def plain_environment() -> dict[str, str]:
    """What a tool may know of ours."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}


@dataclass(slots=True)
class _Streams:
    """What has been written and read so far."""

    to_write: memoryview
    written: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)


def run_process(
    argv: Sequence[str],
    stdin: bytes,
    *,
    folder: Path,
    until_ms: int,
    environ: Mapping[str, str] | None = None,
) -> bytes:
    """Run a program and return what it wrote to standard output.

    :param folder: its working directory. :param until_ms: on the monotonic clock; it is killed then.
    :raises ToolError: it could not be started, took too long, wrote too much, or its exit status is not 0.
    """
    try:
        process = subprocess.Popen(  # its own session: it can be killed with all that it starts
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=plain_environment() if environ is None else dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise ToolError(f"{argv[0]} cannot be started: {reason}") from None
    try:
        streams = _Streams(memoryview(stdin))
        _converse(process, streams, until_ms)
    finally:
        _end(process)
    if process.returncode:
        raise ToolError(_how(process.returncode), _last_line(streams.errors))
    return bytes(streams.written)


def _converse(process: "subprocess.Popen[bytes]", streams: _Streams, until_ms: int) -> None:
    """Feed and read it until it has ended; what its children still hold open is not waited for."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    pidfd = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            for file in (process.stdin, process.stdout, process.stderr):
                os.set_blocking(file.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            selector.register(pidfd, selectors.EVENT_READ)
            while True:
                left_ms = until_ms - monotonic_ms()
                ready = {key.fileobj for key, _ in selector.select(max(left_ms, 0) / 1000)}
                if left_ms <= 0:
                    raise ToolError("took too long")
                if process.stdin in ready and not _feed(process.stdin.fileno(), streams):
                    selector.unregister(process.stdin)
                    process.stdin.close()
                for file, kept in ((process.stdout, streams.written), (process.stderr, streams.errors)):
                    if file in ready and not _drain(file.fileno(), kept):
                        selector.unregister(file)
                if len(streams.written) > MOST_OUTPUT_BYTES:
                    raise ToolError(f"wrote more than {MOST_OUTPUT_BYTES} bytes")
                del streams.errors[:-MOST_ERROR_BYTES]
                if pidfd in ready and not ready & {process.stdout, process.stderr}:
                    return
    finally:
        os.close(pidfd)


def _feed(fd: int, streams: _Streams) -> bool:
    """Write what fits; False: that was all, or it does not want it."""
    try:
        streams.to_write = streams.to_write[os.write(fd, streams.to_write) :]
    except BlockingIOError:
        return True
    except BrokenPipeError:
        return False
    return bool(streams.to_write)


def _drain(fd: int, kept: bytearray) -> bool:
    """Read what is there; False: there will be no more."""
    try:
        chunk = os.read(fd, _CHUNK_BYTES)
    except BlockingIOError:
        return True
    kept += chunk
    return bool(chunk)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Nothing of it is left: what it started in its own group dies, too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for file in (process.stdin, process.stdout, process.stderr):
        if file is not None:
            with contextlib.suppress(OSError):  # what was not written is not wanted
                file.close()


def _how(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with status {returncode}"


def _last_line(errors: bytearray) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return "".join(c for c in lines[-1] if c.isprintable())[:200] if lines else ""
