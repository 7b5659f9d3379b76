"""SIP programs of the system as peers: SIPp, baresip, Kamailio. Where one is missing, the test is skipped."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest

from sipagent.codecs.resample import resample
from sipagent.lab.agent_process import free_port_block, free_udp_port
from sipagent.lab.child import EXITED, Child, Events
from sipagent.media.wav import write_wav
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

HERE = Path(__file__).resolve().parent
LOOPBACK = "127.0.0.1"


def program(name: str, package: str) -> str:
    """Its path; skips the test where it is not installed."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed (apt install {package})")
    return path


@contextmanager
def kamailio(folder: Path) -> Iterator[int]:
    """The registrar of ``kamailio/registrar.cfg``; its port, UDP and TCP."""
    path = program("kamailio", "kamailio")
    port = free_udp_port()
    command = [path, "-f", str(HERE / "kamailio" / "registrar.cfg"), "-DD", "-E", "-m", "16", "-M", "4"]
    command += ["-l", f"udp:{LOOPBACK}:{port}", "-l", f"tcp:{LOOPBACK}:{port}", "-Y", str(folder)]
    with Child("kamailio", [*command, "-w", str(folder)], Events()) as child:
        wait_until_bound(port, child)
        yield port


class Sipp:
    """A SIPp that calls the agent once."""

    def __init__(self, child: Child, events: Events) -> None:
        self._child, self._events = child, events

    def succeed(self, timeout_s: float = 30) -> None:
        """Wait for its end; every message that its scenario wants must have come."""
        event = self._events.get(timeout=timeout_s)
        said = "\n".join(self._child.tail[-40:])
        assert (event.event, event.facts.get("status")) == (EXITED, 0), f"SIPp failed:\n{said}"


@contextmanager
def sipp(scenario: str, agent_port: int, *options: str, transport: str = "u1") -> Iterator[Sipp]:
    """Run ``sipp_<scenario>.xml`` once towards the agent.

    :param transport: ``u1`` for UDP, ``t1`` for TCP.
    """
    path = program("sipp", "sip-tester")
    command = [path, f"{LOOPBACK}:{agent_port}", "-sf", str(HERE / f"sipp_{scenario}.xml"), "-t", transport]
    command += [
        "-i",
        LOOPBACK,
        "-p",
        str(free_udp_port()),
        "-mp",
        str(free_udp_port()),
        "-m",
        "1",
        "-nostdin",
    ]
    command += ["-s", "+15550100123", "-timeout", "40", "-timeout_error", "-recv_timeout", "30000", *options]
    events = Events()
    with Child("sipp", command, events) as child:
        yield Sipp(child, events)


def wait_until_bound(port: int, child: Child, timeout_s: float = 10) -> None:
    """Wait until somebody listens on the UDP port."""
    deadline_s = time.monotonic() + timeout_s
    while f":{port:04X} " not in Path("/proc/net/udp").read_text():
        assert child.status is None, f"{child} ended; it said: {child.tail}"
        assert time.monotonic() < deadline_s, f"{child} did not open port {port}; it said: {child.tail}"
        time.sleep(0.02)


@dataclass
class Baresip:
    """A softphone in a call; ``hang_up`` ends it."""

    child: Child
    recordings: Path

    def hang_up(self) -> Path:
        """End the call and the program; the recording of what it has heard, at the codec's rate."""
        self.child.stop()
        (heard,) = self.recordings.glob("*-dec.wav")
        return heard


@contextmanager
def baresip(
    folder: Path, uri: str, *, codec: str, rate_hz: int, speech: Pcm16, login: str = "auth_user=nobody"
) -> Iterator[Baresip]:
    """Call the agent with baresip and speak from the moment it answers.

    :param codec: as baresip names it: ``PCMU/8000/1``. :param speech: 16 kHz, long enough for the call.
    :param login: ``auth_user=…;auth_pass=…`` of the account.
    """
    path = program("baresip", "baresip-core")
    config, recordings, microphone = folder / "baresip", folder / "recordings", folder / "microphone.wav"
    config.mkdir()
    recordings.mkdir()
    write_wav(microphone, resample(speech, SAMPLE_RATE_HZ, rate_hz), rate_hz=rate_hz)
    first = free_port_block(8)
    names: dict[str, object] = {
        "sip_port": free_udp_port(),
        "rtp_first": first,
        "rtp_last": first + 7,
        "rate_hz": rate_hz,
    }
    names |= {"microphone": microphone, "recordings": recordings, "codec": codec, "login": login}
    for template in (HERE / "baresip").iterdir():
        (config / template.name).write_text(Template(template.read_text()).substitute(names))
    (config / "contacts").touch()
    with Child(
        "baresip", [path, "-4", "-f", str(config), "-e", f"/dial {uri}", "-t", "60"], Events()
    ) as child:
        yield Baresip(child, recordings)
