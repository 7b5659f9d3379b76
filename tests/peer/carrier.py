"""A stand-in carrier (Kamailio), a phone behind it (baresip), and an agent without engines in front of it."""

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest

from sipagent.lab.agent_process import free_port_block, free_udp_port
from sipagent.lab.child import Child, ChildEvent, Events
from sipagent.media.wav import write_wav
from tests.peer.running_agent import RunningAgent, write_config
from tests.peer.sip_programs import HERE, LOOPBACK, program, wait_until_bound
from tests.peer.tls_files import make_certificates

TONE_HZ = 600
_RATE_HZ, _TONE_S = 8000, 60
CARRIER_PASSWORD = "carrier secret"


@dataclass(frozen=True)
class Ports:
    """Where everybody listens."""

    carrier: int
    carrier_tls: int
    sick: int
    phone: int
    agent: int
    agent_tls: int
    bench: int
    """Of SIPp."""
    dead: int
    """Of nobody."""


def free_ports() -> Ports:
    """Ports that nobody has at the moment."""
    found: set[int] = set()
    while len(found) < 8:
        found.add(free_udp_port())
    return Ports(*found)


@contextmanager
def carrier(
    folder: Path,
    ports: Ports,
    *,
    algorithm: str = "",
    allowed: str = LOOPBACK,
    wants_certificate: bool = False,
) -> Iterator[Child]:
    """The carrier of ``kamailio/carrier.cfg``; ``folder`` holds its certificates.

    :param algorithm: of the digest it wants for calls; empty: an address is enough.
    """
    path = program("kamailio", "kamailio")
    if not any(Path("/usr/lib").glob("*/kamailio/modules/tls.so")):
        pytest.skip("Kamailio has no tls.so (apt install kamailio-tls-modules)")
    names = {
        "ALGORITHM": algorithm or "MD5",
        "WANTS_DIGEST": str(int(bool(algorithm))),
        "ALLOWED": allowed,
        "VERIFY": str(int(wants_certificate)),
        "FOLDER": str(folder),
        "SICK_PORT": str(ports.sick),
        "PHONE_PORT": str(ports.phone),
        "AGENT_TLS_PORT": str(ports.agent_tls),
    }
    text = (HERE / "kamailio" / "carrier.cfg").read_text()
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    config = folder / "carrier.cfg"
    config.write_text(text)
    run = folder / "run"
    run.mkdir(exist_ok=True)
    command = [path, "-f", str(config), "-DD", "-E", "-m", "16", "-M", "4", "-Y", str(run), "-w", str(run)]
    for transport, port in (("udp", ports.carrier), ("udp", ports.sick), ("tls", ports.carrier_tls)):
        command += ["-l", f"{transport}:{LOOPBACK}:{port}"]
    with Child("carrier", command, Events()) as child:
        wait_until_bound(ports.carrier, child)
        yield child


@dataclass
class Phone:
    """A baresip; it answers by itself."""

    child: Child
    recordings: Path

    def wait_until_ended(self, timeout_s: float = 5) -> None:
        """Wait until the other side's BYE has come."""
        deadline_s = time.monotonic() + timeout_s
        while not any("terminated" in line for line in self.child.tail):
            assert time.monotonic() < deadline_s, f"no BYE has come; the phone said: {self.child.tail}"
            time.sleep(0.02)

    def hang_up(self) -> Path:
        """End the call and the program; the recording of what it has heard, 8 kHz."""
        self.child.stop()
        (heard,) = self.recordings.glob("*-dec.wav")
        return heard


@contextmanager
def phone(
    folder: Path, port: int, *, encryption: str = "", dial: str = "", is_silent: bool = False
) -> Iterator[Phone]:
    """A phone that says a tone of 600 Hz, or nothing, and keeps what it hears.

    :param encryption: as baresip names it: ``srtp-mand``. :param dial: whom it calls at once.
    """
    path = program("baresip", "baresip-core")
    shutil.rmtree(folder, ignore_errors=True)
    config, recordings, microphone = folder / "config", folder / "recordings", folder / "microphone.wav"
    config.mkdir(parents=True)
    recordings.mkdir()
    phase = 2 * np.pi * TONE_HZ * np.arange(_RATE_HZ * _TONE_S) / _RATE_HZ
    loudness = 0 if is_silent else 8000
    write_wav(microphone, (loudness * np.sin(phase)).astype(np.int16), rate_hz=_RATE_HZ)
    first = free_port_block(8)
    names: dict[str, object] = {"sip_port": port, "rtp_first": first, "rtp_last": first + 7}
    names |= {"rate_hz": _RATE_HZ, "microphone": microphone, "recordings": recordings}
    names["encryption"] = f";mediaenc={encryption}" if encryption else ""
    for template in (HERE / "baresip_phone").iterdir():
        (config / template.name).write_text(Template(template.read_text()).substitute(names))
    (config / "contacts").touch()
    command = [path, "-4", "-f", str(config), "-t", "60", *(["-e", f"/dial {dial}"] if dial else [])]
    with Child("phone", command, Events()) as child:
        wait_until_bound(port, child)
        yield Phone(child, recordings)
        child.stop(1.0)  # it would wait long for the answer of an agent that is gone


@contextmanager
def sipp_server(scenario: str, port: int, *options: str) -> Iterator[Events]:
    """SIPp waits for one call; its end with status 0 comes as an event."""
    path = program("sipp", "sip-tester")
    command = [path, "-sf", str(HERE / f"sipp_{scenario}.xml"), "-i", LOOPBACK, "-p", str(port), "-t", "u1"]
    command += [
        "-mp",
        str(free_udp_port()),
        "-m",
        "1",
        "-nostdin",
        "-timeout",
        "30",
        "-timeout_error",
        *options,
    ]
    events = Events()
    with Child("sipp", command, events) as child:
        wait_until_bound(port, child)
        yield events
        assert events.get(timeout=30).facts == {"status": 0}, "\n".join(child.tail[-40:])


class DialAgent(RunningAgent):
    """An agent without engines that takes orders (``sip_only_agent.py``)."""

    control: tuple[str, int]

    def order(self, **order: Any) -> int:
        """Send an order.

        :returns: the log's length before it.
        """
        start = len(self.drain())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.sendto(json.dumps(order).encode(), self.control)
        return start

    def call(self, to: str, **order: Any) -> dict[str, Any]:
        """Place a call and wait for its result."""
        start = self.order(call={"to": to, "persona": "receptionist", **order})
        return self.wait_for("test.result", after=start, timeout_s=20).facts

    def states(self) -> dict[str, dict[str, Any]]:
        """Every trunk's state, by name."""
        start = self.order(states=True)
        wanted = len(self.ready["trunks"])
        self.wait_for("test.state", after=start, where=lambda _: self._count("test.state", start) >= wanted)
        return {e.facts["trunk"]: e.facts for e in self.log[start:] if e.event == "test.state"}

    def progress(self, start: int) -> list[tuple[str, str]]:
        """What happened to the call since: (what, trunk)."""
        found = [e.facts for e in self.drain()[start:] if e.event == "test.progress"]
        return [(facts["what"], facts["trunk"]) for facts in found]

    def _count(self, event: str, start: int) -> int:
        return sum(found.event == event for found in self.drain()[start:])


@contextmanager
def dial_agent(
    folder: Path, ports: Ports, trunks: list[dict[str, Any]], changes: dict[str, Any] | None = None,
    *, host: str = LOOPBACK, options_s: int = 0,
) -> Iterator[DialAgent]:  # fmt: skip
    """Start the agent.

    :param options_s: instead of the trunks' own, without the limit of the configuration; 0: as they are.
    """
    tls = {"certificate_file": str(folder / "agent.pem"), "key_file": str(folder / "agent.key")}
    tls |= {"bind": f"{host}:{ports.agent_tls}", "ca_file": str(folder / "ca.pem")}
    settings: dict[str, Any] = {
        "trunks": trunks,
        "listen": {"udp": f"{host}:{ports.agent}", "tcp": f"{host}:{ports.agent}", "tls": tls},
        "limits.outbound": {"allow": ["*"], "ring_s": 5},
    }
    config = write_config(folder, {**settings, **(changes or {})})
    control = (LOOPBACK, free_udp_port())
    command = [
        sys.executable,
        "-m",
        "tests.peer.sip_only_agent",
        str(config),
        str(control[1]),
        str(options_s),
    ]
    events: Events = Events()
    with Child("agent", command, events) as child:
        log: list[ChildEvent] = []
        agent = DialAgent(child, events, ports.agent, {"trunks": [t["name"] for t in trunks]}, log)
        agent.control = control
        agent.wait_for("agent.ready")
        yield agent
        if child.status is None and child.pid is not None:
            os.kill(child.pid, signal.SIGTERM)


def certified_folder(base: Path) -> Path:
    """A folder with certificates for the carrier and the agent."""
    make_certificates(base, "carrier", "agent", "stranger")
    return base
