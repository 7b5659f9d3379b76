"""The softphone's RTP: a packet every 20 ms on absolute deadlines, and every received packet with the time
at which the kernel took it in.

::

    say() ─▶ lines ─▶ 160 samples ─▶ noise, echo ─▶ G.711 ─▶ loss, jitter ─▶ socket
    socket ─▶ kernel time ─▶ packets (kept) ─▶ PCM ─▶ audible? ─▶ stretches of speech
"""

import itertools
import random
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sipagent.codecs.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from sipagent.codecs.level import active_level_dbov
from sipagent.codecs.resample import resample
from sipagent.codecs.rtp import (
    RtpPacket,
    TelephoneEvent,
    digit_event,
    pack_rtp,
    pack_telephone_event,
    parse_rtp,
    parse_telephone_event,
)
from sipagent.errors import PacketError, SipError
from sipagent.lab import sdp
from sipagent.lab.impairments import Impairments, LineMixer, SendQueue
from sipagent.lab.sdp import SdpAudio
from sipagent.lab.wire import LINE_HZ, PACKET_MS, PACKET_SAMPLES, Span, SpeechSpans, is_audible, voiced_bounds
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

SO_TIMESTAMPNS = 35
"""linux/asm-generic/socket.h; Python's socket module has no name for it."""
_TIMESPEC = struct.Struct("@qq")
_MOST_BURST = 25
"""After a stall longer than this many packets the time is skipped instead of made up for."""
_EVENT_PACKETS = 5  # 100 ms a digit
_EVENT_END_REPEATS = 3  # RFC 4733 s2.5.1.4
_DIGIT_GAP_PACKETS = 3


@dataclass(slots=True)
class SentPacket:
    """One packet of ours, waiting until it has a ``sent_ms``."""

    due_ms: float
    pcm: Pcm16
    sent_ms: float | None = None
    is_lost: bool = False
    """The line lost it: nobody will hear it."""


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """One audio packet of the agent."""

    arrival_ms: float
    sequence: int
    timestamp: int
    pcm: Pcm16


@dataclass(slots=True)
class SpokenLine:
    """One thing said into the phone."""

    pcm: Pcm16 = field(repr=False)
    """8 kHz."""
    voiced: tuple[int, int]
    """First voiced sample and the one after the last."""
    position: int = 0
    first_packet: int | None = None

    @property
    def is_finished(self) -> bool:
        """True when its last sample has been handed to the line."""
        return self.position >= self.pcm.size


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One packet of a key press (RFC 4733), the way a good or a bad sender makes it."""

    digit: str
    step: int
    """How many packets the key has been down for; 1 begins a press."""
    is_end: bool = False
    has_marker: bool = False
    copies: int = 1
    """0: it is lost; more than 1: the network repeats it."""


def prepare_line(pcm: Pcm16) -> SpokenLine:
    """16 kHz speech made ready for the line, once: this takes a few milliseconds."""
    line_pcm = resample(pcm, SAMPLE_RATE_HZ, LINE_HZ)
    return SpokenLine(line_pcm, voiced_bounds(line_pcm))


class RtpLine:
    """The audio of one call, for one thread: ``tick`` when ``next_ms`` is reached, ``receive`` at will."""

    def __init__(
        self, sock: socket.socket, impairments: Impairments, *, rng: random.Random | None = None
    ) -> None:
        """:param sock: bound and non-blocking; stays the caller's to close."""
        rng = rng or random.Random()
        self._socket = sock
        self._impairments = impairments
        self._queue = SendQueue(impairments)
        self._mixer: LineMixer | None = None
        self._remote: SdpAudio | None = None
        self._ssrc, self._sequence, self._timestamp0 = (
            rng.getrandbits(32),
            rng.getrandbits(16),
            rng.getrandbits(32),
        )
        self._start_ms: float | None = None
        self._lines: deque[SpokenLine] = deque()
        self._event_packets: deque[EventPacket | None] = deque()
        self._event_start = 0
        self.speech_level_dbov = -26.0
        self.sent: list[SentPacket] = []
        self.received: list[ReceivedPacket] = []
        self.received_digits: dict[int, str] = {}
        """RTP timestamp → digit of each telephone-event that has ended."""
        self.spans = SpeechSpans()
        self.peer_faults = 0
        self.skipped_packets = 0
        """Never sent, because this process was stopped for too long."""
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def __repr__(self) -> str:
        return f"RtpLine({len(self.sent)} sent, {len(self.received)} received)"

    def connect(self, remote: SdpAudio, now_ms: float) -> None:
        """Send to where the peer wants it; the first packet is due now. Again after a re-INVITE."""
        self._remote = remote
        if self._start_ms is None:
            self._start_ms = now_ms
            self._mixer = LineMixer(self._impairments, self.speech_level_dbov)

    def disconnect(self) -> None:
        """Send nothing any more."""
        self._remote = None
        self.spans.close()

    def say(self, line: SpokenLine) -> None:
        """Queue speech behind what is queued already."""
        self._lines.append(line)

    def silence(self) -> None:
        """Drop what is queued and what is being said."""
        self._lines.clear()

    def level_for(self, lines: Sequence[SpokenLine]) -> None:
        """Let noise relate to the active level of these lines. Before the call is answered."""
        voices = [line.pcm for line in lines if line.pcm.size]
        if voices:
            self.speech_level_dbov = active_level_dbov(np.concatenate(voices), LINE_HZ)

    def dtmf(self, digits: str) -> None:
        """Queue digits as telephone-events, 100 ms each.

        :raises ValueError: a character that is no digit.
        :raises SipError: the peer takes no telephone-events, or the call is not up.
        """
        if self._remote is None or self._remote.event_payload is None:
            raise SipError("softphone: cannot send digits: the peer has no telephone-event in its SDP")
        _ = [digit_event(digit) for digit in digits]
        for digit in digits:
            self.send_events(
                *(EventPacket(digit, n, has_marker=n == 1) for n in range(1, _EVENT_PACKETS + 1)),
                *[EventPacket(digit, _EVENT_PACKETS, is_end=True)] * _EVENT_END_REPEATS,
                *[None] * _DIGIT_GAP_PACKETS,
            )

    def send_events(self, *packets: EventPacket | None) -> None:
        """Queue single packets of key presses, 20 ms apart; None: a packet of sound between them."""
        self._event_packets.extend(packets)

    def voiced_span(self, line: SpokenLine) -> Span | None:
        """When its first and last voiced samples went onto the wire; None: not yet."""
        if line.first_packet is None or not line.is_finished:
            return None
        first_sample, last_sample = line.voiced[0], max(line.voiced[1] - 1, 0)
        first = self.sent[line.first_packet + first_sample // PACKET_SAMPLES]
        last = self.sent[line.first_packet + last_sample // PACKET_SAMPLES]
        if last.sent_ms is None and not last.is_lost:
            return None
        return Span(first.sent_ms or first.due_ms, last.sent_ms or last.due_ms)

    @property
    def next_ms(self) -> float:
        """When ``tick`` is wanted."""
        if self._start_ms is None or self._remote is None:
            return float("inf")
        return min(self._start_ms + self._slots * PACKET_MS, self._queue.next_ms)

    @property
    def _slots(self) -> int:
        return len(self.sent) + self.skipped_packets

    def tick(self, now_ms: float) -> None:
        """Make the packets that are due and put them on the wire."""
        self.spans.expire(now_ms)
        if self._start_ms is None or self._remote is None:
            return
        behind = int((now_ms - self._start_ms) // PACKET_MS) - self._slots
        self.skipped_packets += max(behind - _MOST_BURST, 0)
        while (due_ms := self._start_ms + self._slots * PACKET_MS) <= now_ms:
            self._make_packet(self._remote, due_ms)
        for index, packet in self._queue.pop_due(now_ms):
            self.sent[index].sent_ms = time.monotonic_ns() / 1e6
            try:
                self._socket.sendto(packet, (self._remote.address, self._remote.port))
            except OSError:  # the peer's port is gone, or no buffer: lost, as on any line
                self.peer_faults += 1

    def _make_packet(self, remote: SdpAudio, due_ms: float) -> None:
        index = len(self.sent)
        timestamp = (self._timestamp0 + self._slots * PACKET_SAMPLES) & 0xFFFFFFFF
        event = self._event_packets.popleft() if self._event_packets else None
        if event is not None and remote.event_payload is not None:
            pcm, copies = np.zeros(PACKET_SAMPLES, dtype=np.int16), event.copies
            packet = self._event_packet(event, remote.event_payload, timestamp)
        else:
            pcm, copies = self._next_pcm(index), 1
            codes = (encode_mulaw if remote.codec == "PCMU" else encode_alaw)(pcm)
            packet = RtpPacket(
                remote.payload_type, self._sequence, timestamp, self._ssrc, codes.tobytes(), index == 0
            )
        self._sequence = (self._sequence + 1) & 0xFFFF
        is_held = remote.direction in ("sendonly", "inactive")  # nobody wants to hear us
        sent = [not is_held and self._queue.push(index, pack_rtp(packet), due_ms) for _ in range(copies)]
        self.sent.append(SentPacket(due_ms, pcm, is_lost=not any(sent)))

    def _event_packet(self, event: EventPacket, payload_type: int, timestamp: int) -> RtpPacket:
        if event.step == 1 and not event.is_end:
            self._event_start = timestamp
        code, duration = digit_event(event.digit), event.step * PACKET_SAMPLES
        payload = pack_telephone_event(TelephoneEvent(code, event.is_end, 10, duration))
        return RtpPacket(
            payload_type, self._sequence, self._event_start, self._ssrc, payload, event.has_marker
        )

    def _next_pcm(self, index: int) -> Pcm16:
        pcm = np.zeros(PACKET_SAMPLES, dtype=np.int16)
        if self._lines:
            line = self._lines[0]
            if line.first_packet is None:
                line.first_packet = index
            chunk = line.pcm[line.position : line.position + PACKET_SAMPLES]
            pcm[: chunk.size] = chunk
            line.position += PACKET_SAMPLES
            if line.is_finished:
                self._lines.popleft()
        return self._mixer.mix(pcm) if self._mixer else pcm

    def receive(self) -> None:
        """Take in every packet that waits at the socket."""
        for _ in range(200):
            try:
                data, control, _, _ = self._socket.recvmsg(2048, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            try:
                self._take(parse_rtp(data), kernel_arrival_ms(control))
            except PacketError:
                self.peer_faults += 1

    def _take(self, packet: RtpPacket, arrival_ms: float) -> None:
        match packet.payload_type:
            case 0:
                pcm = decode_mulaw(packet.payload)
            case 8:
                pcm = decode_alaw(packet.payload)
            case sdp.TELEPHONE_EVENT:
                event = parse_telephone_event(packet.payload)
                if event.is_end and event.digit is not None:  # its repetitions have its timestamp too
                    self.received_digits[packet.timestamp] = event.digit
                return
            case _:
                self.peer_faults += 1
                return
        self.received.append(ReceivedPacket(arrival_ms, packet.sequence, packet.timestamp, pcm))
        self.spans.add(arrival_ms, is_audible(pcm))
        if self._mixer is not None:
            self._mixer.heard(pcm)


def kernel_arrival_ms(control: list[tuple[int, int, bytes]]) -> float:
    """CLOCK_MONOTONIC ms of a packet from its SO_TIMESTAMPNS (CLOCK_REALTIME); now, where it has none."""
    now_ns = time.monotonic_ns()
    for level, kind, data in itertools.islice(control, 4):
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            age_ns = time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)
            if 0 <= age_ns < 5_000_000_000:  # else the wall clock was set in between
                return float(now_ns - age_ns) / 1e6
    return now_ns / 1e6
