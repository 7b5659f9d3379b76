"""The SIP side alone, without models, for fakes that do one thing in every call."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sipagent import logs
from sipagent.call.ports import Line, Mailbox, Offer, Rejection
from sipagent.config.load import load_config
from sipagent.sip.user_agent import SipUserAgent

SEEN_EVERY_S = 0.5


class TakingDesk:
    """Takes every call and answers it."""

    def __init__(self, call_on: Callable[[Line], Mailbox]) -> None:
        self._call_on = call_on

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        line.answer()
        return self._call_on(line)

    def turned_away(self, offer: Offer, rejection: Rejection) -> None: ...

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None: ...

    def peer_banned(self, address: str, *, rule: str, for_s: int) -> None: ...

    def peer_unbanned(self, address: str) -> None: ...


def tell(event: str, **facts: object) -> None:
    """One line of the log."""
    print(json.dumps({"event": event, "at_ms": 0, **facts}), file=sys.stderr, flush=True)


def serve(config_path: str, call_on: Callable[[Line], Mailbox]) -> None:
    """Until SIGTERM; ``agent.seen`` is told twice a second."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    logs.configure(format_="json", level="error")
    config = load_config(Path(config_path))
    agent = SipUserAgent(config, TakingDesk(call_on), logs.get_log())
    agent.start()
    tell("agent.ready", ready_ms=1, udp=str(config.listen.udp))
    while signal.sigtimedwait({signal.SIGTERM}, SEEN_EVERY_S) is None:
        tell("agent.seen", repr=repr(agent), errors=dict(agent.callback_errors))
    agent.close()
