"""TLS and SRTP towards a carrier, both ways: sound, names in certificates, and words for what does not fit.

The carrier's Record-Route names its address while its certificate names its host, as with real carriers.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipagent.lab.agent_process import free_udp_port
from sipagent.media.wav import read_wav_channels
from tests.peer.carrier import (
    CARRIER_PASSWORD,
    TONE_HZ,
    DialAgent,
    Ports,
    carrier,
    certified_folder,
    dial_agent,
    free_ports,
    phone,
)
from tests.peer.sip_only_agent import TONE_HZ as AGENT_TONE_HZ
from tests.peer.tls_files import make_certificates

pytestmark = pytest.mark.peer


def secure_trunk(ports: Ports, **changes: Any) -> dict[str, Any]:
    """The carrier over TLS with SRTP."""
    auth = {"username": "maple", "password_env": "TEST_CARRIER_PASSWORD"}
    trunk: dict[str, Any] = {"name": "main", "domain": f"localhost:{ports.carrier_tls}"}
    trunk |= {"transport": "tls", "srtp": "mandatory", "auth": auth, "options_s": 5, "keep_alive_s": 60}
    trunk["allow_from"] = ["127.0.0.1/32"]
    return {**trunk, **changes}


@contextmanager
def secured(
    base: Path, trunk_changes: dict[str, Any] | None = None, **carrier_options: Any
) -> Iterator[tuple[DialAgent, Ports, Path]]:
    """Carrier and agent with certificates of one authority."""
    folder, ports = certified_folder(base), free_ports()
    with pytest.MonkeyPatch.context() as environment, carrier(folder, ports, **carrier_options):
        environment.setenv("TEST_CARRIER_PASSWORD", CARRIER_PASSWORD)
        trunk = secure_trunk(ports, **(trunk_changes or {}))
        with dial_agent(folder, ports, [trunk]) as agent:
            yield agent, ports, folder


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DialAgent, Ports, Path]]:
    with secured(tmp_path_factory.mktemp("secure"), algorithm="SHA-256") as parts:
        yield parts


def strongest_hz(recording: Path) -> float:
    """The frequency with the most power in a recording."""
    (pcm,), rate_hz = read_wav_channels(recording)
    power = np.abs(np.fft.rfft(pcm.astype(np.float64)))
    return float(np.fft.rfftfreq(pcm.size, 1 / rate_hz)[power.argmax()])


def talk(agent: DialAgent, start: int) -> None:
    """Wait until the agent hears the phone's tone, then have it hang up."""
    loud = agent.wait_for("test.heard", after=start, where=lambda e: e.facts["rms_dbov"] > -30)
    assert -20 < loud.facts["rms_dbov"] < -10, f"not the tone of {TONE_HZ} Hz at its level"
    agent.order(hang_up=True)
    assert agent.wait_for("test.down", after=start).facts["cause"] == "agent hung up"


def test_call_out_over_tls_with_srtp(secure: tuple[DialAgent, Ports, Path]) -> None:
    agent, ports, folder = secure
    with phone(folder / "phone", ports.phone, encryption="srtp-mand") as called:
        start = agent.order(call={"to": "+15550100123", "persona": "receptionist"})
        talk(agent, start)
        called.wait_until_ended()
        assert abs(strongest_hz(called.hang_up()) - AGENT_TONE_HZ) < 5


def test_call_in_over_tls_with_srtp(secure: tuple[DialAgent, Ports, Path]) -> None:
    """The agent's BYE finds its way although the route names an address that the certificate does not."""
    agent, ports, folder = secure
    start = len(agent.drain())
    target = f"sip:inbound@127.0.0.1:{ports.carrier}"
    with phone(folder / "caller", ports.phone, encryption="srtp-mand", dial=target) as caller:
        offered = agent.wait_for("test.offered", after=start).facts
        assert (offered["trunk"], offered["dialled"]) == ("main", "+15550100123")
        talk(agent, start)
        caller.wait_until_ended()
        assert abs(strongest_hz(caller.hang_up()) - AGENT_TONE_HZ) < 5


def test_plain_sound_where_the_trunk_wants_srtp_is_told_in_words(
    secure: tuple[DialAgent, Ports, Path],
) -> None:
    agent, ports, folder = secure
    start = len(agent.drain())
    with phone(folder / "plain", ports.phone, dial=f"sip:inbound@127.0.0.1:{ports.carrier}"):
        refused = agent.wait_for("call.refused", after=start).facts
    assert refused["status"] == 488
    assert (
        "the peer offers RTP/AVP and this trunk has srtp: mandatory; switch SRTP on there" in refused["rule"]
    )


def test_phone_without_srtp_is_told_in_words(secure: tuple[DialAgent, Ports, Path]) -> None:
    agent, ports, folder = secure
    with phone(folder / "deaf", ports.phone, encryption=""):
        result = agent.call("+15550100123")
    assert (result["outcome"], result["status"]) == ("rejected", 488)
    assert "try srtp: off" in result["reason"]


def test_our_listener_speaks_tls_1_2_with_our_certificate(secure: tuple[DialAgent, Ports, Path]) -> None:
    _, ports, folder = secure
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", ports.agent_tls), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as channel,
    ):
        assert channel.version() == "TLSv1.2"


def test_health_of_a_trunk_over_tls(secure: tuple[DialAgent, Ports, Path]) -> None:
    agent, _, _ = secure
    assert agent.wait_for("trunk.state").facts["state"] == "up"
    state = agent.states()["main"]
    assert (state["health"], state["reason"]) == ("up", "answers")
    assert 0 <= state["round_trip_ms"] < 2000


@pytest.mark.parametrize(
    ("host", "is_known", "words"),
    [("other.example", True, "it is for another host"), ("localhost", False, "listen.tls.ca_file")],
)
def test_certificate_that_is_not_good_is_told_in_words(
    tmp_path: Path, host: str, is_known: bool, words: str
) -> None:
    folder, ports = certified_folder(tmp_path), free_ports()
    other = tmp_path if is_known else tmp_path / "other"
    other.mkdir(exist_ok=True)
    make_certificates(other, "carrier", "agent", host=host)
    with carrier(other, ports), pytest.MonkeyPatch.context() as environment:
        environment.setenv("TEST_CARRIER_PASSWORD", CARRIER_PASSWORD)
        with dial_agent(folder, ports, [secure_trunk(ports)]) as agent:
            down = agent.wait_for("trunk.state").facts
            assert down["state"] == "down"
            assert words in down["reason"]
            assert words in agent.wait_for("tls.failed").facts["reason"]
            result = agent.call("+15550100123")
            assert (result["outcome"], result["status"]) == ("failed", 503)
            assert words in result["reason"]


def test_carrier_that_wants_our_certificate_gets_it(tmp_path: Path) -> None:
    with secured(tmp_path, wants_certificate=True) as (agent, _, _):
        assert agent.wait_for("trunk.state").facts["state"] == "up"


def test_whoever_must_show_a_certificate_and_has_none_is_not_heard(tmp_path: Path) -> None:
    folder, ports = certified_folder(tmp_path), free_ports()
    tls = {"bind": f"127.0.0.1:{ports.agent_tls}", "ca_file": str(folder / "ca.pem")}
    tls |= {"certificate_file": str(folder / "agent.pem"), "key_file": str(folder / "agent.key")}
    changes = {"listen": {"tls": {**tls, "require_client_certificate": True}}}
    trunk = {"name": "main", "domain": f"127.0.0.1:{free_udp_port()}", "transport": "tls", "options_s": 0}
    with dial_agent(folder, ports, [trunk], changes):
        assert _options_over_tls(ports.agent_tls, folder, "stranger").startswith(b"SIP/2.0 200")
        with pytest.raises(OSError, match=r".+"):
            assert _options_over_tls(ports.agent_tls, folder, "")


def _options_over_tls(port: int, folder: Path, name: str) -> bytes:
    """Ask the agent over TLS; the first bytes of its answer."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    request = (
        "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/TLS localhost;branch=z9hG4bKtest\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:test@localhost>;tag=1\r\nTo: <sip:localhost>\r\nCall-ID: test\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as channel,
    ):
        channel.sendall(request.encode())
        answer = channel.recv(65536)
    if not answer:
        raise ConnectionError("closed")
    return answer
