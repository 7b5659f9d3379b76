"""Simulated people, machines and dead numbers that answer SIP calls on loopback. One thread serves all.

::

    INVITE ─▶ behaviour of the number ─▶ 180, 183 with tones, 404, 486, 603 or 200 ─▶ greeting, keys, silence
"""

import random
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sipagent.codecs.level import rms_dbov
from sipagent.errors import PacketError
from sipagent.lab.impairments import Impairments
from sipagent.lab.rtp_line import RtpLine, SpokenLine, prepare_line
from sipagent.lab.sdp import SdpAudio, describe, parse_audio
from sipagent.sip.wire_message import SipMessage, SipUri, build_response, parse_message
from sipagent.units import Pcm16, samples_to_ms

_CODECS = ("PCMU", "PCMA")
_AUDIBLE_DBOV = -45.0
_REPLY_PAUSE_MS = 900
"""Silence after which a person takes it that we have ended."""
_WORDS_PACKETS = 15
"""So much sound is something said."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens when a number is called."""

    kind: str
    status: int = 200
    """Final answer; 0: it rings for ever."""
    ring_ms: int = 200
    early: Pcm16 | None = None
    """Sound before the final answer, 16 kHz."""
    greeting: Pcm16 | None = None
    """Said from the answer on."""
    keys: str = ""
    """Pressed once we have been spoken to and it is silent again."""
    answers: tuple[Pcm16, ...] = ()
    """Said one after the other, each time we have been spoken to and it is silent again, 16 kHz."""


@dataclass(slots=True)
class Taken:
    """One call as the callee has it."""

    number: str
    invite: SipMessage
    peer: tuple[str, int]
    sdp: SdpAudio
    behaviour: Behaviour
    rtp: socket.socket
    line: RtpLine
    began_ms: float
    is_early: bool = False
    final: int = 0
    answered_ms: float | None = None
    greeting_ms: int = 0
    has_pressed: bool = False
    said: SpokenLine | None = None
    """Our own latest words."""
    answers: int = 0
    """Said so far."""
    listened: int = 0
    """Packets that have been listened to."""
    audible: int = 0
    """Of them, audible since our own last words …"""
    audible_ms: float = 0.0
    """… and when the last of these came."""
    is_over: bool = False
    responses: dict[str, bytes] = field(default_factory=dict)

    def heard_ms(self) -> list[float]:
        """When we were audible, ms since the answer, one for each 20 ms packet."""
        start_ms = self.answered_ms or 0.0
        return [p.arrival_ms - start_ms for p in self.line.received if rms_dbov(p.pcm) > _AUDIBLE_DBOV]


class People:
    """Everybody who can be called. ``start``, ``close``; ``calls`` may be read after ``close``."""

    def __init__(self, behaviour_of: Callable[[str, int], Behaviour], *, seed: int = 1) -> None:
        """:param behaviour_of: (number, how often it was called before) → what happens."""
        self._behaviour_of = behaviour_of
        self._rng = random.Random(seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._live: dict[str, Taken] = {}
        self.calls: list[Taken] = []
        self.faults = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="lab-people")

    def __repr__(self) -> str:
        return f"People({self.address[1]}, {len(self._live)} of {len(self.calls)} calls live)"

    def start(self) -> None:
        """Take calls."""
        self._thread.start()

    def close(self) -> None:
        """Take no more calls. Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()
        for taken in self.calls:
            taken.rtp.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            sockets = [self._socket, *(one.rtp for one in self._live.values())]
            readable, _, _ = select.select(sockets, [], [], 0.01)
            now_ms = _now_ms()
            if self._socket in readable:
                self._receive(now_ms)
            for key, one in list(self._live.items()):
                if one.rtp in readable:
                    one.line.receive()
                self._follow(one, now_ms)
                if one.is_over:
                    del self._live[key]

    def _receive(self, now_ms: float) -> None:
        for _ in range(50):
            try:
                data, peer = self._socket.recvfrom(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            try:
                self._on(parse_message(data), peer, now_ms)
            except PacketError:
                self.faults += 1

    def _on(self, message: SipMessage, peer: tuple[str, int], now_ms: float) -> None:
        call_id = message.get("call-id")
        if message.method == "INVITE" and call_id not in self._live:
            self._take(message, peer, now_ms)
            return
        one = self._live.get(call_id)
        if one is None:
            if message.method == "BYE":  # its 200 was lost
                self._send(build_response(message, "200 OK", to_tag="lab"), peer)
            return
        match message.method:
            case "INVITE" if one.responses:
                self._send(list(one.responses.values())[-1], peer)
            case "CANCEL":
                self._send(build_response(message, "200 OK", to_tag=_tag(one)), peer)
                self._answer(one, 487, "Request Terminated")
            case "BYE":
                self._send(build_response(message, "200 OK", to_tag=_tag(one)), peer)
                one.is_over = True
            case "ACK" if one.final >= 300:
                one.is_over = True

    def _take(self, invite: SipMessage, peer: tuple[str, int], now_ms: float) -> None:
        number = SipUri.parse(invite.start_line).user
        before = sum(one.number == number for one in self.calls)
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.setblocking(False)
        rtp.bind(("127.0.0.1", 0))
        line = RtpLine(rtp, Impairments(), rng=self._rng)
        behaviour = self._behaviour_of(number, before)
        one = Taken(number, invite, peer, parse_audio(invite.body, _CODECS), behaviour, rtp, line, now_ms)
        self._live[invite.get("call-id")] = one
        self.calls.append(one)
        self._answer(one, 100, "Trying")

    def _follow(self, one: Taken, now_ms: float) -> None:
        wanted, age_ms = one.behaviour, now_ms - one.began_ms
        if not one.final:
            if wanted.early is not None and not one.is_early:
                one.is_early = True
                self._answer(one, 183, "Session Progress")
                one.line.connect(one.sdp, now_ms)
                one.line.say(prepare_line(wanted.early))
            elif "180" not in one.responses and wanted.early is None:
                self._answer(one, 180, "Ringing")
            if wanted.status and age_ms >= wanted.ring_ms:
                self._final(one, now_ms)
        elif one.answered_ms is not None and wanted.keys and not one.has_pressed:
            self._press(one, now_ms)
        elif one.answered_ms is not None and one.answers < len(wanted.answers):
            self._reply(one, now_ms)
        one.line.tick(now_ms)

    def _final(self, one: Taken, now_ms: float) -> None:
        self._answer(one, one.behaviour.status, "OK" if one.behaviour.status == 200 else "No")
        if one.behaviour.status != 200:
            return
        one.answered_ms = now_ms
        one.line.connect(one.sdp, now_ms)
        if one.behaviour.greeting is not None:
            one.greeting_ms = samples_to_ms(one.behaviour.greeting.size)
            one.said = prepare_line(one.behaviour.greeting)
            one.line.say(one.said)

    def _press(self, one: Taken, now_ms: float) -> None:
        """Once somebody has spoken to us for a while and is silent again."""
        assert one.answered_ms is not None
        since_ms = now_ms - one.answered_ms
        heard = [at for at in one.heard_ms() if at > 0]
        if len(heard) >= 10 and since_ms - heard[-1] > 300:
            one.has_pressed = True
            one.line.dtmf(one.behaviour.keys)

    def _reply(self, one: Taken, now_ms: float) -> None:
        """To what was said since our own last words."""
        for packet in one.line.received[one.listened :]:
            if rms_dbov(packet.pcm) > _AUDIBLE_DBOV:
                one.audible, one.audible_ms = one.audible + 1, packet.arrival_ms
        one.listened = len(one.line.received)
        if one.said is not None and not one.said.is_finished:
            one.audible = 0
        elif one.audible >= _WORDS_PACKETS and now_ms - one.audible_ms > _REPLY_PAUSE_MS:
            one.said = prepare_line(one.behaviour.answers[one.answers])
            one.line.say(one.said)
            one.answers, one.audible = one.answers + 1, 0

    def _answer(self, one: Taken, status: int, reason: str) -> None:
        if one.final:
            return
        body, extra = b"", [("Contact", f"<sip:{one.number}@127.0.0.1:{self.address[1]}>")]
        if status in (183, 200):
            body = describe("127.0.0.1", one.rtp.getsockname()[1], (one.sdp.codec,))
            extra.append(("Content-Type", "application/sdp"))
        response = build_response(one.invite, f"{status} {reason}", to_tag=_tag(one), extra=extra, body=body)
        one.responses[str(status)] = response
        one.final = status if status >= 200 else 0
        self._send(response, one.peer)

    def _send(self, datagram: bytes, peer: tuple[str, int]) -> None:
        with suppress(OSError):
            self._socket.sendto(datagram, peer)


def _tag(one: Taken) -> str:
    return f"p{one.rtp.getsockname()[1]}"


def _now_ms() -> float:
    return time.monotonic_ns() / 1e6
