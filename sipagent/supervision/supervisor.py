"""The parent: one thread and one selector for its workers, the fork server, signals and the operator."""

import os
import queue
import selectors
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from sipagent.call.audit_server import ServerAudit
from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.ledger import Ledger
from sipagent.supervision.changes import Changes, RestartNeeded
from sipagent.supervision.channel import Channel
from sipagent.supervision.control import ControlServer, Reply
from sipagent.supervision.crashes import CrashReports
from sipagent.supervision.forks import ForkServer
from sipagent.supervision.notify import Notifier
from sipagent.supervision.policy import Retry, Rules, StopAsked, Tick
from sipagent.supervision.reload import Reload
from sipagent.supervision.slot import ENTRY, Slot
from sipagent.supervision.status import (
    Status,
    are_given_up,
    are_gone,
    problems_of,
    summary,
    whole_status,
    why_not_ready,
)
from sipagent.units import monotonic_ms

TICK_MS = 100
_STALL_MS = 3 * TICK_MS
"""The supervisor itself was late by more than this: others were, too."""
_KILLED_AT_ONCE = 130

ReadConfig = Callable[[Config], Changes]
"""Gets the configuration in force, tells what the file changes.

:raises ConfigError: with every problem; the file and the machine are looked at, nothing is changed.
"""


class Supervisor:
    """Keeps the workers of one server answering. A ``StatusSource``. ``run`` once, on the main thread."""

    def __init__(
        self,
        config: Config,
        log: structlog.stdlib.BoundLogger,
        *,
        imports: Sequence[str],
        read_config: ReadConfig,
        crashes: CrashReports,
        control: Path,
        ledger: Ledger | None,
        notifier: Notifier,
        events_fd: int,
        entry: str = ENTRY,
    ) -> None:
        """:param imports: modules that the fork server has ready. :param read_config: for a reload.
        :param ledger: open on a chain of the supervisor's own. :param events_fd: where the workers send the
            events of their logs. :param entry: ``module:function`` that a worker's process runs.
        """
        self._config = config
        self._log = log
        self._read_config = read_config
        self._crashes, self._ledger, self._notifier = crashes, ledger, notifier
        self._selector = selectors.DefaultSelector()
        self._control = ControlServer(control, self._selector, self._command)
        self._forks = ForkServer(
            imports,
            log,
            on_forked=lambda number, pid: self._slots[number].forked(pid),
            on_exited=self._exited,
            on_lost=self._fork_server_lost,
        )
        audit = ServerAudit(ledger, log)
        self._slots = [
            Slot(
                index,
                forks=self._forks,
                crashes=crashes,
                audit=audit,
                log=log,
                events_fd=events_fd,
                entry=entry,
            )
            for index in range(config.workers)
        ]
        self._woken, self._waker = socket.socketpair()
        self._posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._began_ms = self._ticked_ms = self._watchdog_ms = monotonic_ms()
        self._generation = self._newest_generation = 1
        """In force; ever offered to a worker."""
        self._waiting: tuple[str, ...] = ()
        self._stop_reason = ""
        self._is_cut = False
        self._was_ready = False
        self._is_reloading = False
        self._reload: Reload | None = None
        """What the workers are taking."""
        self._status: Status = {}

    def __repr__(self) -> str:
        return f"Supervisor({self._config.instance}, {self._slots})"

    @property
    def pids(self) -> list[int]:
        """Of the workers that live."""
        return [slot.process.pid for slot in self._slots if slot.process and slot.process.pid]

    def status(self) -> Status:
        """See ``StatusSource``; not older than a tick."""
        return self._status

    def run(self) -> int:
        """Serve until told to stop.

        :returns: exit status: 0; 130 after a second signal.
        :raises ConfigError: every worker has found the configuration or the machine not usable; or the
            control socket cannot be made, and nothing was started.
        """
        earlier = self._crashes.newest()
        self._earlier_crash = None if earlier is None else _crash_of(*earlier)
        self._take_signals()
        self._control.open()
        self._start_fork_server()
        self._distribute(self._config)
        try:
            while not self._is_over():
                self._safely(self._tick)
                self._wait()
            if are_given_up(self._slots) and not self._stop_reason:
                raise ConfigError(list(problems_of(self._slots)))
            return _KILLED_AT_ONCE if self._is_cut else 0
        finally:
            for slot in self._slots:
                slot.end()
            self._control.close()
            self._forks.close()
            self._notifier.close()
            self._selector.close()

    def stop(self, reason: str) -> None:
        """Take no more calls; end when those in progress have, or after ``supervision.drain_s``."""
        if self._stop_reason:
            return
        self._stop_reason = reason
        self._notifier.stopping()
        self._log.info("server.stopping", reason=reason, drain_s=self._config.supervision.drain_s)
        for slot in self._slots:
            slot.stop_reason = reason
            slot.feed(StopAsked(monotonic_ms()))

    @property
    def stop_reason(self) -> str:
        """Why it stops; empty: it does not."""
        return self._stop_reason

    # --- the loop ---

    def _is_over(self) -> bool:
        if self._is_cut:
            return True
        if self._stop_reason:
            return are_gone(self._slots)
        return are_given_up(self._slots)

    def _tick(self) -> None:
        now_ms = monotonic_ms()
        late_ms = now_ms - self._ticked_ms - TICK_MS
        self._ticked_ms = now_ms
        stalled_ms = late_ms if late_ms > _STALL_MS else 0
        for slot in self._slots:
            slot.feed(Tick(now_ms, slot.measure(), stalled_ms))
            self._watch_channel(slot)
        self._settle_reload(now_ms)
        self._tell(now_ms)

    def _wait(self) -> None:
        for key, _ in self._selector.select(TICK_MS / 1000):
            self._safely(key.data)
        while not self._posted.empty():
            self._safely(self._posted.get())

    def _safely(self, job: Callable[[], None]) -> None:
        """A fault of ours must not end the calls; one that stays keeps the watchdog from hearing of us."""
        try:
            job()
        except Exception:
            self._log.exception("supervisor.failed")

    def _tell(self, now_ms: int) -> None:
        """Keep the status and systemd up to date."""
        self._status = whole_status(
            self._slots,
            is_stopping=bool(self._stop_reason),
            earlier_crash=self._earlier_crash,
            facts={
                "instance": self._config.instance,
                "config": self._config.source.path,
                "generation": self._generation,
                "waiting_for_restart": list(self._waiting),
                "pid": os.getpid(),
                "uptime_s": (now_ms - self._began_ms) // 1000,
                "rss_mib": rss_mib(),
                "ledger": "off" if self._ledger is None else self._ledger.state.problem or "writable",
            },
        )
        reason = why_not_ready(self._slots, is_stopping=bool(self._stop_reason))
        if any(slot.is_answering for slot in self._slots) and not self._was_ready:
            self._was_ready = True
            self._notifier.ready()
            self._log.info("server.ready", pid=os.getpid(), rss_mib=rss_mib(), workers=len(self._slots))
        self._notifier.status(summary(self._slots, reason))
        period_ms = self._notifier.watchdog_ms
        if period_ms and now_ms - self._watchdog_ms >= period_ms:
            self._watchdog_ms = now_ms
            self._notifier.watchdog()

    def _watch_channel(self, slot: Slot) -> None:
        """Listen to a slot's process, once it has one."""
        process = slot.process
        if process is None or process.is_deaf:
            return
        try:
            self._selector.register(process.channel, selectors.EVENT_READ, lambda: self._listen(slot))
        except KeyError:
            return  # already

    def _listen(self, slot: Slot) -> None:
        slot.take()
        process = slot.process
        if process is not None and process.is_deaf:
            self._selector.unregister(process.channel)
            if process.is_orphan:
                self._bury(slot, None)

    # --- processes ---

    def _exited(self, pid: int, status: int | None) -> None:
        for slot in self._slots:
            if slot.process is not None and slot.process.pid == pid:
                self._bury(slot, status)

    def _bury(self, slot: Slot, status: int | None) -> None:
        if slot.process is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(slot.process.channel)
        slot.exited(status)
        self._watch_channel(slot)

    def _start_fork_server(self) -> None:
        self._selector.register(self._forks.start(), selectors.EVENT_READ, self._forks.take)

    def _fork_server_lost(self, channel: Channel) -> None:
        """Begin another; its children live on, those that it had not made yet never will."""
        self._selector.unregister(channel)
        self._start_fork_server()
        for slot in self._slots:
            if slot.process is not None:
                slot.process.is_orphan = True
                if slot.process.pid == 0 or slot.process.is_deaf:
                    self._bury(slot, None)

    # --- the operator ---

    def _take_signals(self) -> None:
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._awake)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGHUP, lambda *_: self._posted.put(lambda: self.reload(_nobody)))

    def _on_stop_signal(self, number: int, _: object) -> None:
        self._is_cut = bool(self._stop_reason)
        self._posted.put(lambda: self.stop(signal.Signals(number).name))

    def _awake(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _command(self, command: str, reply: Reply) -> None:
        match command:
            case "status":
                reply({"ok": True, "status": self._status})
            case "reload":
                self.reload(reply)
            case "drain":
                self.stop("sipagent drain")
                reply({"ok": True, "calls": self._status["calls"]})
            case _:
                reply({"ok": False, "problems": ["unknown command; there are status, reload, drain"]})

    def reload(self, reply: Reply) -> None:
        """Look at the file anew, on a thread of its own, and use it if it is right."""
        if self._stop_reason or self._is_reloading:
            why = "the server is stopping" if self._stop_reason else "another reload is going on"
            reply({"ok": False, "problems": [why], "is_file_wrong": False})
            return
        self._is_reloading = True
        self._notifier.reloading()
        threading.Thread(target=self._read, args=(reply,), name="reload", daemon=True).start()

    def _read(self, reply: Reply) -> None:
        try:
            changes = self._read_config(self._config)
        except ConfigError as error:
            problems, is_wrong = error.problems, not isinstance(error, RestartNeeded)
            self._post(lambda: self._refuse(problems, reply, is_file_wrong=is_wrong))
        except Exception as error:  # ours: the server goes on with what it has
            self._log.exception("config.unread")
            problem = f"sip.yaml could not be read: {error!r}"
            self._post(lambda: self._refuse([problem], reply, is_file_wrong=False))
        else:
            self._post(lambda: self._offer(changes, reply))

    def _post(self, job: Callable[[], None]) -> None:
        """Run on the supervisor's thread, soon. Any thread."""
        self._posted.put(job)
        with suppress(OSError):
            self._waker.send(b"\0")

    def _refuse(self, problems: list[str], reply: Reply, *, is_file_wrong: bool) -> None:
        self._is_reloading = False
        self._notifier.ready()
        self._log.error("config.refused", problems=problems, effect="nothing has changed")
        reply({"ok": False, "problems": problems, "is_file_wrong": is_file_wrong})

    def _offer(self, changes: Changes, reply: Reply) -> None:
        self._newest_generation += 1
        now_ms = monotonic_ms()
        self._reload = Reload(changes, self._newest_generation, reply, self._slots, now_ms)
        self._settle_reload(now_ms)

    def _settle_reload(self, now_ms: int) -> None:
        reload = self._reload
        verdict = reload.verdict(now_ms) if reload is not None else None
        if reload is None or verdict is None:
            return
        self._reload = None
        if verdict.problems:
            reload.take_back(self._config, self._generation)
            self._refuse(list(verdict.problems), reload.reply, is_file_wrong=False)
        else:
            self._change(reload, verdict.late)

    def _change(self, reload: Reload, late: tuple[str, ...]) -> None:
        changes = reload.changes
        self._is_reloading = False
        self._generation = reload.generation
        self._waiting = changes.waiting
        self._config = changes.config
        self._log.info(
            "config.reloaded",
            generation=self._generation,
            at_once=list(changes.at_once),
            waiting_for_restart=list(changes.waiting),
            late=list(late),
        )
        self._distribute(changes.config)
        for slot in self._slots:
            slot.feed(Retry(monotonic_ms()))
        self._notifier.ready()
        answer = {"at_once": changes.at_once, "waiting_for_restart": changes.waiting, "late": late}
        reload.reply({"ok": True, **answer})

    def _distribute(self, config: Config) -> None:
        supervision = config.supervision
        memory_mib = None if isinstance(supervision.memory_mib, str) else supervision.memory_mib
        for slot in self._slots:
            slot.rules = Rules(supervision.hang_ms, supervision.drain_s * 1000, memory_mib)
            slot.use(config, self._generation)


def _nobody(_: object) -> None:
    """SIGHUP: the log has the answer."""


def _crash_of(path: Path, report: Status) -> Status:
    known = {key: report.get(key) for key in ("worker", "cause", "at_utc")}
    return {**known, "calls": report.get("calls_lost"), "report": str(path)}


def rss_mib() -> int:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
