"""Trunks that go and come back: OPTIONS, and registrations that outlive their registrar.

The agent's pauses are shortened here: OPTIONS every second instead of every thirty, 0.5 s for an answer.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipagent.lab.agent_process import free_udp_port
from tests.peer.carrier import DialAgent, certified_folder, dial_agent, free_ports
from tests.peer.raw_caller import RawCaller
from tests.peer.raw_peer import RawPeer
from tests.peer.sip_programs import kamailio

pytestmark = pytest.mark.peer

USERS = ("office", "proxied", "brief")
REPLY_MS = 500


def account(user: str, port: int) -> dict[str, Any]:
    """A trunk that registers."""
    address = f"127.0.0.1:{port}"
    register = {"registrar": f"sip:{address}", "username": user, "expires_s": 60, "retry_s": 5}
    register["password_env"] = f"TEST_PASSWORD_{user.upper()}"
    return {"name": user, "domain": address, "register": register, "reply_ms": REPLY_MS}


@contextmanager
def registering_agent(folder: Path, registrar_port: int) -> Iterator[DialAgent]:
    """An agent with an account of each kind, and a trunk whose name nobody knows."""
    trunks = [account(user, registrar_port) for user in USERS]
    trunks.append({"name": "lost", "domain": "no-such-host.invalid", "allow_from": ["192.0.2.1/32"]})
    with pytest.MonkeyPatch.context() as environment:
        for user in USERS:
            environment.setenv(f"TEST_PASSWORD_{user.upper()}", f"secret of {user}")
        with dial_agent(certified_folder(folder), free_ports(), trunks, options_s=1) as agent:
            yield agent


def wait_for_state(agent: DialAgent, trunk: str, state: str, *, after: int = 0) -> dict[str, Any]:
    """The facts of the trunk's change into this state."""

    def is_it(event: Any) -> bool:
        return bool(event.facts["trunk"] == trunk and event.facts["state"] == state)

    return agent.wait_for("trunk.state", after=after, timeout_s=20, where=is_it).facts


def registration_of(agent: DialAgent, trunk: str, *, after: int = 0) -> dict[str, Any]:
    """The facts of the trunk's registration."""
    return agent.wait_for("trunk.registered", after=after, where=lambda e: e.facts["trunk"] == trunk).facts


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_trunks_register_with_every_challenge(tmp_path: Path, algorithm: str) -> None:
    """401, 407 and 423."""
    port = free_udp_port()
    with kamailio(tmp_path, port, algorithm=algorithm), registering_agent(tmp_path, port) as agent:
        for user in USERS:
            assert registration_of(agent, user)["expires_s"] == (90 if user == "brief" else 60)
        start = len(agent.drain())
        with RawCaller(port, user="office") as caller:
            assert caller.invite().status == 200
            assert agent.wait_for("test.offered", after=start).facts["trunk"] == "office"


def test_registration_outlives_its_registrar(tmp_path: Path) -> None:
    """A registrar that restarts has forgotten everybody: who finds it back registers at once."""
    port = free_udp_port()
    with ExitStack() as stack:
        running = stack.enter_context(ExitStack())
        running.enter_context(kamailio(tmp_path, port))
        agent = stack.enter_context(registering_agent(tmp_path, port))
        wait_for_state(agent, "office", "up")
        lost = wait_for_state(agent, "lost", "down")
        assert lost["reason"].startswith("the name no-such-host.invalid is not found")
        registration_of(agent, "office")
        state = agent.states()["office"]
        assert (state["health"], state["reason"], state["registration"]) == ("up", "answers", "registered")
        assert 0 <= state["round_trip_ms"] < 2000

        start = len(agent.drain())
        running.close()
        down = wait_for_state(agent, "office", "down", after=start)
        assert down["was"] == "up"
        assert agent.states()["office"]["reason"] == down["reason"]

        stack.enter_context(kamailio(tmp_path, port))
        wait_for_state(agent, "office", "up", after=start)
        registration_of(agent, "office", after=start)
        with RawCaller(port, user="office") as caller:
            assert caller.invite().status == 200


def test_one_lost_options_is_no_alarm_and_a_silent_peer_is(tmp_path: Path) -> None:
    folder, ports = certified_folder(tmp_path), free_ports()
    trunk = {"name": "silent", "domain": f"127.0.0.1:{ports.dead}", "reply_ms": REPLY_MS}
    with RawPeer(ports.dead) as peer, dial_agent(folder, ports, [trunk], options_s=1) as agent:
        peer.answer(peer.request("OPTIONS"))
        wait_for_state(agent, "silent", "up")
        first = peer.request("OPTIONS").get("call-id")
        again = peer.request("OPTIONS")
        while again.get("call-id") == first:  # sent again, as UDP wants it
            again = peer.request("OPTIONS")
        peer.answer(again)
        down = wait_for_state(agent, "silent", "down")
        assert down["reason"] == f"no answer within {REPLY_MS} ms"
        states = [e.facts["state"] for e in agent.drain() if e.event == "trunk.state"]
        assert states == ["up", "down"]
