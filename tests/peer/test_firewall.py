"""The nftables table in force: in two network namespaces joined by a cable, trunk and stranger send to us."""

import shutil
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.cli.firewall import removal, table
from sipagent.config.load import load_config
from tests.peer.running_agent import ROOT, write_config

pytestmark = pytest.mark.peer

SERVER, TRUNK, STRANGER = "10.99.0.1", "10.99.0.10", "10.99.0.66"
SIP_PORT, RTP_PORT, OTHER_PORT, PER_S = 5060, 20002, 9999, 20


@pytest.fixture(scope="module")
def namespaces() -> Iterator[tuple[str, str]]:
    """Names of the server's and the peers' namespace."""
    if shutil.which("nft") is None or shutil.which("ip") is None:
        pytest.skip("nft or ip is not installed (apt install nftables iproute2)")
    token = uuid.uuid4().hex[:6]
    server, peers = f"srv-{token}", f"peer-{token}"
    made = subprocess.run(["ip", "netns", "add", server], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
    try:
        run("ip", "netns", "add", peers)
        run(
            "ip",
            "link",
            "add",
            f"a{token}",
            "netns",
            server,
            "type",
            "veth",
            "peer",
            f"b{token}",
            "netns",
            peers,
        )
        inside(server, "ip", "address", "add", f"{SERVER}/24", "dev", f"a{token}")
        for address in (TRUNK, STRANGER):
            inside(peers, "ip", "address", "add", f"{address}/24", "dev", f"b{token}")
        for name, link in ((server, f"a{token}"), (peers, f"b{token}")):
            inside(name, "ip", "link", "set", "lo", "up")
            inside(name, "ip", "link", "set", link, "up")
        yield server, peers
    finally:
        for name in (server, peers):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trunk = {"name": "office", "domain": TRUNK, "allow_from": [f"{TRUNK}/32", "10.99.0.0/29"]}
    return write_config(
        tmp_path_factory.mktemp("firewall"),
        {
            "listen": {"udp": f"0.0.0.0:{SIP_PORT}", "tcp": f"0.0.0.0:{SIP_PORT}"},
            "rtp.port_range": "20000-20199",
            "trunks": [trunk],
            "security": {"requests_per_s": PER_S},
        },
    )


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def inside(namespace: str, *command: str) -> str:
    return run("ip", "netns", "exec", namespace, *command)


def apply(namespace: str, rules: str) -> None:
    command = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
    subprocess.run(command, input=rules, text=True, check=True, capture_output=True, timeout=30)


def firewall(namespace: str, config: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "sipagent", "firewall", "nft"]
    return subprocess.run(
        [*command, "-c", str(config), *options], capture_output=True, text=True, timeout=60, cwd=ROOT
    )


RECEIVER = """
import select, socket, sys, time
boxes = {}
for port in (5060, 20002, 9999):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("0.0.0.0", port)); boxes[sock] = port
listener = socket.create_server(("0.0.0.0", 5060)); boxes[listener] = 0
print("ready", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    for sock in select.select([*boxes, sys.stdin], [], [], 1)[0]:
        if sock is sys.stdin:
            sys.exit()
        if sock is listener:
            peer = sock.accept()[1]; print("tcp", peer[0], flush=True); continue
        data, peer = sock.recvfrom(100)
        print(boxes[sock], peer[0], flush=True)
        if data == b"answer me" :
            sock.sendto(b"answer", peer)
"""
SENDER = """
import socket, sys
for source in sys.argv[1].split(","):
    for port in map(int, sys.argv[2].split(",")):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind((source, 0))
        for _ in range(int(sys.argv[3])):
            sock.sendto(b"x", ("10.99.0.1", port))
    if sys.argv[4] == "tcp":
        sock = socket.socket(); sock.bind((source, 0)); sock.settimeout(1)
        try:
            sock.connect(("10.99.0.1", 5060))
        except OSError:
            pass
"""


def received(
    namespaces: tuple[str, str], sources: str, ports: str, count: int, *, tcp: bool = True
) -> list[str]:
    """What reached the server: ``port address`` of each packet, ``tcp address`` of each connection."""
    server, peers = namespaces
    receiver = subprocess.Popen(
        ["ip", "netns", "exec", server, sys.executable, "-c", RECEIVER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        arguments = [sources, ports, str(count), "tcp" if tcp else ""]
        inside(peers, sys.executable, "-c", SENDER, *arguments)
        lines = []
        inside(
            peers, sys.executable, "-c", SENDER, TRUNK, str(OTHER_PORT), "1", ""
        )  # comes last, and is let in
        while (line := receiver.stdout.readline().strip()) and line != f"{OTHER_PORT} {TRUNK}":
            lines.append(line)
        return lines
    finally:
        receiver.communicate(timeout=10)


def test_only_the_trunk_reaches_sip_and_sound(namespaces: tuple[str, str], config: Path) -> None:
    ports, sources = f"{SIP_PORT},{RTP_PORT}", f"{STRANGER},{TRUNK}"
    everybody = {f"{port} {source}" for port in (SIP_PORT, RTP_PORT, "tcp") for source in (TRUNK, STRANGER)}
    of_the_trunk = {line for line in everybody if line.endswith(TRUNK)}
    assert set(received(namespaces, sources, ports, 1)) == everybody, "without a table all is let in"
    for _ in range(2):  # a second time changes nothing
        done = firewall(namespaces[0], config, "--apply")
        assert done.returncode == 0, done.stderr
    assert inside(namespaces[0], "nft", "list", "tables").count("sipagent") == 1
    assert set(received(namespaces, sources, ports, 1)) == of_the_trunk
    for _ in range(2):
        assert firewall(namespaces[0], config, "--remove").returncode == 0
    assert inside(namespaces[0], "nft", "list", "ruleset").strip() == ""
    assert set(received(namespaces, sources, ports, 1)) == everybody


def test_trunk_that_sends_too_much_is_slowed_down(namespaces: tuple[str, str], config: Path) -> None:
    apply(namespaces[0], table(load_config(config)))
    came = len(received(namespaces, TRUNK, str(SIP_PORT), 20 * PER_S, tcp=False))
    assert 2 * PER_S <= came < 10 * PER_S, "the burst and little more"
    apply(namespaces[0], removal())


def test_table_that_nft_refuses_changes_nothing(namespaces: tuple[str, str], config: Path) -> None:
    """All or nothing: the table in force stays when the next one is refused."""
    text = table(load_config(config))
    apply(namespaces[0], text)
    before = inside(namespaces[0], "nft", "list", "table", "inet", "sipagent")
    with pytest.raises(subprocess.CalledProcessError):
        apply(namespaces[0], text.replace("jump sound", "jump nowhere"))
    assert inside(namespaces[0], "nft", "list", "table", "inet", "sipagent") == before
    apply(namespaces[0], removal())


def test_the_table_is_what_it_should_be(config: Path) -> None:
    text = textwrap.dedent(table(load_config(config)).replace("        ", ""))
    expected = """
        udp dport 5060 jump sip_udp
        tcp dport 5060 jump sip_tcp
        udp dport 20000-20199 jump sound
    """
    assert textwrap.dedent(expected).strip() in text
    assert "elements = { 10.99.0.0/29, 10.99.0.10/32 }" in text
