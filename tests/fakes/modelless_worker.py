"""The real SIP side with a desk that answers every call and says nothing: starts in a moment, needs no model.

Run as ``python tests/fakes/modelless_worker.py CONFIG [--bare] [--hurried]``; prints the log as JSON on
standard error. ``--bare`` leaves out the gate, to show what it is for; ``--hurried`` takes calls at any rate.
"""

import signal
import sys
import threading
from pathlib import Path

from sipagent import logs
from sipagent.call.ports import Line, LineDown, LineUp, Mailbox, Offer, Rejection
from sipagent.config.load import load_config
from sipagent.sip import gate
from sipagent.sip.guard import Guard
from sipagent.sip.user_agent import SipUserAgent

_HANDSHAKE_S = 2.0


class _Call:
    """A mailbox that lets go of its line when the call ends, and hangs up where no ACK comes."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._timer = threading.Timer(_HANDSHAKE_S, line.hang_up)
        self._timer.daemon = True
        self._timer.start()
        line.answer()

    def post(self, event: object) -> None:
        if isinstance(event, LineUp | LineDown):
            self._timer.cancel()
        if isinstance(event, LineDown):
            self._line.release()


class _Desk:
    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        logs.get_log().info("call.offered", trunk=offer.trunk, pii_source=offer.source)
        return _Call(line)

    def turned_away(self, offer: Offer, rejection: Rejection) -> None:
        pass

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        pass

    def peer_banned(self, address: str, *, rule: str, for_s: int) -> None:
        pass

    def peer_unbanned(self, address: str) -> None:
        pass


class _OpenGuard(Guard):
    def install(self) -> None:
        pass

    def close_sockets(self, listeners: object) -> None:
        pass


def main() -> None:
    """Serve until SIGTERM."""
    config = load_config(Path(sys.argv[1]))
    logs.configure(format_="json", shows_pii=True)
    log = logs.get_log()
    if "--hurried" in sys.argv:
        gate.NEW_CALLS_PER_S = 10_000
    agent = SipUserAgent(config, _Desk(), log)
    if "--bare" in sys.argv:
        agent._guard = _OpenGuard(config, _Desk(), log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    agent.start()
    listen = config.listen
    log.info("agent.ready", udp=str(listen.udp), tcp=str(listen.tcp), max_calls=agent.max_calls)
    stop.wait()
    agent.close()


if __name__ == "__main__":
    main()
