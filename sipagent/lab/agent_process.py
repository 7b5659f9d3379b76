"""The agent under test as a child process, on loopback ports of its own."""

import queue
import random
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sipagent.errors import SipAgentError
from sipagent.lab.child import EXITED, Child, ChildEvent, Events

AGENT = "agent"
LOOPBACK = "127.0.0.1"
READY_TIMEOUT_S = 180.0
"""Loading a model of half a gigabyte from a cold disk takes a while."""
_RTP_PORTS = 40


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How ``sipagent serve`` is started."""

    config: Path = Path("sip.yaml")
    llm: str | None = None
    """Instead of the configured model."""
    is_private: bool = True
    """Free loopback ports instead of the configured addresses, and a ledger of its own."""
    has_ledger: bool = True
    """False: calls leave no record."""


def start_agent(options: AgentOptions, events: Events, ledger_dir: Path) -> Child:
    """Start ``sipagent serve``; the caller stops it.

    :param ledger_dir: where a private agent keeps its ledger.
    """
    command = [sys.executable, "-m", "sipagent", "serve", "--no-supervisor", "-c", str(options.config)]
    command += ["--log-format", "json", "--log-pii"]
    if options.is_private:
        first = free_port_block(_RTP_PORTS)
        command += ["--listen-udp", f"{LOOPBACK}:{free_udp_port()}", "--console", "off"]
        command += ["--rtp-ports", f"{first}-{first + _RTP_PORTS - 1}"]
        command += ["--ledger-dir", str(ledger_dir)]
    if not options.has_ledger:
        command += ["--no-ledger"]
    if options.llm:
        command += ["--llm", options.llm]
    child = Child(AGENT, command, events, reads="stderr")
    child.start()
    return child


def wait_ready(
    agent: Child,
    events: Events,
    timeout_s: float = READY_TIMEOUT_S,
    *,
    earlier: list[ChildEvent] | None = None,
) -> dict[str, Any]:
    """Wait for ``agent.ready``; its facts: ``ready_ms``, ``udp``.

    :param earlier: takes the events that came before it.
    :raises SipAgentError: it ended or was not ready in time; carries its last lines.
    """
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            event = events.get(timeout=left_s)
        except queue.Empty:
            break
        if event.source == AGENT and event.event == "agent.ready":
            return event.facts
        if event.source == AGENT and event.event == EXITED:
            raise AgentFailed(
                f"the agent ended with status {event.facts['status']} before it was ready", agent
            )
        if earlier is not None:
            earlier.append(event)
    raise AgentFailed(f"the agent was not ready within {timeout_s:.0f} s", agent)


class AgentFailed(SipAgentError):
    """The agent did not come up."""

    def __init__(self, problem: str, agent: Child) -> None:
        said = "".join(f"\n  {line}" for line in agent.tail[-15:])
        super().__init__(f"{problem}{'; it said:' if said else ''}{said}")


def resident_kb(pid: int) -> int:
    """Resident memory of a process and its descendants, in KiB; those that are gone count nothing."""
    total_kb = 0
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            total_kb += int(line.split()[1])
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        total_kb += sum(resident_kb(int(child)) for child in children)
    return total_kb


def free_udp_port() -> int:
    """A UDP port of loopback that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def free_port_block(count: int) -> int:
    """The first, even, of ``count`` neighbouring UDP ports of loopback that nobody uses now.

    :raises SipAgentError: none found in many tries.
    """
    for _ in range(50):
        first = random.randrange(20_000, 60_000 - count, 2)
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return first
    raise SipAgentError(f"lab: no {count} free UDP ports in a row on {LOOPBACK}")


def next_event(events: Events, timeout_s: float) -> ChildEvent | None:
    """The next event of any child, None after ``timeout_s``."""
    try:
        return events.get(timeout=timeout_s)
    except queue.Empty:
        return None
