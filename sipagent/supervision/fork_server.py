"""The process that workers are forked from: every library imported, nothing started.

A fork takes milliseconds where starting an interpreter and importing the engines takes more than a second. It
is the workers' parent for the kernel and tells the supervisor how each one ended.
"""

import importlib
import os
import select
import signal
import socket
import sys
from contextlib import suppress

import structlog

from sipagent.supervision.channel import Channel, Message


def serve(channel: Channel) -> None:
    """Answer the supervisor until it is gone.

    ``{"import": [module, …]}``; ``{"fork": number, "entry": "module:function", "name": …}`` with the
    descriptors that ``function(name, fds)`` gets in the child, whose return value is its exit status. Told
    back: ``{"forked": number, "pid": …}``, ``{"exited": pid, "status": …}``.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # sent to the whole group: the supervisor tells the workers
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        select.select([channel.fileno(), woken.fileno()], [], [])
        with suppress(BlockingIOError):
            woken.recv(4096)
        for pid, status in _buried():
            channel.send({"exited": pid, "status": status})
        try:
            received = channel.receive(waits=False)
        except BlockingIOError:
            continue
        if received is None:
            return
        message, fds = received
        if "import" in message:
            _import(message["import"])
        elif "fork" in message:
            pid = os.fork()
            if pid == 0:
                for end in (channel, woken, waker):
                    end.close()
                _become(message, fds)
            channel.send({"forked": message["fork"], "pid": pid})
            for fd in fds:
                os.close(fd)


def _become(message: Message, fds: list[int]) -> None:
    """In the child: run the entry and end with its status."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        module, _, function = message["entry"].partition(":")
        status = getattr(importlib.import_module(module), function)(message["name"], fds)
    except BaseException:
        structlog.get_logger().exception("worker.failed")
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # native threads of the engines may linger


def _buried() -> list[tuple[int, int]]:
    """(pid, exit status or minus the signal) of the children that have ended."""
    found = []
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append((ended[0], os.waitstatus_to_exitcode(ended[1])))
    return found


def _import(modules: list[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # the worker that needs it says it better
            structlog.get_logger().debug("module.missing", module=module, reason=repr(error))


if __name__ == "__main__":
    serve(Channel.from_fd(int(sys.argv[1])))
