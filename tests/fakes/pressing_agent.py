"""Presses keys in every call. Run as ``python -m tests.fakes.pressing_agent sip.yaml 12#``."""

import sys

from sipagent.call.outbound import OutboundDesk
from sipagent.call.ports import Line, LineDown, LineUp
from tests.fakes.sip_side import serve, tell


class PressingCall:
    """Presses the keys as soon as the call is up."""

    def __init__(self, line: Line, _: OutboundDesk) -> None:
        self._line = line

    def post(self, event: object) -> None:
        match event:
            case LineUp(_, _, sends_tones):
                tell("line.up", sends_tones=sends_tones)
                self._line.send_digits(sys.argv[2])
            case LineDown():
                self._line.release()


if __name__ == "__main__":
    serve(sys.argv[1], PressingCall)
