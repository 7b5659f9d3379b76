"""One worker's place: the process that is in it now, and the memory of those before."""

import os
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from sipagent import __version__
from sipagent.call.audit_server import ServerAudit
from sipagent.config.schema import Config, for_worker
from sipagent.ledger.clock import utc_text
from sipagent.supervision.channel import Channel, config_bytes
from sipagent.supervision.crashes import MOST_STACK_BYTES, Crash, CrashReports
from sipagent.supervision.forks import ForkServer
from sipagent.supervision.memory_file import content_of, memory_file
from sipagent.supervision.policy import (
    Action,
    Answers,
    Drain,
    Event,
    Exited,
    Heard,
    Kill,
    Launch,
    Launched,
    Leaves,
    Phase,
    Rules,
    Settled,
    Tick,
    Vitals,
    Watch,
    pause_ms,
    step,
)
from sipagent.units import monotonic_ms

ENTRY = "sipagent.worker_process:run"
_KEPT_EVENTS = 100
_STACKS_WAIT_S = 0.05
_MOST_MESSAGES = 200
"""Of one worker before the others have their turn."""


@dataclass(slots=True)
class Process:
    """A worker process that exists, or has been asked for."""

    channel: Channel
    stacks_fd: int
    began_ms: int
    pid: int = 0
    """0: asked for."""
    is_deaf: bool = False
    """Its end of the channel is closed."""
    is_orphan: bool = False
    """Its fork server has died: nobody tells how it ends."""
    rss_mib: int = 0
    longest_silence_ms: int = 0
    """Of anything that ``supervision.hang_ms`` is about, since it answers."""
    generation: int = 0
    """Of the configuration that it uses."""
    offered: int = 0
    """Of the one that it was sent last."""
    refused: tuple[int, tuple[str, ...]] = (0, ())
    """The last generation that it could not take, and why."""
    status: dict[str, Any] = field(default_factory=dict)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    open_calls: set[str] = field(default_factory=set)
    """By its log, which is quicker than a heartbeat."""

    def heard(self, event: dict[str, Any]) -> None:
        """Keep an event of its log."""
        self.events.append(event)
        match event.get("event"):
            case "call.started":
                self.open_calls.add(str(event.get("call_id")))
            case "call.ended":
                self.open_calls.discard(str(event.get("call_id")))


class Slot:
    """Performs what the policy decides about one worker. Supervisor's thread only."""

    def __init__(
        self,
        index: int,
        *,
        forks: ForkServer,
        crashes: CrashReports,
        audit: ServerAudit,
        log: structlog.stdlib.BoundLogger,
        events_fd: int,
        entry: str = ENTRY,
    ) -> None:
        """:param audit: on the supervisor's own chain. :param events_fd: the way of a process's events to the
        metrics. :param entry: what a process runs."""
        self.index = index
        self.name = f"worker-{index + 1}"
        self.watch = Watch()
        self.process: Process | None = None
        self.config: Config = Config()
        self.generation = 0
        self.rules = Rules()
        self.stop_reason = ""
        self.last_crash: dict[str, Any] | None = None
        self.problems: tuple[str, ...] = ()
        """Why its last process found the configuration or the machine not usable."""
        self._died_ms: int | None = None
        self._forks, self._entry, self._events_fd = forks, entry, events_fd
        self._crashes, self._audit = crashes, audit
        self._log = log.bind(worker=self.name)

    def __repr__(self) -> str:
        return f"Slot({self.name}, {self.watch.phase.value}, {self.process!r})"

    @property
    def is_answering(self) -> bool:
        """It takes calls."""
        return self.watch.phase is Phase.ANSWERING

    @property
    def calls(self) -> tuple[str, ...]:
        """Ids of the calls in progress, by its last heartbeat."""
        return tuple(self.watch.vitals.call_ages_ms)

    def feed(self, event: Event) -> None:
        """Let the policy see an event and do what it says."""
        before = self.watch.phase
        self.watch, actions = step(self.watch, event, self.rules)
        if before is not self.watch.phase and self.is_answering:
            self._began_answering()
        for action in actions:
            self._do(action)

    def use(self, config: Config, generation: int) -> None:
        """From now on new calls, and a new process, are served by this configuration."""
        self.config, self.generation = config, generation
        if self.process is not None and self.process.offered != generation:
            self.offer(config, generation)

    def offer(self, config: Config, generation: int) -> Process | None:
        """Have its process use a configuration; a new process is not begun with it.

        :returns: the process, which then ``generation`` or ``refused`` tell of; None: there is none that
            takes calls.
        """
        process = self.process
        if process is None or not self.is_answering:
            return None
        fd = memory_file("config", config_bytes(for_worker(config, self.index)))
        process.offered = generation
        process.channel.send({"do": "use", "generation": generation}, [fd])
        os.close(fd)
        return process

    def forked(self, pid: int) -> None:
        """The fork server has made the process."""
        if self.process is not None:
            self.process.pid = pid
            self._audit.worker_started(self.name, pid, restarts=self.watch.deaths)
            self.feed(Launched(monotonic_ms()))

    def take(self) -> None:
        """Messages have come over the channel."""
        process = self.process
        for _ in range(_MOST_MESSAGES):
            if process is None or process.is_deaf:
                return
            try:
                received = process.channel.receive(waits=False)
            except BlockingIOError:
                return
            if received is None:
                process.is_deaf = True
                return
            self._hear(process, received[0])

    def measure(self) -> int:
        """Resident memory of the process now, in MiB."""
        if self.process is not None and self.process.pid:
            with suppress(OSError, IndexError):
                pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
                self.process.rss_mib = pages * os.sysconf("SC_PAGE_SIZE") >> 20
        return self.process.rss_mib if self.process else 0

    def exited(self, status: int | None) -> None:
        """Its process is gone."""
        process, now_ms = self.process, monotonic_ms()
        if process is None:
            return
        self.take()  # its last words
        reason, phase = self.watch.reason, self.watch.phase
        is_asked = not self.watch.is_wanted and not self.watch.is_killed
        cause = reason if self.watch.is_killed else ": ".join([cause_of(status), *self.problems])
        self.feed(Exited(status, now_ms))
        self.process, self._died_ms = None, now_ms
        self.feed(Tick(now_ms))  # the next one first, the report behind it
        uptime_ms = now_ms - process.began_ms
        if (is_asked or phase is Phase.DRAINING) and status in (0, None):
            self._audit.worker_stopped(self.name, process.pid, uptime_s=uptime_ms // 1000)
        else:
            self._report(process, cause, status, phase, uptime_ms)
        process.channel.close()
        os.close(process.stacks_fd)

    def end(self) -> None:
        """Its process must be gone now: the server ends at once."""
        if self.process is not None and self.process.pid:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    def status(self) -> dict[str, Any]:
        """Of this worker, for the operator."""
        process, watch, own = self.process, self.watch, for_worker(self.config, self.index)
        facts: dict[str, Any] = {"name": self.name, "state": watch.phase.value, "restarts": watch.deaths}
        if self.is_answering and watch.ready_mib is None:
            facts["state"] = "answering, loading"
        if reason := "; ".join(self.problems) or watch.reason:
            facts["reason"] = reason
        facts |= {"udp": _text(own.listen.udp), "tcp": _text(own.listen.tcp), "rtp": str(own.rtp.port_range)}
        if process is not None:
            facts |= {"pid": process.pid, "uptime_s": (monotonic_ms() - process.began_ms) // 1000}
            facts |= {"rss_mib": process.rss_mib, "generation": process.generation, **process.status}
            facts |= {"longest_silence_ms": process.longest_silence_ms}
        return facts | {"calls": len(self.calls)}

    # --- actions ---

    def _do(self, action: Action) -> None:
        match action:
            case Launch():
                self._launch()
            case Drain() if self.process is not None:
                reason = self.stop_reason or self.watch.reason
                drain_s = self.rules.drain_ms / 1000
                self.process.channel.send({"do": "drain", "reason": reason, "drain_s": drain_s})
            case Kill(reason):
                self._log.error("worker.hung", reason=reason, pid=self.process.pid if self.process else None)
                self._kill()

    def _launch(self) -> None:
        ours, theirs = Channel.pair()
        stacks = memory_file("stacks")
        config = memory_file("config", config_bytes(for_worker(self.config, self.index)))
        self.process, self.problems = Process(ours, stacks, monotonic_ms()), ()
        self.process.generation = self.process.offered = self.generation
        with theirs:
            self._forks.fork(
                self.index, self._entry, self.name, [theirs.fileno(), stacks, config, self._events_fd]
            )
        os.close(config)

    def _kill(self) -> None:
        """Ask for the stacks, which also a busy interpreter gives and a stopped one cannot, then end it."""
        process = self.process
        if process is None:
            return
        if not process.pid:
            self._forks.kill()
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGUSR2)
            os.kill(process.pid, signal.SIGCONT)
            deadline_s = time.monotonic() + _STACKS_WAIT_S
            while not os.fstat(process.stacks_fd).st_size and time.monotonic() < deadline_s:
                time.sleep(0.005)
            time.sleep(0.005)  # the rest of them
            os.kill(process.pid, signal.SIGKILL)

    # --- what comes ---

    def _hear(self, process: Process, message: dict[str, Any]) -> None:
        now_ms = monotonic_ms()
        if "log" in message:
            process.heard(message["log"])
        if "status" in message:
            process.status = dict(message["status"])
        if "vitals" in message:
            vitals = Vitals(**message["vitals"])
            if self.is_answering:
                silence_ms = max(now_ms - self.watch.heard_ms, vitals.sip_age_ms, vitals.clock_age_ms)
                process.longest_silence_ms = max(process.longest_silence_ms, silence_ms)
            self.feed(Heard(vitals, now_ms))
        match message.get("state"):
            case "answering":
                self.feed(Answers(now_ms))
            case "ready":
                self.feed(Settled(int(message["rss_mib"])))
            case "leaving":
                self.feed(Leaves(now_ms))
            case "unusable":
                self.problems = tuple(map(str, message["problems"]))
            case "took":
                process.generation = int(message["generation"])
            case "refused":
                process.refused = (int(message["generation"]), tuple(map(str, message["problems"])))

    def _began_answering(self) -> None:
        assert self.process is not None
        if self._died_ms is not None:
            ready_ms = monotonic_ms() - self._died_ms
            self._log.info(
                "worker.restarted", pid=self.process.pid, ready_ms=ready_ms, restarts=self.watch.deaths
            )
        if self.process.generation != self.generation:
            self.offer(self.config, self.generation)

    def _report(
        self,
        process: Process,
        cause: str,
        status: int | None,
        phase: Phase,
        uptime_ms: int,
    ) -> None:
        """Tell everybody of a death that nobody asked for."""
        crash = Crash(
            at_utc=utc_text(time.time_ns() // 1_000_000),
            worker=self.name,
            pid=process.pid,
            cause=cause,
            status=status,
            phase=phase.value,
            uptime_s=uptime_ms / 1000,
            rss_mib=process.rss_mib,
            calls_lost=tuple(sorted(process.open_calls)),
            version=__version__,
        )
        stacks = content_of(process.stacks_fd, MOST_STACK_BYTES).decode(errors="replace")
        path = self._crashes.keep(crash, process.events, stacks)
        self.last_crash = crash.summary() | {"report": str(path) if path else None}
        is_over = self.watch.phase in (Phase.GIVEN_UP, Phase.STOPPED)
        restart_in_ms = None if is_over else pause_ms(self.watch.failed_starts)
        self._log.error(
            "worker.died",
            pid=process.pid,
            cause=cause,
            uptime_s=round(uptime_ms / 1000, 1),
            calls_lost=len(process.open_calls),
            restart_in_ms=restart_in_ms,
            report=str(path) if path else None,
        )
        self._audit.worker_crashed(
            self.name,
            process.pid,
            cause=cause,
            uptime_s=uptime_ms // 1000,
            restart_in_ms=restart_in_ms,
        )


def cause_of(status: int | None) -> str:
    """``SIGSEGV``, ``exit status 1``."""
    if status is None:
        return "unknown: the fork server had died, too"
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
