"""In every call it holds, resumes, calls somebody beside, refers, bridges, presses keys and hangs up, in any
order. Run as ``python -m tests.fakes.restless_agent sip.yaml sip:desk@127.0.0.1:5070``."""

import contextlib
import random
import sys
import threading

from sipagent import logs
from sipagent.call.outbound import OutboundDesk
from sipagent.call.ports import Line, LineBeside, LineDown, LineUp
from sipagent.errors import SipAgentError
from tests.fakes.sip_side import serve

LONGEST_PAUSE_S = 0.25
HANGS_UP = 0.05
CHANCE = random.Random(5)


class Beside:
    """Whoever is called beside: nothing of it matters here."""

    def post(self, event: object) -> None: ...


class RestlessCall:
    """Does something until the call is over."""

    def __init__(self, line: Line, second_legs: OutboundDesk) -> None:
        self._line, self._second_legs = line, second_legs
        self._beside: LineBeside | None = None
        self._is_over = threading.Event()

    def post(self, event: object) -> None:
        match event:
            case LineUp():
                threading.Thread(target=self._live, daemon=True).start()
            case LineDown():
                self._is_over.set()

    def _live(self) -> None:
        line = self._line
        acts = (line.hold, line.resume, self._bridge, self._abandon, self._refer_to, self._call_beside)
        while not self._is_over.wait(CHANCE.uniform(0, LONGEST_PAUSE_S)):
            if CHANCE.random() < HANGS_UP:
                line.hang_up()
            else:
                CHANCE.choice([*acts, self._press])()
        self._abandon()
        line.release()

    def _call_beside(self) -> None:
        self._abandon()
        with contextlib.suppress(SipAgentError):  # no room
            self._beside = self._second_legs.call_beside(
                sys.argv[2], Beside(), logs.get_log(), trunk="lab", is_bound=False, longest_s=60
            )

    def _abandon(self) -> None:
        if self._beside is not None:
            self._beside.abandon()

    def _bridge(self) -> None:
        if self._beside is not None:
            self._line.bridge(self._beside)

    def _refer_to(self) -> None:
        if self._beside is not None:
            self._line.refer_to(self._beside)

    def _press(self) -> None:
        self._line.send_digits("1")


if __name__ == "__main__":
    serve(sys.argv[1], RestlessCall)
