"""Two network namespaces with a cable between them: where the agent lives, and the world."""

import itertools
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

AGENT_ADDRESS, TRUNK_ADDRESS = "198.18.0.2", "198.18.0.1"
"""RFC 2544: addresses for tests between networks."""
STRANGERS = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "8.8.8.8", "9.9.9.9")
"""All of them answer in the world of the test, so that only the lock can keep the agent from them."""
SERVICE_UID, OTHER_UID = 64999, 64998


@dataclass(frozen=True)
class Namespaces:
    """Their names."""

    agent: str
    world: str

    def inside(self, name: str, *command: str, **options: object) -> "subprocess.CompletedProcess[str]":
        """Run a command in one of them, to its end."""
        arguments = ["ip", "netns", "exec", name, *command]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


@contextmanager
def two_namespaces() -> Iterator[Namespaces]:
    """Make them, and remove them whatever happens; skips where that is not possible."""
    for name, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed (apt install {package})")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    tag = uuid.uuid4().hex[:6]
    spaces = Namespaces(f"sa-agent-{tag}", f"sa-world-{tag}")
    resolver = Path("/etc/netns") / spaces.agent / "resolv.conf"
    try:
        resolver.parent.mkdir(parents=True)  # `ip netns exec` shows it as /etc/resolv.conf
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        for name in (spaces.agent, spaces.world):
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"this machine makes no network namespaces: {made.stderr.strip()}")
        _connect(spaces)
        yield spaces
    finally:
        for name in (spaces.agent, spaces.world):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(resolver.parent, ignore_errors=True)


def _connect(spaces: Namespaces) -> None:
    cable = ["ip", "link", "add", "cable0", "netns", spaces.agent, "type", "veth", "peer", "name", "cable1"]
    subprocess.run([*cable, "netns", spaces.world], check=True)
    for name, commands in (
        (spaces.agent, (f"addr add {AGENT_ADDRESS}/24 dev cable0", "link set cable0 up", "link set lo up")),
        (spaces.world, (f"addr add {TRUNK_ADDRESS}/24 dev cable1", "link set cable1 up", "link set lo up")),
        (spaces.agent, (f"route add default via {TRUNK_ADDRESS}",)),
        (spaces.world, tuple(f"addr add {stranger}/32 dev lo" for stranger in STRANGERS)),
    ):
        for command in commands:
            subprocess.run(["ip", "-n", name, *command.split()], check=True)


def count_strangers(spaces: Namespaces) -> None:
    """Count in the world what reaches any stranger there."""
    counters = [f"ip daddr {stranger} counter" for stranger in STRANGERS]
    hook = "type filter hook input priority 0;"
    rules = "\n".join(["table inet seen {", "chain arriving {", hook, *counters, "}", "}", ""])
    done = spaces.inside(spaces.world, "nft", "-f", "-", input=rules)
    assert done.returncode == 0, done.stderr


def packets_at_strangers(spaces: Namespaces) -> int:
    """How many have arrived since ``count_strangers``."""
    listing = spaces.inside(spaces.world, "nft", "list", "table", "inet", "seen").stdout
    words = listing.split()
    return sum(int(after) for word, after in itertools.pairwise(words) if word == "packets")
