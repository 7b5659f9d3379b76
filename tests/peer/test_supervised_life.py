"""One life of a supervised server, as its operator, its registrar and systemd see it: ready, looked at,
reloaded, drained. The tests belong together, in this order.
"""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import yaml

from sipagent.lab.agent_process import free_udp_port
from sipagent.lab.child import Child, ChildEvent, Events
from sipagent.lab.softphone import Softphone
from sipagent.ledger import Kind, LedgerReader
from sipagent.web.metrics import ServerMetrics
from tests.fakes.files import flow_with_tool
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import ROOT, SUPERVISED, RunningAgent, running_agent
from tests.peer.supervised import (
    FAULTY,
    LONGEST_MS,
    PATIENT,
    ask_for,
    bystander,
    call_up,
    is_greeted,
    sipagent,
    status,
    wait_until,
    worker,
)

pytestmark = pytest.mark.peer

TRUNK, DRAIN_S = "office", 3
GOODBYE = "We are closing now, goodbye."
WATCHDOG_US = 400_000


@dataclass
class Manager:
    """Listens where systemd would."""

    address: Path
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.address))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", str(self.address))
        self._thread.join()
        self._socket.close()

    def count(self, line: str) -> int:
        return sum(line in message.splitlines() for message in self.heard)

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self.heard.append(message.decode())


@dataclass
class Life:
    """The server and those around it."""

    agent: RunningAgent
    folder: Path
    manager: Manager
    registrar: Child

    @property
    def parent_pid(self) -> int:
        assert self.agent.child.pid is not None
        return self.agent.child.pid

    def page(self, name: str) -> tuple[int, str]:
        address = self.agent.wait_for("console.opened").facts["address"]
        try:
            with urllib.request.urlopen(f"http://{address}/{name}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder, port = tmp_path_factory.mktemp("life"), free_udp_port()
    peer = f"127.0.0.1:{port}"
    account = {"registrar": f"sip:{peer}", "username": "us", "password_env": "TEST_OFFICE_PASSWORD"}
    changes = {
        **PATIENT,
        "trunks": [{"name": TRUNK, "domain": peer, "register": account}],
        "ledger.keep_days": 365,
        "supervision.drain_s": DRAIN_S,
        "personas.receptionist.goodbye": GOODBYE,
        "workers": 2,
    }
    manager = Manager(folder / "notify")
    script = str(ROOT / "tests" / "peer" / "one_registrar.py")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TEST_OFFICE_PASSWORD", "secret")
        environment.setenv("NOTIFY_SOCKET", str(manager.address))
        environment.setenv("WATCHDOG_USEC", str(WATCHDOG_US))
        try:
            with (
                Child("registrar", [sys.executable, script, "127.0.0.1", str(port)], Events()) as registrar,
                running_agent(folder, changes, program=SUPERVISED) as agent,
            ):
                wait_until(lambda: all(w["state"] == "answering" for w in status(folder)["workers"]))
                agent.port = int(worker(folder)["udp"].rpartition(":")[2])
                yield Life(agent, folder, manager, registrar)
        finally:
            manager.close()


def is_of(name: str, event: ChildEvent) -> bool:
    return bool(event.facts.get("worker") == name)


def says(text: str, event: ChildEvent) -> bool:
    return bool(event.facts["pii_text"] == text)


def test_systemd_is_told_of_readiness_state_and_life(life: Life) -> None:
    assert life.manager.count("READY=1") == 1
    assert "STATUS=taking calls; 2 of 2 workers, 0 calls" in life.manager.heard
    before = life.manager.count("WATCHDOG=1")
    wait_until(lambda: life.manager.count("WATCHDOG=1") > before + 1)
    environment = Path(f"/proc/{life.agent.worker_pid}/environ").read_bytes()
    assert b"NOTIFY_SOCKET" not in environment, "no worker speaks for the server"


def test_status_is_read_by_people_and_programs(life: Life) -> None:
    said = sipagent("status", "-c", life.folder / "sip.yaml")
    assert said.returncode == 0
    first, *lines = said.stdout.splitlines()
    assert first.endswith(": taking calls")
    assert any(
        re.match(r"  worker-2: answering, 0 of 4 calls, pid \d+, .*, 0 restarts, udp", x) for x in lines
    )
    assert "  ledger: writable" in lines
    assert "  no crash on record" in lines
    assert any(line.startswith(f"    trunk {TRUNK}: ") for line in lines)


def test_pages_and_metrics_of_a_worker_that_was_killed(life: Life) -> None:
    assert life.page("healthz")[0] == 200
    assert life.page("readyz")[0] == 200
    phone, _ = call_up(life.agent.port, since_ms=time.monotonic() * 1000)
    start = len(life.agent.drain())
    assert is_greeted(phone)
    os.kill(worker(life.folder)["pid"], signal.SIGKILL)
    phone.close()
    restarted = life.agent.wait_for("worker.restarted", after=start).facts
    life.agent.wait_for("agent.ready", after=start, where=lambda e: e.facts["pid"] == restarted["pid"])
    life.agent.wait_for("trunk.registered", after=start)
    text = life.page("metrics")[1]
    for line in (
        'sipagent_worker_restarts_total{worker="worker-1"} 1.0',
        "sipagent_ready 1.0",
        "sipagent_workers_ready 2.0",
        'sipagent_calls_total{direction="inbound",outcome="worker died",trunk="office"} 1.0',
        'sipagent_trunk_registered{trunk="office",worker="worker-1"} 1.0',
        "sipagent_events_unreadable_total 0.0",
    ):
        assert line in text, text
    assert float(re.findall(r"^sipagent_ledger_entries (\S+)", text, re.MULTILINE)[0]) > 5
    described = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    known = re.findall(r"^# TYPE (\S+)", ServerMetrics(instance="x").text().decode(), re.MULTILINE)
    assert described == set(known)


def test_forgetting_by_age_is_the_parents_job_alone(life: Life) -> None:
    """Each worker has a chain of its own; what is old is looked for once."""
    told = [e.facts.get("worker") for e in life.agent.drain() if e.event.startswith("ledger.forgot")]
    assert set(told) <= {None}
    chains = {one.chain for one in LedgerReader(life.folder / "ledger", None).entries()}
    assert chains >= {"supervisor", "worker-1", "worker-2"}


def change_file(life: Life, **persona: object) -> None:
    path = life.folder / "sip.yaml"
    plain = yaml.safe_load(path.read_text())
    plain["personas"]["receptionist"] |= persona
    path.write_text(yaml.safe_dump(plain))


def test_a_bad_file_changes_nothing_and_says_why_with_its_line(life: Life) -> None:
    path, start = life.folder / "sip.yaml", len(life.agent.drain())
    good, generation = path.read_text(), status(life.folder)["generation"]
    path.write_text(good + "\nbells: 1\n")
    where = f"{path}:{len(good.splitlines()) + 2}: bells: unknown key"
    refused = sipagent("reload", "-c", path)
    assert refused.returncode == 78
    assert refused.stderr.startswith(where)
    assert refused.stderr.splitlines()[-1] == "nothing has changed in the running server"
    os.kill(life.parent_pid, signal.SIGHUP)
    told = life.agent.wait_for("config.refused", after=start).facts
    assert told["problems"][0].startswith(where)
    assert status(life.folder)["generation"] == generation
    assert status(life.folder)["ready"]
    path.write_text(good)


def test_a_reload_is_for_new_calls_and_running_ones_keep_the_old_file(life: Life) -> None:
    """The new file ends calls after ten seconds, with other words."""
    start, path = len(life.agent.drain()), life.folder / "sip.yaml"
    reloads = life.manager.count("RELOADING=1")
    with bystander(life.agent.port) as stop:
        change_file(life, max_call_s=10, goodbye="That was the new goodbye.")
        os.kill(life.parent_pid, signal.SIGHUP)
        for name in ("worker-1", "worker-2"):
            life.agent.wait_for("config.taken", after=start, where=partial(is_of, name))
        with Softphone() as phone:
            phone.call(f"sip:receptionist@127.0.0.1:{life.agent.port}")
            assert phone.run(until=lambda: phone.is_over, timeout_ms=LONGEST_MS)
        told = life.agent.wait_for(
            "turn.spoken", after=start, where=lambda e: "goodbye" in e.facts["pii_text"]
        )
        assert told.facts["pii_text"] == "That was the new goodbye."
        assert not stop().is_over, "it began before, with ten minutes"
    assert life.manager.count("RELOADING=1") == reloads + 1
    assert any("MONOTONIC_USEC=" in message for message in life.manager.heard)
    assert life.manager.heard.index("READY=1") < len(life.manager.heard) - 1
    assert life.manager.count("READY=1") == 3, "after the start, the refused file and the new one"
    plain = yaml.safe_load(path.read_text())
    plain["listen"]["udp"] = "127.0.0.1:9"
    path.write_text(yaml.safe_dump(plain))
    done = sipagent("reload", "-c", path)
    assert done.returncode == 0, done.stderr
    assert "listen.udp changed: takes effect at the next restart" in done.stderr
    assert status(life.folder)["waiting_for_restart"] == ["listen.udp"]


def test_what_the_running_server_cannot_use_is_refused_and_no_worker_dies(life: Life) -> None:
    """A transfer to a number that only the new, waiting limits allow; then a flow and its new tool."""
    path, pids = life.folder / "sip.yaml", [one["pid"] for one in status(life.folder)["workers"]]
    good, generation = path.read_text(), status(life.folder)["generation"]
    plain = yaml.safe_load(good)
    plain["personas"]["receptionist"] |= {"transfer": {"front": "100"}}
    plain["limits"]["outbound"] = {"allow": ["100"]}
    path.write_text(yaml.safe_dump(plain))
    refused = sipagent("reload", "-c", path)
    assert refused.returncode == 1, refused.stderr
    assert "personas.receptionist.transfer.front: '100' may not be called" in refused.stderr
    assert refused.stderr.splitlines()[-1] == "nothing has changed in the running server"
    assert status(life.folder)["generation"] == generation
    plain = yaml.safe_load(good)
    flow = flow_with_tool(life.folder / "put.yaml", "put")
    plain["personas"]["receptionist"] |= {"flow": str(flow), "tools": ["put"]}
    plain["tools"] = {"put": {"description": "Puts.", "command": ["/bin/true"]}}
    path.write_text(yaml.safe_dump(plain))
    done = sipagent("reload", "-c", path)
    assert done.returncode == 0, done.stderr
    assert "tools" in done.stdout
    assert [one["generation"] for one in status(life.folder)["workers"]] == [generation + 1] * 2
    assert [one["pid"] for one in status(life.folder)["workers"]] == pids
    path.write_text(good)
    assert sipagent("reload", "-c", path).returncode == 0


def test_a_drain_lets_calls_go_on_refuses_new_ones_and_says_goodbye(life: Life) -> None:
    """The last one: the server ends."""
    change_file(life, goodbye=GOODBYE, max_call_s=600)
    agent, start = life.agent, len(life.agent.drain())
    assert sipagent("reload", "-c", life.folder / "sip.yaml").returncode == 0
    agent.wait_for("config.taken", after=start, where=partial(is_of, "worker-1"))
    with Softphone() as phone:
        phone.call(f"sip:receptionist@127.0.0.1:{agent.port}")
        assert phone.run(until=lambda: phone.is_up and bool(phone.spans()), timeout_ms=10_000)
        os.kill(life.parent_pid, signal.SIGTERM)
        stopping_s = time.monotonic()
        agent.wait_for("agent.stopping", after=start, where=partial(is_of, "worker-1"))
        agent.wait_for("trunk.unregistered", after=start, where=partial(is_of, "worker-1"))
        with RawCaller(agent.port) as second:
            refused = second.invite()
            assert (refused.status, refused.get("retry-after")) == (503, "10")
        told = status(life.folder)
        assert (told["ready"], told["reason"]) == (False, "the server is stopping")
        code, body = life.page("readyz")
        assert (code, json.loads(body)["reason"]) == (503, "the server is stopping")
        assert sipagent("reload", "-c", life.folder / "sip.yaml").stderr.startswith("the server is stopping")
        assert phone.run(until=lambda: phone.is_over, timeout_ms=LONGEST_MS)
        assert time.monotonic() - stopping_s > DRAIN_S, "it went on until its time was up"
    agent.wait_for("turn.spoken", after=start, where=partial(says, GOODBYE))
    assert agent.wait_for("child.exited").facts["status"] == 0
    assert agent.wait_for("server.stopped").facts
    assert life.manager.count("STOPPING=1") == 1
    stopped = [
        one.entry.body["reason"]
        for one in LedgerReader(life.folder / "ledger", None).entries()
        if one.entry.kind == Kind.SERVER_STOPPED
    ]
    assert stopped == ["SIGTERM"] * 3, "two workers and their parent"


def test_where_every_worker_finds_the_configuration_unusable_the_server_ends_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIPAGENT_FAULT", str(tmp_path / "fault"))
    with running_agent(tmp_path, program=FAULTY) as agent:
        ask_for(tmp_path, agent.worker_pid, "configuration")
        assert agent.wait_for("child.exited").facts["status"] == 78
        assert agent.child.tail[-1] == "worker-1: exit status 78: the configuration"


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with (
        running_agent(tmp_path, {**PATIENT, "supervision.drain_s": 600}, program=SUPERVISED) as agent,
        Softphone() as phone,
    ):
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.is_up, timeout_ms=10_000)
        assert sipagent("drain", "-c", tmp_path / "sip.yaml").returncode == 0
        agent.wait_for("server.stopping")
        assert agent.child.pid is not None
        os.kill(agent.child.pid, signal.SIGTERM)
        assert agent.wait_for("child.exited").facts["status"] == 130
