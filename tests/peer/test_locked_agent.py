"""A running agent as its unit would run it: another user, the unit's system call filter, the egress lock in
force, passwords planted. One call, a crash, then everything it has written, sent and started is looked at.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from sipagent.lab.agent_process import wait_ready
from sipagent.lab.child import Child, ChildEvent, Events
from tests.peer.netns import (
    SERVICE_UID,
    TRUNK_ADDRESS,
    Namespaces,
    count_strangers,
    packets_at_strangers,
    two_namespaces,
)
from tests.peer.running_agent import ROOT, RunningAgent, write_config

pytestmark = pytest.mark.peer

SECRETS = {
    "office": "planted-in-a-credential-7Q",
    "branch": "planted-in-a-variable-8W",
    "shop": "planted-in-a-file-9E",
}
REGISTRAR = 5060
CALL = """
import sys
from sipagent.lab.softphone import Softphone
with Softphone() as phone:
    phone.call(sys.argv[1])
    assert phone.run(until=lambda: phone.line.spans.finished, timeout_ms=60_000)
print("heard", len(phone.line.spans.finished))
"""
REALTIME = ["prlimit", "--rtprio=20:20"]
if subprocess.run([*REALTIME, "true"], capture_output=True, check=False).returncode:
    REALTIME = []  # a container that may not raise limits
PAGES = """
import sys, urllib.request
for page in ("healthz", "readyz", "metrics"):
    print(urllib.request.urlopen(f"http://{sys.argv[1]}/{page}", timeout=10).read().decode())
"""


@dataclass
class Locked:
    """The agent, after its call, and all that was collected."""

    agent: RunningAgent
    spaces: Namespaces
    folder: Path
    called: str
    pages: str
    processes: dict[str, bytes] = field(default_factory=dict)
    """What anybody can read about each: its arguments; and, its user and root, its environment."""
    registered: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        return Path(f"/proc/{self.agent.child.pid}/status").read_text()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    for name, package in (("setpriv", "util-linux"), ("systemd-analyze", "systemd")):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed (apt install {package})")
    folder = tmp_path_factory.mktemp("locked")
    with two_namespaces() as spaces, pytest.MonkeyPatch.context() as environment:
        config = configured(folder, environment)
        count_strangers(spaces)
        lock(spaces, config)
        registrar = Child("registrar", registrar_command(spaces), Events())
        events: Events = Events()
        log: list[ChildEvent] = []
        with registrar, Child("agent", agent_command(spaces, config), events, reads="stderr") as child:
            ready = wait_ready(child, events, 120, earlier=log)
            agent = RunningAgent(child, events, int(str(ready["udp"]).rpartition(":")[2]), ready, log)
            for trunk in SECRETS:
                agent.wait_for("trunk.registered", where=partial(is_of, trunk))
            called = spaces.inside(spaces.agent, *python("-c", CALL, agent.uri()), cwd=ROOT)
            agent.wait_for("call.ended")
            os.kill(agent.worker_pid, signal.SIGSEGV)
            restarted = agent.wait_for("worker.restarted").facts
            agent.wait_for("agent.ready", where=lambda e: e.facts["pid"] == restarted["pid"])
            address = agent.wait_for("console.opened").facts["address"]
            pages = spaces.inside(spaces.agent, *python("-c", PAGES, str(address)))
            yield Locked(
                agent,
                spaces,
                folder,
                called.stdout + called.stderr,
                pages.stdout + pages.stderr,
                processes_below(child),
                registrar.tail,
            )


def is_of(trunk: str, event: ChildEvent) -> bool:
    return bool(event.facts["trunk"] == trunk)


def processes_below(parent: Child) -> dict[str, bytes]:
    """Arguments and environment of the server's processes; of the parent, whose environment systemd has
    filled, the arguments.
    """
    assert parent.pid is not None
    found = {"argv of the parent": Path(f"/proc/{parent.pid}/cmdline").read_bytes()}
    waiting = [parent.pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
            for pid in (task / "children").read_text().split():
                waiting.append(int(pid))
                for name in ("cmdline", "environ"):
                    found[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    return found


def configured(folder: Path, environment: pytest.MonkeyPatch) -> Path:
    """Three trunks, each with its password somewhere else, and a program that is told the ledger's heads."""
    (folder / "credentials").mkdir()
    (folder / "credentials" / "office").write_text(SECRETS["office"])
    (folder / "shop-password").write_text(SECRETS["shop"])
    (folder / "shop-password").chmod(0o600)
    environment.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
    environment.setenv("TEST_BRANCH_PASSWORD", SECRETS["branch"])
    environment.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    environment.setenv("PYTHONPATH", str(ROOT))
    sources = {
        "office": {"password_credential": "office"},
        "branch": {"password_env": "TEST_BRANCH_PASSWORD"},
        "shop": {"password_file": "shop-password"},
    }
    peer = f"{TRUNK_ADDRESS}:{REGISTRAR}"
    trunks = [
        {"name": name, "domain": peer, "register": {"registrar": f"sip:{peer}", "username": name, **source}}
        for name, source in sources.items()
    ]
    trunks.append({"name": "bench", "domain": "127.0.0.1"})
    (folder / "ledger").mkdir()
    (folder / "cache").mkdir()
    told = folder / "ledger" / "environment-of-the-program"
    changes = {
        "listen": {"udp": "0.0.0.0:5062"},
        "trunks": trunks,
        "ledger.dir": str(folder / "ledger"),
        "ledger.anchor": {"command": f"/bin/sh -c 'env >> {told}'"},
    }
    config = write_config(folder, changes)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, SERVICE_UID, SERVICE_UID)
    return config


def python(*words: str) -> list[str]:
    return [sys.executable, *words]


def lock(spaces: Namespaces, config: Path) -> None:
    made = spaces.inside(
        spaces.agent,
        *python("-m", "sipagent", "egress", "nft", "-c", str(config), "--user", str(SERVICE_UID)),
        cwd=ROOT,
    )
    assert made.returncode == 0, made.stderr
    assert spaces.inside(spaces.agent, "nft", "-f", "-", input=made.stdout).returncode == 0


def registrar_command(spaces: Namespaces) -> list[str]:
    script = str(ROOT / "tests" / "peer" / "one_registrar.py")
    return ["ip", "netns", "exec", spaces.world, *python(script, TRUNK_ADDRESS, str(REGISTRAR))]


def agent_command(spaces: Namespaces, config: Path) -> list[str]:
    """As root to the namespace, then as the service's user, then under the unit's limits.

    The one capability left lets it read a checkout that is not everybody's to read.
    """
    user = ["--reuid", str(SERVICE_UID), "--regid", str(SERVICE_UID), "--clear-groups"]
    user += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
    unit = python(str(ROOT / "tests" / "peer" / "as_unit.py"))
    program, *words = exec_start()
    assert program.endswith("/bin/sipagent")
    words = [word.replace("/etc/sipagent/sip.yaml", str(config)) for word in words]
    assert str(config) in words
    serve = python("-m", "sipagent", *words, "--log-pii", "--log-level", "debug")
    return ["ip", "netns", "exec", spaces.agent, *REALTIME, "setpriv", *user, *unit, *serve]


def exec_start() -> list[str]:
    """What the unit runs."""
    lines = (ROOT / "systemd" / "sipagent.service").read_text().splitlines()
    (command,) = (line.partition("=")[2] for line in lines if line.startswith("ExecStart="))
    return command.split()


def test_the_call_was_held_under_the_units_limits(locked: Locked) -> None:
    assert "heard" in locked.called, (locked.called, locked.agent.child.tail)
    uids = re.search(r"^Uid:\s+(\d+)\s+(\d+)", locked.status, re.MULTILINE)
    assert uids is not None
    assert set(uids.groups()) == {str(SERVICE_UID)}
    assert "Seccomp:\t2" in locked.status
    assert "NoNewPrivs:\t1" in locked.status
    failed = [
        e
        for e in locked.agent.drain()
        if e.event.endswith((".failed", ".fell_back")) and "registr" not in e.event
    ]
    assert failed == []


@pytest.mark.skipif(not REALTIME, reason="this machine lets nobody raise RLIMIT_RTPRIO (CAP_SYS_RESOURCE)")
def test_the_media_clock_has_its_priority_without_a_capability(locked: Locked) -> None:
    tasks = [int(task) for task in os.listdir(f"/proc/{locked.agent.child.pid}/task")]
    assert os.SCHED_FIFO in [os.sched_getscheduler(task) for task in tasks]


def test_the_server_reached_its_trunk_and_tried_nothing_else(locked: Locked) -> None:
    """No model is fetched, nothing is reported home: the lock had nothing to refuse."""
    table = locked.spaces.inside(
        locked.spaces.agent, "nft", "list", "table", "inet", "sipagent_egress"
    ).stdout
    assert re.search(r"counter packets 0 bytes 0 reject", table), table
    assert packets_at_strangers(locked.spaces) == 0
    assert [e for e in locked.agent.drain() if e.event == "egress.refused"] == []


def test_each_password_answered_the_registrars_question(locked: Locked) -> None:
    fields = [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in locked.registered]
    answered = {found["username"]: found for found in fields if "response" in found}
    assert set(answered) == set(SECRETS)
    for name, found in answered.items():
        ha1 = hashlib.md5(f"{name}:lab:{SECRETS[name]}".encode()).hexdigest()
        ha2 = hashlib.md5(f"REGISTER:{found['uri']}".encode()).hexdigest()
        assert found["response"] == hashlib.md5(f"{ha1}:n0nce:{ha2}".encode()).hexdigest(), name


def test_health_and_metrics_tell_of_the_call(locked: Locked) -> None:
    health, ready, _, *_ = locked.pages.splitlines()
    assert json.loads(health)["status"] == "ok", locked.pages
    assert '"ready": true' in locked.pages, ready
    for line in (
        'sipagent_calls_total{direction="inbound",outcome="conversation",trunk="bench"} 1.0',
        'sipagent_trunk_registered{trunk="office",worker="worker-1"} 1.0',
        "sipagent_rtp_mos_count 1.0",
        'sipagent_events_dropped{worker="worker-1"} 0.0',
        "sipagent_events_unreadable_total 0.0",
    ):
        assert line in locked.pages
    mos = re.search(r"^sipagent_rtp_mos_sum (\S+)", locked.pages, re.MULTILINE)
    assert mos is not None
    assert 3.5 < float(mos[1]) <= 4.5
    entries = re.search(r"^sipagent_ledger_entries (\S+)", locked.pages, re.MULTILINE)
    assert entries is not None
    assert float(entries[1]) > 5


def test_no_password_is_in_anything_that_it_wrote_or_started(locked: Locked) -> None:
    written = {str(path): path.read_bytes() for path in locked.folder.rglob("*") if path.is_file()}
    sources = {str(locked.folder / "shop-password"), str(locked.folder / "credentials" / "office")}
    written = {name: content for name, content in written.items() if name not in sources}
    assert any("environment-of-the-program" in name for name in written), "the program was run"
    assert any(name.endswith(".jsonl") for name in written), "the ledger was written"
    assert any("/crashes/" in name for name in written), "the crash was reported"
    assert len(locked.processes) >= 5, "the parent, its fork server, a worker"
    written |= locked.processes
    written["log"] = "\n".join(str(e) for e in locked.agent.drain()).encode()
    assert len(written["log"]) > 1000
    written["stderr"] = "\n".join(locked.agent.child.tail).encode()
    written["console"] = locked.pages.encode()
    written["argv"] = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout
    show = python("-m", "sipagent", "check", "--show", "-c", str(locked.folder / "sip.yaml"))
    done = subprocess.run(show, capture_output=True, cwd=ROOT, check=False)
    assert b"password: '***'" in done.stdout
    written["check --show"] = done.stdout + done.stderr
    leaks = [
        (name, trunk)
        for name, content in written.items()
        for trunk, text in SECRETS.items()
        if text.encode() in content
    ]
    assert leaks == []
