"""A caller whose SIP is written message by message, with a line for the sound."""

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sipagent.lab.impairments import Impairments
from sipagent.lab.rtp_line import RtpLine
from sipagent.lab.sdp import describe, parse_audio
from sipagent.sip.wire_message import SipMessage
from tests.peer.raw_caller import RawCaller

CODECS = ("PCMU",)


@dataclass
class TalkingCaller:
    """A raw caller with a line for the sound."""

    caller: RawCaller
    rtp: socket.socket
    line: RtpLine = field(init=False)
    cseq: int = 0

    def __post_init__(self) -> None:
        self.rtp.setblocking(False)
        self.line = RtpLine(self.rtp, Impairments(), rng=random.Random(1))

    def sdp(self, direction: str = "sendrecv", *, host: str = "") -> bytes:
        """Our description. :param host: instead of our own address."""
        self.cseq += 1
        ours, port = self.rtp.getsockname()
        return describe(host or ours, port, CODECS, version=self.cseq, direction=direction)

    def follow(self, response: SipMessage) -> str:
        """Send the sound where the answer wants it; its direction."""
        remote = parse_audio(response.body, CODECS)
        self.line.connect(remote, now_ms())
        return remote.direction

    def run(self, duration_s: float) -> int:
        """Serve the line for a while; the packets that came meanwhile."""
        before, end_s = len(self.line.received), time.monotonic() + duration_s
        while time.monotonic() < end_s:
            time.sleep(max(0.0, min(0.01, (self.line.next_ms - now_ms()) / 1000)))
            self.line.receive()
            self.line.tick(now_ms())
        return len(self.line.received) - before

    def run_until(self, is_true: Callable[[], bool], timeout_s: float = 20) -> bool:
        """Serve the line until something is true; False when it does not become so."""
        end_s = time.monotonic() + timeout_s
        while not is_true():
            if time.monotonic() > end_s:
                return False
            self.run(0.05)
        return True


@contextmanager
def talking_caller(
    port: int, *, host: str = "127.0.0.1", user: str = "+15550100123"
) -> Iterator[TalkingCaller]:
    """:param port: of the agent. :param host: loopback address to call from."""
    with (
        RawCaller(port, host=host, user=user) as caller,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
    ):
        rtp.bind((host, 0))
        yield TalkingCaller(caller, rtp)


def now_ms() -> float:
    return time.monotonic_ns() / 1e6
