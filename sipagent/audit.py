"""Keeps the audit ledger of a server: opened before the first call can come, closed after the last."""

import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable

import structlog

from sipagent import __version__
from sipagent.cli.check_models import models_in_force
from sipagent.config.render import render
from sipagent.config.schema import Config
from sipagent.errors import ConfigError, LedgerError
from sipagent.ledger import Erased, Eraser, Kind, Ledger, LedgerLimits, LedgerState
from sipagent.ledger.clock import utc_text
from sipagent.modelstore.store import ModelStore
from sipagent.units import monotonic_ms

_DAY_MS = 24 * 3600 * 1000
_RETENTION_PAUSE_S = 3600.0


class Bookkeeper:
    """The ledger of one server: its start and stop, what it runs on, and forgetting by age."""

    def __init__(self, config: Config, log: structlog.stdlib.BoundLogger, ledger: Ledger) -> None:
        self.ledger = ledger
        self._config = config
        self._log = log
        self._began_ms = monotonic_ms()
        self._closing = threading.Event()
        self._retention = threading.Thread(target=self._retain, name="ledger-retention", daemon=True)

    def __repr__(self) -> str:
        return f"Bookkeeper({self.ledger!r})"

    @classmethod
    def open(
        cls, config: Config, log: structlog.stdlib.BoundLogger, *, chain: str = "main"
    ) -> "Bookkeeper | None":
        """Open the ledger and enter the start of the server; None where ``ledger.enabled`` is false.

        :param chain: of this process alone: ``main`` where it is the only one, else ``worker-1``, …
        :raises ConfigError: the ledger cannot be used: damaged, held by another process or not writable.
        """
        settings = config.ledger
        if not settings.enabled:
            return None
        limits = LedgerLimits(
            segment_max_bytes=settings.segment_max_mib << 20, checkpoint_entries=settings.checkpoint_entries
        )
        try:
            ledger = Ledger.open(
                settings.dir,
                config.instance,
                chain=chain,
                limits=limits,
                anchor_command=settings.anchor.command,
                on_state=state_teller(log),
            )
        except LedgerError as error:
            raise ConfigError([f"{config.source.at('ledger.dir')}: {error}"]) from error
        keeper = cls(config, log, ledger)
        try:
            keeper._enter_start()
        except LedgerError as error:
            ledger.close()
            raise ConfigError([f"{config.source.at('ledger.dir')}: {error}"]) from error
        keeper._retention.start()
        return keeper

    def close(self, reason: str) -> None:
        """Enter the stop, sign and release the ledger. Once, after the last call."""
        self._closing.set()
        self._retention.join(10)
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

    def _retain(self) -> None:
        keep_days = self._config.ledger.keep_days
        if isinstance(keep_days, str):
            return
        while not self._closing.is_set():
            try:
                done = retain(self.ledger, keep_days)
            except (LedgerError, OSError) as error:
                self._log.error("ledger.not_forgotten", reason=str(error))
            else:
                if done.keys or done.recordings:
                    self._log.info(
                        "ledger.forgot", calls=done.calls, keys=done.keys, recordings=done.recordings
                    )
            self._closing.wait(_RETENTION_PAUSE_S)


def retain(ledger: Ledger, keep_days: int) -> Erased:
    """Forget what is older; an erasure that a crash interrupted is finished first.

    :raises LedgerError: something could not be destroyed.
    """
    eraser = Eraser(ledger)
    before = utc_text(time.time_ns() // 1_000_000 - keep_days * _DAY_MS)
    return eraser.finish_interrupted() + eraser.forget(ledger.keys.names_before(before), reason="retention")


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
    """Tells the operator when calls can no longer, or can again, be taken. Writer's thread."""

    def tell(state: LedgerState) -> None:
        if not state.is_writable:
            log.error(
                "ledger.unwritable", reason=state.problem, effect="new calls get 503, running ones go on"
            )
        elif state.problem:
            log.warning("ledger.problem", reason=state.problem)
        else:
            log.info("ledger.writable")

    return tell
