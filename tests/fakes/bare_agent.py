"""The SIP side alone, without models: answers every call and presses the keys of its command line. Run as
``python tests/fakes/bare_agent.py sip.yaml 12#``, until SIGTERM."""

import json
import signal
import sys
from pathlib import Path

from sipagent import logs
from sipagent.call.ports import Line, LineDown, LineUp, Mailbox, Offer, Rejection
from sipagent.config.load import load_config
from sipagent.sip.user_agent import SipUserAgent


class OneCall:
    """Presses the keys as soon as the call is up."""

    def __init__(self, line: Line, digits: str) -> None:
        self._line, self._digits = line, digits

    def post(self, event: object) -> None:
        match event:
            case LineUp(_, _, sends_tones):
                tell("line.up", sends_tones=sends_tones)
                self._line.send_digits(self._digits)
            case LineDown():
                self._line.release()


class KeyDesk:
    """Takes every call."""

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        line.answer()
        return OneCall(line, self._digits)

    def turned_away(self, offer: Offer, rejection: Rejection) -> None:
        tell("turned.away", status=rejection.status)


def tell(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "at_ms": 0, **facts}), file=sys.stderr, flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    config = load_config(Path(sys.argv[1]))
    agent = SipUserAgent(config, KeyDesk(sys.argv[2]), logs.get_log())
    agent.start()
    tell("agent.ready", ready_ms=1, udp=str(config.listen.udp))
    signal.sigwait({signal.SIGTERM})
    agent.close()


if __name__ == "__main__":
    main()
