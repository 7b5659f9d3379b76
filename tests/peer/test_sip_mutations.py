"""Damaged messages, by the thousand where wanted, leave the server answering; what aborts the bare library is
known by name.

``SIPAGENT_MUTATIONS`` sets how many are sent each way (default 200), ``SIPAGENT_MUTATION_SEED`` which.
"""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.fakes.sip_mutations import CRASHERS, crasher, mutations
from tests.peer.edge import edge
from tests.peer.modelless import modelless_worker, modelless_worker_with
from tests.peer.running_agent import ROOT, RunningAgent
from tests.peer.sip_attack import Attacker

pytestmark = pytest.mark.peer

COUNT = int(os.environ.get("SIPAGENT_MUTATIONS", "200"))
SEED = int(os.environ.get("SIPAGENT_MUTATION_SEED", "4475"))
TORTURE = [path.read_bytes() for path in sorted((ROOT / "tests" / "golden" / "sip").glob("*.dat"))]
BATCH = 100
FAST = {"security.requests_per_s": 5000, "security.total_requests_per_s": 5000}
PATIENCE_S = 10.0
"""For an answer on a busy machine; an aborted worker never answers."""


def attack(worker: RunningAgent, port: int, count: int, folder: Path) -> None:
    """Send ``count`` damaged messages to the port; the worker must live and answer all along."""
    attacker = Attacker(port)
    messages = mutations(SEED, count, attacker.home, TORTURE)
    sent: list[bytes] = []
    try:
        for number, message in enumerate(messages, 1):
            sent.append(message)
            attacker.send(message)
            if number % BATCH and number != count:
                continue
            is_alive = worker.child.status is None and attacker.is_answered(PATIENCE_S)
            if not is_alive:
                for index, suspect in enumerate(sent):
                    (folder / f"{number - len(sent) + index}.dat").write_bytes(suspect)
            assert is_alive, f"seed {SEED}: one of {len(sent)} in {folder} stops it: {worker.child.tail[-5:]}"
            sent.clear()
        statuses = dict(sorted(attacker.answers.items()))
        print(f"seed {SEED}: {count} damaged messages to port {port}; answers by status: {statuses}")
        assert attacker.answers[200] > count // 50, "some of them make a call: the attack goes deep"
    finally:
        attacker.close()


def test_server_answers_after_damaged_messages_sent_to_it(tmp_path: Path) -> None:
    with modelless_worker(tmp_path, FAST, options=("--hurried",)) as worker:
        attack(worker, worker.port, COUNT, tmp_path)


def test_server_answers_after_damaged_messages_sent_through_the_edge(tmp_path: Path) -> None:
    with (
        modelless_worker(tmp_path, FAST, options=("--hurried",)) as worker,
        edge(tmp_path, [worker.port], new_calls_per_s=10_000) as front,
    ):
        attack(worker, front.port, COUNT, tmp_path)


def test_what_aborts_the_library_is_stopped_by_the_gate(tmp_path: Path) -> None:
    with modelless_worker(tmp_path) as worker:
        attacker = Attacker(worker.port)
        for name in CRASHERS:
            attacker.send(crasher(name, attacker.home, f"gate-{len(name)}"))
            assert attacker.is_answered(PATIENCE_S), name
        attacker.close()
        refused = [event.facts["rule"] for event in worker.drain() if event.event == "call.refused"]
        assert len(refused) == len(CRASHERS), refused
        assert worker.child.status is None


@pytest.mark.parametrize("name", CRASHERS)
def test_what_is_known_to_abort_the_bare_library_does(name: str, tmp_path: Path) -> None:
    """The list of docs/security.md: one that no longer aborts has no place there."""
    with modelless_worker(tmp_path, options=("--bare",)) as worker:
        attacker = Attacker(worker.port)
        attacker.send(crasher(name, attacker.home, "bare"))
        deadline = time.monotonic() + PATIENCE_S
        while worker.child.status is None and time.monotonic() < deadline:
            attacker.drain(0.05)
        attacker.close()
        assert worker.child.status is not None, f"{name} leaves this build of the library alive"


def test_worker_that_was_aborted_is_soon_replaced(tmp_path: Path) -> None:
    with modelless_worker(tmp_path) as worker:
        assert worker.child.pid is not None
        os.kill(worker.child.pid, signal.SIGABRT)
        assert worker.wait_for("child.exited").facts["status"] == -signal.SIGABRT
    began = time.monotonic()
    with modelless_worker_with(tmp_path / "sip.yaml") as worker:
        attacker = Attacker(worker.port)
        assert attacker.is_answered(PATIENCE_S)
        attacker.close()
        print(f"a new worker on the same port answers after {time.monotonic() - began:.1f} s")
