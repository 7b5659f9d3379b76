"""An agent without engines: the real user agent and the real dialling, but whoever is connected hears a tone.

    python -m tests.peer.sip_only_agent sip.yaml CONTROL_PORT [OPTIONS_S]

The last word is the trunks' ``options_s``, which may be shorter than the configuration allows.
Orders come as JSON datagrams to the control port on loopback: ``{"call": {"to": …, …}}``,
``{"states": true}``, ``{"hold": true}``, ``{"hang_up": true}``. All that happens, the log among
it, goes to standard output as JSON lines.
"""

import json
import random
import socket
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import structlog

from sipagent import logs
from sipagent.call.outbound import CallProgress, OutboundCall, OutboundDesk
from sipagent.call.ports import EndCall, Line, LineDown, LineUp, Mailbox, Offer, Rejection
from sipagent.codecs.level import rms_dbov
from sipagent.config.load import load_config
from sipagent.config.schema import PersonaConfig
from sipagent.errors import SipAgentError
from sipagent.sip.user_agent import SipUserAgent
from sipagent.units import SAMPLE_RATE_HZ, ms_to_samples

TONE_HZ = 440
SLOW_S = 2.0
"""What looking up a name under ``slow.invalid`` takes."""
_POLL_S = 0.02
_LISTENS_SAMPLES = ms_to_samples(1000)


class ToneCall:
    """The conversation's place: plays a tone, and says how loud the other side is."""

    def __init__(self, line: Line, log: structlog.stdlib.BoundLogger, greeting: str) -> None:
        self.call_id = f"{random.getrandbits(48):012x}"
        self._line, self._log, self._greeting = line, log.bind(call_id=self.call_id), greeting
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def post(self, event: object) -> None:
        match event:
            case LineUp():
                self._log.info("test.up", greeting=self._greeting)
                self._thread = threading.Thread(target=self._talk, daemon=True)
                self._thread.start()
            case EndCall():
                self._line.hang_up()
            case LineDown(cause, status):
                self._is_over.set()
                self._log.info("test.down", cause=cause, sip_status=status)
                self._line.release()

    def hold(self, *, is_held: bool) -> None:
        (self._line.hold if is_held else self._line.resume)()

    def _talk(self) -> None:
        phase = 2 * np.pi * TONE_HZ * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        tone = (8000 * np.sin(phase)).astype(np.int16)
        heard, at = [], 0
        while not self._is_over.wait(_POLL_S):
            at = (at + self._line.audio.to_line.write(tone[at:])) % tone.size
            heard.append(self._line.audio.from_line.read(_LISTENS_SAMPLES))
            if sum(part.size for part in heard) >= _LISTENS_SAMPLES:
                pcm = np.concatenate(heard)
                heard = []
                self._log.info("test.heard", rms_dbov=round(rms_dbov(pcm), 1))


class ToneDesk:
    """Takes every call."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self.calls: list[ToneCall] = []

    def offer(self, offer: Offer, line: Line) -> Mailbox | Rejection:
        call = ToneCall(line, self._log, "")
        self.calls.append(call)
        self._log.info("test.offered", trunk=offer.trunk, dialled=offer.dialled)
        line.answer()
        return call

    def place(self, offer: Offer, line: Line, persona: PersonaConfig, order: OutboundCall) -> Any:
        call = ToneCall(line, self._log, persona.greeting)
        self.calls.append(call)
        line.answer()
        return call

    def turned_away(self, offer: Offer, rejection: Rejection) -> None:
        """The log has it."""

    def registration_changed(self, trunk: str, status: int, reason: str, expires_s: int) -> None:
        """The log has it."""

    def peer_banned(self, address: str, *, rule: str, for_s: int) -> None:
        """Nobody is."""

    def peer_unbanned(self, address: str) -> None:
        """Nobody was."""


def look_up_slowly() -> None:
    """``…slow.invalid`` is this machine, but the name server takes its time."""
    look_up = socket.getaddrinfo

    def slow(host: Any, *more: Any, **keys: Any) -> Any:
        if str(host).endswith(".slow.invalid"):
            time.sleep(SLOW_S)
            host = "127.0.0.1"
        return look_up(host, *more, **keys)

    socket.getaddrinfo = slow


def main(config_path: str, control_port: str, options_s: str = "0") -> None:
    logs.configure(format_="json", level="debug", shows_pii=True, stream=sys.stdout)
    log = logs.get_log()
    config = load_config(config_path)
    look_up_slowly()
    if int(options_s):
        trunks = tuple(replace(trunk, options_s=int(options_s)) for trunk in config.trunks)
        config = replace(config, trunks=trunks)
    desk = ToneDesk(log)
    agent = SipUserAgent(config, desk, log)
    agent.start()
    placing = OutboundDesk(config, desk, agent.dialler, log)
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    control.bind(("127.0.0.1", int(control_port)))
    log.info("agent.ready", udp=str(config.listen.udp))

    def progress(event: CallProgress) -> None:
        log.info("test.progress", what=event.what, trunk=event.trunk, status=event.status)

    def wait_for(placed: Any) -> None:
        result = placed.wait()
        facts = {name: getattr(result, name) for name in ("trunk", "status", "reason", "ring_ms", "talk_ms")}
        attempts = [(one.trunk, one.status, one.reason) for one in result.attempts]
        early = result.has_early_media
        log.info("test.result", outcome=result.outcome.value, early_media=early, attempts=attempts, **facts)

    while True:
        order = json.loads(control.recv(65536))
        if "call" in order:
            try:
                placed = placing.place(OutboundCall(**order["call"]), progress)
            except SipAgentError as error:
                log.info("test.refused", kind=type(error).__name__, reason=str(error))
                continue
            threading.Thread(target=wait_for, args=(placed,), daemon=True).start()
        elif "states" in order:
            for state in agent.trunk_states():
                log.info("test.state", trunk=state.trunk, health=state.health.value, reason=state.reason,
                         round_trip_ms=state.round_trip_ms, registration=state.registration,
                         since_ms=state.since_ms)  # fmt: skip
        elif "hold" in order:
            for call in desk.calls:
                call.hold(is_held=order["hold"])
        elif "hang_up" in order:
            for call in desk.calls:
                call.post(EndCall("the test wants it"))


if __name__ == "__main__":
    main(*sys.argv[1:])
