"""A SIP phone in pure Python for one outgoing call: the caller of the lab, the benchmarks and the tests.

It is made to measure an agent from outside, in a process of its own: one thread serves SIP and RTP against
absolute deadlines, and every received packet carries the kernel's time.

    with Softphone() as phone:
        phone.call("sip:receptionist@127.0.0.1:5060")
        phone.run(until=lambda: phone.is_up, timeout_ms=5000)
        phone.say(pcm)
        phone.run(until=lambda: phone.is_over, timeout_ms=60_000)
"""

import os
import random
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from sipagent.errors import SipError
from sipagent.lab.impairments import Impairments
from sipagent.lab.playout import agent_track, caller_track, write_stereo
from sipagent.lab.rtp_line import RtpLine, SpokenLine, prepare_line
from sipagent.lab.sip_leg import LegResult, LegState, SipLeg
from sipagent.lab.wire import PACKET_MS, RtpReport, Span, rtp_report
from sipagent.sip.wire_message import SipUri
from sipagent.units import Pcm16

_STEP_MS = 10.0
"""At least this often the run loop looks at its timers and at ``until``."""
_REALTIME_PRIORITY = 10


class Softphone:
    """One phone, one call. Not thread-safe."""

    def __init__(
        self,
        *,
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        impairments: Impairments | None = None,
        from_user: str = "caller",
        extra_headers: tuple[tuple[str, str], ...] = (),
        answer_timeout_ms: int = 30_000,
        rng: random.Random | None = None,
    ) -> None:
        self._codecs, self._from_user, self._extra_headers = codecs, from_user, extra_headers
        self._answer_timeout_ms = answer_timeout_ms
        self._impairments = impairments or Impairments()
        self._rng = rng or random.Random()
        self._sip: socket.socket | None = None
        self._rtp: socket.socket | None = None
        self._peer: tuple[str, int] = ("", 0)
        self._leg: SipLeg | None = None
        self._line: RtpLine | None = None

    def __repr__(self) -> str:
        return f"Softphone({self._leg!r}, {self._line!r})"

    def __enter__(self) -> "Softphone":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, uri: str) -> None:
        """Send the INVITE.

        :raises SipError: the address is no SIP URI, or its host cannot be found.
        """
        target = SipUri.parse(uri)
        try:
            self._peer = (socket.gethostbyname(target.host), target.port)
        except OSError as exc:
            raise SipError(f"softphone: cannot find host {target.host!r} of {uri}: {exc}") from exc
        address = _local_address(self._peer)
        self._sip, self._rtp = _bound_socket(address), _bound_socket(address)
        self._line = RtpLine(self._rtp, self._impairments, rng=self._rng)
        self._leg = SipLeg(
            target,
            (address, self._sip.getsockname()[1]),
            self._rtp.getsockname()[1],
            codecs=self._codecs,
            from_user=self._from_user,
            extra_headers=self._extra_headers,
            answer_timeout_ms=self._answer_timeout_ms,
            rng=self._rng,
        )
        self._leg.invite(_now_ms())
        self._flush()

    @property
    def leg(self) -> SipLeg:
        """The SIP side, once ``call`` was called."""
        if self._leg is None:
            raise SipError("softphone: no call was placed yet")
        return self._leg

    @property
    def line(self) -> RtpLine:
        """The audio side, once ``call`` was called."""
        if self._line is None:
            raise SipError("softphone: no call was placed yet")
        return self._line

    @property
    def is_up(self) -> bool:
        """True while the call is answered and not ended."""
        return self.leg.state is LegState.UP

    @property
    def is_over(self) -> bool:
        """True when the call was refused, hung up or given up."""
        return self.leg.state is LegState.ENDED

    @property
    def result(self) -> LegResult | None:
        """How the call ended; None before that."""
        return self.leg.result

    @property
    def setup_ms(self) -> float:
        """INVITE to 200."""
        return self.leg.answered_ms - self.leg.invited_ms

    def say(self, speech: Pcm16 | SpokenLine) -> SpokenLine:
        """Queue 16 kHz speech, or a line that ``prepare_line`` made of it beforehand, which is quicker.

        Where nothing is queued, silence is sent.
        """
        line = speech if isinstance(speech, SpokenLine) else prepare_line(speech)
        self.line.say(line)
        return line

    def dtmf(self, digits: str) -> None:
        """Queue digits as RFC 4733 telephone-events."""
        self.line.dtmf(digits)

    def cancel(self) -> None:
        """Give up a call that is not answered yet."""
        self.leg.cancel(_now_ms())

    def hang_up(self) -> None:
        """Send BYE; ``run`` until ``is_over`` to see it answered."""
        self.leg.bye(_now_ms())

    def run(self, until: Callable[[], bool], timeout_ms: float) -> bool:
        """Serve the call until the condition holds. It is asked at least every 10 ms and may say things.

        :returns: False when ``timeout_ms`` passed first.
        """
        deadline_ms = _now_ms() + timeout_ms
        while not until():
            if _now_ms() >= deadline_ms:
                return False
            self._step(deadline_ms)
        self._flush()
        return True

    def _step(self, deadline_ms: float) -> None:
        assert self._sip is not None
        assert self._rtp is not None
        now_ms = _now_ms()
        wait_ms = max(min(self.line.next_ms, deadline_ms, now_ms + _STEP_MS) - now_ms, 0.0)
        readable, _, _ = select.select([self._sip, self._rtp], [], [], wait_ms / 1000)
        now_ms = _now_ms()
        if self._rtp in readable:
            self.line.receive()
        self.line.tick(now_ms)
        if self._sip in readable:
            self._receive_sip(now_ms)
        self.leg.tick(now_ms)
        self._follow_leg(now_ms)
        self._flush()

    def _receive_sip(self, now_ms: float) -> None:
        assert self._sip is not None
        for _ in range(50):
            try:
                datagram = self._sip.recv(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.leg.receive(datagram, now_ms)

    def _follow_leg(self, now_ms: float) -> None:
        if self.leg.state is LegState.UP and self.leg.remote is not None:
            self.line.connect(self.leg.remote, now_ms)
        elif self.leg.state in (LegState.ENDING, LegState.ENDED):
            self.line.disconnect()

    def _flush(self) -> None:
        assert self._sip is not None
        outbox, self.leg.outbox = self.leg.outbox, []
        for datagram in outbox:
            with suppress(OSError):  # lost, as on any network; the retransmission will tell
                self._sip.sendto(datagram, self._peer)

    def close(self) -> None:
        """Hang up without waiting for the answer, and free the sockets. Idempotent."""
        if self._sip is None or self._rtp is None:
            return
        if self._leg is not None and self._leg.state in (LegState.CALLING, LegState.RINGING):
            self._leg.cancel(_now_ms())
        if self._leg is not None and self._leg.state is LegState.UP:
            self._leg.bye(_now_ms())
        self._flush()
        self._sip.close()
        self._rtp.close()
        self._sip = self._rtp = None

    def rtp_report(self) -> RtpReport:
        """How evenly the agent's packets came."""
        return rtp_report([(packet.arrival_ms, packet.sequence) for packet in self.line.received])

    def spans(self) -> list[Span]:
        """The agent's stretches of speech so far."""
        return self.line.spans.all

    def first_audible_ms(self) -> float | None:
        """From our ACK to the first audible packet; None: there was none."""
        spans = self.spans()
        return spans[0].start_ms - self.leg.answered_ms if spans else None

    def recording(self, path: Path) -> None:
        """Write the call as stereo WAV, caller left, agent right, 16 kHz; it begins with the ACK."""
        start_ms = self.leg.answered_ms
        last_ms = max(
            [p.due_ms for p in self.line.sent[-1:]] + [p.arrival_ms for p in self.line.received[-1:]]
        )
        duration_ms = last_ms + PACKET_MS - start_ms
        write_stereo(
            path,
            caller_track(self.line.sent, start_ms, duration_ms),
            agent_track(self.line.received, start_ms, duration_ms),
        )


def go_realtime() -> bool:
    """Ask for a real-time priority for this thread, so that a busy machine does not spoil the measurement.

    False: not permitted (needs CAP_SYS_NICE); the pace then depends on the load.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REALTIME_PRIORITY))
    except OSError:
        return False
    return True


def _now_ms() -> float:
    return time.monotonic_ns() / 1e6


def _local_address(peer: tuple[str, int]) -> str:
    """The address of this machine that the peer sees."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(peer)
        return str(probe.getsockname()[0])


def _bound_socket(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((address, 0))
    return sock
