"""The SIP side alone, without models: in every call it holds, resumes, calls somebody beside, refers,
bridges, presses keys and hangs up, in any order, until SIGTERM.

Run as ``python tests/fakes/restless_agent.py sip.yaml sip:desk@127.0.0.1:5070``.
"""

import json
import random
import signal
import sys
import threading
from pathlib import Path

from sipagent import logs
from sipagent.call.ports import Line, LineDown, LineUp, Mailbox, Offer, Rejection
from sipagent.config.load import load_config
from sipagent.sip.user_agent import SipUserAgent

LONGEST_PAUSE_S = 0.25


class RestlessCall:
    """Does something until the call is over."""

    def __init__(self, line: Line, desk: str, chance: random.Random) -> None:
        self._line, self._desk, self._chance = line, desk, chance
        self._is_over = threading.Event()

    def post(self, event: object) -> None:
        match event:
            case LineUp():
                threading.Thread(target=self._act, daemon=True).start()
            case LineDown():
                self._is_over.set()
                self._line.end_consult()
                self._line.release()

    def _act(self) -> None:
        line = self._line
        acts = (line.hold, line.resume, line.bridge, line.end_consult, line.refer_to_consult, self._consult)
        while not self._is_over.wait(self._chance.uniform(0, LONGEST_PAUSE_S)):
            if self._chance.random() < 0.05:
                line.hang_up()
            else:
                self._chance.choice([*acts, lambda: line.send_digits("1")])()

    def _consult(self) -> None:
        self._line.end_consult()
        self._line.consult(self._desk)


class RestlessDesk:
    """Takes every call."""

    def __init__(self, desk: str) -> None:
        self._desk = desk
        self._chance = random.Random(5)

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        line.answer()
        return RestlessCall(line, self._desk, self._chance)

    def turned_away(self, offer: Offer, rejection: Rejection) -> None:
        """Full."""


def tell(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "at_ms": 0, **facts}), file=sys.stderr, flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    logs.configure(format_="json", level="error")
    config = load_config(Path(sys.argv[1]))
    agent = SipUserAgent(config, RestlessDesk(sys.argv[2]), logs.get_log())
    agent.start()
    tell("agent.ready", ready_ms=1, udp=str(config.listen.udp))
    while signal.sigtimedwait({signal.SIGTERM}, 0.5) is None:
        tell("agent.seen", repr=repr(agent), errors=dict(agent.callback_errors))
    agent.close()


if __name__ == "__main__":
    main()
