"""The health server over real sockets: what it answers, and that nobody can make it wait."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.config.fields import HostPort
from sipagent.web import server as server_module
from sipagent.web.events import EventPipe, EventSender
from sipagent.web.metrics import ServerMetrics
from sipagent.web.server import MOST_CONNECTIONS, ConsoleError, HealthServer

pytestmark = pytest.mark.peer

ANY = HostPort("127.0.0.1", 0)


class Running:
    """A server with nobody behind it, and its pipe."""

    def __init__(self) -> None:
        self.events = EventPipe()
        self.metrics = ServerMetrics(instance="test")
        self.status: dict[str, object] = {}
        self.server = HealthServer(ANY, events=self.events, metrics=self.metrics, status=lambda: self.status)

    def get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        where = self.server.address
        connection = http.client.HTTPConnection(where.host, where.port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def becomes_ready(self) -> bool:
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            if self.get("/readyz")[0] == 200:
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def running() -> Iterator[Running]:
    one = Running()
    one.server.start()
    yield one
    one.server.close()
    one.events.close()


def test_health_readiness_and_metrics(running: Running) -> None:
    status, body = running.get("/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    status, body = running.get("/readyz")
    assert status == 503
    assert "no worker is ready" in json.loads(body)["reason"]
    running.events.sender("1")(
        None, "info", {"event": "agent.ready", "max_calls": 4, "pii_from": "+15550100123"}
    )
    assert running.becomes_ready()
    running.status = {"ready": False, "reason": "draining"}
    status, body = running.get("/readyz")
    assert (status, json.loads(body)["reason"]) == (503, "draining")
    status, body = running.get("/metrics")
    assert status == 200
    assert b"sipagent_workers_ready 1.0" in body
    assert b"5550100123" not in body
    assert running.get("/")[0] == 404
    assert running.get("/metrics", "HEAD") == (200, b"")
    assert running.get("/metrics", "POST")[0] == 501


def test_events_of_another_process_are_counted(running: Running) -> None:
    program = (
        "import sys, time; from sipagent.web.events import EventSender; "
        "send = EventSender.from_fd(int(sys.argv[1]), '2'); "
        "send(None, '', {'event': 'agent.ready', 'max_calls': 4}); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(running.events.fd)],
        pass_fds=[running.events.fd],
        stdin=subprocess.PIPE,
    )
    try:
        assert running.becomes_ready()
        where = running.server.address
        listening = f"{where.port:04X}"
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        inodes = [line.split()[9] for line in lines if f":{listening} " in line]
        held = {os.readlink(f"/proc/{child.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{child.pid}/fd")}
        assert inodes
        assert not held & {f"socket:[{inode}]" for inode in inodes}, "a worker holds the console's socket"
    finally:
        child.kill()
        child.communicate()
    assert running.get("/readyz")[0] == 503, "the worker is dead"


def test_slow_clients_and_crowds_do_not_keep_others_waiting(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "LONGEST_REQUEST_S", 0.5)
    where = running.server.address
    threads_before = threading.active_count()
    crowd = [socket.create_connection((where.host, where.port)) for _ in range(MOST_CONNECTIONS + 8)]
    for one in crowd[:4]:
        one.sendall(b"GET /healthz HT")  # and never the rest
    deadline_s = time.monotonic() + 20
    status = 0
    while status != 200 and time.monotonic() < deadline_s:
        try:
            status, _ = running.get("/healthz")
        except (OSError, http.client.HTTPException):  # the places are taken for the moment
            time.sleep(0.1)
    assert status == 200
    assert threading.active_count() - threads_before <= MOST_CONNECTIONS
    for one in crowd:
        one.close()


def test_a_taken_port_is_one_clear_line(running: Running) -> None:
    where = running.server.address
    events = EventPipe()
    second = HealthServer(where, events=events, metrics=ServerMetrics(instance="x"))
    with pytest.raises(ConsoleError, match=rf"^{where} is in use; stop who has it or choose another port$"):
        second.start()
    second.close()
    events.close()


def test_a_fault_of_the_supervisor_is_seen_and_does_not_end_the_server(running: Running) -> None:
    running.status = None  # type: ignore[assignment]
    assert running.get("/readyz") == (500, b'{"error": "AttributeError"}\n')
    assert running.get("/healthz")[0] == 200


def test_a_full_way_drops_and_counts_instead_of_waiting() -> None:
    pipe = EventPipe()
    sender = pipe.sender("1")
    for _ in range(5000):
        sender(None, "info", {"event": "turn.heard"})
    assert 0 < sender.dropped < 5000
    pipe.receive()
    sender(None, "info", {"event": "x" * 10, "pii_text": "not looked at"})
    pipe.close()
    before = sender.dropped
    sender(None, "info", {"event": "turn.heard"})
    assert sender.dropped == before + 1


def test_a_worker_whose_parent_is_gone_goes_on() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.close()
    sender = EventSender(ours, "1")
    assert sender(None, "info", {"event": "turn.heard"}) == {"event": "turn.heard"}
    assert sender.dropped == 1
    ours.close()
