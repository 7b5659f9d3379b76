"""SIGTERM while calls are up: each hears goodbye and gets its BYE, over the transport that it came by."""

import os
import signal
from pathlib import Path

import pytest

from tests.peer.running_agent import running_agent
from tests.peer.sip_programs import sipp

pytestmark = pytest.mark.peer


def test_sigterm_sends_bye_over_udp_and_tcp(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        udp = sipp("called_until_bye", agent.port)
        tcp = sipp("called_until_bye", agent.port, transport="t1")
        with udp as udp_caller, tcp as tcp_caller:
            first = agent.wait_for("greeting.began").facts["call_id"]
            agent.wait_for("greeting.began", where=lambda e: e.facts["call_id"] != first)
            assert agent.child.pid is not None
            os.kill(agent.child.pid, signal.SIGTERM)
            udp_caller.succeed()
            tcp_caller.succeed()
        assert agent.wait_for("child.exited").facts["status"] == 0
        ended = [e.facts["cause"] for e in agent.drain() if e.event == "call.ended"]
        assert ended == ["agent hung up"] * 2
