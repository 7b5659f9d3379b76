"""A worker's process: what the fork server's child becomes, from its first line to its exit status."""

import contextlib
import ctypes
import faulthandler
import os
import resource
import select
import signal
import sys
from pathlib import Path

import structlog

from sipagent import logs
from sipagent.app import Worker
from sipagent.audit import Bookkeeper
from sipagent.config.schema import Config
from sipagent.egress.guard import EgressGuard, install_audit_hook
from sipagent.errors import ConfigError, SipAgentError
from sipagent.supervision.channel import Channel, config_from
from sipagent.supervision.heart import Confidant, Heart
from sipagent.supervision.memory_file import content_of
from sipagent.web.events import EventSender

STACKS_SIGNAL = signal.SIGUSR2
"""Writes every thread's stack for the crash report, whatever the interpreter does."""
_POLL_MS = 250
_PR_SET_NAME = 15
_NO_CORE = 1
"""A core file would hold what callers said and takes seconds to write. 1, not 0: the kernel starts no program
that collects cores then, either."""


def run(name: str, fds: list[int]) -> int:
    """Serve until told to end.

    :param name: such as ``worker-1``.
    :param fds: the channel to the supervisor, a file for stacks, a file with the configuration, the way of
        the events to the metrics.
    :returns: exit status; 78: the configuration or the environment, another try would fail the same way.
    """
    channel, stacks = Channel.from_fd(fds[0]), fds[1]
    _prepare(name, stacks)
    config = config_from(content_of(fds[2]))
    os.close(fds[2])
    logging = config.logging
    logs.configure(
        format_=logging.format,
        level=logging.level,
        shows_pii=logging.pii,
        observers=[EventSender.from_fd(fds[3], name), Confidant(channel)],
    )
    log = logs.get_log().bind(instance=config.instance, worker=name)
    guard = install_audit_hook(config, log)
    try:
        return WorkerProcess(name, config, channel, log, guard).serve()
    except ConfigError as error:
        channel.send({"state": "unusable", "problems": error.problems})
        return os.EX_CONFIG
    except SipAgentError as error:
        log.error("worker.failed", reason=str(error))
        return 1


def _prepare(name: str, stacks: int) -> None:
    """Make the process one of its own: name, signals, what becomes of a crash."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())
    faulthandler.enable(stacks, all_threads=True)
    faulthandler.register(STACKS_SIGNAL, stacks, all_threads=True)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (min(_NO_CORE, hard) if hard >= 0 else _NO_CORE, hard))
    with contextlib.suppress(OSError):  # short of memory, the kernel shall take a worker, not the supervisor
        Path("/proc/self/oom_score_adj").write_text("300")
    sys.setswitchinterval(0.0005)  # the SIP thread must not wait 5 ms for a busy one


class WorkerProcess:
    """Main thread: starts the worker, does what the supervisor says, ends the worker."""

    def __init__(
        self,
        name: str,
        config: Config,
        channel: Channel,
        log: structlog.stdlib.BoundLogger,
        guard: EgressGuard | None = None,
    ) -> None:
        """:param guard: what this process may send to; None: anywhere."""
        self._guard = guard
        self._config = config
        self._channel = channel
        self._log = log
        self._chain = "main" if config.workers == 1 else name
        self._heart = Heart(channel)
        self._reason = ""
        """Why it is to end."""
        self._drain_s = float(config.supervision.drain_s)
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def serve(self) -> int:
        """:raises SipAgentError: it could not start."""
        self._heart.start()
        keeper = Bookkeeper.open(self._config, self._log, chain=self._chain, forgets=False)
        worker = Worker(self._config, self._log, keeper.ledger if keeper else None)
        self._heart.watch(worker.vitals, worker.status)
        try:
            worker.start(lambda: self._tell("answering", status=worker.status()))
            self._tell("ready", rss_mib=_rss_mib())
            while not self._reason:
                self._obey(worker)
            self._log.info("agent.stopping", reason=self._reason)
            self._tell("leaving")
            worker.drain(self._drain_s)
        finally:
            worker.close()
            if keeper is not None:
                keeper.close(self._reason or "failed to start")
            self._log.info("agent.stopped")
            self._heart.close()
        return 0

    def _obey(self, worker: Worker) -> None:
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        if not poll.poll(_POLL_MS):
            return
        received = self._channel.receive()
        if received is None:
            self._reason, self._drain_s = "the supervisor is gone", 0
            return
        message, fds = received
        match message.get("do"):
            case "drain":
                self._reason, self._drain_s = str(message["reason"]), float(message["drain_s"])
            case "use":
                self._use(worker, fds[0], int(message["generation"]))

    def _use(self, worker: Worker, fd: int, generation: int) -> None:
        try:
            config = config_from(content_of(fd))
            worker.use(config)
        except SipAgentError as error:
            self._log.error("config.not_taken", generation=generation, reason=str(error))
            problems = error.problems if isinstance(error, ConfigError) else [str(error)]
            self._tell("refused", generation=generation, problems=problems)
            return
        except Exception as error:  # a fault of ours must not end the calls
            self._log.exception("config.not_taken", generation=generation)
            self._tell("refused", generation=generation, problems=[f"could not be taken: {error!r}"])
            return
        finally:
            os.close(fd)
        self._config = config
        if self._guard is not None:
            self._guard.follow(config)
        self._log.info("config.taken", generation=generation)
        self._tell("took", generation=generation)

    def _tell(self, state: str, **facts: object) -> None:
        self._channel.send({"state": state, **facts})

    def _on_sigterm(self, *_: object) -> None:
        self._reason = self._reason or "SIGTERM"


def _rss_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
