"""An agent without models: answers one call, greets, and replies to each stretch of the caller's speech with
a tone. It prints the same events as the real one. Run as ``python tests/fakes/scripted_agent.py``."""

import argparse
import json
import random
import select
import signal
import socket
import sys
import time
from types import FrameType

import numpy as np

from sipagent.codecs.tones import sine
from sipagent.errors import PacketError
from sipagent.lab.impairments import Impairments
from sipagent.lab.rtp_line import RtpLine, prepare_line
from sipagent.lab.sdp import describe, parse_audio
from sipagent.sip.wire_message import build_message, build_response, parse_message
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

CODECS = ("PCMU", "PCMA")
TAG = "fake"
GREETING, REPLIES = "Hello, this is nobody.", ("Yes.", "Indeed.", "Very well.")


class ScriptedAgent:
    """One socket for SIP, one for RTP, one call at a time."""

    def __init__(self, host: str, port: int, *, status: str, hangs_up_after: int) -> None:
        self._status, self._hangs_up_after = status, hangs_up_after
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind((host, port))
        self.sip.setblocking(False)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.rtp.setblocking(False)
        self.line: RtpLine | None = None
        self._heard_spans = 0
        self._turn = 0
        self._digits = 0
        self._is_greeted = False
        self._invite: tuple[bytes, tuple[str, int]] = (b"", ("", 0))

    def serve(self) -> None:
        """Until the process is told to end."""
        host, port = self.sip.getsockname()
        log("agent.ready", ready_ms=1, udp=f"{host}:{port}", tcp=None)
        while True:
            next_ms = self.line.next_ms if self.line else float("inf")
            wait_ms = max(min(next_ms, now_ms() + 10) - now_ms(), 0)
            readable, _, _ = select.select([self.sip, self.rtp], [], [], wait_ms / 1000)
            if self.sip in readable:
                self._on_sip(*self.sip.recvfrom(65535))
            if self.line is not None:
                self.line.receive()
                self.line.tick(now_ms())
                self._converse(self.line)

    def _on_sip(self, datagram: bytes, peer: tuple[str, int]) -> None:
        try:
            request = parse_message(datagram)
        except PacketError:
            return
        host, port = self.sip.getsockname()
        contact = [("Contact", f"<sip:fake@{host}:{port}>")]
        if request.method == "INVITE":
            self._invite = (datagram, peer)
            if not self._status.startswith("200"):
                self.sip.sendto(build_response(request, self._status, to_tag=TAG), peer)
                return
            self.line = self.line or RtpLine(self.rtp, Impairments(), rng=random.Random(1))
            self.line.connect(parse_audio(request.body, CODECS), now_ms())
            sdp = describe(host, self.rtp.getsockname()[1], ("PCMU",))
            extra = [*contact, ("Content-Type", "application/sdp")]
            self.sip.sendto(build_response(request, "200 OK", to_tag=TAG, extra=extra, body=sdp), peer)
            log("call.started", call_id="1", pii_from="x", pii_to="y", persona="fake")
        elif request.method == "ACK" and self.line is not None and not self._is_greeted:
            self._is_greeted = True
            self._say(0, GREETING, tone(600))
        elif request.method == "BYE":
            self.sip.sendto(build_response(request, "200 OK", to_tag=TAG, extra=contact), peer)
            self._end("caller")

    def _converse(self, line: RtpLine) -> None:
        if len(line.received_digits) > self._digits:
            self._digits = len(line.received_digits)
            log("dtmf.heard", call_id="1", pii_digits="".join(line.received_digits.values()))
        if len(line.spans.finished) <= self._heard_spans:
            return
        span = line.spans.finished[self._heard_spans]
        self._heard_spans += 1
        self._turn += 1
        log("turn.heard", call_id="1", turn_id=self._turn, pii_text=f"tone {self._turn}")
        self._say(self._turn, REPLIES[self._turn % len(REPLIES)], tone(500), speech_end_ms=span.end_ms)
        if self._turn == self._hangs_up_after:
            self._bye()

    def _say(self, turn_id: int, text: str, pcm: Pcm16, *, speech_end_ms: float = 0.0) -> None:
        assert self.line is not None
        self.line.say(prepare_line(pcm))
        now = now_ms()
        stamps = {"speech_end": speech_end_ms, "pause": now - 4, "stt_final": now - 3, "eot_score": None,
                  "llm_first_token": now - 2, "first_clause": now - 1, "tts_first_pcm": now - 1,
                  "commit": now, "first_rtp": now}  # fmt: skip
        log("turn.answered", call_id="1", turn_id=turn_id, v2v_ms=now - speech_end_ms, stamps=stamps)
        log("turn.spoken", call_id="1", turn_id=turn_id, pii_text=text, interrupted=False)

    def _bye(self) -> None:
        invite, peer = parse_message(self._invite[0]), self._invite[1]
        host, port = self.sip.getsockname()
        headers = [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bKfake"),
            ("From", f"{invite.get('to')};tag={TAG}"),
            ("To", invite.get("from")),
            ("Call-ID", invite.get("call-id")),
            ("CSeq", "1 BYE"),
        ]
        self.sip.sendto(build_message(f"BYE sip:lab@{peer[0]}:{peer[1]} SIP/2.0", headers), peer)
        self._end("agent")

    def _end(self, cause: str) -> None:
        if self.line is not None:
            self.line.disconnect()
            self.line = None
            log("call.ended", call_id="1", cause=cause, duration_ms=1, turns=self._turn)


def tone(duration_ms: int) -> Pcm16:
    """An audible reply, with 20 ms before it that are not."""
    quiet = np.zeros(SAMPLE_RATE_HZ // 50, dtype=np.int16)
    return np.concatenate([quiet, sine((440,), duration_ms, level_dbov=-20.0, rate_hz=SAMPLE_RATE_HZ)])


def now_ms() -> float:
    """CLOCK_MONOTONIC."""
    return time.monotonic_ns() / 1e6


def log(event: str, **facts: object) -> None:
    """One line of the log contract."""
    print(json.dumps({"event": event, "at_ms": now_ms(), **facts}), file=sys.stderr, flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen-udp", default="127.0.0.1:0")
    parser.add_argument("--status", default="200 OK")
    parser.add_argument("--hangs-up-after", type=int, default=-1)
    args, _ = parser.parse_known_args()

    def on_signal(_: int, __: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_signal)
    host, _, port = args.listen_udp.rpartition(":")
    agent = ScriptedAgent(host, int(port), status=args.status, hangs_up_after=args.hangs_up_after)
    agent.serve()


if __name__ == "__main__":
    main()
