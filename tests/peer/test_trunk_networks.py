"""NAT: the address that peers are told, keep-alives, and sound that follows its sender."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipagent.lab.agent_process import free_udp_port
from sipagent.lab.sdp import describe, parse_audio
from tests.peer.carrier import certified_folder, dial_agent, free_ports
from tests.peer.raw_caller import RawCaller
from tests.peer.raw_peer import RawPeer

pytestmark = pytest.mark.peer

OUTSIDE = "203.0.113.7"
MAGIC_COOKIE = 0x2112A442
KEEP_ALIVE_S = 5


@contextmanager
def stun_server() -> Iterator[int]:
    """Tells everybody that they come from 203.0.113.7; its port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            request, source = server.recvfrom(2048)
            if not request:
                return
            number = int.from_bytes(socket.inet_aton(OUTSIDE), "big") ^ MAGIC_COOKIE
            value = struct.pack("!BBHI", 0, 1, source[1] ^ MAGIC_COOKIE >> 16, number)
            attribute = struct.pack("!HH", 0x0020, len(value)) + value
            head = struct.pack("!HHI", 0x0101, len(attribute), MAGIC_COOKIE)
            server.sendto(head + request[8:20] + attribute, source)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.sendto(b"", server.getsockname())
        thread.join(5)
        server.close()


@pytest.mark.parametrize("way", ["stun", "setting"])
def test_peers_are_told_the_public_address(tmp_path: Path, way: str) -> None:
    folder, ports = certified_folder(tmp_path), free_ports()
    trunk = {"name": "bench", "domain": f"127.0.0.1:{ports.bench}", "options_s": 0}
    with stun_server() as stun_port, RawPeer(ports.bench) as peer:
        address = f"stun:127.0.0.1:{stun_port}" if way == "stun" else OUTSIDE
        with dial_agent(folder, ports, [trunk], {"rtp.public_address": address}) as agent:
            agent.order(call={"to": "100", "persona": "receptionist"})
            invite = peer.request("INVITE")
            peer.answer(invite, "486 Busy Here")
            assert f"@{OUTSIDE}:{ports.agent}" in invite.get("contact")
            assert f"c=IN IP4 {OUTSIDE}" in invite.body.decode()
            assert ";rport" in invite.get("via")
            assert agent.wait_for("test.result").facts["outcome"] == "busy"


def test_empty_lines_keep_connections_open(tmp_path: Path) -> None:
    """Over UDP for whoever registers, over TCP and TLS twice (RFC 5626). The registrar has another phone."""
    folder, ports = certified_folder(tmp_path), free_ports()
    (folder / "password").write_text("any")
    listener, secure = (
        socket.create_server(("127.0.0.1", port)) for port in (ports.bench, ports.carrier_tls)
    )
    for server in (listener, secure):
        server.settimeout(10)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "carrier.pem", folder / "carrier.key")
    register = {"registrar": f"sip:127.0.0.1:{ports.dead}", "username": "office", "password_file": "password"}
    trunks: list[dict[str, Any]] = [
        {"name": "udp", "domain": f"127.0.0.1:{ports.dead}", "register": register, "options_s": 0},
        {"name": "tcp", "domain": f"127.0.0.1:{ports.bench}", "transport": "tcp", "options_s": 3600},
        {
            "name": "tls",
            "domain": f"localhost:{ports.carrier_tls}",
            "transport": "tls",
            "options_s": 3600,
            "allow_from": ["127.0.0.1/32"],
        },
    ]
    trunks = [{**trunk, "keep_alive_s": KEEP_ALIVE_S} for trunk in trunks]
    with listener, secure, RawPeer(ports.dead) as peer, dial_agent(folder, ports, trunks) as agent:
        request = peer.request("REGISTER")
        others = "<sip:office@192.0.2.9:5060>;expires=3000"
        peer.answer(request, "200 OK", ("Contact", f"{others}, {request.get('contact')};expires=60"))
        assert agent.wait_for("trunk.registered").facts["expires_s"] == 60, "another phone's lifetime"
        connection, channel = listener.accept()[0], context.wrap_socket(secure.accept()[0], server_side=True)
        with connection, channel:
            for stream in (connection, channel):
                stream.settimeout(3 * KEEP_ALIVE_S)
                assert stream.recv(65536).startswith(b"OPTIONS ")
                received = stream.recv(65536)
                while not received.endswith(b"\r\n\r\n") or b"OPTIONS" in received:
                    received = stream.recv(65536)
                assert received == b"\r\n\r\n"
        datagram = peer.receive()
        while datagram.strip():
            datagram = peer.receive()
        assert datagram == b"\r\n"


def test_sound_follows_its_sender(tmp_path: Path) -> None:
    """Symmetric RTP: the caller's description names a port that its NAT has changed."""
    folder, ports = certified_folder(tmp_path), free_ports()
    trunk = {"name": "bench", "domain": "127.0.0.1", "options_s": 0}
    with (
        dial_agent(folder, ports, [trunk]) as agent,
        RawCaller(agent.port) as caller,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line,
    ):
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.02)
        answer = caller.invite(describe("127.0.0.1", free_udp_port(), ("PCMU",)))
        assert answer.status == 200
        audio = parse_audio(answer.body, ("PCMU",))
        received = 0
        for number in range(250):
            header = struct.pack("!BBHII", 0x80, 0, number, 160 * number, 0x51A6)
            line.sendto(header + b"\xff" * 160, (audio.address, audio.port))
            try:
                received += len(line.recv(2048)) > 12
            except TimeoutError:
                continue
            if received >= 10:
                break
        assert received >= 10, "the agent's sound does not come back to where ours comes from"
