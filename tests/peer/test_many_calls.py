"""Many short calls by SIPp leave nothing behind: no descriptor, no thread, no memory.

``SIPAGENT_CALLS`` sets how many (default 100).
"""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from sipagent.lab.agent_process import free_udp_port
from sipagent.lab.child import EXITED, Child, Events
from tests.peer.running_agent import LOOPBACK, RunningAgent, running_agent
from tests.peer.sip_programs import HERE, program

pytestmark = pytest.mark.peer

CALLS = int(os.environ.get("SIPAGENT_CALLS", "100"))
FIRST_CALLS = 30
"""Caches and memory pools grow to their size in these."""
CALLS_PER_S, AT_ONCE = 12, 2
MOST_GROWTH_MIB = 20
MOST_P95_MS = 1000
"""100 ms on an idle machine; the tests' machine is shared."""


def test_short_calls_leave_nothing_behind(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        place_calls(agent, FIRST_CALLS, tmp_path)
        before = resources(agent, "before")
        answers_ms = place_calls(agent, CALLS, tmp_path)
        after = resources(agent, "after")
        p50, p95 = np.percentile(answers_ms, (50, 95))
        print(
            f"{CALLS} calls: INVITE to 200 p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {max(answers_ms):.1f} ms"
        )
        assert len(answers_ms) == CALLS
        assert after["fds"] <= before["fds"]
        assert after["threads"] <= before["threads"]
        assert after["rss_kib"] - before["rss_kib"] <= MOST_GROWTH_MIB * 1024
        assert p95 <= MOST_P95_MS
        ended = [event for event in agent.drain() if event.event == "call.ended"]
        assert len(ended) == FIRST_CALLS + CALLS
        assert {event.facts["cause"] for event in ended} == {"caller hung up"}


def place_calls(agent: RunningAgent, count: int, folder: Path) -> list[float]:
    """Have SIPp place them, all successful, and wait for their end here; ms from INVITE to 200."""
    scenario = folder / f"calls-{count}.xml"
    shutil.copy(HERE / "sipp_call.xml", scenario)
    start = len(agent.drain())
    command = ["env", "-C", str(folder), program("sipp", "sip-tester"), f"{LOOPBACK}:{agent.port}"]
    command += ["-sf", str(scenario), "-i", LOOPBACK]
    command += ["-p", str(free_udp_port()), "-mp", str(free_udp_port()), "-s", "+15550100123", "-nostdin"]
    command += ["-m", str(count), "-r", str(CALLS_PER_S), "-l", str(AT_ONCE), "-d", "50"]
    command += ["-trace_rtt", "-rtt_freq", "1", "-timeout", str(30 + count), "-timeout_error"]
    events = Events()
    with Child("sipp", command, events) as child:
        event = events.get(timeout=60 + count)
        assert (event.event, event.facts.get("status")) == (EXITED, 0), "\n".join(child.tail[-40:])
    (trace,) = folder.glob(f"calls-{count}_*_rtt.csv")
    deadline = time.monotonic() + 30
    while sum(event.event == "call.ended" for event in agent.drain()[start:]) < count:
        assert time.monotonic() < deadline, "calls that never end"
        time.sleep(0.05)
    return [float(line.split(";")[1]) for line in trace.read_text().splitlines()[1:]]


def resources(agent: RunningAgent, when: str) -> dict[str, int]:
    """Once the last call's thread and sockets are gone."""
    time.sleep(2)
    found = {"fds": agent.file_descriptors, "threads": agent.threads, "rss_kib": agent.rss_kib}
    print(f"{when}: {found}")
    return found
