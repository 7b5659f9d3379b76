"""In every call it holds, resumes, calls somebody beside, refers, bridges, presses keys and hangs up, in any
order. Run as ``python -m tests.fakes.restless_agent sip.yaml sip:desk@127.0.0.1:5070``."""

import random
import sys
import threading

from sipagent.call.ports import Line, LineDown, LineUp
from tests.fakes.sip_side import serve

LONGEST_PAUSE_S = 0.25
HANGS_UP = 0.05
CHANCE = random.Random(5)


class RestlessCall:
    """Does something until the call is over."""

    def __init__(self, line: Line) -> None:
        self._line = line
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
        acts = (line.hold, line.resume, line.bridge, line.end_consult, line.refer_to_consult)
        while not self._is_over.wait(CHANCE.uniform(0, LONGEST_PAUSE_S)):
            if CHANCE.random() < HANGS_UP:
                line.hang_up()
            else:
                CHANCE.choice([*acts, self._consult, self._press])()

    def _consult(self) -> None:
        self._line.end_consult()
        self._line.consult(sys.argv[2])

    def _press(self) -> None:
        self._line.send_digits("1")


if __name__ == "__main__":
    serve(sys.argv[1], RestlessCall)
