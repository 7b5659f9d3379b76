"""The egress lock in a network of its own, where every stranger would answer: only the lock holds it back."""

import errno
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.peer.netns import (
    OTHER_UID,
    SERVICE_UID,
    STRANGERS,
    TRUNK_ADDRESS,
    Namespaces,
    count_strangers,
    packets_at_strangers,
    two_namespaces,
)
from tests.peer.running_agent import ROOT, write_config

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def spaces() -> Iterator[Namespaces]:
    with two_namespaces() as made:
        count_strangers(made)
        yield made


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trunk = {"name": "office", "domain": TRUNK_ADDRESS, "transport": "udp"}
    return write_config(tmp_path_factory.mktemp("config"), {"trunks": [trunk]})


def egress(spaces: Namespaces, config: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "sipagent", "egress", words[0], "-c", str(config), *words[1:]]
    done = spaces.inside(spaces.agent, *command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    return done.returncode, done.stdout + done.stderr


def lock(spaces: Namespaces, config: Path, rules: Path) -> None:
    status, said = egress(spaces, config, "nft", "--user", str(SERVICE_UID), "-o", str(rules))
    assert status == 0, said
    for _ in range(2):  # again and again, in place of itself
        done = spaces.inside(spaces.agent, "nft", "-f", str(rules))
        assert done.returncode == 0, done.stderr


def test_without_the_rules_native_code_gets_out_and_the_test_says_so(
    spaces: Namespaces, config: Path
) -> None:
    before = packets_at_strangers(spaces)
    status, said = egress(spaces, config, "test", "--user", str(SERVICE_UID))
    assert status == 1
    assert f"ok   python datagram to {STRANGERS[0]}:443 is refused" in said
    assert f"FAIL native datagram to {STRANGERS[0]}:443 passes: nothing holds it back" in said
    assert "install the system's rules" in said
    assert packets_at_strangers(spaces) > before


def test_with_the_rules_only_the_trunk_is_reachable(spaces: Namespaces, config: Path, tmp_path: Path) -> None:
    lock(spaces, config, tmp_path / "rules.nft")
    before = packets_at_strangers(spaces)
    status, said = egress(spaces, config, "test", "--user", str(SERVICE_UID))
    assert status == 0, said
    assert "FAIL" not in said
    assert f"ok   native datagram to {TRUNK_ADDRESS}:5060 passes" in said
    assert said.count("is refused, as it must be") == 8  # two strangers, four ways
    assert "the lock holds" in said
    assert packets_at_strangers(spaces) == before, "nothing arrives at any stranger"


def test_the_rules_bind_one_user_and_no_other(spaces: Namespaces, config: Path, tmp_path: Path) -> None:
    lock(spaces, config, tmp_path / "rules.nft")
    before = packets_at_strangers(spaces)
    status, said = egress(spaces, config, "test", "--user", str(OTHER_UID))
    assert status == 1
    assert f"FAIL native connection to {STRANGERS[0]}:443 passes" in said
    assert packets_at_strangers(spaces) > before


def attempts(spaces: Namespaces, uid: int) -> dict[str, int]:
    """Every way out, tried as a user; 0: it went through."""
    script = str(ROOT / "tests" / "peer" / "egress_attempts.py")
    done = spaces.inside(spaces.agent, sys.executable, script, str(uid))
    assert done.returncode == 0, done.stderr
    return {name: int(status) for name, _, status in (x.rpartition(": ") for x in done.stdout.splitlines())}


def test_nothing_gets_out_by_any_other_way(spaces: Namespaces, config: Path, tmp_path: Path) -> None:
    """IPv6, DNS of others, pings, broadcasts, programs of its own; what stays on the machine does pass."""
    for name, address in ((spaces.agent, "fd00:db8::2"), (spaces.world, "fd00:db8::1")):
        cable = "cable0" if name == spaces.agent else "cable1"
        subprocess.run(["ip", "-n", name, "addr", "add", f"{address}/64", "dev", cable, "nodad"], check=True)
    spaces.inside(spaces.agent, "sysctl", "-qw", f"net.ipv4.ping_group_range=0 {SERVICE_UID}")
    watch = f"""
        table inet breach {{
            chain arriving {{
                type filter hook prerouting priority -300;
                iifname "cable1" ip daddr != {TRUNK_ADDRESS} ip protocol != igmp counter
                iifname "cable1" meta nfproto ipv6 meta l4proto != icmpv6 counter
            }}
        }}
    """
    made = spaces.inside(spaces.world, "nft", "-f", "-", input=watch)
    assert made.returncode == 0, made.stderr

    def arrived() -> int:
        listing = spaces.inside(spaces.world, "nft", "list", "table", "inet", "breach").stdout
        return sum(map(int, re.findall(r"packets (\d+)", listing)))

    lock(spaces, config, tmp_path / "rules.nft")
    locked = attempts(spaces, SERVICE_UID)
    assert {name for name, status in locked.items() if status == 0} == {"AF_UNIX", "loopback"}, locked
    assert arrived() == 0
    free = attempts(spaces, OTHER_UID)
    reached = {0, errno.ECONNREFUSED, errno.EINPROGRESS}
    assert {name for name, status in free.items() if status not in reached} == {"raw"}, free
    assert arrived() >= 8, "who is not locked in does get out by these ways"


def test_answers_on_connections_of_others_leave_but_no_connection_of_our_own(
    spaces: Namespaces, config: Path, tmp_path: Path
) -> None:
    """The console may be asked from a machine that is on no list."""
    plain = yaml.safe_load(config.read_text())
    plain["console"] = {"bind": "0.0.0.0:8080"}
    own = tmp_path / "sip.yaml"
    own.write_text(yaml.safe_dump(plain))
    lock(spaces, own, tmp_path / "rules.nft")
    serving = (
        "import os, socket; s = socket.create_server(('0.0.0.0', 8080)); "
        f"os.setgid({SERVICE_UID}); os.setuid({SERVICE_UID}); s.settimeout(20)\n"
        "c, _ = s.accept(); c.sendall(b'well'); c.close()\n"
        "x = socket.socket(); x.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); x.settimeout(5)\n"
        "try: x.bind(('0.0.0.0', 8080)); x.connect(('192.0.2.1', 443)); print('out')\n"
        "except OSError as error: print('in', error.errno)\n"
    )
    asking = (
        "import socket, time\n"
        "for _ in range(100):\n"
        "    try: c = socket.create_connection(('198.18.0.2', 8080), 5, ('192.0.2.1', 0)); break\n"
        "    except ConnectionRefusedError: time.sleep(0.1)\n"
        "print(c.recv(9))\n"
    )

    server = subprocess.Popen(
        ["ip", "netns", "exec", spaces.agent, sys.executable, "-c", serving],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        asked = spaces.inside(spaces.world, sys.executable, "-c", asking)
        said, _ = server.communicate(timeout=30)
    finally:
        server.kill()
        server.wait()
    assert "b'well'" in asked.stdout, asked.stderr
    assert said.startswith("in"), said


def test_rules_stay_while_dns_fails(spaces: Namespaces, config: Path, tmp_path: Path) -> None:
    plain = yaml.safe_load(config.read_text())
    trunk = {"name": "carrier", "domain": "no-such-name.invalid", "allow_from": ["203.0.113.0/28"]}
    plain["trunks"].append(trunk)
    own, rules = tmp_path / "sip.yaml", tmp_path / "rules.nft"
    own.write_text(yaml.safe_dump(plain))
    status, said = egress(spaces, own, "nft", "--user", str(SERVICE_UID), "-o", str(rules))
    assert status == 0, "the first time there is nothing to keep: networks are locked without the name"
    assert "no-such-name.invalid: DNS knows no address" in said
    rules.write_text("# kept\n")
    status, said = egress(spaces, own, "nft", "--user", str(SERVICE_UID), "-o", str(rules))
    assert (status, rules.read_text()) == (75, "# kept\n")
    assert "stays as it is" in said
