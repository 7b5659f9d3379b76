"""The edge of ``deploy/kamailio``: real calls to a real agent, fail-over, no relay, no strangers."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.lab.softphone import Softphone
from sipagent.sip.wire_message import SipMessage
from tests.peer.edge import Edge, edge
from tests.peer.modelless import modelless_worker, modelless_worker_with
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import LOOPBACK, RunningAgent

pytestmark = pytest.mark.peer

STRANGER = "127.0.0.66"


@pytest.fixture(scope="module")
def front(agent: RunningAgent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The edge in front of the real agent."""
    with edge(tmp_path_factory.mktemp("edge"), [agent.port]) as started:
        yield started


def test_call_is_answered_heard_and_ended_through_the_edge(front: Edge, agent: RunningAgent) -> None:
    start = len(agent.drain())
    with Softphone() as phone:
        phone.call(f"sip:receptionist@{LOOPBACK}:{front.port}")
        assert phone.run(until=lambda: phone.is_up, timeout_ms=10_000), phone.result
        assert phone.run(until=lambda: bool(phone.spans()), timeout_ms=10_000), "no greeting"
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    assert agent.wait_for("call.ended", after=start).facts["cause"] == "caller hung up"


def test_call_that_the_agent_ends_reaches_the_caller(tmp_path: Path) -> None:
    with (
        modelless_worker(tmp_path) as worker,
        edge(tmp_path, [worker.port]) as front,
        RawCaller(front.port) as caller,
    ):
        caller.request("INVITE", caller.sdp())
        assert caller.answer("INVITE").status == 200
        caller.accept(caller.wait_for_request("BYE", 10))  # nothing was acknowledged: the worker gives up


def test_nothing_names_the_software(front: Edge, agent: RunningAgent) -> None:
    for port in (front.port, agent.port):
        with RawCaller(port) as caller:
            assert caller.options().status == 200
            assert caller.invite().status == 200
            assert caller.bye().status == 200
            caller.request("REGISTER")
            assert caller.answer("REGISTER").status == 405
            told = repr([(m.headers, m.body) for m in caller.received])
        assert not re.search(r"(?i)kamailio|pjsip|pjsua|pjmedia|sipagent|user-agent|'server'|python", told)


def test_strangers_hear_nothing(front: Edge, agent: RunningAgent) -> None:
    start = len(agent.drain())
    with RawCaller(front.port, host=STRANGER) as stranger:
        for method in ("OPTIONS", "INVITE", "REGISTER"):
            stranger.request(method, stranger.sdp() if method == "INVITE" else b"")
        with pytest.raises(AssertionError, match="no answer"):
            stranger.answer("INVITE", 1.0)
        assert stranger.received == []
    assert not [e for e in agent.drain()[start:] if e.event.startswith("call.")]


def test_edge_is_no_open_relay(front: Edge) -> None:
    """Neither a Route of the caller's own nor a forged dialog leads to a third party."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim, RawCaller(front.port) as caller:
        victim.bind((LOOPBACK, 0))
        victim.settimeout(0.5)
        there = f"sip:victim@{LOOPBACK}:{victim.getsockname()[1]}"
        caller.request("INVITE", caller.sdp(), extra=(("Route", f"<{there};lr>"),))
        assert caller.answer("INVITE").status == 200, "taken by a worker"
        with RawCaller(front.port) as forger:
            forger.enter_unknown_dialog()
            forger._remote_target = there
            route = ("Route", f"<sip:{LOOPBACK}:{front.port};lr>")
            for method in ("INVITE", "BYE", "MESSAGE"):
                forger.request(method, extra=(route,))
                assert forger.answer(method).status == 403
        with pytest.raises(TimeoutError):
            victim.recv(1000)


def test_calls_are_spread_and_a_dead_worker_is_passed_by(tmp_path: Path) -> None:
    with modelless_worker(tmp_path / "a") as first, modelless_worker(tmp_path / "b") as second:
        workers = {first.port: first, second.port: second}
        with edge(tmp_path, list(workers)) as front:
            callers = [RawCaller(front.port) for _ in range(4)]
            taken = [call(caller) for caller in callers]
            assert {port: taken.count(port) for port in workers} == {first.port: 2, second.port: 2}
            assert first.child.pid is not None
            os.kill(first.child.pid, signal.SIGKILL)
            with RawCaller(front.port) as late, RawCaller(front.port) as later:
                assert [call(late), call(later)] == [second.port] * 2
                with RawCaller(front.port) as one_too_many:
                    refusal = one_too_many.invite()
                assert (refusal.status, refusal.get("retry-after")) == (503, "5")
                assert first.child.status is not None
                with modelless_worker_with(tmp_path / "a" / "sip.yaml"), RawCaller(front.port) as patient:
                    assert called_in_time(patient) == first.port, "its old calls do not fill it for ever"
            for caller, port in zip(callers, taken, strict=True):
                caller.is_up = port == second.port
                caller.__exit__(None, None, None)


def called_in_time(caller: RawCaller) -> int:
    """Call until it is answered, as a caller does who was told to come back."""
    deadline = time.monotonic() + 20
    while (answer := caller.invite()).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return worker_port(answer)


def call(caller: RawCaller) -> int:
    """Call through the edge; :returns: the port of the worker that has answered."""
    answer = caller.invite()
    assert answer.status == 200
    return worker_port(answer)


def worker_port(answer: SipMessage) -> int:
    match = re.search(r":(\d+)", answer.get("contact").partition("@")[2])
    assert match is not None
    return int(match[1])
