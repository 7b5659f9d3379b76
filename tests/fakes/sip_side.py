"""The SIP side alone, without models, for fakes that do one thing in every call."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sipagent import logs
from sipagent.call.outbound import OutboundCall, OutboundDesk
from sipagent.call.ports import Line, Mailbox, Offer, Rejection
from sipagent.call.session import Session
from sipagent.config.load import load_config
from sipagent.config.schema import PersonaConfig
from sipagent.sip.user_agent import SipUserAgent

SEEN_EVERY_S = 0.5


class TakingDesk:
    """Takes every call and answers it."""

    def __init__(self, call_on: Callable[[Line, OutboundDesk], Mailbox]) -> None:
        self._call_on = call_on
        self.second_legs: OutboundDesk | None = None

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        assert self.second_legs is not None
        line.answer()
        return self._call_on(line, self.second_legs)

    def place(self, offer: Offer, line: Line, persona: PersonaConfig, order: OutboundCall) -> Session:
        raise NotImplementedError

    def turned_away(self, offer: Offer, rejection: Rejection) -> None: ...

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None: ...

    def peer_banned(self, address: str, *, rule: str, for_s: int) -> None: ...

    def peer_unbanned(self, address: str) -> None: ...


def tell(event: str, **facts: object) -> None:
    """One line of the log."""
    print(json.dumps({"event": event, "at_ms": 0, **facts}), file=sys.stderr, flush=True)


def serve(config_path: str, call_on: Callable[[Line, OutboundDesk], Mailbox]) -> None:
    """Until SIGTERM; ``agent.seen`` is told twice a second."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    logs.configure(format_="json", level="error")
    config = load_config(Path(config_path))
    desk = TakingDesk(call_on)
    agent = SipUserAgent(config, desk, logs.get_log())
    desk.second_legs = OutboundDesk(config, desk, agent.dialler, logs.get_log())
    agent.start()
    tell("agent.ready", ready_ms=1, udp=str(config.listen.udp))
    while signal.sigtimedwait({signal.SIGTERM}, SEEN_EVERY_S) is None:
        tell("agent.seen", repr=repr(agent), errors=dict(agent.callback_errors))
    agent.close()
