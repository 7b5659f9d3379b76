"""Calls that hold, call beside, refer, bridge and hang up at any moment leave nothing behind."""

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest

from sipagent.lab.agent_process import free_udp_port, wait_ready
from sipagent.lab.child import Child, Events
from tests.peer.raw_callee import raw_callee
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import write_config

pytestmark = pytest.mark.peer

DURATION_S = float(os.environ.get("SIPAGENT_CHAOS_S", "6"))
"""A longer campaign finds more."""
CALLERS, MAX_CALLS = 3, 4
CLOSING_S = 12
"""A transaction that nobody answers lives for eight seconds."""
RESTING = f"SipUserAgent(calls=0, ports_free={2 * MAX_CALLS})"


def call_until(end_s: float, port: int, chance: random.Random, answered: list[int]) -> None:
    """Call again and again, do as the agent wants, hang up at any moment."""
    while time.monotonic() < end_s:
        with RawCaller(port) as caller:
            status = caller.invite().status
            answered.append(status)
            if status != 200:
                time.sleep(0.2)
                continue
            hangs_up_s = time.monotonic() + chance.uniform(0, 2.0)
            while caller.is_up and (left_s := hangs_up_s - time.monotonic()) > 0:
                obey(caller, left_s, chance)


def obey(caller: RawCaller, timeout_s: float, chance: random.Random) -> None:
    try:
        request = caller.wait_for_request("", timeout_s)
    except AssertionError:  # nothing came
        return
    if request.method == "INVITE":
        caller.accept(
            request, caller.sdp(direction="recvonly" if b"sendonly" in request.body else "sendrecv")
        )
    elif request.method == "REFER":
        caller.accept(request, status_line=chance.choice(["202 Accepted", "603 Decline"]))
    elif request.method != "ACK":
        caller.accept(request)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    desk_port, events = free_udp_port(), Events()
    config = write_config(
        tmp_path,
        {"limits": {"max_calls": MAX_CALLS, "outbound": {"allow": ["desk"], "calls_per_day": 100_000}}},
    )
    command = [
        sys.executable,
        "-m",
        "tests.fakes.restless_agent",
        str(config),
        f"sip:desk@127.0.0.1:{desk_port}",
    ]
    answered: list[int] = []
    with raw_callee(desk_port), Child("agent", command, events, reads="stderr") as agent:
        port = int(str(wait_ready(agent, events, 30)["udp"]).rpartition(":")[2])
        end_s = time.monotonic() + DURATION_S
        threads = [
            threading.Thread(target=call_until, args=(end_s, port, random.Random(n), answered))
            for n in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert agent.status is None, agent.tail
        assert answered.count(200) >= DURATION_S / 2
        seen, end_s = "", time.monotonic() + CLOSING_S
        while seen != RESTING and time.monotonic() < end_s:
            event = events.get(timeout=5)
            seen = event.facts["repr"] if event.event == "agent.seen" else seen
        assert seen == RESTING
