"""Keeps the audit ledger of a server: opened before the first call can come, closed after the last."""

import hashlib
import os
import platform
from collections.abc import Callable

import structlog

from sipagent import __version__
from sipagent.cli.check_models import models_in_force
from sipagent.config.render import render
from sipagent.config.schema import Config
from sipagent.errors import ConfigError, LedgerError
from sipagent.ledger import Erased, Keep, Kind, Ledger, LedgerLimits, LedgerState, Retention, place_recordings
from sipagent.modelstore.store import ModelStore
from sipagent.units import monotonic_ms


class Bookkeeper:
    """The ledger of one server: its start and stop, what it runs on, and forgetting by age."""

    def __init__(
        self,
        config: Config,
        log: structlog.stdlib.BoundLogger,
        ledger: Ledger,
        *,
        forgets: bool = True,
        salvages: bool = True,
    ) -> None:
        self.ledger = ledger
        self._config = config
        self._log = log
        self._began_ms = monotonic_ms()
        self._retention = Retention(
            ledger,
            self._keep() if forgets else Keep(),
            on_done=self._forgot,
            on_error=self._not_forgotten,
            before=self._salvage if salvages else None,
        )

    def __repr__(self) -> str:
        return f"Bookkeeper({self.ledger!r})"

    @classmethod
    def open(
        cls,
        config: Config,
        log: structlog.stdlib.BoundLogger,
        *,
        chain: str = "main",
        forgets: bool = True,
        salvages: bool = True,
        tells: bool = True,
    ) -> "Bookkeeper | None":
        """Open the ledger and enter the start of the server; None where ``ledger.enabled`` is false.

        :param chain: of this process alone: ``main`` where it is the only one, else ``worker-1``, …
        :param forgets: False: forgetting by age, in all chains, is another process's job.
        :param salvages: False: this chain never has recordings.
        :param tells: False: the processes that take the calls tell the operator of a disk that fails.
        :raises ConfigError: the ledger cannot be used: damaged, held by another process or not writable.
        """
        settings = config.ledger
        if not settings.enabled:
            return None
        limits = LedgerLimits(
            segment_max_bytes=settings.segment_max_mib << 20, checkpoint_entries=settings.checkpoint_entries
        )
        try:
            place_recordings(settings.dir, config.recording.dir)
            ledger = Ledger.open(
                settings.dir,
                config.instance,
                chain=chain,
                limits=limits,
                anchor_command=settings.anchor.command,
                on_state=state_teller(log) if tells else None,
            )
        except LedgerError as error:
            raise ConfigError([f"{config.source.at('ledger.dir')}: {error}"]) from error
        keeper = cls(config, log, ledger, forgets=forgets, salvages=salvages)
        try:
            keeper._enter_start()
        except LedgerError as error:
            ledger.close()
            raise ConfigError([f"{config.source.at('ledger.dir')}: {error}"]) from error
        keeper._retention.start()
        return keeper

    def close(self, reason: str) -> None:
        """Enter the stop, sign and release the ledger. Once, after the last call."""
        self._retention.close()
        uptime_s = (monotonic_ms() - self._began_ms) // 1000
        try:
            self.ledger.append(Kind.SERVER_STOPPED, {"reason": reason, "uptime_s": uptime_s})
            is_done = self.ledger.close()
        except LedgerError as error:
            self._log.error("ledger.not_closed", reason=str(error))
            return
        if not is_done:
            problem = self.ledger.state.problem or "the disk was too slow"
            self._log.error("ledger.not_closed", reason=problem)

    def _enter_start(self) -> None:
        text = render(self._config)
        self.ledger.append(
            Kind.SERVER_STARTED, {"version": __version__, "pid": os.getpid(), "host": platform.node()}
        )
        config_sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.ledger.append(Kind.CONFIG_IN_FORCE, {"sha256": config_sha256, "text": text})
        self.ledger.append(Kind.MODELS_IN_USE, {"files": model_digests(self._config)}, durable=True)
        self._log.info("ledger.opened", folder=str(self.ledger.folder), chain=self.ledger.chain)

    def _salvage(self) -> None:
        from sipagent.call.salvage import Salvage  # the recorder's libraries are large

        Salvage(self.ledger, self._log, lambda: self._retention.is_closing).run()

    def _keep(self) -> Keep:
        ledger, recording = self._config.ledger, self._config.recording
        return Keep(
            call_days=_days(ledger.keep_days),
            recording_days=_days(recording.keep_days),
            recordings_max_bytes=recording.max_mib << 20 if recording.when_full == "delete_oldest" else None,
            forgets_callers=True,
        )

    def _forgot(self, done: Erased) -> None:
        facts = {
            "calls": done.calls,
            "keys": done.keys,
            "recordings": done.recordings,
            "callers": done.callers,
        }
        self._log.info("ledger.forgot", **facts)

    def _not_forgotten(self, error: Exception) -> None:
        self._log.error("ledger.not_forgotten", reason=str(error))


def _days(days: str | int) -> int | None:
    return None if isinstance(days, str) else days


def model_digests(config: Config) -> dict[str, str]:
    """The files of the models in force with the digests of the catalogue, which were verified when they were
    installed; models that are part of a library have its name.
    """
    store = ModelStore(config.models_dir)
    names = models_in_force(config, store)
    digests = {}
    for entry in store.entries():
        if entry.name not in names:
            continue
        if entry.in_library:
            digests[entry.name] = f"library {entry.in_library}"
        for file in (*entry.files, *([entry.archive] if entry.archive else [])):
            digests[f"{entry.name}/{file.path}"] = file.sha256
    return digests


def state_teller(log: structlog.stdlib.BoundLogger) -> Callable[[LedgerState], None]:
    """Tells the operator when calls can no longer, or can again, be taken; once, also where the reason
    changes meanwhile (a nearly full disk becomes a full one). Writer's thread.
    """
    was_writable, problem = True, None

    def tell(state: LedgerState) -> None:
        nonlocal was_writable, problem
        before, was_writable = was_writable, state.is_writable
        if before and not state.is_writable:
            effect = "new calls get 503, running ones go on"
            log.error("ledger.unwritable", reason=state.problem, effect=effect)
        elif state.is_writable and not before:
            log.info("ledger.writable")
        if state.is_writable and state.problem not in (None, problem):
            log.warning("ledger.problem", reason=state.problem)
        if state.is_writable:
            problem = state.problem

    return tell
