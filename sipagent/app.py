"""Builds the objects and ties them together: engines, desk, SIP user agent. Nothing else builds them."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from sipagent.call.audit import Book
from sipagent.call.desk import Desk
from sipagent.call.memory import Remembrance
from sipagent.call.outbound import CallProgress, OutboundCall, OutboundDesk, PlacedCall
from sipagent.call.parts import SessionParts
from sipagent.call.ports import Offer, SecondLegs
from sipagent.call.recorded import keep_greetings
from sipagent.call.trunks import TrunkState
from sipagent.call_parts import session_parts
from sipagent.campaigns.service import CampaignService
from sipagent.config.schema import Config, PersonaConfig
from sipagent.engines import Engines, flow_for, load_engines, renewed
from sipagent.errors import CapacityError
from sipagent.ledger import CallerMemory, Eraser, Ledger
from sipagent.sip.user_agent import SipUserAgent
from sipagent.supervision.policy import Vitals
from sipagent.units import monotonic_ms


class Switchboard:
    """The engines and the desk: everything of an agent but its line to the world."""

    _FAREWELL_S = 8.0

    def __init__(self, config: Config, log: structlog.stdlib.BoundLogger, book: Book | None = None) -> None:
        """:param book: the audit ledger of the calls; None: they leave no entries."""
        self._config = config
        self._log = log
        self.engines: Engines | None = None
        self.second_legs: SecondLegs | None = None
        """Who calls those that callers are handed to; None: nobody does."""
        store = CallerMemory.of(book.folder, book.keys) if isinstance(book, Ledger) else None
        forget = Eraser(book).forget_caller if isinstance(book, Ledger) else None
        self._memory = Remembrance(store, config.personas, forget)
        self.desk = Desk(config, self._not_loaded, log, book)

    def __repr__(self) -> str:
        return f"Switchboard({self._config.instance}, {self.desk!r})"

    def start(self, on_answering: Callable[[], None] = lambda: None) -> None:
        """Load the ears and voices, take calls, load the rest.

        :param on_answering: told when calls are taken.
        :raises ModelError: a model cannot be loaded.
        """
        self.engines = load_engines(self._config, self._log, self._memory)
        self.desk.use(self._config, partial(self._parts_for, self._config, self.engines))
        self.desk.open()
        on_answering()
        self.engines.llm.start()
        self.engines.warm(self._config)

    def use(self, config: Config) -> None:
        """Serve new calls by another configuration; those in progress keep theirs. After ``start``.

        Everything is loaded and read first, and only then taken, whole.

        :raises SipAgentError: something cannot be loaded; nothing has changed then.
        """
        assert self.engines is not None
        engines = renewed(self.engines, config, self._log, self._memory)
        engines.warm(config)
        for voice, speaking in engines.speaking.items():
            keep_greetings(speaking.phrases, config, voice, lambda persona: flow_for(engines.flows, persona))
        self._config, self.engines = config, engines
        self._memory.use(config.personas)
        self.desk.use(config, partial(self._parts_for, config, engines))

    def hang_up_all(self) -> None:
        """Take no more calls, say goodbye to those in progress."""
        self.desk.close(self._FAREWELL_S)

    def close(self) -> None:
        """Free the models. Idempotent."""
        if self.engines is not None:
            self.engines.close()
            self.engines = None

    def _parts_for(
        self, config: Config, engines: Engines, persona: PersonaConfig, offer: Offer
    ) -> SessionParts:
        memory = self._memory.begin(persona, offer, self._log)
        parts = session_parts(config, engines, persona, offer, memory)
        return replace(parts, second_legs=self.second_legs)

    def _not_loaded(self, _persona: PersonaConfig, _offer: Offer) -> SessionParts:
        raise CapacityError("not ready yet")  # the desk is closed until there is more


class Worker:
    """One process's agent: a switchboard on a SIP line. ``start``, then ``close``."""

    def __init__(self, config: Config, log: structlog.stdlib.BoundLogger, book: Book | None = None) -> None:
        """:param book: the audit ledger of the calls; None: they leave no entries."""
        self._config = config
        self._log = log
        self._switchboard = Switchboard(config, log, book)
        self._agent = SipUserAgent(config, self._switchboard.desk, log)
        self._outbound = OutboundDesk(config, self._switchboard.desk, self._agent.dialler, log)
        self._campaigns = CampaignService(config, self, log, book)
        self._switchboard.second_legs = self._outbound

    def __repr__(self) -> str:
        return f"Worker({self._switchboard!r}, {self._agent!r})"

    def start(self, on_answering: Callable[[], None] = lambda: None) -> None:
        """Listen at once (503 until somebody can be greeted), take calls, load the rest.

        :param on_answering: told when calls are taken; the language model is loaded during the greeting.
        :raises SipError: a listener cannot be opened. :raises ModelError: a model cannot be loaded.
        """
        began = time.monotonic()
        self._agent.start()
        if not self._agent.has_native_audio:
            self._log.warning(
                "media.fell_back", reason="unknown pjsua2: audio passes through the interpreter"
            )
        self._switchboard.start(on_answering)
        engines = self._switchboard.engines
        assert engines is not None
        listen = self._config.listen
        self._log.info(
            "agent.ready",
            ready_ms=round((time.monotonic() - began) * 1000),
            udp=str(listen.udp) if listen.udp else None,
            tcp=str(listen.tcp) if listen.tcp else None,
            tls=str(listen.tls.bind) if listen.tls else None,
            max_calls=self._agent.max_calls,
            llm=engines.llm.name,
            stt=", ".join(sorted({ear.name for ear in engines.ears.values()})),
            voices=sorted(engines.speaking),
            rss_mib=rss_mib(),
            pid=os.getpid(),
        )
        self._campaigns.use(self._config)

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        """Call somebody. See ``OutboundDesk.place``."""
        return self._outbound.place(call, on_progress)

    @property
    def lines(self) -> tuple[int, int]:
        """How many calls it takes, and how many there are. Any thread."""
        return self._agent.max_calls, self._switchboard.desk.calls

    def trunk_states(self) -> tuple[TrunkState, ...]:
        """Every trunk: alive or not, since when and why. Any thread."""
        return self._agent.trunk_states()

    def use(self, config: Config) -> None:
        """As ``Switchboard.use``; campaigns are read again."""
        self._switchboard.use(config)
        self._outbound.use(config)
        self._campaigns.use(config)

    def drain(self, timeout_s: float) -> None:
        """Take no more calls, leave the registrars, wait for the calls in progress; then ``close``."""
        self._campaigns.stop()
        self._agent.leave_trunks()
        self._switchboard.desk.drain(timeout_s)

    def vitals(self) -> Vitals:
        """Who shows signs of life. Any thread; never waits."""
        now_ms = monotonic_ms()
        agent = self._agent
        return Vitals(
            sip_age_ms=now_ms - agent.heartbeat_ms if agent.heartbeat_ms else 0,
            clock_age_ms=now_ms - agent.clock_ms if agent.clock_ms else 0,
            call_ages_ms=self._switchboard.desk.ages_ms(now_ms),
        )

    def status(self) -> dict[str, object]:
        """What the operator may want to know of it. Any thread; never waits."""
        return {
            "calls": self._switchboard.desk.calls,
            "max_calls": self._agent.max_calls,
            "trunks": {
                one.trunk: {"state": one.health.value, "reason": one.reason, "registration": one.registration}
                for one in self._agent.trunk_states()
            },
            "why_not_ready": self._switchboard.desk.why_closed(),
            "campaigns": self._campaigns.status,
        }

    def close(self) -> None:
        """Say goodbye to the calls, hang up, free everything. Idempotent."""
        self._campaigns.stop()
        self._switchboard.hang_up_all()
        self._campaigns.close()
        self._agent.close()
        self._switchboard.close()


def rss_mib() -> int:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
